"""Workers and threads on a CPU: what the default reaches beside other settings, on quiet and on busy cores.

    python -m benchmarks.threads

Every run is the command as a person types it, on a fresh output. Settings take turns, each once on quiet cores and once
beside a busy loop that takes a core's worth of time wherever the system puts it; medians of the rounds count. The rate
is the summary's (from the first worker being open to the seal), the wall time that of the whole command. Settings that
come to the same workers and threads are one setting, and share their runs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import tyro

from benchmarks.machine import header
from jobs.resolve import CODES, FACES, GRADIENTS
from pipeline.engine.machine import cores
from pipeline.engine.workers import Load

RESULTS = Path(__file__).parent / "results" / "threads.md"
LOADS = ("quiet", "busy")
GOAL = 1.1
BATCH_SIZE, RESOLUTION = 2, 1024
BUSY = "while True: pass"
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class JobKind:
    """A verb with its flags; `folder` has its records. load: what the default reckons that a worker takes."""

    name: str
    words: tuple[str, ...]
    folder: str
    load: Load


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    workers: int
    threads: int
    rate: float
    seconds: float
    memory: float


def jobs_of(inputs: Path, rows: int, faces: int, edited: int, steps: int) -> list[JobKind]:
    """The jobs, on latents that are made beforehand."""
    label = ("label", "--latents", str(inputs / "faces" / "latents"), "--classifiers", "judge")
    edit = ("edit", "ials", "--latents", str(inputs / "edited" / "latents"), "--attribute", "male", "--preserve",
            "smile", "--lambda1", "0", "--steps", str(steps))  # fmt: skip
    return [
        JobKind(f"sample, {rows:,} rows", ("sample", "--rows", str(rows)), "sample", CODES),
        JobKind(
            f"dataset, {faces} rows, JPEGs", ("dataset", "--rows", str(faces), "--images", "jpeg"), "dataset", FACES
        ),
        JobKind(f"label, {faces} rows, the judge", label, "label", FACES),
        JobKind(f"edit ials, {edited} rows, {steps} steps", edit, "edit", GRADIENTS),
    ]


def settings_of(count: int) -> dict[str, tuple[str, ...]]:
    """Flags by name, for so many cores."""
    many = f"{count} workers x 1 thread" if count > 1 else "1 worker, once more"
    return {
        "default": (),
        f"1 worker x {count} threads": ("--workers", "1", "--threads", str(count)),
        many: ("--workers", str(count), "--threads", "1"),
        "1 worker x 1 thread": ("--workers", "1", "--threads", "1"),
        "--local": ("--local",),
    }


@contextmanager
def cores_that_are(load: str) -> Iterator[None]:
    """With a busy loop beside, or not."""
    loop = subprocess.Popen([sys.executable, "-c", BUSY]) if load == "busy" else None
    try:
        yield
    finally:
        if loop:
            loop.kill()
            loop.wait()


def command(words: Sequence[str]) -> None:
    """Run a verb. Raises RuntimeError with its last words where it fails or takes too long."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "RAY_ADDRESS"))
    }
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "jobs", *words, "--device", "cpu"],
            env=ours, timeout=TIMEOUT_SECONDS, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"no end after {TIMEOUT_SECONDS} s") from None
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"exit code {ended.returncode}: {said[-1]}")


def measure(kind: JobKind, flags: Sequence[str]) -> Run:
    """One run, from the shell to the exit code. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        command([*kind.words, *flags, "--out", out])
        seconds = time.perf_counter() - begun
        job_records = Path(out) / ".stylemill" / kind.folder
        summary = json.loads((job_records / "summary.json").read_text())
        spec = json.loads((job_records / "spec.json").read_text())["spec"]
    memory = summary["counters"]["peak_rss_bytes"]
    return Run(summary["workers"], spec.get("threads", 1), summary["rows_per_second"], seconds, memory)


Runs = Mapping[tuple[str, str], list[Run]]
"""By setting and load."""


def contest(kind: JobKind, settings: Mapping[str, Sequence[str]], rounds: int, failures: list[str]) -> Runs:
    """All settings in turn, on quiet and on busy cores."""
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for number in range(rounds):
        for name, flags in settings.items():
            for load in LOADS:
                what = f"{kind.name}: {name}, {load}" + (f", round {number + 1}" if rounds > 1 else "")
                with cores_that_are(load):
                    try:
                        run = measure(kind, flags)
                    except (RuntimeError, OSError, KeyError, ValueError) as error:
                        failures.append(f"{what}: {error}")
                        print(f"FAILED {failures[-1]}", flush=True)
                        continue
                runs[name, load].append(run)
                print(f"{what}: {run.workers} x {run.threads}, {run.rate:.2f} rows/s, {run.seconds:.1f} s", flush=True)
    return _pooled(runs)


def _pooled(runs: Runs) -> Runs:
    """Runs of settings that come to the same are all of each; --local has no Ray and is one of its own."""
    alike = defaultdict(list)
    for (name, load), found in runs.items():
        for run in found:
            alike[name == "--local", load, run.workers, run.threads].append(run)
    return {
        (name, load): alike[name == "--local", load, found[0].workers, found[0].threads]
        for (name, load), found in runs.items()
    }


def section(kind: JobKind, settings: Mapping[str, Sequence[str]], runs: Runs) -> str:
    """Markdown: the settings side by side, and what the default reaches."""
    text = f"## {kind.name}\n\n"
    for load in LOADS:
        rates = {name: median(run.rate for run in runs[name, load]) for name in settings if (name, load) in runs}
        if "default" not in rates:
            text += f"On {load} cores the default was not measured.\n\n"
            continue
        best = max(rates, key=lambda name: rates[name])
        share = rates["default"] / rates[best]
        text += (
            f"On {load} cores the default reaches **{share:.2f} of the best setting**, {best} "
            f"(goal: at least {1 / GOAL:.2f}, {'met' if share >= 1 / GOAL else '**missed**'}).\n\n"
        )
    text += "| setting | workers x threads | rows/s, quiet | wall, s | rows/s, busy | wall, s | a worker's memory |\n"
    text += "|---|---|---:|---:|---:|---:|---:|\n"
    for name in settings:
        found = [run for load in LOADS for run in runs.get((name, load), ())]
        if not found:
            text += f"| {name} | failed | | | | | |\n"
            continue
        cells = []
        for load in LOADS:
            mine = runs.get((name, load), ())
            cells += [f"{median(getattr(r, what) for r in mine):.{d}f}" if mine else "failed"
                      for what, d in (("rate", 2), ("seconds", 1))]  # fmt: skip
        memory = max(run.memory for run in found) / 1e9
        text += f"| {name} | {found[0].workers} x {found[0].threads} | {' | '.join(cells)} | {memory:.2f} GB |\n"
    reckoned = kind.load.worker_bytes(BATCH_SIZE, RESOLUTION) / 1e9
    return text + f"\nThe default reckons with {reckoned:.1f} GB a worker.\n\n"


def main(
    rows: int = 16384,
    faces: int = 64,
    edited: int = 8,
    steps: int = 2,
    rounds: int = 1,
    only: Literal["sample", "dataset", "label", "edit"] | None = None,
    out: Path = RESULTS,
) -> None:
    """Measure, print and keep the tables; they are written after each job.

    Args:
        rows: of `sample`.
        faces: of `dataset` and `label`.
        edited: faces of `edit`.
        steps: of `edit`.
        rounds: runs of each setting on quiet and on busy cores. One takes half an hour.
        only: one job of the four.
        out: where the tables go.
    """
    begun, failures, count = time.perf_counter(), [], cores()
    flags = f"--rows {rows} --faces {faces} --edited {edited} --steps {steps} --rounds {rounds}"
    flags += f" --only {only}" if only else ""
    text = "# Workers and threads on a CPU\n\n" + header("python -m benchmarks.threads", flags)
    text += (
        "Rows a second inside the job, from the first worker being open to the seal, and the wall time of the whole "
        f"command. Busy: beside one endless loop. {rounds} round{'' if rounds == 1 else 's'}; settings that come to "
        "the same workers and threads share their runs.\n\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder)
        for name, number in {"faces": faces, "edited": edited}.items():
            command(["sample", "--rows", str(number), "--local", "--out", str(inputs / name)])
        for kind in jobs_of(inputs, rows, faces, edited, steps):
            if only not in (None, kind.folder):
                continue
            settings = settings_of(count)
            text += section(kind, settings, contest(kind, settings, rounds, failures))
            notes = "".join(f"- failed: {failure}\n" for failure in failures)
            out.write_text(text + notes)
    minutes = (time.perf_counter() - begun) / 60
    text += "".join(f"- failed: {failure}\n" for failure in failures)
    text += f"All in {minutes:.0f} minutes.\n"
    out.write_text(text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
