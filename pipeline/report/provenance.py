"""Where the rows came from, in words: each fact with its name, and `not recorded` where it is missing."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report import wording
from pipeline.report.gather import FIRST_VERBS, Gathered, Run

EXITS = {
    0: "complete",
    1: "some tasks failed",
    2: "could not start",
    3: "too many rows rejected, or all",
    4: "refused: the output was made from another spec",
    5: "refused: another driver was running",
    130: "interrupted",
}
ROWS = ("planned", "published", "rejected", "failed")
EXPECTED = {
    "generator": "Generator",
    "generator_digest": "Generator's digest",
    "seed": "Seed",
    "psi": "Truncation psi",
    "classifiers": "Classifiers",
    "classifiers_digest": "Classifiers' digest",
}
"""What a page always lists, if only as `not recorded`."""
NAMED = {
    "cutoff": "Truncation cutoff",
    "rows": "Rows",
    "attributes": "Attributes",
    "calibration_digest": "Calibration's digest",
    "w_avg_digest": "w_avg's digest",
    "latents_digest": "Latents' digest",
    "images": "Pictures kept",
    "size": "Picture size, px",
    "quality": "Picture quality",
}
MACHINE = {
    "device": "Device",
    "backend": "Backend",
    "precision": "Precision",
    "threads": "Threads per worker",
    "batch_size": "Micro-batch, rows",
    "rows_per_shard": "Rows per shard",
    "workers": "Workers",
}

PEAKS = {
    "peak_rss_bytes": "Most memory of a worker",
    "peak_device_bytes": "Most device memory of a worker",
}


@dataclass(frozen=True)
class Fact:
    """One line of a list: its name and its value in words."""

    name: str
    value: str

    @property
    def missing(self) -> bool:
        return self.value == wording.NOT_RECORDED

    @property
    def digest(self) -> bool:
        return re.fullmatch("[0-9a-f]{32,}", self.value) is not None


@dataclass(frozen=True)
class Weights:
    """One model file that the rows were made with."""

    name: str
    what: str
    source: str
    licence: str
    citation: str
    noncommercial: bool
    reason: str
    """Why it is for non-commercial use only; empty where no reason is recorded."""


def main_run(gathered: Gathered) -> Run | None:
    """The job in the heading: the one that made most of the folder."""
    order = {verb: place for place, verb in enumerate(FIRST_VERBS)}
    return min(gathered.runs, key=lambda run: order.get(run.verb, len(order)), default=None)


def origin(gathered: Gathered) -> list[str]:
    """What made the faces, in a line: the spec's words, else what the latents say."""
    run = main_run(gathered)
    said = {name: run.asked(name) for name in ("generator", "psi", "seed", "classifiers")} if run else {}
    said |= {name: value for name, value in gathered.latents.items() if said.get(name) is None}
    words = {"generator": "", "psi": "psi ", "seed": "seed ", "classifiers": "labels by "}
    return [words[name] + wording.anything(said[name]) for name in words if said.get(name) is not None]


def states(gathered: Gathered) -> list[tuple[str, str]]:
    """(`good` or `warning`, a sentence) on whether the tables are finished, and on each job that did not end well."""
    if gathered.unsealed:
        names = ", ".join(gathered.unsealed)
        sentence = f"Not sealed: {names}. The job is running or was stopped; this page shows the rows so far"
        found = [("warning", sentence)]
    elif gathered.tables:
        found = [("good", "Sealed: " + ", ".join(gathered.tables))]
    else:
        found = [("warning", "Nothing has been published here")]
    warnings = [*borrowed(gathered.runs), *(("warning", note) for note in gathered.notes)]
    return [*found, *ended_badly(gathered.runs), *warnings]


def calibration(run: Run) -> str:
    """The generator whose constants the scores of a job use."""
    found = run.asked("calibration")
    if not isinstance(found, Mapping):
        return wording.NOT_RECORDED
    words = f"measured on {wording.anything(found.get('generator'))} ({wording.anything(found.get('digest'))[:12]})"
    return f"borrowed: {words}" if found.get("borrowed") else words


def borrowed(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """(`warning`, a sentence) for each job whose scores use another generator's constants."""
    for run in runs:
        found = run.asked("calibration")
        if isinstance(found, Mapping) and found.get("borrowed"):
            yield (
                "warning",
                (
                    f"Scores of {run.verb} use borrowed constants, measured on "
                    f"{wording.anything(found.get('generator'))}, so boundaries and units may be off "
                    "(stylemill calibrate measures this generator's own)"
                ),
            )


def ended_badly(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """(`warning`, a sentence) for each job whose last run did not end with 0."""
    for run in runs:
        code = run.ended("exit_code")
        if code not in (None, 0):
            yield "warning", f"The last run of {run.verb} ended with exit code {_exit(code)}"


def headline(gathered: Gathered) -> list[Fact]:
    """The few numbers under the heading."""
    run = main_run(gathered)
    if run is None:
        return [Fact("rows here", wording.count(gathered.rows))]
    facts = [Fact(name, wording.count(run.ended(name))) for name in ROWS]
    if run.ended("published") != gathered.rows:
        facts.insert(0, Fact("rows here", wording.count(gathered.rows)))
    if run.ended("not_run"):
        facts.append(Fact("not run", wording.count(run.ended("not_run"))))
    if run.ended("rows_per_second"):
        facts.append(Fact("last run", wording.duration(run.ended("seconds"))))
        facts.append(Fact("rows per second", wording.rate(run.ended("rows_per_second"))))
    return facts


def facts(run: Run) -> list[tuple[str, list[Fact]]]:
    """All facts of one job, in groups with a heading."""
    return [
        ("Settings", list(_asked(run))),
        ("Machine", [Fact(name, wording.anything(run.asked(key))) for key, name in MACHINE.items()]),
        ("Last run", list(_ended(run))),
        ("Versions at the first start", _pairs(run.spec.get("versions")) or [Fact("Packages", wording.NOT_RECORDED)]),
    ]


def weights(gathered: Gathered) -> list[Weights]:
    """The model files that all jobs of the folder name, each once."""
    return weights_of(gathered.runs)


def weights_of(runs: Iterable[Run]) -> list[Weights]:
    """The model files that these jobs name, each once."""
    found: dict[str, Weights] = {}
    for run in runs:
        listed = run.ended("weights")
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, Mapping):
                words = {
                    key: wording.anything(entry.get(key)) for key in ("name", "what", "source", "licence", "citation")
                }
                said = entry.get("noncommercial")
                reason = said if isinstance(said, str) else ""
                found.setdefault(words["name"], Weights(**words, noncommercial=bool(said), reason=reason))
    return list(found.values())


def networks(runs: Iterable[Run]) -> dict[str, str]:
    """A line of terms for each of `weights_of`, as pages on photos have them."""
    found = {}
    for one in weights_of(runs):
        terms = f"; non-commercial: {one.reason}" if one.noncommercial else ""
        found[f"Network {one.name}"] = f"{one.source}; licence: {one.licence}; {one.citation}{terms}"
    return found


def _asked(run: Run) -> Iterator[Fact]:
    """The command if it is recorded, what every page lists, and then all else in the spec."""
    command = run.asked("command")
    if command is not None:
        yield Fact("Command", " ".join(map(str, command)) if isinstance(command, list) else wording.anything(command))
    for key, name in EXPECTED.items():
        yield Fact(name, wording.anything(run.asked(key)))
    if run.asked("calibration") is not None:
        yield Fact("Calibration", calibration(run))
    held = dict.fromkeys([*NAMED, *_keys(run.spec.get("spec")), *_keys(run.spec.get("resolved"))])
    for key in held:
        if key not in EXPECTED and key not in MACHINE and run.asked(key) is not None:
            yield Fact(NAMED.get(key, _sentence(key)), wording.anything(run.asked(key)))
    yield Fact("Fingerprint", wording.anything(run.asked("fingerprint")))
    if run.asked("created") is not None:
        yield Fact("First started", wording.anything(run.asked("created")))


def _ended(run: Run) -> Iterator[Fact]:
    yield Fact("Exit code", _exit(run.ended("exit_code")))
    for name in ROWS:
        yield Fact(f"Rows {name}", wording.count(run.ended(name)))
    if run.ended("not_run") is not None:
        yield Fact("Rows not run", wording.count(run.ended("not_run")))
    yield Fact("Time", wording.duration(run.ended("seconds")))
    if run.ended("startup_seconds") is not None:
        yield Fact("Time to start up", wording.duration(run.ended("startup_seconds")))
    yield Fact("Rows per second", wording.rate(run.ended("rows_per_second")))
    for key in ("workers_lost", "nodes_lost"):
        if run.ended(key) is not None:
            yield Fact(_sentence(key), wording.count(run.ended(key)))
    if run.ended("bytes") is not None:
        yield Fact("Size of all parts", wording.size(run.ended("bytes")))
    counters = run.ended("counters")
    for key, value in sorted(counters.items()) if isinstance(counters, Mapping) else []:
        work = key.removesuffix("seconds").rstrip("_").replace("_", " ") or "task"
        if key.endswith("seconds"):
            yield Fact(f"{_sentence(work)} time, summed", wording.duration(value))
        elif key in PEAKS:
            yield Fact(PEAKS[key], wording.size(value))
        else:
            yield Fact(_sentence(key), wording.count(value))
    yield from (Fact(f"Shard {fact.name}", fact.value) for fact in _pairs(run.ended("errors")))


def _exit(code: Any) -> str:
    known = isinstance(code, int) and code in EXITS
    return wording.anything(code) + (f", {EXITS[code]}" if known else "")


def _pairs(held: Any) -> list[Fact]:
    return [Fact(key, wording.anything(held[key])) for key in sorted(_keys(held))]


def _keys(held: Any) -> Iterable[str]:
    return held.keys() if isinstance(held, Mapping) else ()


def _sentence(key: str) -> str:
    return key[:1].upper() + key[1:].replace("_", " ")
