"""Edits one after the other, at several strengths, by several methods: who has what was asked for, and what stayed.

Shapes: N faces, T edits, S strengths, P = S + 1 points with the source first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.between_strengths import Change, point_of
from pipeline.metrics.number import Number
from pipeline.metrics.swept import Swept
from pipeline.tables import Table, store
from schemas.edits import JUDGE


@dataclass(frozen=True)
class Kept:
    """Where the faces are that a method has made at a strength after the first `edits` edits: a folder of edits, and
    which of its steps.
    """

    method: str
    strength: float
    edits: int
    folder: str
    step: int


@dataclass(frozen=True, eq=False)
class Sequences:
    """Of one method. stages: the attribute of each of T edits, and whether faces are to have it. strengths: (S,).
    faces: (N,). scores: the judge's, (N, T, P), by attribute; numbers: of metrics, likewise.
    """

    stages: Sequence[tuple[str, bool]]
    strengths: NDArray[np.float64]
    faces: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float64]]
    numbers: Mapping[str, NDArray[np.float64]]

    def asked(self, edits: int) -> list[tuple[str, bool]]:
        """Of the first edits those whose attribute the judge sees."""
        return [(attribute, to) for attribute, to in self.stages[:edits] if attribute in self.scores]

    def reached(self, edits: int) -> NDArray[np.float64]:
        """(N, P): the share of what was asked for by these edits that the judge sees after them; NaN where it sees none
        of these attributes.
        """
        found = [(self.scores[name][:, edits - 1] > 0) == to for name, to in self.asked(edits)]
        shape = (len(self.faces), len(self.strengths) + 1)
        return np.mean(found, axis=0) if found else np.full(shape, np.nan)

    def kept(self, edits: int) -> NDArray[np.float64]:
        """(N, P): the share of the judge's attributes that none of these edits asked for, and that are on the source's
        side after them.
        """
        asked = {name for name, _ in self.stages[:edits]}
        others = [score[:, edits - 1] > 0 for name, score in self.scores.items() if name not in asked]
        return np.mean([there == there[:, :1] for there in others], axis=0)

    def number(self, name: str, edits: int) -> NDArray[np.float64]:
        """(N, P) of a metric after so many edits."""
        return self.numbers[name][:, edits - 1]

    def swept(self, value_NP: NDArray[np.floating], edits: int, share: bool = False) -> Swept:
        """A number of each face over the strengths, beside the share of what was asked for. share: as of `Swept`."""
        return Swept(self.reached(edits), value_NP, share=share)

    def along(self, change: Change) -> "Sequences":
        """The same at other strengths: scores and numbers of each face after `change`."""
        strengths = change(np.concatenate([[0.0], self.strengths]))[1:]
        scores, numbers = ({name: change(one) for name, one in its.items()} for its in (self.scores, self.numbers))
        return Sequences(self.stages, strengths, self.faces, scores, numbers)

    def point(self, strength: float) -> int:
        """Of a strength; 0 is the source."""
        return point_of(self.strengths, strength)


def read(
    stages: Sequence[tuple[str, bool]],
    made: Sequence[Kept],
    values: pd.DataFrame,
    numbers: Mapping[str, Number],
    unseen: Mapping[str, Collection[int]] | None = None,
) -> dict[str, Sequences]:
    """By method. values, numbers, unseen: as of `toggles.read`. Raises StoreError."""
    kept_apart = unseen or {}
    frames = {
        folder: _frame(folder, values, numbers, kept_apart) for folder in dict.fromkeys(one.folder for one in made)
    }
    faces = sorted(set.intersection(*(_whole(frame) for frame in frames.values())))
    return {
        method: _of_method(stages, [one for one in made if one.method == method], frames, faces)
        for method in dict.fromkeys(one.method for one in made)
    }


def _of_method(
    stages: Sequence[tuple[str, bool]], made: Sequence[Kept], frames: Mapping[str, pd.DataFrame], faces: list[int]
) -> Sequences:
    strengths = sorted({one.strength for one in made})
    frame = frames[made[0].folder]
    shape = (len(faces), len(stages), len(strengths) + 1)
    columns = {str(name): np.full(shape, np.nan) for name in frame}
    for one in made:
        place = strengths.index(one.strength) + 1
        for name, column in columns.items():
            by_step = frames[one.folder][name].unstack().loc[faces]
            column[:, one.edits - 1, 0] = by_step[0]
            column[:, one.edits - 1, place] = by_step[one.step]
    judged = {name.removeprefix(JUDGE): column for name, column in columns.items() if name.startswith(JUDGE)}
    found = {name: column for name, column in columns.items() if not name.startswith(JUDGE)}
    return Sequences(stages, np.array(strengths), np.array(faces, np.int64), judged, found)


def _frame(
    folder: str, values: pd.DataFrame, numbers: Mapping[str, Number], unseen: Mapping[str, Collection[int]]
) -> pd.DataFrame:
    """Rows by (face, step): the judge's scores and numbers."""
    url = store.join(folder, "edits")
    table = Table.open(url)
    judged = [name for name in table.schema.arrow.names if name.startswith(JUDGE)]
    rows = table.read(columns=["index", "step", *judged]).to_pandas().rename(columns={"index": "face"})
    rows = rows.set_index(["face", "step"]).sort_index()
    its = values[values["edits"] == url].pivot(index=["face", "step"], columns="name", values="value")
    its = its.reindex(rows.index, columns=sorted(values["name"].unique()))
    its.loc[its.index.get_level_values("step") == 0] = [numbers[str(name)].of_itself for name in its]
    for name in its:
        its.loc[its.index.get_level_values("face").isin(list(unseen.get(str(name), ()))), name] = np.nan
    return rows.join(its)


def _whole(frame: pd.DataFrame) -> set[int]:
    """Faces that have every step."""
    counts = frame.groupby("face").size()
    found: set[int] = set(counts.index[counts == counts.max()])
    return found


def folders(made: Iterable[Kept]) -> list[str]:
    """Each of them once."""
    return list(dict.fromkeys(one.folder for one in made))
