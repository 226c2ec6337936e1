"""A table of edits, summed up in batches: mean scores by request, side and step, and why the edits ended.

Shapes: N rows of a batch, G groups (request, side, step), C columns (strength and scores).
"""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.metrics.intervals import Z95
from pipeline.report import gather
from pipeline.stage_names import AND, stages_of
from pipeline.tables import Table, store
from pipeline.tables.manifest import is_made_by
from schemas.edits import AFTER, BEFORE, JUDGE

BATCH = 65536
Branch = tuple[int, int]
"""Request, and the side to which its rows go: 1, or also -1 where each goes to the other side of where it is. Scores of
those that go up and of those that go down would cancel in one mean. What did not move is among those that go up."""
Group = tuple[int, int, int]
"""Request, side and step."""
BRANCH: list[Hashable] = ["request", "side"]


@dataclass(frozen=True)
class Edits:
    """Means over a table of edits.

    scores: its columns of scores. means, halves: (G, C) by group: mean, and half of its 95 % interval (NaN of one row).
    rows: of each group. stops: why the edits of each branch ended, by how many faces. asked: rows of `requests`.
    down: faces, (index, request), that go away from the attribute, of the requests that flip.
    """

    table: Table
    scores: tuple[str, ...]
    means: pd.DataFrame
    halves: pd.DataFrame
    rows: pd.Series
    stops: Mapping[Branch, Counter[str]]
    asked: Mapping[int, Mapping[str, Any]]
    down: frozenset[tuple[int, int]]
    chosen: Collection[int] | None = None
    all_faces: int = 0

    @classmethod
    def read(cls, directory: str, chosen: Collection[int] | None = None) -> "Edits":
        """The edits of some rows, or of all; `all_faces` counts all of them.

        A table without a part is one without a row. Raises StoreError where a table cannot be read.
        """
        table = Table(store.join(directory, "edits"))
        requests = _requests(directory, table)
        if not table.parts():
            nothing = pd.MultiIndex.from_tuples([], names=["request", "side", "step"])
            frame = pd.DataFrame(index=nothing, columns=["strength"], dtype=np.float64)
            return cls(table, (), frame, frame, pd.Series([], nothing, np.float64), {}, requests, frozenset())
        scores = tuple(name for name in table.schema.arrow.names if name not in (*BEFORE, *AFTER))
        down = _down(table, requests) if _flips(directory, requests) else frozenset()
        there: set[int] = set()
        count: Counter[Group] = Counter()
        sums: dict[Group, np.ndarray] = {}
        squares: dict[Group, np.ndarray] = {}
        stops: dict[Group, Counter[str]] = {}
        for batch in table.batches(["index", "request", "step", "strength", "stop", *scores], rows=BATCH):
            rows = batch.to_pandas()
            if chosen is not None:
                there.update(rows["index"].tolist())
                rows = rows[rows["index"].isin(chosen)].copy()
            faces = zip(rows["index"].tolist(), rows["request"].tolist(), strict=True)
            rows["side"] = [-1 if face in down else 1 for face in faces] if down else 1
            for group, its in rows.groupby(["request", "side", "step"]):
                values_NC = its[["strength", *scores]].to_numpy(np.float64)
                count[group] += len(its)
                sums[group] = sums.get(group, 0) + values_NC.sum(axis=0)
                squares[group] = squares.get(group, 0) + np.square(values_NC).sum(axis=0)
                stops.setdefault(group, Counter()).update(its["stop"].tolist())
        groups = sorted(count)
        index = pd.MultiIndex.from_tuples(groups, names=["request", "side", "step"])
        of_group = pd.Series([count[group] for group in groups], index=index, dtype=np.float64)
        columns = ["strength", *scores]
        means = pd.DataFrame([sums[group] / count[group] for group in groups], index, columns)
        moments = pd.DataFrame([squares[group] / count[group] for group in groups], index, columns)
        variance = (moments - means**2).clip(lower=0.0).mul(of_group / (of_group - 1).where(of_group > 1), axis=0)
        halves = (Z95 * variance.pow(0.5)).div(of_group.pow(0.5), axis=0)
        ended: dict[Branch, Counter[str]] = {}
        for request, side, step in groups:  # of each face once: its source, or the only step that was kept of it
            if step == 0 or (request, side, 0) not in count:
                ended.setdefault((request, side), Counter()).update(stops[request, side, step])
        return cls(table, scores, means, halves, of_group, ended, requests, down, chosen, len(there))

    @property
    def faces(self) -> int:
        """How many faces were edited, by the request that has the most of them."""
        of_request: Counter[int] = Counter()
        for (request, _), stops in self.stops.items():
            of_request[request] += stops.total()
        return max(of_request.values(), default=0)

    @property
    def branches(self) -> list[Branch]:
        """In order of requests, up before down."""
        return sorted(self.stops, key=lambda branch: (branch[0], -branch[1]))

    @property
    def requests(self) -> list[int]:
        return sorted({request for request, _ in self.stops})

    def heading(self, branch: Branch) -> str:
        """The title, and the side, if rows of the request go to both."""
        request, side = branch
        return self.title(request) + (f", {self.way(side)}" if self.flips(request) else "")

    def flips(self, request: int) -> bool:
        """Whether its rows may go in both directions, as far as is known."""
        asked = self.asked.get(request, {}).get("target") == "flip"
        return asked or any(whose == request for _, whose in self.down)

    @staticmethod
    def way(side: int) -> str:
        """Where the rows of one side go."""
        return "towards it" if side > 0 else "away from it"

    def stages(self, request: int) -> tuple[str, ...]:
        """What each of its steps does, where each is an edit of its own."""
        return stages_of(self.asked.get(request, {}).get("options") or ())

    def title(self, request: int) -> str:
        """`old | eyeglasses`, or the number of a request that is not known yet."""
        asked = self.asked.get(request)
        if asked is None:
            return f"Request {request}"
        return asked["attribute"] + (f" | {', '.join(asked['conditions'])}" if asked["conditions"] else "")

    def along(self, branch: Branch) -> pd.DataFrame:
        """The means of a branch's steps, the source first, as `in_order`."""
        means = self.means[self._its(branch)].droplevel(BRANCH)
        return in_order(means.reset_index()).set_index("step")

    def spread(self, branch: Branch) -> pd.DataFrame:
        """Half intervals of a branch's steps."""
        return self.halves[self._its(branch)].droplevel(BRANCH)

    def count(self, branch: Branch) -> pd.Series:
        """Rows of a branch's steps."""
        return self.rows[self._its(branch)].droplevel(BRANCH)

    def _its(self, branch: Branch) -> "pd.Series[bool]":
        return pd.Series([group[:2] == branch for group in self.means.index], self.means.index, dtype=bool)

    def shown(self, request: int) -> list[str]:
        """The scores below a picture: the attributes' (else that which moves most) and its conditions'."""
        by_name = self._by_name()
        conditions = [by_name[name] for name in self.asked.get(request, {}).get("conditions", ()) if name in by_name]
        return list(dict.fromkeys([*self._primal(request), *conditions]))

    def bold(self, request: int) -> list[str]:
        """Columns that are scores of the edited attributes, by either family, or of what stands in their place."""
        primal = {name.removeprefix(JUDGE) for name in self._primal(request)}
        return [name for name in self.scores if name.removeprefix(JUDGE) in primal]

    def unscored(self, request: int) -> list[str]:
        """The edited attributes of which no score was kept, where scores of others were."""
        by_name = self._by_name()
        return [name for name in self._edited(request) if name not in by_name] if by_name else []

    def in_place_of_all(self, request: int) -> str | None:
        """The score that is shown where none of the edited attributes has one, and others do."""
        if not self._edited(request) or set(self.unscored(request)) != set(self._edited(request)):
            return None
        return self._primal(request)[0].removeprefix(JUDGE)

    def _edited(self, request: int) -> list[str]:
        """The attributes that a request changes; none where it is not known yet."""
        asked = self.asked.get(request)
        return [] if asked is None else list(dict.fromkeys(asked["attribute"].split(AND)))

    def _primal(self, request: int) -> list[str]:
        """The scores of the attributes, else the one that moves most; none where no scores were kept."""
        by_name = self._by_name()
        own = [by_name[name] for name in self._edited(request) if name in by_name]
        if own or not by_name:
            return own
        along = self.along(next(branch for branch in self.branches if branch[0] == request))[list(by_name.values())]
        return [str((along.iloc[-1] - along.iloc[0]).abs().idxmax())]

    def _by_name(self) -> dict[str, str]:
        """The columns that are shown, by attribute: of the classifiers that edit and label, else the judge's."""
        own = [name for name in self.scores if not name.startswith(JUDGE)] or list(self.scores)
        return {name.removeprefix(JUDGE): name for name in own}


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps, with the columns `step` and `strength`: the source first, then by strength; where all
    go down, from the smallest step on.
    """
    sign = -1 if (rows["strength"] <= 0).all() else 1
    keys = pd.DataFrame({"after": rows["step"] != 0, "strength": sign * rows["strength"]}, rows.index)
    return rows.loc[keys.sort_values(["after", "strength"], kind="stable").index]


def _flips(directory: str, requests: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether rows go either way: as the requests say or, before these are written, the run's spec."""
    if requests:
        return any(asked["target"] == "flip" for asked in requests.values())
    return gather.read_run(directory, "edit", []).asked("target") == "flip"


def _down(table: Table, requests: Mapping[int, Mapping[str, Any]]) -> frozenset[tuple[int, int]]:
    """Faces, (index, request), whose last strength is negative, of the requests that flip."""
    found: set[tuple[int, int]] = set()
    for batch in table.batches(["index", "request", "strength"], rows=BATCH):
        faces = zip(batch["index"].to_pylist(), batch["request"].to_pylist(), strict=True)
        for face, strength in zip(faces, batch["strength"].to_pylist(), strict=True):
            if strength < 0 and requests.get(face[1], {"target": "flip"})["target"] == "flip":
                found.add(face)
    return frozenset(found)


def _requests(directory: str, edits: Table) -> dict[int, Mapping[str, Any]]:
    """The requests beside the edits; none where they are not written yet, or are another run's."""
    table = Table(store.join(directory, "requests"))
    manifest, theirs = table.manifest(), edits.manifest()
    if manifest is None or theirs is None or not is_made_by(manifest, theirs["fingerprint"]):
        return {}
    return {row["index"]: row for row in table.read().to_pylist()}
