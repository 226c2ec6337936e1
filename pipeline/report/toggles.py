"""Edits of one attribute by one method, each face to one side of it, as the judge and the metrics see every step.

Shapes: N faces, K strengths, P = K + 1 points with the source first, M of the N faces.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.metrics.between_strengths import Change, point_of
from pipeline.metrics.number import Number
from pipeline.metrics.swept import Swept
from pipeline.tables import Table, store
from schemas.edits import JUDGE, kept_steps


@dataclass(frozen=True)
class Strengths:
    """Of a method. tried: from small to large. usual: the one of them that its paper takes."""

    tried: tuple[float, ...]
    usual: float


@dataclass(frozen=True, eq=False)
class Toggles:
    """faces: (N,) their rows; where a face goes to both sides, it is there twice. targets: (N,) whether a face is to
    have the attribute. strengths: (K,) how far, without the sign of the way. scores: the judge's, (N, P), by attribute.
    numbers: of metrics, (N, P), by name; of the source what they are of a picture beside itself. own: scores of the
    family that labels and edits, (N, P), by attribute, where they were kept.
    """

    attribute: str
    strengths: NDArray[np.float64]
    faces: NDArray[np.int64]
    targets: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float64]]
    numbers: Mapping[str, NDArray[np.float64]]
    own: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def reached(self) -> NDArray[np.bool_]:
        """(N, P): whether the judge sees the face on the side where it is to be. A score of 0 is below."""
        found: NDArray[np.bool_] = (self.scores[self.attribute] > 0) == self.targets[:, None]
        return found

    @cached_property
    def reached_by_own(self) -> NDArray[np.bool_] | None:
        """The same as the family that labels and edits sees it; None where its scores were not kept."""
        score_NP = self.own.get(self.attribute)
        return None if score_NP is None else (score_NP > 0) == self.targets[:, None]

    @cached_property
    def is_toggle(self) -> NDArray[np.bool_]:
        """(N,): whether the source is on the other side, so that the attribute is to change."""
        return ~self.reached[:, 0]

    @cached_property
    def kept(self) -> NDArray[np.float64]:
        """(N, P): the share of the judge's other attributes that are on the source's side."""
        others = [score_NP for name, score_NP in self.scores.items() if name != self.attribute]
        same = [(score_NP > 0) == (score_NP[:, :1] > 0) for score_NP in others]
        found: NDArray[np.float64] = np.mean(same, axis=0)
        return found

    def number(self, name: str) -> NDArray[np.float64]:
        """(N, P) of a metric. Raises StoreError where it was not measured."""
        if name not in self.numbers:
            raise StoreError(f"the edits of {self.attribute} have no number {name}: measure them with that metric")
        return self.numbers[name]

    def swept(self, value_NP: NDArray[np.floating], among: bool = False, share: bool = False) -> Swept:
        """A number of each face over the strengths. among: over the edits that reached their side alone. share: as of
        `Swept`.
        """
        return Swept(self.reached, value_NP, among, share)

    def only(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Toggles":
        """M of the faces, in the order of `rows`."""
        return Toggles(
            self.attribute, self.strengths, self.faces[rows], self.targets[rows],
            {name: score_NP[rows] for name, score_NP in self.scores.items()},
            {name: number_NP[rows] for name, number_NP in self.numbers.items()},
            {name: score_NP[rows] for name, score_NP in self.own.items()},
        )  # fmt: skip

    def along(self, change: Change) -> "Toggles":
        """The same at other strengths: scores and numbers of each face after `change`."""
        strengths_K = change(np.concatenate([[0.0], self.strengths]))[1:]
        scores, numbers, own = ({name: change(one) for name, one in its.items()}
                                for its in (self.scores, self.numbers, self.own))  # fmt: skip
        return Toggles(self.attribute, strengths_K, self.faces, self.targets, scores, numbers, own)

    def point(self, strength: float) -> int:
        """Of a strength; 0 is the source."""
        return point_of(self.strengths, strength)


def read(
    attribute: str,
    folders: Sequence[tuple[str, bool]],
    values: pd.DataFrame,
    numbers: Mapping[str, Number],
    unseen: Mapping[str, Collection[int]] | None = None,
    names: Sequence[str] = (),
) -> Toggles:
    """The requests of this attribute in folders of edits, each with whether its faces are to have the attribute.

    Faces with a step that is not there (a code that was not finite) are left out. Where faces may stop before others,
    as those that need no edit, one that has stopped stands still in the later steps.

    values: of `of_faces`. numbers: what these are, by their names. unseen: by number, the faces of whose source it
    cannot be told, such as whose face it is: NaN at every strength. names: of numbers that were measured, where it may
    be that no face has them, since none was edited.

    Raises:
        StoreError: a table is not there or not complete, a folder has no request of the attribute, or several, or
            strengths differ from folder to folder.
    """
    found = [_read(attribute, folder, to, values, numbers, unseen or {}, names) for folder, to in folders]
    found = [one for one in found if len(one)] or found[:1]
    if any(not np.allclose(one.strengths, found[0].strengths) for one in found):
        raise StoreError(f"the edits of {attribute} have other strengths in {folders[0][0]} than in the other folders")
    return Toggles(
        attribute, found[0].strengths,
        np.concatenate([one.faces for one in found]), np.concatenate([one.targets for one in found]),
        {name: np.concatenate([one.scores[name] for one in found]) for name in found[0].scores},
        {name: np.concatenate([one.numbers[name] for one in found]) for name in found[0].numbers},
        {name: np.concatenate([one.own[name] for one in found]) for name in found[0].own},
    )  # fmt: skip


def paired(first: Toggles, second: Toggles) -> tuple[Toggles, Toggles]:
    """Both methods' edits of the faces that both have, in one order."""
    one, other = _in_common([first, second])
    return one, other


def stacked(several: Sequence[Toggles]) -> Toggles:
    """Edits of one method as one, of the faces that all have; each has strengths of its own, rising from one to the
    next.
    """
    several = _in_common(several)

    def joined(tables: Sequence[Mapping[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
        return {
            name: np.concatenate([tables[0][name][:, :1], *(one[name][:, 1:] for one in tables)], axis=1)
            for name in tables[0]
        }

    strengths_K = np.concatenate([one.strengths for one in several])
    scores, numbers, own = (joined(its) for its in (
        [one.scores for one in several], [one.numbers for one in several], [one.own for one in several]
    ))  # fmt: skip
    return Toggles(several[0].attribute, strengths_K, several[0].faces, several[0].targets, scores, numbers, own)


def _in_common(several: Sequence[Toggles]) -> list[Toggles]:
    """Each with the faces that all have, in one order."""
    keys = [list(zip(one.faces.tolist(), one.targets.tolist(), strict=True)) for one in several]
    common = sorted(set(keys[0]).intersection(*keys[1:]))
    found = []
    for one, its in zip(several, keys, strict=True):
        places = {key: place for place, key in enumerate(its)}
        found.append(one.only(np.array([places[key] for key in common], dtype=np.int64)))
    return found


def by_face(several: Sequence[Toggles], number: str) -> Swept:
    """Of edits of several attributes: of each face the share of its toggles that succeed, and the mean of a number."""
    faces = np.concatenate([one.faces for one in several])
    both = ([one.reached for one in several], [one.number(number) for one in several])
    reached_NP, value_NP = (
        pd.DataFrame(np.concatenate(its).astype(float)).groupby(faces).mean().to_numpy(np.float64) for its in both
    )
    return Swept(reached_NP, value_NP)


def _read(
    attribute: str, folder: str, target: bool, values: pd.DataFrame, numbers: Mapping[str, Number],
    unseen: Mapping[str, Collection[int]], names: Sequence[str],
) -> Toggles:  # fmt: skip
    url = store.join(folder, "edits")
    requests = Table.open(store.join(folder, "requests")).read(columns=["index", "attribute", "strengths"])
    asked = [row for row in requests.to_pylist() if row["attribute"] == attribute]
    if len(asked) != 1:
        raise StoreError(f"{folder}: {len(asked)} requests are of {attribute}, and one is to be read")
    [request] = asked
    table = Table.open(url)
    judged = [name for name in table.schema.arrow.names if name.startswith(JUDGE)]
    own = [name for name in table.schema.arrow.names if JUDGE + name in judged]
    rows = table.read(columns=["index", "request", "step", "strength", *judged, *own]).to_pandas()
    rows = rows[rows["request"] == request["index"]].rename(columns={"index": "face"}).assign(still=False)
    spec = table.require_sealed()["facts"].get("spec", {})
    if spec.get("rows_may_stop"):
        rows = _standing_still(rows, kept_steps(spec["keep"], spec["steps"]), request["strengths"])
    rows = rows.set_index(["face", "step"]).sort_index()
    its = values[(values["edits"] == url) & (values["request"] == request["index"])]
    measured = its.pivot(index=["face", "step"], columns="name", values="value")
    wide = rows["strength"].unstack().abs()
    whole = wide.dropna().index
    columns = {name.removeprefix(JUDGE): _wide(rows[name], whole) for name in judged}
    measured = measured.reindex(rows.index, columns=sorted({*values["name"], *names}))  # NaN where a face has no number
    found = {str(name): _wide(measured[name], whole) for name in measured}
    still_NP = _wide(rows["still"].astype(float), whole) > 0
    for name, number_NP in found.items():
        number_NP[:, 0] = numbers[name].of_itself
        for step in range(1, number_NP.shape[1]):
            number_NP[:, step] = np.where(still_NP[:, step], number_NP[:, step - 1], number_NP[:, step])
        number_NP[whole.isin(list(unseen.get(name, ())))] = np.nan
    strengths_K = wide.loc[whole].to_numpy(np.float64)[:, 1:]
    return Toggles(
        attribute, strengths_K[0] if len(whole) else np.zeros(wide.shape[1] - 1), whole.to_numpy(np.int64),
        np.full(len(whole), target), columns, found, {name: _wide(rows[name], whole) for name in own},
    )  # fmt: skip


def _standing_still(rows: pd.DataFrame, kept: Sequence[int], strengths: Sequence[float]) -> pd.DataFrame:
    """With a row of each face for each step that was to be kept: one that has stopped before stands still, and counts
    in each later step too. Each step has the strength that was asked for, wherever its faces are.
    """
    rows = rows.assign(step=np.asarray(kept)[np.searchsorted(kept, rows["step"])])
    rows = rows.drop_duplicates(["face", "step"], keep="last").set_index(["face", "step"]).sort_index()
    every = pd.MultiIndex.from_product([rows.index.unique("face"), kept], names=["face", "step"])
    found = rows.reindex(every)
    found["still"] = ~every.isin(rows.index)
    found = found.groupby(level="face").ffill().reset_index()
    return found.assign(strength=[strengths[step - 1] if step else 0.0 for step in found["step"]])


def _wide(column: "pd.Series[float]", faces: "pd.Index[int]") -> NDArray[np.float64]:
    """(N, P) of these faces."""
    return column.unstack().reindex(faces).to_numpy(np.float64, copy=True)
