"""Edits of single attributes at all strengths: both methods at equal accuracy, and what goes with the strength.

Shapes: P points with the source first.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipeline.metrics.bootstrap import FEWEST, NOT_DECIDED, TAIL
from pipeline.metrics.swept import Swept
from pipeline.report import study, wording
from pipeline.report.equal_rate import ABOUT_IT, OF_SHARES, WRONG_BY, line
from pipeline.report.latent_transformer.paper import ATTRIBUTES, FOOLED, METHODS, OURS, THEIRS
from pipeline.report.latent_transformer.toggled import SETTINGS, Compared, said


def equal_accuracy(found: Sequence[Compared]) -> study.Section:
    """Both methods where they succeed as often, and their curves over all strengths."""
    settings = {method: f"{SETTINGS[method]:g}" for method in METHODS}
    sentences = [
        FOOLED,
        f"Curves: each point is a strength, from the source on the left; the paper's are {settings[THEIRS]} of "
        f"{THEIRS} and {settings[OURS]} of {OURS}. Means over the edits that succeeded; over all edits in the second "
        "table. Between two strengths the judge's scores and the networks' numbers of each face are taken on a "
        f"straight line, and what succeeds and what is kept is counted from these. {ABOUT_IT} {OF_SHARES}",
        f"Nothing is decided where fewer than {FEWEST} edits of a method succeed, or where more than {100 * TAIL:g} % "
        "of the resamples (bootstrap over the faces) have none that do, or where it comes out otherwise at an end of "
        "the threshold's interval.",
    ]
    grids = [
        study.Grid(
            f"At equal accuracy, over {'the edits that succeeded' if among else 'all edits'}", _equal(found, among)
        )
        for among in (True, False)
    ]
    curves = [
        study.Curves(
            f"{one.name}: {what}",
            "accuracy, %",
            "kept, %",
            {method: line(swept, 100) for method, swept in one.swept(metric, among=True).items()},
            bold=[OURS],
        )
        for one in found
        for what, metric in (("identities kept", one.whose), ("other attributes kept", ATTRIBUTES))
    ]
    return study.Section("At equal accuracy (ours)", sentences, [*grids, *curves])


def _equal(found: Sequence[Compared], among: bool) -> pd.DataFrame:
    rows = {}
    for one in found:
        for what in (*one.thresholds, ATTRIBUTES):
            at = one.at_equal_rate(what, among)
            more = at.difference
            ends = {end.at_equal_rate(what, among).verdict for end in one.ends if what != ATTRIBUTES}
            verdict = at.verdict if ends <= {at.verdict} else NOT_DECIDED
            rows[f"{one.name}: {said(what)}"] = {
                "accuracy": study.percent(at.rate), OURS: study.percent(at.first), THEIRS: study.percent(at.second),
                "difference": wording.score(100 * more.observed, 1) if np.isfinite(more.observed) else "–",
                "95 %": "" if np.isnan(more.low)
                else f"{wording.score(100 * more.low, 1)} to {wording.score(100 * more.high, 1)}",
                WRONG_BY: study.percent(at.wrong_by),
                "": verdict,
            }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def strengths(found: Sequence[Compared]) -> study.Section:
    """How accuracy, identity and attributes go with the strength (Fig. 3 in numbers)."""
    parts: list[study.Curves] = []
    readers: dict[str, Callable[[Compared, str], Swept]] = {
        "accuracy": lambda one, method: one.toggles[method].swept(one.toggles[method].reached.astype(float)),
        "identities kept, all edits": lambda one, method: one.swept(one.whose, among=False)[method],
        "other attributes kept, all edits": lambda one, method: one.swept(ATTRIBUTES, among=False)[method],
    }
    for method in METHODS:
        axis = f"{'distance' if method == THEIRS else 'alpha'}"
        for what, reader in readers.items():
            lines = {}
            for one in found:
                x = [0.0, *one.toggles[method].strengths]
                lines[one.name] = pd.DataFrame({"x": x, "y": 100 * reader(one, method).means()})
            parts.append(study.Curves(f"{method}: {what}", axis, "%", lines))
    return study.Section("Scaling (Fig. 3 in numbers)", [], parts)
