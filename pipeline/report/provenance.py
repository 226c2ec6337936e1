"""Where the rows came from, in words: each fact with its name, `not recorded` where nobody wrote it down."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report import wording
from pipeline.report.gather import Gathered, Run

FIRST_VERBS = ("dataset", "sample", "label")
EXITS = {
    0: "complete",
    1: "some tasks failed",
    2: "could not start",
    3: "more rejects than allowed",
    4: "refused: the output was made from another spec",
    5: "refused: another driver was at work",
    130: "interrupted",
}
ASKED = (
    ("Generator", "generator"),
    ("Generator's digest", "generator_digest"),
    ("w_avg's digest", "w_avg_digest"),
    ("Seed", "seed"),
    ("Truncation psi", "psi"),
    ("Truncation cutoff", "cutoff"),
    ("Attributes", "attributes"),
    ("Classifiers", "classifiers"),
    ("Classifiers' digest", "classifiers_digest"),
    ("Calibration's digest", "calibration_digest"),
    ("Pictures kept", "images"),
    ("Picture size, px", "size"),
)
MACHINE = (
    ("Device", "device"),
    ("Backend", "backend"),
    ("Precision", "precision"),
    ("Threads per worker", "threads"),
    ("Micro-batch, rows", "batch_size"),
    ("Rows per shard", "rows_per_shard"),
    ("Workers", "workers"),
)


@dataclass(frozen=True)
class Fact:
    """One line of a list: its name and its value in words. `missing` values are drawn quietly."""

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


def main_run(gathered: Gathered) -> Run | None:
    """The job that the heading speaks of: the one that made most of the folder."""
    order = {verb: place for place, verb in enumerate(FIRST_VERBS)}
    return min(gathered.runs, key=lambda run: order.get(run.verb, len(order)), default=None)


def state(gathered: Gathered) -> tuple[str, str]:
    """(`good` or `warning`, a sentence) on whether the tables are finished."""
    if not gathered.unsealed:
        return "good", "Sealed: " + ", ".join(gathered.tables)
    names = ", ".join(gathered.unsealed)
    return "warning", f"Not sealed: {names}. The job is at work or was stopped; this page shows the rows so far"


def origin(gathered: Gathered) -> list[str]:
    """What made the faces, in a line: the spec's words, else what the latents say."""
    run = main_run(gathered)
    said = {name: run.asked(name) for name in ("generator", "psi", "seed", "classifiers")} if run else {}
    said |= {name: value for name, value in gathered.latents.items() if said.get(name) is None}
    words = {"generator": "", "psi": "psi ", "seed": "seed ", "classifiers": "labels by "}
    return [words[name] + wording.anything(said[name]) for name in words if said.get(name) is not None]


def headline(gathered: Gathered) -> list[Fact]:
    """The few numbers under the heading."""
    run = main_run(gathered)
    if run is None:
        return [Fact("rows here", wording.count(gathered.rows))]
    facts = [
        *(Fact(name, wording.count(run.ended(name))) for name in ("planned", "published", "rejected", "failed")),
        Fact("time", wording.duration(run.ended("seconds"))),
        Fact("rows per second", wording.rate(run.ended("rows_per_second"))),
    ]
    if run.ended("published") != gathered.rows:
        facts.insert(0, Fact("rows here", wording.count(gathered.rows)))
    return facts


def facts(run: Run) -> list[tuple[str, list[Fact]]]:
    """All facts of one job, in groups with a heading."""
    counters = run.ended("counters")
    versions = run.spec.get("versions")
    code = run.ended("exit_code")
    return [
        (
            "What was asked",
            [
                Fact("Command", _command(run)),
                *(Fact(name, wording.anything(run.asked(key))) for name, key in ASKED),
                Fact("Fingerprint", wording.anything(run.asked("fingerprint"))),
                Fact("First started", wording.anything(run.spec.get("created"))),
            ],
        ),
        (
            "How it ended",
            [
                Fact("Exit code", wording.anything(code) + (f", {EXITS[code]}" if _known_exit(code) else "")),
                *(
                    Fact(f"Rows {name}", wording.count(run.ended(name)))
                    for name in ("planned", "published", "rejected", "failed")
                ),
                Fact("Time", wording.duration(run.ended("seconds"))),
                Fact("Rows per second", wording.rate(run.ended("rows_per_second"))),
                *(Fact(*line) for line in _counters(counters)),
            ],
        ),
        ("On what", [Fact(name, wording.anything(run.asked(key))) for name, key in MACHINE]),
        (
            "Versions",
            [Fact(str(name), wording.anything(value)) for name, value in sorted(versions.items())]
            if isinstance(versions, Mapping) and versions
            else [Fact("Packages", wording.NOT_RECORDED)],
        ),
    ]


def weights(gathered: Gathered) -> list[Weights]:
    """The model files that all jobs of the folder name, each once."""
    found: dict[str, Weights] = {}
    for run in gathered.runs:
        listed = run.ended("weights")
        for entry in listed if isinstance(listed, list) else []:
            if isinstance(entry, Mapping):
                words = {
                    key: wording.anything(entry.get(key)) for key in ("name", "what", "source", "licence", "citation")
                }
                found.setdefault(words["name"], Weights(**words, noncommercial=entry.get("noncommercial") is True))
    return list(found.values())


def _command(run: Run) -> str:
    command = run.asked("command")
    return " ".join(map(str, command)) if isinstance(command, list) else wording.anything(command)


def _known_exit(code: Any) -> bool:
    return isinstance(code, int) and code in EXITS


def _counters(counters: Any) -> Iterator[tuple[str, str]]:
    if isinstance(counters, Mapping):
        for name, value in sorted(counters.items()):
            if str(name).endswith("_seconds"):
                work = str(name).removesuffix("_seconds").replace("_", " ")
                yield f"Time in {work}, all workers", wording.duration(value)
            else:
                yield str(name).replace("_", " ").capitalize(), wording.count(value)
