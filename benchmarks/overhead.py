"""What the pipeline costs beside a bare loop over the same model calls, and what a second worker brings.

    python -m benchmarks.overhead --rows 512
    python -m benchmarks.overhead --rows 512 --backend compiled

The bare loop draws z, maps, synthesises and scores micro-batches of the same shape in this process; it keeps nothing.
`dataset` does the same and also encodes JPEGs, writes and publishes three tables with their rejects, in one process and
then on Ray with one and with two workers. Start-up (Ray, imports, opening and compiling the models) is told apart.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from benchmarks.machine import header
from jobs.dataset import DatasetSpec, run_dataset
from pipeline.engine.job_records import JobRecords
from pipeline.engine.machine import cores

RESULTS = Path(__file__).parent / "results"
Backend = Literal["eager", "compiled"]


@dataclass
class Line:
    """One way of doing the same rows. `steady` is from the first worker being open to the seal."""

    name: str
    startup_seconds: float
    steady_seconds: float
    rows: int

    @property
    def rate(self) -> float:
        return self.rows / self.steady_seconds


def bare(rows: int, seed: int, batch_size: int, threads: int, backend: Backend) -> Line:
    """The model calls alone."""
    import numpy as np
    import torch

    from pipeline.models import classifiers, generators
    from pipeline.models.codes import Codes
    from pipeline.models.faces import FaceScorer
    from pipeline.models.randomness import standard_normal

    begun = time.perf_counter()
    name = "mobilestylegan-ffhq"
    generator = generators.load(name, backend=backend, threads=threads)
    family = classifiers.load("faces", DatasetSpec.model_fields["attributes"].default)
    faces = FaceScorer(generator, {"": family}, psi=0.7)
    faces.warm_up(batch_size)
    opened = time.perf_counter()
    for start in range(0, rows, batch_size):
        z_NZ = torch.from_numpy(standard_normal(seed, np.arange(start, start + batch_size), 512))
        faces.look(Codes("z", z_NZ))
    return Line("bare loop, 1 process", opened - begun, time.perf_counter() - opened, rows)


def pipeline(
    name: str, rows: int, seed: int, batch_size: int, threads: int, backend: Backend, workers: int, local: bool
) -> Line:
    """The job, on a fresh output."""
    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        spec = DatasetSpec(
            out=out, rows=rows, seed=seed, images="jpeg", size=512, batch_size=batch_size, threads=threads,
            backend=backend, workers=workers, local=local,
        )  # fmt: skip
        code = run_dataset(spec)
        wall = time.perf_counter() - begun
        summary = JobRecords(out, "dataset").summary()
    if code or summary is None:
        raise SystemExit(f"the job ended with {code}")
    steady = summary["seconds"] - summary["startup_seconds"]
    return Line(name, wall - steady, steady, rows)


def main(rows: int = 512, seed: int = 3, batch_size: int = 2, backend: Backend = "eager") -> None:
    """Measure, print and keep the table.

    Args:
        rows: faces, each way.
        seed: of the rows.
        batch_size: rows of a micro-batch.
        backend: of the generator, in the bare loop too.
    """
    count = cores()
    lines = [
        bare(rows, seed, batch_size, count, backend),
        pipeline("dataset --local", rows, seed, batch_size, count, backend, 1, local=True),
        pipeline("dataset, Ray, 1 worker", rows, seed, batch_size, count, backend, 1, local=False),
        pipeline(f"dataset, Ray, {count} workers of 1 thread", rows, seed, batch_size, 1, backend, count, local=False),
    ]
    text = (
        "# What the pipeline costs beside a bare loop\n\n"
        + header("python -m benchmarks.overhead", f"--rows {rows} --backend {backend}")
        + _table(lines)
    )
    print(text)
    (RESULTS / ("overhead.md" if backend == "eager" else "overhead-compiled.md")).write_text(text)


def _table(lines: list[Line]) -> str:
    base = lines[0].rate
    rows = ["| | start-up, s | steady, s | rows/s | against the bare loop |", "| --- | --- | --- | --- | --- |"]
    for line in lines:
        rows.append(
            f"| {line.name} | {line.startup_seconds:.1f} | {line.steady_seconds:.1f} | {line.rate:.2f} "
            f"| {line.rate / base:.2f} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    tyro.cli(main)
