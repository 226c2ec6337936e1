"""Identity where two methods succeed as often: toggles at several strengths, and the means read off their curves."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.metrics.between_strengths import BetweenStrengths, Read, at_equal_rate
from pipeline.metrics.number import Number
from pipeline.report import study
from pipeline.report.claims import Claim, of_equal_rate
from pipeline.report.equal_rate import ABOUT_IT, WRONG_BY, line
from pipeline.report.id_style.paper import OURS
from pipeline.report.id_style.result import toggles_of
from pipeline.report.id_style.sections import WHAT
from pipeline.report.toggles import Strengths, Toggles, by_face, paired


def section(
    frame: pd.DataFrame, strengths: Mapping[str, Strengths], numbers: Mapping[str, Number]
) -> tuple[study.Section, list[Claim]]:
    """Curves of each number of identity, the comparison of ours with each other method, and the claims.

    frame: toggles, as `result.read` has them, at all strengths; `what` is a method.
    """
    found, curves, claims = {}, [], []
    measured = {name: number for name, number in numbers.items() if name in WHAT}
    edits = {
        method: toggles_of(frame[frame["what"] == method], its.tried, measured) for method, its in strengths.items()
    }
    for name in (one for one in WHAT if one in measured):
        methods = {method: [_with(one, name) for one in its] for method, its in edits.items()}
        lines = {method: line(by_face(its, name)) for method, its in methods.items()}
        curves.append(study.Curves(f"{WHAT[name]}, over accuracy", "accuracy", "mean", lines, bold=[OURS]))
        for method in (one for one in strengths if one != OURS):
            both = [paired(*its) for its in zip(methods[OURS], methods[method], strict=True)]
            ours, theirs = ([its[place] for its in both] for place in (0, 1))
            points = ours[0].point(strengths[OURS].usual), theirs[0].point(strengths[method].usual)
            equal = at_equal_rate(_read(ours, name), points[0], _read(theirs, name), points[1])
            every = frame[frame["what"].isin([OURS, method])][["face", "attribute"]].drop_duplicates()
            found[f"{name}, beside {method}"] = _row(equal, sum(map(len, ours)), len(every))
            about = f"At equal accuracy identity is kept better than by {method}"
            at = f"{100 * equal.rate:.0f} % of toggles" if math.isfinite(equal.rate) else "no success"
            told = f"{WHAT[name]}: {OURS} less {method}, at {at} ({equal.faces} faces)"
            claims.append(of_equal_rate(about, told, "not compared", equal, measured[name].better == "larger"))
    tried = "; ".join(f"{method} {', '.join(f'{one:g}' for one in its.tried)}" for method, its in strengths.items())
    sentences = [
        "Whoever moves further succeeds more often and keeps less of the identity, so that methods are compared where "
        "they succeed as often: at the accuracy of that one of both which at its paper's strength succeeds less often. "
        "The paper compares methods at its own settings alone. Toggles: each face to the side where the judge does not "
        "see it, the mean over the four attributes.",
        f"Between the strengths that were tried ({tried}) the judge's score and the number of each toggle are taken on "
        f"a straight line, and what succeeds is counted from these. {ABOUT_IT} Intervals are of a bootstrap over the "
        "faces.",
        "All edits are in the mean, also those that did not succeed. Left out are toggles that have no number at some "
        "strength by one of the two methods, since no face was found in a picture: of both methods the same. FRS is by "
        "the network whose cosine the training maximised, the distance by dlib's, which nothing optimises.",
    ]
    grid = study.Grid("Where both succeed as often", pd.DataFrame.from_dict(found, orient="index"))
    return study.Section("Identity at equal accuracy", sentences, [grid, *curves]), claims


def _with(one: Toggles, name: str) -> Toggles:
    """Those that have the number at every strength."""
    return one.only(np.flatnonzero(~np.isnan(one.number(name)).any(axis=1)))


def _read(several: Sequence[Toggles], name: str) -> Read:
    return lambda change: by_face([one.along(change) for one in several], name)


def _row(equal: BetweenStrengths, toggles: int, every: int) -> dict[str, str]:
    """Of a table."""
    return {
        "accuracy %": study.cell(100 * equal.rate, 1),
        OURS: study.cell(equal.first, 3),
        "the other": study.cell(equal.second, 3),
        WRONG_BY: study.cell(equal.wrong_by, 3),
        "faces": f"{equal.faces:,}",
        "toggles": f"{toggles:,}",
        "left out": f"{every - toggles:,}",
    }
