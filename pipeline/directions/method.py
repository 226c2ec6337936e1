"""The interface of a method that fits directions on scored rows: its flags, and the result of a fit.

Shapes: N rows, D features of a row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipeline.directions.choose import Cell
from pipeline.directions.classes import Classes, check_scores
from pipeline.directions.direction import Direction, normalised
from pipeline.errors import SpecError
from pipeline.models.codes import Codes


@dataclass(frozen=True, eq=False)
class FitInputs:
    """What a direction is fitted on.

    codes: all N rows. scores: (N,) or (N, 1), of the same rows. attribute: what they score.
    seed: of the split into rows to fit on and rows to validate on.
    per_layer: in w+ a vector for each layer, not one shared by all.
    generator, classifier: kept in the direction.
    """

    codes: Codes
    scores: ArrayLike
    attribute: str
    seed: int = 0
    per_layer: bool = False
    generator: str | None = None
    classifier: str | None = None

    def direction(
        self, method: str, vector_D: NDArray[np.floating], intercept: float, accuracies: Mapping[str, float],
        rows: int, **settings: Any,
    ) -> Direction:  # fmt: skip
        """The direction of this attribute, normalised. settings: `C` and `fraction`, where the method has them."""
        vector = vector_D.reshape(self.codes.values.shape[1:]) if self.per_layer else vector_D
        return normalised(
            self.attribute, method, self.codes.space, vector, intercept, accuracies=dict(accuracies), rows=rows,
            generator=self.generator, classifier=self.classifier, **settings,
        )  # fmt: skip

    def features(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Features (N, D) and scores (N,). Raises SpecError as `features` and `check_scores`, or for unlike numbers."""
        scores_N = check_scores(self.scores)
        if len(self.codes) != len(scores_N):
            raise SpecError(f"{len(self.codes)} codes and {len(scores_N)} scores: give a score for each code")
        return features(self.codes, self.per_layer), scores_N


@dataclass(frozen=True, eq=False)
class Fit:
    """A direction, the settings that were tried for it, and counters for the notes about it (`FitConfig.NOTES`).

    hyperplane: the normal of the hyperplane that separates the classes, where the direction is another vector.
    held_out: (V,) on which side of the boundary each row of `Classes.validation` is, above 0 the positive one, by a
        direction that was fitted without them; None where this direction was.
    """

    direction: Direction
    tried: tuple[Cell, ...] = ()
    counters: Mapping[str, float] = field(default_factory=dict)
    hyperplane: Direction | None = None
    held_out: NDArray[np.float64] | None = None


class FitConfig(BaseModel, ABC):
    """The flags of one method: a field is a flag of `stylemill directions fit --method NAME`, with its help.

    A method that is added later excludes its flags from the dump, so that the stored specs of the others do not change;
    `facts` has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    GROUP: ClassVar[str | None] = None
    """The title of the box of its flags in the help."""
    NOTES: ClassVar[Mapping[str, str]] = {}
    """What a counter of a fit means, for the screen."""

    threshold: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Rows with at least this score are positive; svm then uses all rows, unless --fraction is given. "
        "Default: for labels of yes and no, half-way between; for scores, 0 with ridge and with --penalty l1, none "
        "with svm, which takes the highest and the lowest scores.",
    )

    @property
    def facts(self) -> Mapping[str, Any]:
        """What goes into the stored spec."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    @property
    def keeps_tried(self) -> bool:
        """Whether choices are tried, and kept in a table."""
        return False

    @property
    def keeps_hyperplanes(self) -> bool:
        """Whether `Fit.hyperplane` is there, and kept in a table."""
        return False

    @property
    def variant(self) -> FitConfig:
        """The method that these flags mean, where a flag makes it another one."""
        return self

    def bytes_needed(self, rows: int, width: int) -> int:
        """Of memory, beside the rows themselves, to fit so many rows of this width; 0 where it is little."""
        return 0

    @property
    def advice(self) -> str:
        """A flag that may help where few rows are positive; empty where there is none."""
        return ""

    @property
    def of_ranks(self) -> str:
        """A given flag that selects the highest and lowest scores, as yes and no have none; else empty."""
        return ""

    def of_yes_or_no(self, threshold: float) -> Self:
        """The same, of scores that are two values with the threshold between them."""
        return self.model_copy(update={"threshold": threshold})

    @abstractmethod
    def check(self, scores_N: NDArray[np.floating], seed: int) -> None:
        """Raise SpecError where these scores cannot be fitted as asked, before anything is computed."""

    @abstractmethod
    def classes(self, scores_N: NDArray[np.floating], seed: int, fraction: float | None) -> Classes:
        """The rows on which accuracies are measured, given the fraction of a direction. Raises SpecError."""

    @abstractmethod
    def fit(self, given: FitInputs) -> Fit:
        """The direction of an attribute, with its intercept and accuracies; the same bits each time.

        Raises:
            SpecError: codes and scores do not go together, or have no direction.
        """


def features(codes: Codes, per_layer: bool = False) -> NDArray[np.float32]:
    """(N, D): the rows as they are; in w+ their mean over the layers, or all layers side by side.

    Raises:
        SpecError: `per_layer` in another space than w+, or a number that is not finite (the row is named).
    """
    if per_layer and codes.space != "w+":
        raise SpecError(f"codes in {codes.space} have no layers: leave out per-layer")
    values = codes.values.detach().to("cpu", torch.float32)
    if codes.space == "w+":
        values = values.flatten(1) if per_layer else values.mean(dim=1)
    rows_ND = values.numpy()
    bad = np.flatnonzero(~np.isfinite(rows_ND).all(axis=1))
    if len(bad):
        raise SpecError(f"the code of row {bad[0]} is not finite ({len(bad)} such rows): leave these rows out")
    return rows_ND
