"""A table of edits, summed up in batches: mean scores by request, side and step, and why the edits ended.

Shapes: N rows of a batch, G groups (request, side, step), C columns (strength and scores).
"""

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import gather
from pipeline.tables import Table, store
from schemas.edits import AFTER, BEFORE, JUDGE

BATCH = 65536
Z95 = NormalDist().inv_cdf(0.975)
Branch = tuple[int, int]
"""Request, and the side to which its rows go: 1, or also -1 where each goes to the other side of where it is. Scores of
those that go up and of those that go down would cancel in one mean. What did not move is among those that go up."""
Group = tuple[int, int, int]
"""Request, side and step."""
BRANCH: list[Hashable] = ["request", "side"]


@dataclass(frozen=True)
class Edits:
    """What a table of edits holds, summed up.

    scores: its columns of scores. means, halves: (G, C) by group: mean, and half of its 95 % interval (NaN of one row).
    rows: of each group. stops: why the edits of each branch ended, by how many faces. wishes: rows of `requests`.
    """

    table: Table
    scores: tuple[str, ...]
    means: pd.DataFrame
    halves: pd.DataFrame
    rows: pd.Series
    stops: Mapping[Branch, Counter[str]]
    wishes: Mapping[int, Mapping[str, Any]]

    @classmethod
    def read(cls, directory: str) -> "Edits":
        """Raises StoreError where a table cannot be read."""
        table = Table(store.join(directory, "edits"))
        scores = tuple(name for name in table.schema.arrow.names if name not in (*BEFORE, *AFTER))
        wishes = _wishes(directory, table)
        down = _down(table, wishes) if _flips(directory, wishes) else frozenset()
        count: Counter[Group] = Counter()
        sums: dict[Group, np.ndarray] = {}
        squares: dict[Group, np.ndarray] = {}
        stops: dict[Group, Counter[str]] = {}
        for batch in table.batches(["index", "request", "step", "strength", "stop", *scores], rows=BATCH):
            rows = batch.to_pandas()
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
        return cls(table, scores, means, halves, of_group, ended, wishes)

    @property
    def branches(self) -> list[Branch]:
        """In order of requests, up before down."""
        return sorted(self.stops, key=lambda branch: (branch[0], -branch[1]))

    @property
    def requests(self) -> list[int]:
        return sorted({request for request, _ in self.stops})

    def heading(self, branch: Branch) -> str:
        """The title, and where they go if rows of the request go either way."""
        request, side = branch
        flips = self.wishes.get(request, {}).get("target") == "flip"
        return self.title(request) + (f", {'towards it' if side > 0 else 'away from it'}" if flips else "")

    def title(self, request: int) -> str:
        """`old | eyeglasses`, or the number of a request that is not known yet."""
        wish = self.wishes.get(request)
        if wish is None:
            return f"Request {request}"
        return wish["attribute"] + (f" | {', '.join(wish['conditions'])}" if wish["conditions"] else "")

    def along(self, branch: Branch) -> pd.DataFrame:
        """The means of a branch's steps, in order of strength, the source first where all go down."""
        means = self.means[self._its(branch)].droplevel(BRANCH)
        return means.sort_values("strength", kind="stable", key=lambda strength: branch[1] * strength)

    def spread(self, branch: Branch) -> pd.DataFrame:
        """Half intervals of a branch's steps."""
        return self.halves[self._its(branch)].droplevel(BRANCH)

    def count(self, branch: Branch) -> pd.Series:
        """Rows of a branch's steps."""
        return self.rows[self._its(branch)].droplevel(BRANCH)

    def _its(self, branch: Branch) -> "pd.Series[bool]":
        return pd.Series([group[:2] == branch for group in self.means.index], self.means.index, dtype=bool)

    def shown(self, request: int) -> list[str]:
        """The scores below a picture: the attribute's (else that which moves most) and its conditions'."""
        wish = self.wishes.get(request, {"attribute": "", "conditions": []})
        own = [name for name in self.scores if not name.startswith(JUDGE)] or list(self.scores)
        by_name = {name.removeprefix(JUDGE): name for name in own}
        primal = by_name.get(wish["attribute"])
        if primal is None and own:
            along = self.along(next(branch for branch in self.branches if branch[0] == request))[own]
            primal = str((along.iloc[-1] - along.iloc[0]).abs().idxmax())
        wanted = [primal, *(by_name.get(name) for name in wish["conditions"])]
        return [name for name in dict.fromkeys(wanted) if name is not None]


def _flips(directory: str, wishes: Mapping[int, Mapping[str, Any]]) -> bool:
    """Whether rows go either way: as the requests say or, before these are written, the run's spec."""
    if wishes:
        return any(wish["target"] == "flip" for wish in wishes.values())
    return gather.read_run(directory, "edit", []).asked("target") == "flip"


def _down(table: Table, wishes: Mapping[int, Mapping[str, Any]]) -> frozenset[tuple[int, int]]:
    """Faces, (index, request), whose last strength is negative, of the requests that flip."""
    found: set[tuple[int, int]] = set()
    for batch in table.batches(["index", "request", "strength"], rows=BATCH):
        faces = zip(batch["index"].to_pylist(), batch["request"].to_pylist(), strict=True)
        for face, strength in zip(faces, batch["strength"].to_pylist(), strict=True):
            if strength < 0 and wishes.get(face[1], {"target": "flip"})["target"] == "flip":
                found.add(face)
    return frozenset(found)


def _wishes(directory: str, edits: Table) -> dict[int, Mapping[str, Any]]:
    """The requests beside the edits; none where they are not written yet, or are another run's."""
    table = Table(store.join(directory, "requests"))
    manifest, theirs = table.manifest(), edits.manifest()
    if manifest is None or theirs is None or manifest["facts"]["spec"].get("edits") != theirs["fingerprint"]:
        return {}
    return {row["index"]: row for row in table.read().to_pylist()}
