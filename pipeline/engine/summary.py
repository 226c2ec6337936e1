"""How a run ended: planned = published + rejected + failed + not run, and the exit code that follows from it."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine.duration import duration
from pipeline.engine.outcome import Outcome, merge_counters
from pipeline.engine.stage import Task
from pipeline.errors import StylemillError

COMPLETE, TASKS_FAILED, TOO_MANY_REJECTS, INTERRUPTED = 0, 1, 3, 130


@dataclass(frozen=True)
class Summary:
    """Rows over the whole job; `seconds`, `rows_per_second` and `counters` over this run alone.

    `startup_seconds` of `seconds` went by before a worker had its models open; `rows_per_second` leaves them out.
    `lacking`: names of the derived outputs that are not made yet. `unit`: of a job that makes an artifact, steps in
    place of rows.
    """

    verb: str
    fingerprint: str
    exit_code: int
    shards: int
    shards_done: int
    planned: int
    published: int
    rejected: int
    failed: int
    not_run: int
    rejects_by_reason: Mapping[str, int]
    seconds: float
    rows_per_second: float
    workers: int
    workers_lost: int
    nodes_lost: int
    startup_seconds: float
    bytes: int
    counters: Mapping[str, float]
    errors: Mapping[str, str] = field(default_factory=dict)
    stopped_by: str = ""
    lacking: tuple[str, ...] = ()
    unit: str = "rows"

    def facts(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        whole = self.shards_done == self.shards and not self.lacking
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in self.rejects_by_reason.items())
        if self.unit == "steps":
            return ("Done  " if whole else "Stop  ") + f"{self._of_steps()} | {duration(self.seconds)}"
        parts = [
            f"{self.shards_done:,}/{self.shards:,} shards",
            f"{self.planned:,} rows = {self.published:,} published + {self.rejected:,} rejected"
            + (f" ({reasons})" if reasons else "")
            + f" + {self.failed:,} failed"
            + (f" + {self.not_run:,} not run" if self.not_run else ""),
            duration(self.seconds),
        ]
        if self.lacking and self.shards_done == self.shards:
            parts.insert(-1, f"not made: {', '.join(self.lacking)}")
        return ("Done  " if whole else "Stop  ") + " | ".join(parts)

    def _of_steps(self) -> str:
        counts = {"done": self.published, "failed": self.failed, "not run": self.not_run}
        told = [f"{number:,} {name}" for name, number in counts.items() if number or name != "not run"]
        return f"{self.planned:,} steps = {' + '.join(told)}"


def summarise(
    *,
    verb: str,
    fingerprint: str,
    table: str,
    tasks: Sequence[Task],
    work: Mapping[int, int],
    done: Mapping[int, Outcome],
    failed: Mapping[int, Outcome],
    ran: Iterable[Outcome],
    seconds: float,
    workers: int,
    workers_lost: int,
    nodes_lost: int,
    startup_seconds: float,
    max_rejects: int | None,
    interrupted: bool,
    lacking: Sequence[str] = (),
    error: StylemillError | None = None,
    unit: str = "rows",
) -> Summary:
    """Count a run's outcomes into a summary; `table` is the one whose rows are the job's rows.

    `work`: how many rows of each shard there were to compute in this run. `error`: what ended it before its time.
    unit: steps where the job makes an artifact: of these the tasks count how many this run did.
    """
    rows_of = {task.shard: task.rows for task in tasks}
    reasons: Counter[str] = Counter()
    counters: dict[str, float] = {}
    for outcome in done.values():
        reasons.update(outcome.rejects)
    run_rows = 0
    for outcome in ran:
        merge_counters(counters, outcome.counters)
        its = work[outcome.shard] if unit == "rows" else int(outcome.counters.get(unit, 0))
        run_rows += its if outcome.ok else 0
    planned = sum(rows_of.values())
    published = sum(outcome.rows(table) for outcome in done.values())
    failed_rows = sum(rows_of[shard] for shard in failed)
    rejected = sum(reasons.values())
    code = COMPLETE
    nothing_came_out = rejected > 0 and published == 0 and len(done) == len(tasks)
    if nothing_came_out if max_rejects is None else rejected > max_rejects:
        code = TOO_MANY_REJECTS
    if failed:
        code = TASKS_FAILED
    if interrupted:
        code = INTERRUPTED
    if error is not None:
        code = error.exit_code
    return Summary(
        verb=verb,
        fingerprint=fingerprint,
        exit_code=code,
        shards=len(tasks),
        shards_done=len(done),
        planned=planned,
        published=published,
        rejected=rejected,
        failed=failed_rows,
        not_run=planned - published - rejected - failed_rows,
        rejects_by_reason=dict(sorted(reasons.items())),
        seconds=round(seconds, 3),
        rows_per_second=round(run_rows / max(seconds - startup_seconds, 1e-9), 3),
        workers=workers,
        workers_lost=workers_lost,
        nodes_lost=nodes_lost,
        startup_seconds=round(startup_seconds, 3),
        bytes=sum(part.bytes for outcome in done.values() for part in outcome.parts.values()),
        counters={name: round(value, 3) for name, value in sorted(counters.items())},
        errors={str(shard): str(outcome.error) for shard, outcome in sorted(failed.items())[:20]},
        stopped_by=str(error or ""),
        lacking=tuple(lacking),
        unit=unit,
    )
