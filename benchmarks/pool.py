"""What a shard costs the driver besides its rows: the pools with a stage that has nothing to do.

    python -m benchmarks.pool --shards 20000

Shards have no rows. They are handed out, answered, journalled and put on record as any others; each line is a process
of its own. With the data set job's four tables a worker still makes four empty parts of each (in its own memory), and
the record is as large as a real one's; with the rejects alone it makes one, and what is left is the way through Ray.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import tyro

import schemas
from benchmarks.machine import header
from benchmarks.scale import Nothing
from pipeline.engine.attempt import Outputs
from pipeline.engine.job_records import JobRecords
from pipeline.engine.layout import cut, tasks
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import Pool
from pipeline.engine.stage import Batch, Task
from pipeline.tables import Table
from schemas import TableSchema

RESULTS = Path(__file__).parent / "results" / "pool.md"
VERB = "nothing"
MEMORY = "The memory of `one process` holds the parts too: its worker keeps them in memory, with Ray the workers do."


class NoRows:
    """A worker without a model."""

    def run(self, task: Task) -> Iterator[Batch]:
        yield from ()


@dataclass(frozen=True)
class NoWork:
    """A stage without rows."""

    name: str = VERB
    version: int = 1
    outputs: Mapping[str, TableSchema] = field(default_factory=dict)

    def open(self) -> NoRows:
        return NoRows()


def measure(pool: str, tables: str, shards: int) -> dict[str, float]:
    """Run the shards in this process, the driver: tasks/s, CPU seconds of a task, bytes of memory kept for each."""
    layout = cut(shards * 8, 8, 8)
    stage = NoWork(outputs=Nothing().outputs if tables == "four tables" else {})
    named = {name: Table(f"memory://{name}", schema, layout) for name, schema in stage.outputs.items()}
    outputs = Outputs(VERB, named, Table("memory://rejects", schemas.rejects(), layout))
    work = tasks(layout, [0] * shards)
    workers = _pool(pool)
    with tempfile.TemporaryDirectory() as out, closing(workers):
        job_records = JobRecords(out, VERB)
        job_records.create_spec({})
        workers.prepare()
        kept: list[Outcome] = []
        outcomes = workers.map(stage, work, outputs, job_records.journal)
        kept.append(next(outcomes))  # by now a worker is open
        process = psutil.Process()
        memory, cpu, begun = process.memory_info().rss, time.process_time(), time.perf_counter()
        for outcome in outcomes:
            job_records.record(outcome)
            kept.append(outcome)
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        memory = process.memory_info().rss - memory
    if failed := [outcome.error for outcome in kept if not outcome.ok]:
        raise SystemExit(f"{len(failed)} shards failed: {failed[0]}")
    return {"rate": (shards - 1) / seconds, "cpu": cpu / (shards - 1), "memory": memory / (shards - 1)}


def _pool(name: str) -> Pool:
    if name == "one process":
        return LocalPool()
    from pipeline.engine.ray_pool import RayPool

    return RayPool(workers=2, cpus=1, address="local")


def in_a_process(pool: str, tables: str, shards: int) -> dict[str, float]:
    code = "import json, sys; from benchmarks.pool import measure; print(json.dumps(measure(*sys.argv[1:3], {})))"
    words = [sys.executable, "-c", code.format(shards), pool, tables]
    ended = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    facts: dict[str, float] = json.loads(ended.stdout.strip().splitlines()[-1])
    return facts


def main(shards: int = 20_000) -> None:
    """Measure, print and keep the table.

    Args:
        shards: without rows, each way.
    """
    text = "# What the pools cost for each shard\n\n" + header("python -m benchmarks.pool", f"--shards {shards}")
    text += f"{MEMORY}\n\n"
    text += (
        "| pool | a shard's tables | shards/s | driver's CPU, ms a shard | driver's memory, MB for 100,000 shards |\n"
    )
    text += "| --- | --- | --- | --- | --- |\n"
    print(text, end="", flush=True)
    for tables in ("rejects alone", "four tables"):
        for pool in ("Ray, 2 workers", "one process"):
            facts = in_a_process(pool, tables, shards)
            line = (
                f"| {pool} | {tables} | {facts['rate']:.0f} | {facts['cpu'] * 1e3:.2f} | {facts['memory'] / 10:.0f} |"
            )
            print(line, flush=True)
            text += line + "\n"
    RESULTS.write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
