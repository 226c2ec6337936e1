"""What is done, what remains, and why: one listing per table and the outcome records, no request per shard."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pipeline.engine.attempt import Outputs
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Task
from pipeline.tables import part_name, store

NEVER = "never started"
FAILED = "failed last time"
BEGUN = "begun, not finished"
DELETED = "part missing"
CHANGED = "part changed since"
DAMAGED = "found damaged by verify"
RETRIED = "with rejected rows to try again"
OVERWRITTEN = "overwritten by a worker that had been given up"
HALF_RETRIED = "stopped while rejected rows were tried again"
EARLIER_HALF_RETRIED = "half way through taking up rejected rows"
"""The same, as earlier versions recorded it."""


@dataclass(frozen=True)
class Plan:
    """`done` holds the outcome of each finished shard; `why` counts the reasons of the remaining ones.

    `unrecorded` shards have all their parts and no record: the driver died between the two. `records`: all on record.
    `again`: the outcomes of finished shards whose rejected rows are to be tried again. `hidden`: by table, the names
    of hidden files, among which is what killed writers left. kept_step: where the one task makes an artifact, the step
    of its last checkpoint; None where the tasks are of rows.
    """

    tasks: Sequence[Task]
    done: Mapping[int, Outcome]
    unrecorded: Sequence[Task]
    remaining: Sequence[Task]
    why: Mapping[str, int]
    records: Mapping[int, Outcome] = field(default_factory=dict)
    again: Mapping[int, Outcome] = field(default_factory=dict)
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    kept_step: int | None = None

    @property
    def rows(self) -> int:
        return sum(task.rows for task in self.tasks)

    def __str__(self) -> str:
        if self.kept_step is not None:
            return self._of_steps(self.kept_step)
        text = f"{_count(len(self.tasks), 'shard')}, {_count(self.rows, 'row')}: "
        finished = len(self.done) + len(self.unrecorded)
        if not self.remaining:
            return f"{text}all done"
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in self.why.items())
        return f"{text}{finished:,} done, {len(self.remaining):,} to run ({reasons})"

    def _of_steps(self, kept: int) -> str:
        text = f"{_count(self.rows, 'step')}: "
        if not self.remaining:
            return f"{text}all done"
        [why] = self.why
        return f"{text}{kept:,} done, {self.rows - kept:,} to run ({BEGUN if kept and why == NEVER else why})"


def make_plan(
    tasks: Sequence[Task],
    outputs: Outputs,
    outcomes: Mapping[int, Outcome],
    suspects: Mapping[int, str] = MappingProxyType({}),
    fresh: bool = False,
) -> Plan:
    """Compare the tasks with the parts that exist and the outcomes on record; `fresh` plans as if there were none.

    `suspects`: shards to be made again whatever is there, and why.
    """
    urls = [table.url for table in outputs.all.values()]
    found: list[dict[str, int]] = [{} for _ in urls] if fresh else store.list_many(urls)
    listings = dict(zip(outputs.all, found, strict=True))
    hidden = {name: [file for file in listing if file.startswith(".")] for name, listing in listings.items()}
    if outputs.artifact is not None:  # its files are the one part of the one task
        size = outputs.artifact.bytes_in(listings[outputs.artifact.name])
        listings[outputs.artifact.name] = {} if size is None else {part_name(0, 1): size}
    done, unrecorded, remaining = {}, [], []
    why: Counter[str] = Counter()
    for task in tasks:
        if task.shard in suspects:
            remaining.append(task)
            why[suspects[task.shard]] += 1
            continue
        outcome = outcomes.get(task.shard)
        part = part_name(task.shard, task.shards)
        sizes = {name: listing[part] for name, listing in listings.items() if part in listing}
        whole = len(sizes) == len(listings)
        if whole and outcome is None:
            unrecorded.append(task)
            continue
        if whole and outcome is not None and outcome.ok and _same(outcome, sizes):
            done[task.shard] = outcome
            continue
        remaining.append(task)
        why[_reason(outcome, sizes, whole)] += 1
    kept_step = None
    if outputs.artifact is not None:
        kept_step = 0 if fresh or outputs.checkpoints is None or not remaining else outputs.checkpoints.step()
    reasons = dict(sorted(why.items()))
    return Plan(tasks, done, unrecorded, remaining, reasons, outcomes, hidden=hidden, kept_step=kept_step)


def retry_rejected(plan: Plan) -> Plan:
    """The plan with the rejected rows to be computed again; a shard with most of its rows rejected is made anew."""
    again = []
    for task in plan.tasks:
        outcome = plan.done.get(task.shard)
        if outcome is not None and outcome.rejected:
            again.append(replace(task, again=2 * outcome.rejected <= task.rows))
    taken = {task.shard: plan.done[task.shard] for task in again}
    done = {shard: outcome for shard, outcome in plan.done.items() if shard not in taken}
    why = {**plan.why, RETRIED: len(again)} if again else plan.why
    return replace(plan, done=done, remaining=[*plan.remaining, *again], why=why, again={**plan.again, **taken})


def _same(outcome: Outcome, sizes: Mapping[str, int]) -> bool:
    """Whether the parts are those on record; one that is there and on no record is not."""
    return all(name in outcome.parts and outcome.parts[name].bytes == size for name, size in sizes.items())


def _reason(outcome: Outcome | None, sizes: Mapping[str, int], whole: bool) -> str:
    if outcome is None:
        return BEGUN if sizes else NEVER
    if not outcome.ok:
        return FAILED
    return CHANGED if whole else DELETED


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
