"""Toggles of one method at several strengths: the judge's score and one number of each picture.

Shapes: T toggles, of N faces; K strengths, P = K + 1 points, the source first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.number import Number
from pipeline.metrics.swept import Swept, in_between


@dataclass(frozen=True)
class Strengths:
    """Of a method. tried: from small to large. usual: the one of them that the papers take."""

    tried: tuple[float, ...]
    usual: float

    @property
    def step(self) -> int:
        """Of the usual one, behind the source."""
        return 1 + self.tried.index(self.usual)


@dataclass(frozen=True, eq=False)
class AtStrengths:
    """key: (T,) face and attribute. wanted: (T,) whether the attribute is to be there. score, value: (T, P)."""

    strengths: tuple[float, ...]
    key: pd.MultiIndex
    wanted: NDArray[np.bool_]
    score: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def of(cls, toggles: pd.DataFrame, name: str, number: Number, tried: Sequence[float]) -> "AtStrengths":
        """Of the rows of a method in what `result.read` made: those that have a score and the number `name` at each
        strength that was tried.
        """
        sized = toggles.assign(size=toggles["strength"].abs().round(6), wanted=toggles["strength"] > 0)
        columns = [round(one, 6) for one in tried]
        score, value = (
            sized.pivot(index=["face", "attribute"], columns="size", values=column).reindex(columns=columns)
            for column in ("score", name)
        )
        whole = score.notna().all(axis=1) & value.notna().all(axis=1)
        score, value = score[whole], value[whole]
        source = sized.drop_duplicates(["face", "attribute"]).set_index(["face", "attribute"]).reindex(score.index)
        own = np.full((len(value), 1), number.of_itself)
        return cls(
            tuple(tried), pd.MultiIndex.from_tuples(list(score.index), names=["face", "attribute"]),
            source["wanted"].to_numpy(bool),
            np.hstack([source[["source"]].to_numpy(np.float64), score.to_numpy(np.float64)]),
            np.hstack([own, value.to_numpy(np.float64)]),
        )  # fmt: skip

    def only(self, key: pd.MultiIndex) -> "AtStrengths":
        """Some of the toggles, in that order."""
        rows = self.key.get_indexer(key)
        return AtStrengths(self.strengths, key, self.wanted[rows], self.score[rows], self.value[rows])

    def thinned(self) -> "AtStrengths":
        """Without every other strength; the largest stays."""
        kept = list(range(len(self.strengths) - 1, -1, -2))[::-1]
        points = [0, *(1 + one for one in kept)]
        return AtStrengths(
            tuple(self.strengths[one] for one in kept), self.key, self.wanted, self.score[:, points],
            self.value[:, points],
        )  # fmt: skip

    def swept(self, parts: int = 1) -> Swept:
        """Of each face the share of its toggles that succeed, and the mean of their numbers.

        parts: points a step, scores and numbers on a straight line. Point k of the strengths is point k `parts`.
        """
        score_TP, value_TP = (in_between(one, parts) for one in (self.score, self.value))
        reached_TP = (score_TP > 0) == self.wanted[:, None]
        faces = self.key.get_level_values("face")
        reached_NP, value_NP = (
            pd.DataFrame(one.astype(float)).groupby(faces).mean().to_numpy(np.float64) for one in (reached_TP, value_TP)
        )
        return Swept(reached_NP, value_NP)


def paired(first: AtStrengths, second: AtStrengths) -> tuple[AtStrengths, AtStrengths]:
    """Both methods' edits of the toggles that both have, in one order."""
    both = first.key.intersection(second.key).sort_values()
    return first.only(both), second.only(both)
