"""Identity where two methods succeed as often: toggles at several strengths, and the means read off their curves."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline.metrics.bootstrap import NOT_DECIDED as UNDECIDED
from pipeline.metrics.number import Number
from pipeline.metrics.swept import PARTS, EqualRate, difference_at_equal_rate, mean_at_rate
from pipeline.report import study
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim
from pipeline.report.id_style.at_strengths import AtStrengths, Strengths, paired
from pipeline.report.id_style.paper import OURS
from pipeline.report.id_style.sections import WHAT


def section(
    frame: pd.DataFrame, strengths: Mapping[str, Strengths], numbers: Mapping[str, Number]
) -> tuple[study.Section, list[Claim]]:
    """Curves of each number of identity, the comparison of ours with each other method, and the claims.

    frame: toggles, as `result.read` has them, at all strengths; `what` is a method.
    """
    found, curves, claims = {}, [], []
    for name in (one for one in WHAT if one in numbers):
        number = numbers[name]
        methods = {
            method: AtStrengths.of(frame[frame["what"] == method], name, number, its.tried)
            for method, its in strengths.items()
        }
        lines = {}
        for method, its in methods.items():
            swept = its.swept()
            lines[method] = pd.DataFrame({"x": swept.rates(), "y": swept.means()}).dropna()
        curves.append(study.Curves(f"{WHAT[name]}, over accuracy", "accuracy", "mean", lines, bold=[OURS]))
        for method in (one for one in strengths if one != OURS):
            ours, theirs = paired(methods[OURS], methods[method])
            equal = _equal(ours, strengths[OURS], theirs, strengths[method])
            margin = _margin(ours, theirs, equal.rate)
            every = frame[frame["what"].isin([OURS, method])][["face", "attribute"]].drop_duplicates()
            found[f"{name}, beside {method}"] = _row(equal, margin, len(ours), len(every))
            about = f"At equal accuracy identity is kept better than by {method}"
            at = f"{100 * equal.rate:.0f} % of toggles" if math.isfinite(equal.rate) else "no success"
            told = f"{WHAT[name]}: {OURS} less {method}, at {at} ({equal.faces} faces)"
            verdict = _verdict(equal, margin, number.better == "larger")
            more = equal.difference
            claims.append(Claim(about, told, "not compared", more.observed, more.low, more.high, verdict))
    tried = "; ".join(f"{method} {', '.join(f'{one:g}' for one in its.tried)}" for method, its in strengths.items())
    sentences = [
        "Whoever moves further succeeds more often and keeps less of the identity, so that methods are compared where "
        "they succeed as often: at the accuracy of that one of both which at its paper's strength succeeds less often. "
        "The paper compares methods at its own settings alone. Toggles: each face to the side where the judge does not "
        "see it, the mean over the four attributes.",
        f"Between the strengths that were tried ({tried}) the judge's score and the number of each toggle are taken on "
        "a straight line, and what succeeds is counted from these. How much that may be wrong: how far the means move "
        "where every other strength is left out, of both methods together. A difference is decided where its whole "
        "interval (bootstrap over the faces) is larger than that.",
        "All edits are in the mean, also those that did not succeed. Left out are toggles that have no number at some "
        "strength by one of the two methods, since no face was found in a picture: of both methods the same. FRS is by "
        "the network whose cosine the training maximised, the distance by dlib's, which nothing optimises.",
    ]
    grid = study.Grid("Where both succeed as often", pd.DataFrame.from_dict(found, orient="index"))
    return study.Section("Identity at equal accuracy", sentences, [grid, *curves]), claims


def _equal(ours: AtStrengths, our: Strengths, theirs: AtStrengths, their: Strengths) -> EqualRate:
    """Of the same toggles."""
    first, second = (one.swept(PARTS) for one in (ours, theirs))
    return difference_at_equal_rate(first, our.step * PARTS, second, their.step * PARTS)


def _margin(ours: AtStrengths, theirs: AtStrengths, rate: float) -> float:
    """How far the means at a rate move where every other strength is left out; NaN where that cannot be told."""
    if min(len(one.strengths) for one in (ours, theirs)) < 2:
        return math.nan
    return sum(abs(_mean(one.thinned(), rate) - _mean(one, rate)) for one in (ours, theirs))


def _mean(toggles: AtStrengths, rate: float) -> float:
    """Read off the curve."""
    if not len(toggles):
        return math.nan
    swept = toggles.swept(PARTS)
    return float(mean_at_rate(swept.rates()[None], swept.means()[None], np.array([rate]))[0])


def _verdict(equal: EqualRate, margin: float, larger_is_better: bool) -> str:
    more = equal.difference
    if more.verdict == UNDECIDED or not (more.low > margin or more.high < -margin):
        return NOT_DECIDED
    return HOLDS if (more.low > 0) == larger_is_better else FAILS


def _row(equal: EqualRate, margin: float, toggles: int, every: int) -> dict[str, str]:
    """Of a table."""
    return {
        "accuracy %": study.cell(100 * equal.rate, 1),
        OURS: study.cell(equal.first, 3),
        "the other": study.cell(equal.second, 3),
        "may be wrong by": study.cell(margin, 3),
        "faces": f"{equal.faces:,}",
        "toggles": f"{toggles:,}",
        "left out": f"{every - toggles:,}",
    }
