"""The flags of `stylemill dt`."""

import math
from itertools import permutations
from typing import Literal

from pydantic import Field, field_validator, model_validator

from jobs.choice import RowChoice
from jobs.constants import CalibrationFlag
from jobs.flags import Names
from jobs.options import LatentsFlags, RunFlags
from pipeline.editors.ials import RELEASED_LAMBDAS, Steps
from pipeline.metrics import Cell, Pair

STUDIED = ("smile", "old", "male", "eyeglasses")
PAIRS = tuple(f"{primal}:{condition}" for primal, condition in permutations(STUDIED, 2))
FEW = ("1:1", "0.75:0", "1:0", "0:0")


class DtSpec(RowChoice, LatentsFlags, CalibrationFlag, RunFlags, Steps):  # type: ignore[misc]  # each has a GROUP of its own
    """Compute Disentanglement-Transformation (DT) curves of IALS edits; write DIR/dt_steps (scores), DIR/dt_curves,
    DIR/dt_auc and DIR/report.html.

    Example: stylemill dt --latents out/faces/latents --labels out/faces-judged/labels,out/faces/labels --directions out/fit/directions --pairs male:smile --rows 8 --step-size 0.3 --out out/dt
    """  # noqa: E501  one line can be pasted

    VERB = "dt"

    labels: Names = Field(
        min_length=1,
        description="Labels tables of these latents: by the judge, whose scores choose the rows without the attribute "
        "(--target 0: with it), and by the family that edits. A pair counts in the mean over pairs only if both are "
        "given and Cohen's kappa of the two is at least 0.6 on its attributes.",
    )
    directions: Names = Field(
        (), description="A table of directions, or several, separated by commas; not needed if all lambdas are 0."
    )
    pairs: Names = Field(
        PAIRS, min_length=1, description="PRIMAL:CONDITION, the attribute to change and the one to leave unchanged."
    )
    lambdas: Names = Field(
        FEW,
        min_length=1,
        description="LAMBDA1:LAMBDA2, one curve for each: the share of the attribute-level direction, for the "
        "attribute to change and for the one to leave unchanged; the rest is the face's own gradient.",
    )
    grid: float | None = Field(None, gt=0, le=1, description="All combinations of the lambdas 0, GRID, 2 GRID, ... 1.")
    rows: int = Field(
        100, gt=0, description="Rows for each pair, among those that start in the source class by --labels."
    )
    first: int = Field(
        0, ge=0, description="Skip this many of those rows, such as the ones on which a step size was chosen."
    )
    target: Literal["1", "0"] = Field("1", description="1 towards the attribute, 0 away from it.")
    space: Literal["w", "w+", "s"] | None = Field(
        None, description="Latent space of the edit. Default: that of the directions, or w."
    )
    as_released: bool = Field(
        False,
        description="Follow the public code: project out both directions of a condition, also report its own "
        "measure (by the editing family), and add its lambdas 0:0.75 to the default ones.",
    )
    classifiers: str = Field("faces", description="Family of classifiers whose gradients are followed.")
    judge: str = Field("judge", description="Family of classifiers that measures the edits.")
    force: bool = Field(False, description="Allow directions and latents of another generator.")

    @field_validator("pairs")
    @classmethod
    def _are_pairs(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        pairs = [as_pair(word) for word in words]
        if twice := [word for word, pair in zip(words, pairs, strict=True) if pairs.count(pair) > 1]:
            raise ValueError(f"{twice[0]} is named twice")
        return words

    @field_validator("lambdas")
    @classmethod
    def _are_cells(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        cells = [_cell(word) for word in words]
        if twice := [word for word, cell in zip(words, cells, strict=True) if cells.count(cell) > 1]:
            raise ValueError(f"{twice[0]} is named twice")
        return words

    @field_validator("grid")
    @classmethod
    def _divides_one(cls, width: float | None) -> float | None:
        if width is not None and not math.isclose(1 / width, round(1 / width), rel_tol=1e-6):
            raise ValueError("1 must be a multiple of it, as of 0.25")
        return width

    @model_validator(mode="after")
    def _agrees(self) -> "DtSpec":
        if self.grid is not None and self.lambdas != FEW:
            raise ValueError("give --lambdas or --grid, one of the two")
        if not self.directions and any(first or second for first, second in self.cells):
            raise ValueError("--directions: a lambda above 0 is the share of a direction of that table")
        if not self.directions and self.as_released:
            raise ValueError("--directions: --as-released projects out the conditions' directions of that table")
        if self.judge == self.classifiers:
            raise ValueError(f"--judge {self.judge} is the family that edits: measure with another one")
        return self

    @property
    def ordered(self) -> tuple[Pair, ...]:
        """The pairs, in the order asked."""
        return tuple(as_pair(word) for word in self.pairs)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells, those that need fewer gradients first, so that cells without gradients share micro-batches."""
        if self.grid is None:
            found = [_cell(word) for word in self.lambdas]
            if self.as_released and self.lambdas == FEW:
                found.append(RELEASED_LAMBDAS)
        else:
            parts = round(1 / self.grid)
            found = [(first / parts, second / parts) for first in range(parts + 1) for second in range(parts + 1)]
        return tuple(sorted(found, key=lambda cell: (gradients(cell), -cell[0], -cell[1])))


def gradients(cell: Cell) -> int:
    """How many gradients a step of this cell needs."""
    return sum(share < 1 for share in cell)


def as_pair(word: str) -> Pair:
    """`male:smile` is to change male and leave smile unchanged. Raises ValueError."""
    primal, _, condition = word.partition(":")
    if not primal or not condition or ":" in condition:
        raise ValueError(f"{word} is not a pair: give PRIMAL:CONDITION, as male:smile")
    if primal == condition:
        raise ValueError(f"{word}: {primal} cannot both change and stay unchanged")
    return primal, condition


def _cell(word: str) -> Cell:
    try:
        first, second = map(float, word.split(":"))
    except ValueError:
        first = second = math.nan
    if not (0 <= first <= 1 and 0 <= second <= 1):
        raise ValueError(f"{word} is not a pair of lambdas: give LAMBDA1:LAMBDA2, both from 0 to 1, as 0.75:0")
    return first, second
