"""What a job of 100,000 shards costs its driver besides the work: planning, resuming, sealing.

    python -m benchmarks.scale --shards 100000

The data set job's layout: latents, labels, images and rejects. The parts are files without content and of a size, the
outcomes are on record as a run leaves them, and `run` goes through everything a driver does but hands out no shard.
Each line is a process of its own, so that its peak memory is its own; to find other than was put there is an error.
S3 is moto's server, in a process of its own and filled there, on the same processor; the pages of its listings are made
before moto (`s3_pages.py`), whose own would take minutes. Every request goes over HTTP. The listing of the same keys by
fsspec's own `ls` is measured beside the starts: what they would cost at least if they listed by it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from unittest import mock

import tyro

import schemas
from benchmarks.machine import header, peak_memory
from benchmarks.s3_server import s3_server
from pipeline.engine import run as engine
from pipeline.engine.attempt import Outputs
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.journal import Journal
from pipeline.engine.layout import cut
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Stage, Task, Worker
from pipeline.engine.work import Work
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.tables import PartRecord, Table, part_name, store
from schemas import TableSchema

RESULTS = Path(__file__).parent / "results"
WHERE = {"disk": "a local disk", "s3": "S3 (moto's server)"}
ROWS_PER_SHARD = 5000
BYTES = {"latents": 10_400_000, "labels": 160_000, "images": 210_000_000, "rejects": 1500}
VERB = "dataset"


@dataclass(frozen=True)
class Nothing:
    """A stage with the data set job's tables and no work."""

    name: str = VERB
    version: int = 1
    outputs: Mapping[str, TableSchema] = field(
        default_factory=lambda: {
            "latents": schemas.latents(w_dim=512),
            "labels": schemas.labels(DEFAULT_ATTRIBUTES),
            "images": schemas.images(),
        }
    )

    def open(self) -> Worker:
        raise NotImplementedError


class Idle(LocalPool):
    """A pool that hands out no shard."""

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]:
        yield from ()


def job_of(out: str, shards: int) -> Job:
    spec = {"seed": 1, "rows": shards * ROWS_PER_SHARD}
    return Job(VERB, out, Nothing(), cut(shards * ROWS_PER_SHARD, ROWS_PER_SHARD, 8), spec, {})


def _tables(out: str, shards: int) -> Iterable[tuple[str, Table]]:
    return job_of(out, shards).outputs().all.items()


def record_outcomes(out: str, shards: int, done: int) -> None:
    """The records of a job that has been started and has `done` shards behind it, flushed as a run does."""
    job, job_records = job_of(out, shards), JobRecords(out, VERB)
    job_records.create_spec(job.record())
    for _, table in _tables(out, shards):
        mine = store.canonical_json({"verb": VERB, "fingerprint": job.fingerprint})
        store.write_atomic(store.join(table.url, ".stylemill", "owner.json"), mine)
    for task in job.tasks[:done]:
        name = part_name(task.shard, shards)
        parts = {
            table: PartRecord(name, task.shard, task.rows, size, f"{task.shard:064x}", task.first, task.stop - 1)
            for table, size in BYTES.items()
        }
        parts["rejects"] = PartRecord(name, task.shard, 0, BYTES["rejects"], f"{task.shard:064x}", None, None)
        counters = {"map_seconds": 1.25, "synth_seconds": 310.5, "score_seconds": 101.75, "write_seconds": 33.0}
        job_records.record(Outcome(task.shard, parts, counters=counters))
    job_records.flush()


@contextmanager
def directory(shards: int, done: int) -> Iterator[str]:
    """A directory with parts that have a size and take no room."""
    with tempfile.TemporaryDirectory() as out:
        for name, table in _tables(out, shards):
            Path(table.url).mkdir(parents=True)
            for shard in range(done):
                handle = os.open(f"{table.url}/{part_name(shard, shards)}", os.O_CREAT | os.O_WRONLY)
                os.truncate(handle, BYTES[name])
                os.close(handle)
        yield out


@contextmanager
def bucket(shards: int, done: int) -> Iterator[str]:
    """A bucket with such parts; the pages of its listings are made before moto (`s3_pages.py`)."""
    tables = {table.url.removeprefix("s3://faces/"): BYTES[name] for name, table in _tables("s3://faces/set", shards)}
    with s3_server("faces", setup=FILL.format(tables=tables, shards=shards, done=done)):
        yield "s3://faces/set"


FILL = """
from benchmarks.s3_pages import Pages
from moto.s3.models import s3_backends
backend = s3_backends["123456789012"]["aws"]
faces = backend.create_bucket("faces", "us-east-1")
for table, size in {tables!r}.items():
    for shard in range({done}):
        key = backend.put_object("faces", f"{{table}}/part-{{shard:05d}}-of-{shards:05d}.parquet", b"")
        key.contentsize = size
app = Pages(app, faces)
"""


def start(out: str, shards: int) -> dict[str, float]:
    """One start of the driver, in this process: seconds, those of its processor and those of sealing, peak bytes."""
    job, sealing, real = job_of(out, shards), 0.0, Work.seal

    def timed_seal(work: Work) -> None:
        nonlocal sealing
        begun = time.perf_counter()
        real(work)
        sealing += time.perf_counter() - begun

    before = peak_memory()
    begun, processor = time.perf_counter(), time.process_time()
    with mock.patch.object(Work, "seal", timed_seal):
        summary = engine.run(job, Idle(), engine.RunOptions(), lambda line: None)
    facts = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - processor}
    done = summary.shards_done if summary else -1
    return {**facts, "sealing": sealing, "before": before, "peak": peak_memory(), "done": done}


def listing(out: str, shards: int) -> dict[str, float]:
    """The bare listings of the job's tables, by fsspec alone."""
    before = peak_memory()
    begun, processor = time.perf_counter(), time.process_time()
    found = 0
    for _, table in _tables(out, shards):
        fs, path = store.resolve(table.url)
        found += len(fs.ls(path, detail=True)) if fs.exists(path) else 0
    facts = {"seconds": time.perf_counter() - begun, "processor": time.process_time() - processor}
    return {**facts, "sealing": 0.0, "before": before, "peak": peak_memory(), "done": found}


def in_a_process(what: Callable[[str, int], dict[str, float]], out: str, shards: int) -> dict[str, float]:
    code = "import json, sys; from benchmarks import scale; print(json.dumps("
    code += f"scale.{what.__name__}(sys.argv[1], int(sys.argv[2]))))"
    words = [sys.executable, "-c", code, out, str(shards)]
    ended = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    facts: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
    return facts


def lines_of(place: Callable[[int, int], AbstractContextManager[str]], shards: int) -> Iterator[str]:
    """The starts of a job, as lines of the table."""
    half = shards // 2
    with place(shards, 0) as out:
        yield _line("planned afresh", in_a_process(start, out, shards), 0)
    with place(shards, half) as out:
        record_outcomes(out, shards, half)
        yield _line(f"resumed, {half:,} done", in_a_process(start, out, shards), half)
    with place(shards, shards) as out:
        record_outcomes(out, shards, shards)
        yield _line("resumed, all done, then sealed", in_a_process(start, out, shards), shards)
        yield _line("resumed, all done and sealed", in_a_process(start, out, shards), shards)
        facts = in_a_process(listing, out, shards)
        yield _line("only the listing of the four tables, by fsspec", facts, len(BYTES) * (shards + 1))


def _line(name: str, facts: dict[str, float], done: int) -> str:
    if facts["done"] != done:
        raise RuntimeError(f"{name}: found {facts['done']} done, not {done}")
    sealing = f"{facts['sealing']:.1f}" if facts["sealing"] > 0.05 else ""
    seconds = f"{facts['seconds']:.1f} | {facts['processor']:.1f} | {sealing}"
    return f"| {name} | {seconds} | {facts['peak'] / 1e6:.0f} | {facts['before'] / 1e6:.0f} |"


def main(shards: int = 100_000, on: tuple[Literal["disk", "s3"], ...] = ("disk", "s3")) -> None:
    """Measure, print and keep the tables.

    Args:
        shards: of the job.
        on: a local disk, S3, or both.
    """
    for place in on:
        text = f"# A driver's own work for {shards:,} shards in four tables, on {WHERE[place]}\n\n"
        text += header("python -m benchmarks.scale", f"--shards {shards} --on {place}")
        text += f"Load average of the machine at the beginning: {os.getloadavg()[0]:.1f}\n\n"
        text += "| start of the driver | s | s of its processor | s sealing | peak memory, MB | before it began, MB |\n"
        text += "| --- | --- | --- | --- | --- | --- |\n"
        print(text, end="", flush=True)
        for line in lines_of({"disk": directory, "s3": bucket}[place], shards):
            print(line, flush=True)
            text += line + "\n"
        (RESULTS / f"scale-{place}.md").write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
