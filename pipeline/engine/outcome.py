"""What became of one task: a small record, kept as one line of JSON and never inside a part."""

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.tables import PartRecord

PEAK = "peak_"


class Reached(NamedTuple):
    """How far a running task is: rows, or steps of a training; and what a training reports, such as losses."""

    rows: int
    said: str = ""


def merge_counters(into: MutableMapping[str, float], more: Mapping[str, float]) -> None:
    """Add what was counted; a name that begins with `peak_` keeps the larger number."""
    for name, value in more.items():
        before = into.get(name, 0.0)
        into[name] = max(before, value) if name.startswith(PEAK) else before + value


@dataclass(frozen=True, slots=True)
class Outcome:
    """`parts` by table name, `rejects` by reason. A task that failed has an `error` and no parts.

    `retry`: another try may help. `halt`: if it stays failed, no other task will fare better: the person acts first.
    `broken`: the worker cannot go on, its device is lost. `lease_lost`: another driver holds the job, or none does.
    """

    shard: int
    parts: Mapping[str, PartRecord] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)
    attempts: int = 1
    error: str | None = None
    traceback: str | None = None
    retry: bool = True
    halt: bool = False
    broken: bool = False
    lease_lost: bool = False

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def rejected(self) -> int:
        return sum(self.rejects.values())

    def rows(self, table: str) -> int:
        """How many of the planned rows the table has."""
        return self.parts[table].planned_rows

    def to_json(self) -> str:
        facts = {name: getattr(self, name) for name in self.__slots__}  # `asdict` would copy 100,000 of these at length
        facts["parts"] = {name: part.as_dict() for name, part in self.parts.items()}
        return json.dumps(facts, sort_keys=True)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Outcome":
        """Raises AttributeError, KeyError, TypeError or ValueError where the line is no outcome."""
        facts = json.loads(line)
        if "fenced" in facts:  # as earlier versions wrote it
            facts["lease_lost"] = facts.pop("fenced")
        facts["parts"] = {name: PartRecord.from_dict(part) for name, part in facts["parts"].items()}
        outcome = cls(**facts)
        counts = (outcome.shard, outcome.attempts, *outcome.rejects.values())
        wrong = not all(isinstance(count, int) for count in counts)
        wrong |= not all(isinstance(number, int | float) for number in outcome.counters.values())
        if wrong or not isinstance(outcome.error, str | None):
            raise TypeError("a field is of another type")
        return outcome
