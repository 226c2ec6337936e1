"""Identity where two methods succeed as often: toggles at several strengths, and the means read off their curves.

Shapes: N faces, K strengths, P = K + 1 points, the source first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.number import Number
from pipeline.metrics.swept import EqualRate, Swept, difference_at_equal_rate
from pipeline.report import study
from pipeline.report.claims import Claim, of_difference
from pipeline.report.id_style.paper import LINEAR, OURS
from pipeline.report.id_style.sections import WHAT


@dataclass(frozen=True)
class Strengths:
    """Of a method. tried: from small to large. usual: the one of them that the papers take."""

    tried: tuple[float, ...]
    usual: float

    @property
    def step(self) -> int:
        """Of the usual one, behind the source."""
        return 1 + self.tried.index(self.usual)


def section(
    frame: pd.DataFrame, strengths: Mapping[str, Strengths], numbers: Mapping[str, Number]
) -> tuple[study.Section, list[Claim]]:
    """Curves of each number of identity, the comparison of ours with each other method, and the claims.

    frame: toggles, as `result.read` has them, at all strengths; `what` is a method.
    """
    found, curves, claims = {}, [], []
    by_method = {method: frame[frame["what"] == method] for method in strengths}
    for name in (one for one in WHAT if one in numbers):
        number = numbers[name]
        lines = {}
        for method, rows in by_method.items():
            of_method = swept(rows, name, number, strengths[method].tried)
            lines[method] = pd.DataFrame({"x": of_method.rates(), "y": of_method.means()}).dropna()
        curves.append(study.Curves(f"{WHAT[name]}, over accuracy", "accuracy", "mean", lines, bold=[OURS]))
        for method in (one for one in strengths if one != OURS):
            equal = _equal(by_method, method, name, number, strengths)
            found[f"{name}, beside {method}"] = _row(equal)
            about = f"At equal accuracy identity is kept better than by {method}"
            at = f"at {100 * equal.rate:.0f} % of toggles ({equal.faces} faces)"
            paper = "better" if method == LINEAR else "not compared"
            told = f"{WHAT[name]}: {OURS} less {method}, {at}"
            claims.append(of_difference(about, told, paper, equal.difference, number.better == "larger"))
    tried = "; ".join(f"{method} {', '.join(f'{one:g}' for one in its.tried)}" for method, its in strengths.items())
    sentences = [
        "Whoever moves further succeeds more often and keeps less of the identity, so that methods are compared where "
        "they succeed as often: at the accuracy of that one of both which at its paper's strength succeeds less often. "
        "Toggles alone: each face to the side where the judge does not see it, the mean over the four attributes. "
        f"Means are read off the curves, between the strengths that were tried ({tried}); the intervals are over the "
        "faces (bootstrap).",
        "All edits are in the mean, also those that did not succeed. FRS is by the network whose cosine the training "
        "maximised, the distance by dlib's, which nothing optimises.",
    ]
    grid = study.Grid("Where both succeed as often", pd.DataFrame.from_dict(found, orient="index"))
    return study.Section("Identity at equal accuracy", sentences, [grid, *curves]), claims


def _equal(
    by_method: Mapping[str, pd.DataFrame],
    method: str,
    name: str,
    number: Number,
    strengths: Mapping[str, Strengths],
) -> EqualRate:
    """Ours beside another method, of the faces that both have edited."""
    faces = set(by_method[OURS]["face"]) & set(by_method[method]["face"])
    ours, theirs = (
        swept(rows[rows["face"].isin(faces)], name, number, strengths[one].tried)
        for one, rows in ((one, by_method[one]) for one in (OURS, method))
    )
    return difference_at_equal_rate(ours, strengths[OURS].step, theirs, strengths[method].step)


def swept(toggles: pd.DataFrame, name: str, number: Number, tried: Sequence[float]) -> Swept:
    """Of each face the share of its attributes that were toggled, and its mean number; of one method.

    Rows are faces that have edits of each strength, in rising order.
    """
    size = toggles.assign(size=toggles["strength"].abs().round(6), there=toggles["there"].astype(float))
    wide = {
        column: size.pivot_table(index="face", columns="size", values=column, aggfunc="mean", dropna=False).reindex(
            columns=[round(one, 6) for one in tried]
        )
        for column in ("there", name)
    }
    reached_NK: NDArray[np.float64] = wide["there"].to_numpy(np.float64)
    value_NK: NDArray[np.float64] = wide[name].reindex(wide["there"].index).to_numpy(np.float64)
    whole = ~np.isnan(reached_NK).any(axis=1)
    count = int(whole.sum())
    return Swept(
        np.hstack([np.zeros((count, 1)), reached_NK[whole]]),
        np.hstack([np.full((count, 1), number.of_itself), value_NK[whole]]),
    )


def _row(equal: EqualRate) -> dict[str, str]:
    """Of a table."""
    return {
        "accuracy %": study.cell(100 * equal.rate, 1),
        OURS: study.cell(equal.first, 3),
        "the other": study.cell(equal.second, 3),
        "faces": f"{equal.faces:,}",
    }
