"""A verb of stylemill whose driver is killed at a moment between the seal of its tables and the end.

    python -m tests.faults.derived_job MOMENT NAME VERB [FLAGS]

    before NAME     nothing of this derived output is made yet
    rows NAME       its rows are computed, nothing of it is written
    unsealed NAME   it is written, and what tells that it is complete is not
    after NAME      it is complete

VERB may be `powers`, the steered stage with a sum of its squares as a table and as a text. The sum waits while the file
ORDERS/hold-sums is there. MOMENT `never` kills nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import schemas
from jobs import __main__ as command_line
from jobs.flags import say
from pipeline.engine.derived import DerivedFile, DerivedTable
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.run import RunOptions, run
from pipeline.tables import Table

from . import steered

SUM = schemas.labels(("sum",))


def job(out: str, orders: str) -> Job:
    made = steered.powers(out, orders, rows=16, rows_per_shard=8)
    table = DerivedTable("sums", SUM, partial(_rows, out, Path(orders)), ("squares",))
    text = DerivedFile("sum.txt", partial(_text, out), ("squares",))
    return replace(made, derived=[table, text])


def _sum(out: str) -> float:
    return sum(Table.open(f"{out}/squares").read()["square"].to_pylist())


def _text(out: str) -> bytes:
    return f"{_sum(out):g}\n".encode()


def _rows(out: str, orders: Path):
    while (orders / "hold-sums").exists():
        time.sleep(steered.POLL_SECONDS)
    total = [_sum(out)]
    return SUM.rows({"index": [0], "sum": total, "age_years": total, "yaw_degrees": total})


def main(argv: Sequence[str]) -> int:
    """The verb `powers`: OUT ORDERS."""
    summary = run(job(*argv), LocalPool(), RunOptions(), say)
    return summary.exit_code if summary else 0


def kill_at(moment: str, name: str) -> None:
    """From now on this process is killed when it comes to that moment of that output."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    for kind in (DerivedTable, DerivedFile):
        make = kind.make

        def dying(one, job_records, job, facts, check_lease, make=make):
            if one.name != name:
                return make(one, job_records, job, facts, check_lease)
            if moment == "before":
                die()
            sealed = mock.patch.object(Table if isinstance(one, DerivedTable) else JobRecords, _last(one), die)
            with sealed if moment == "unsealed" else mock.patch.object(steered, "VERB", steered.VERB):
                made = make(one, job_records, job, facts, die if moment == "rows" else check_lease)
            die()
            return made

        kind.make = dying


def _last(one: DerivedTable | DerivedFile) -> str:
    return "seal" if isinstance(one, DerivedTable) else "record_file"


if __name__ == "__main__":
    sys.modules["jobs.powers"] = sys.modules[__name__]
    command_line.VERBS[steered.VERB] = "squares and cubes, and their sum"
    moment, name, *words = sys.argv[1:]
    if moment != "never":
        kill_at(moment, name)
    command_line.end(command_line.main(words))
