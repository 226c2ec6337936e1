"""How long a step is to be: so that attribute-level edits transform nine faces of ten, chosen on faces of their own."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pipeline.editors.trace import not_reached
from pipeline.errors import SpecError
from pipeline.tables import Table, store

SHARE = 0.9
"""Of the faces that are to be transformed when the last step is taken."""
BOUND = 10.0
"""The largest strength tried."""
TOLERANCE = 0.2
"""How closely the strength of a face is found; a fiftieth of what is tried."""

LOOKS = 11
"""Faces made, at most, until the strength of one is found so: the source, doubling up to the bound, and halving."""


@dataclass(frozen=True)
class StepSize:
    """length: of one of `steps` steps. rows: tried, that start in the source class. beyond: of them, never transformed.

    reach: the strength by which `SHARE` of them are transformed, at most `BOUND`; none where the length was given.
    """

    length: float
    steps: int
    reach: float | None = None
    rows: int = 0
    beyond: int = 0

    def __str__(self) -> str:
        if self.reach is None:
            return f"{self.steps} steps of {self.length:.4g}, as asked"
        never = f", {self.beyond} of which were not transformed by a strength of {BOUND:g}" if self.beyond else ""
        too_few = self.beyond > self.rows - _needed(self.rows)
        short = f"; fewer than {SHARE:.0%} ever are, so that the steps end there" if too_few else ""
        return f"{self.steps} steps of {self.length:.4g}, chosen on {self.rows} other faces{never}{short}"


def of_trial(url: str, rows: int, steps: int) -> StepSize:
    """From edits with --until 0 of `rows` faces that start in the source class: `SHARE` of them in so many steps.

    A face that is not transformed within `BOUND` counts as one that would need more than any other.

    Raises:
        SpecError: faces were set aside, or nine of ten need no step at all.
        StoreError: the edits are not there, or not complete.
    """
    frame = Table.open(store.join(url, "edits")).read(columns=["index", "step", "strength", "stop"]).to_pandas()
    last = frame.sort_values(["index", "step"]).groupby("index").last()
    last["beyond"] = last["stop"] == not_reached(f"{BOUND:g}")
    if len(last) < rows:
        raise SpecError(
            f"{url}: of {rows} faces to choose a step size on {rows - len(last)} were set aside: pass --step-size"
        )
    reached = sorted(last["strength"].where(~last["beyond"], math.inf))
    reach = min(float(reached[_needed(rows) - 1]), BOUND)
    if reach <= 0:
        raise SpecError(f"{url}: {SHARE:.0%} of the faces are transformed to begin with: pass --step-size")
    return StepSize(_enough(reach, steps), steps, reach, rows, int(last["beyond"].sum()))


def keep(url: str, found: Mapping[str, StepSize]) -> None:
    """Write them, by pair, where a person can read them. Raises StoreError."""
    facts = {pair: asdict(size) for pair, size in found.items()}
    store.write_atomic(url, (json.dumps(facts, indent=1) + "\n").encode())


def _needed(rows: int) -> int:
    """How many of them are `SHARE` or more."""
    return math.ceil(SHARE * rows)


def _enough(reach: float, steps: int) -> float:
    """A length of four digits, not less than `reach` in so many steps."""
    length = float(f"{reach / steps:.4g}")
    if length * steps >= reach:
        return length
    return float(f"{length + 10 ** (math.floor(math.log10(length)) - 3):.4g}")
