from __future__ import annotations

from pathlib import Path

import pytest
import squares
from ray import cloudpickle
from squares import SquaresStage

from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.engine.run import RunOptions, run

cloudpickle.register_pickle_by_value(squares)  # Ray's workers cannot import a test's modules


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    directory = tmp_path / "marks"
    directory.mkdir()
    return directory


class Bench:
    """Runs jobs of squares on one output and keeps what was said."""

    def __init__(self, out: str, marks: Path) -> None:
        self.out, self.marks, self.said = out, marks, []

    def job(self, rows: int = 32, rows_per_shard: int = 8, seed: int = 1, **stage) -> Job:
        return Job(
            verb="squares",
            out=self.out,
            stage=SquaresStage(str(self.marks), **stage),
            layout=cut(rows, rows_per_shard, 4),
            spec={"rows": rows, "rows_per_shard": rows_per_shard, "seed": seed},
            resolved={"generator_digest": "0" * 64},
            versions={"numpy": "1"},
        )

    def run(self, pool, job: Job | None = None, **options):
        self.said.clear()
        return run(job or self.job(), pool, RunOptions(**options), self.said.append)

    def attempts(self) -> int:
        return len(list(self.marks.iterdir()))

    def part_bytes(self) -> dict[str, bytes]:
        tables = [Path(self.out, "labels"), Path(self.out, "rejects", "squares")]
        parts = [path for table in tables for path in sorted(table.glob("*.parquet"))]
        return {str(path.relative_to(self.out)): path.read_bytes() for path in parts}


@pytest.fixture
def bench(tmp_path: Path, marks: Path) -> Bench:
    return Bench(str(tmp_path / "out"), marks)
