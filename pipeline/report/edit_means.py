"""A table of edits, summed up in batches: mean scores by request and step, with intervals, and why the edits ended.

Shapes: N rows of a batch, G groups (request, step), C columns (strength and scores).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.tables import Table, store
from schemas.edits import AFTER, BEFORE, JUDGE

BATCH = 65536
Z95 = NormalDist().inv_cdf(0.975)
Group = tuple[int, int]
"""Request and step."""


@dataclass(frozen=True)
class Edits:
    """What a table of edits holds, summed up.

    scores: its columns of scores. means, halves: (G, C) by group: mean, and half of its 95 % interval (NaN of one row).
    rows: of each group. stops: why the edits of a request ended, by how many faces. wishes: rows of `requests`.
    """

    table: Table
    scores: tuple[str, ...]
    means: pd.DataFrame
    halves: pd.DataFrame
    rows: pd.Series
    stops: Mapping[int, Counter[str]]
    wishes: Mapping[int, Mapping[str, Any]]

    @classmethod
    def read(cls, directory: str) -> "Edits":
        """Raises StoreError where a table cannot be read."""
        table = Table(store.join(directory, "edits"))
        scores = tuple(name for name in table.schema.arrow.names if name not in (*BEFORE, *AFTER))
        count: Counter[Group] = Counter()
        sums: dict[Group, np.ndarray] = {}
        squares: dict[Group, np.ndarray] = {}
        stops: dict[Group, Counter[str]] = {}
        for batch in table.batches(["request", "step", "strength", "stop", *scores], rows=BATCH):
            values_NC = np.stack([batch[name].to_numpy().astype(np.float64) for name in ("strength", *scores)], axis=1)
            groups_N2 = np.stack([batch[name].to_numpy() for name in ("request", "step")], axis=1)
            found_G2, place_N = np.unique(groups_N2, axis=0, return_inverse=True)
            for place, (request, step) in enumerate(found_G2.tolist()):
                its_NC = values_NC[place_N.ravel() == place]
                count[request, step] += len(its_NC)
                sums[request, step] = sums.get((request, step), 0) + its_NC.sum(axis=0)
                squares[request, step] = squares.get((request, step), 0) + np.square(its_NC).sum(axis=0)
            reasons = batch.select(["request", "step", "stop"]).to_pandas().value_counts()
            for (request, step, stop), faces in reasons.items():
                stops.setdefault((request, step), Counter())[stop] += int(faces)
        groups = sorted(count)
        index = pd.MultiIndex.from_tuples(groups, names=["request", "step"])
        rows = pd.Series([count[group] for group in groups], index=index, dtype=np.float64)
        columns = ["strength", *scores]
        means = pd.DataFrame([sums[group] / count[group] for group in groups], index, columns)
        moments = pd.DataFrame([squares[group] / count[group] for group in groups], index, columns)
        variance = (moments - means**2).clip(lower=0.0).mul(rows / (rows - 1).where(rows > 1), axis=0)
        halves = (Z95 * variance.pow(0.5)).div(rows.pow(0.5), axis=0)
        ended: dict[int, Counter[str]] = {}
        for request, step in groups:  # of each face once: its source, or the only step that was kept of it
            if step == 0 or (request, 0) not in count:
                ended.setdefault(request, Counter()).update(stops[request, step])
        return cls(table, scores, means, halves, rows, ended, _wishes(directory, table))

    @property
    def requests(self) -> list[int]:
        return sorted(self.stops)

    def title(self, request: int) -> str:
        """`old | eyeglasses`, or the number of a request that is not known yet."""
        wish = self.wishes.get(request)
        if wish is None:
            return f"Request {request}"
        return wish["attribute"] + (f" | {', '.join(wish['conditions'])}" if wish["conditions"] else "")

    def along(self, request: int) -> pd.DataFrame:
        """The means of a request's steps, in order of strength."""
        return self.means.loc[[request]].droplevel("request").sort_values("strength", kind="stable")

    def spread(self, request: int) -> pd.DataFrame:
        """Half intervals of a request's steps."""
        return self.halves.loc[[request]].droplevel("request")

    def count(self, request: int) -> pd.Series:
        """Rows of a request's steps."""
        return self.rows.loc[[request]].droplevel("request")

    def shown(self, request: int) -> list[str]:
        """The scores below a picture: the attribute's (else that which moves most) and its conditions'."""
        wish = self.wishes.get(request, {"attribute": "", "conditions": []})
        own = [name for name in self.scores if not name.startswith(JUDGE)] or list(self.scores)
        by_name = {name.removeprefix(JUDGE): name for name in own}
        primal = by_name.get(wish["attribute"])
        if primal is None and own:
            along = self.along(request)[own]
            primal = str((along.iloc[-1] - along.iloc[0]).abs().idxmax())
        wanted = [primal, *(by_name.get(name) for name in wish["conditions"])]
        return [name for name in dict.fromkeys(wanted) if name is not None]


def _wishes(directory: str, edits: Table) -> dict[int, Mapping[str, Any]]:
    """The requests beside the edits; none where they are not written yet, or are another run's."""
    table = Table(store.join(directory, "requests"))
    manifest, theirs = table.manifest(), edits.manifest()
    if manifest is None or theirs is None or manifest["facts"]["spec"].get("edits") != theirs["fingerprint"]:
        return {}
    return {row["index"]: row for row in table.read().to_pylist()}
