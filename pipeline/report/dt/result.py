"""What `stylemill dt` has found for one pair of attributes, read from the tables of its folder.

Shapes: C cells, R rows of a pair, P points of an edit, with the source.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import Cell, FamilyOutcomes, Pair, PairOutcomes, auc_as_released, pair_outcomes
from pipeline.tables import Table, store
from pipeline.tables.dt_scores import read_dt_scores
from pipeline.tables.frames import read_frame


@dataclass(frozen=True, eq=False)
class PairResult:
    """One pair.

    asked: the spec that the job has stored. curves, areas: the pair's rows of `dt_curves` and `dt_auc`.
    rows: (R,) the latents that were edited; scores: (C, R, P, 4) as in `dt_steps`, NaN of rows that were rejected.
    kappa_known: whether there were labels of both families, so that kappa on unedited faces is NaN only where it is not
        defined.
    """

    pair: Pair
    asked: Mapping[str, Any]
    curves: pd.DataFrame
    areas: pd.DataFrame
    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    kappa_known: bool = True

    @property
    def name(self) -> str:
        return "|".join(self.pair)

    @property
    def judge(self) -> str:
        return str(self.asked["judge"])

    @property
    def own(self) -> str:
        """The family that edits."""
        return str(self.asked["classifiers"])

    @property
    def cells(self) -> list[Cell]:
        return [(first, second) for first, second in self.asked["lambdas"]]

    @property
    def is_measured(self) -> bool:
        """Whether the judge's curves are of any face."""
        return self.judge in set(self.areas["family"])

    @cached_property
    def seen(self) -> PairOutcomes:
        """What became of the rows, as both families saw them."""
        return pair_outcomes(self.scores, self.cells, self.judge, self.own, int(self.asked["target"]))

    @property
    def judged(self) -> FamilyOutcomes:
        """The same as the judge saw them."""
        return self.seen.families[self.judge]

    @property
    def measured(self) -> list[int]:
        """The latents from which the judge's curves are counted."""
        found: list[int] = self.rows[self.judged.rows].tolist()
        return found

    def curve(self, cell: Cell, family: str | None = None) -> pd.DataFrame:
        """The steps of a cell in order, by the judge or another family."""
        return _of(self.curves, cell, family or self.judge).sort_values("step")

    def area(self, cell: Cell) -> "pd.Series[Any]":
        """The row of a cell by the judge. Raises IndexError where there is none."""
        return _of(self.areas, cell, self.judge).iloc[0]

    def as_released(self) -> dict[Cell, float]:
        """The public code's score of each cell, largest first, by the family that edits."""
        there = self.own in set(self.curves["family"])
        curves = {cell: self.curve(cell, self.own) for cell in (self.cells if there else ())}
        found = {cell: auc_as_released(curve["p"], curve["q"]) for cell, curve in curves.items()}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def read(url: str) -> list[PairResult]:
    """Every pair of a folder of `stylemill dt`, in the order asked. Raises StoreError where a table is not complete."""
    steps, areas_of = (Table.open(store.join(url, name)) for name in ("dt_steps", "dt_auc"))
    asked = steps.require_sealed()["facts"]["spec"]
    curves, areas = (read_frame(store.join(url, name)) for name in ("dt_curves", "dt_auc"))
    known = bool(areas_of.require_sealed()["facts"]["resolved"].get("kappa"))
    pairs: list[Pair] = [(primal, condition) for primal, condition in asked["pairs"]]
    shape = (len(pairs), len(asked["lambdas"]), asked["rows_of_a_pair"])
    row_I, scores_IP4 = read_dt_scores(url, math.prod(shape), asked["steps"] + 1)
    row_KR, scores_KCRP4 = row_I.reshape(shape).max(axis=1), scores_IP4.reshape(*shape, *scores_IP4.shape[1:])
    return [
        PairResult(pair, asked, _of_pair(curves, pair), _of_pair(areas, pair), rows, scores_CRP4, known)
        for pair, rows, scores_CRP4 in zip(pairs, row_KR, scores_KCRP4, strict=True)
    ]


def all_areas(results: Iterable[PairResult]) -> pd.DataFrame:
    """The areas of all pairs."""
    return pd.concat([result.areas for result in results], ignore_index=True)


def _of_pair(frame: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    return frame[(frame["primal"] == pair[0]) & (frame["condition"] == pair[1])]


def _of(frame: pd.DataFrame, cell: Cell, family: str) -> pd.DataFrame:
    return frame[(frame["family"] == family) & (frame["lambda1"] == cell[0]) & (frame["lambda2"] == cell[1])]
