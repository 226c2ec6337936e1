"""What edits of one attribute came to, face by face: the judge's score and the metrics at each step of each method.

Shapes: N faces, K steps with the source as step 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.number import Number
from pipeline.report.style_intervention.paper import OURS
from pipeline.tables import Table, store
from schemas.edits import JUDGE

SOLVED = "done"
"""Why an intervention ended whose coefficients were solved for."""
EDIT = 1.0
"""The strength of the intervention that is its edit: others vary its sparse move (Fig. 5)."""

RISE = 0.01
"""Of the judge's score, in standard deviations over the calibration faces: what is less counts as none."""


@dataclass(frozen=True, eq=False)
class Result:
    """Of one attribute. ends: why each face's intervention ended, by face. steps: by method, rows by (face, step)
    in the order of strengths, with the columns strength, score (the judge's) and the numbers; a number of the source is
    that of a picture beside itself. numbers: what they are, by their names. met: of each other method, by face, the
    strength at which the judge's score is the intervention's, and the numbers there; faces that it never brings so far
    have no row.
    """

    attribute: str
    ends: "pd.Series[str]"
    steps: Mapping[str, pd.DataFrame]
    numbers: Mapping[str, Number]
    met: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def faces(self) -> list[int]:
        """Those that were solved for, and that no method has rejected."""
        solved = set(self.ends.index[self.ends == SOLVED])
        return sorted(solved.intersection(*(rows.index.get_level_values("face") for rows in self.steps.values())))

    def column(self, method: str, name: str) -> NDArray[np.float64]:
        """(N, K) of those faces; NaN of a number that was not measured."""
        if name not in self.steps[method]:
            return np.full(self.column(method, "score").shape, np.nan)
        wide = self.steps[method].loc[self.faces, name].unstack()
        return wide.reindex(self.faces).to_numpy(np.float64)

    def larger_is_better(self, name: str) -> bool:
        """Whether a number is the better the larger it is."""
        return self.numbers[name].better == "larger"

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """(K - 1,) of the sparse move, at the steps of the intervention behind the source (Fig. 5)."""
        return self.column(OURS, "strength")[0, 1:]

    @cached_property
    def own(self) -> int:
        """The step that is the intervention's edit."""
        return int(np.argmax(self.coefficients == EDIT)) + 1

    @property
    def reached(self) -> NDArray[np.float64]:
        """(N,) the judge's score that the intervention reached."""
        return self.column(OURS, "score")[:, self.own]

    @property
    def raised(self) -> dict[int, float]:
        """That score, of the faces where it is above the source's by `RISE`: others have no success to compare at."""
        before = self.column(OURS, "score")[:, 0]
        return {
            face: float(after)
            for face, after, source in zip(self.faces, self.reached, before, strict=True)
            if after > source + RISE
        }

    def at_equal_success(self, name: str) -> pd.DataFrame:
        """A number of each face whose score was raised, where each method reaches that score: a row for each face, a
        column for each method; NaN where it never does, or has no such number.
        """
        faces = list(self.raised)
        own = pd.Series(self.column(OURS, name)[:, self.own], self.faces)
        found = {method: rows.reindex(index=faces, columns=[name])[name] for method, rows in self.met.items()}
        return pd.DataFrame({**found, OURS: own.reindex(faces)}, index=faces, dtype=np.float64)

    def changed(self, method: str, step: int) -> NDArray[np.float64]:
        """(N,) 1 where the judge sees the attribute at a step and not in the source, else 0; NaN where it is seen in
        the source.
        """
        score_NK = self.column(method, "score")
        return np.where(score_NK[:, 0] <= 0, (score_NK[:, step] > 0).astype(np.float64), np.nan)


def read(attribute: str, folders: Mapping[str, str], values: pd.DataFrame, numbers: Mapping[str, Number]) -> Result:
    """From folders of edits by method, `of_faces` of all of them, and what its numbers are. Raises StoreError."""
    steps, ends = {}, pd.Series(dtype=str)
    for method, folder in folders.items():
        url, score = store.join(folder, "edits"), JUDGE + attribute
        rows = Table.open(url).read(columns=["index", "step", "strength", "stop", score]).to_pandas()
        rows = rows.rename(columns={"index": "face", score: "score"}).set_index(["face", "step"])
        its = values[values["edits"] == url].pivot(index=["face", "step"], columns="name", values="value")
        for name in its:
            rows[name] = its[name]
            rows.loc[rows.index.get_level_values("step") == 0, name] = numbers[str(name)].of_itself
        if method == OURS:
            ends = rows["stop"].groupby("face").first()
        steps[method] = rows.drop(columns="stop").sort_index()
    return Result(attribute, ends, steps, numbers)
