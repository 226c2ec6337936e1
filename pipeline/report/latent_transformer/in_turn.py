"""Edits one after the other (Fig. 4): how identity and the other attributes fall with each, and the claims."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.between_strengths import Read, at_equal_rate
from pipeline.metrics.bootstrap import FEWEST
from pipeline.metrics.false_acceptance import Threshold
from pipeline.metrics.swept import Swept, difference_at
from pipeline.report import study
from pipeline.report.claims import Claim, agreed, of_difference, of_equal_rate
from pipeline.report.equal_rate import ABOUT_IT, OF_SHARES, WRONG_BY, line
from pipeline.report.latent_transformer.paper import METHODS, OURS, THEIRS
from pipeline.report.latent_transformer.toggled import SETTINGS, WHOSE
from pipeline.report.sequences import Sequences

Found = Mapping[str, Sequences]
"""By method, of the same faces."""
Count = Callable[[Sequences], NDArray[np.float64]]
"""(N, P): what stays of each face."""
KEPT = "other attributes kept"


def claims(found: Found, thresholds: Mapping[str, Threshold]) -> list[Claim]:
    """After the last edit, at the paper's settings and where as much of what was asked for is there. Those of identity
    as in `toggled.claims`.
    """
    ends = [{name: one.ends[place] for name, one in thresholds.items()} for place in (0, 1)]
    made, *others = (_claims(found, its) for its in (thresholds, *ends))
    return [agreed(one, same) for one, *same in zip(made, *others, strict=True)]


def _claims(found: Found, thresholds: Mapping[str, Threshold]) -> list[Claim]:
    edits, whose = len(found[OURS].stages), next(iter(thresholds))
    faces = _faces(found)
    made = []
    for what, count in _kinds(thresholds, whose, edits).items():
        first, second = (_swept(found[method], count, edits) for method in (OURS, THEIRS))
        steps = _step(found, OURS), _step(found, THEIRS)
        more = difference_at(first, steps[0], second, steps[1])
        about = f"A sequence of {edits} edits is less destructive"
        made.append(of_difference(f"{about} (the paper's settings)", f"{what} ({faces})", "more", more, better=True))
        ours, theirs = (_read(found[method], count, edits) for method in (OURS, THEIRS))
        equal = at_equal_rate(ours, steps[0], theirs, steps[1])
        there = f"{100 * equal.rate:.0f} %" if np.isfinite(equal.rate) else "none"
        told = (
            f"{what}, where {there} of what was asked for is there, interpolated ({faces}); {WRONG_BY} "
            f"{study.cell(equal.wrong_by, 3)}"
        )
        made.append(of_equal_rate(f"{about} (as much reached)", told, "not measured", equal, better=True))
    return sorted(made, key=lambda claim: claim.about, reverse=True)


def _read(one: Sequences, count: Count, edits: int) -> Read:
    return lambda change: _swept(one.along(change), count, edits)


def _swept(one: Sequences, count: Count, edits: int) -> Swept:
    return one.swept(count(one), edits, share=True)


def section(found: Found, thresholds: Mapping[str, Threshold]) -> study.Section:
    """After each edit, by both methods: what was reached, and what stayed."""
    sequences = found[OURS]
    edits = len(sequences.stages)
    words = ", ".join(f"{attribute} {'on' if to else 'off'}" for attribute, to in sequences.stages)
    unseen = [attribute for attribute, _ in sequences.stages if attribute not in sequences.scores]
    settings = ", ".join(f"{SETTINGS[method]:g} ({method})" for method in METHODS)
    sentences = [
        f"{_faces(found)}, edited {edits} times, each edit on top of the one before: {words}; whatever "
        "they looked like before. A move along a direction is the same wherever it starts, so InterFaceGAN's sequences "
        f"are sums of its moves. The paper shows such a sequence (Fig. 4) and measures none. Each edit by {settings}.",
        "Reached: the share of what was asked for so far that the judge sees"
        + (f" ({', '.join(unseen)} it does not see)" if unseen else "")
        + ". Other attributes: those of the judge that were not asked for so far. All of it against the source, in per "
        "cent. The curves go on to stronger and weaker edits: a sequence that does less keeps more. Where as much is "
        f"reached, each face's numbers are interpolated between two strengths. {ABOUT_IT} {OF_SHARES} Nothing is "
        f"decided where fewer than {FEWEST} faces of a method have more of what was asked for than their sources.",
    ]
    table = {}
    for number in range(1, edits + 1):
        row: dict[str, str] = {}
        for metric in thresholds:
            for what, count in _kinds(thresholds, metric, number).items():
                for method in METHODS:
                    row[f"{what}, {method}"] = _percent(count(found[method])[:, _step(found, method)])
        for method in METHODS:
            row[f"reached, {method}"] = _percent(found[method].reached(number)[:, _step(found, method)])
        table[f"{number}: {sequences.stages[number - 1][0]}"] = row
    caption = f"After each edit, by {settings}; intervals are with the claims"
    grid = study.Grid(caption, pd.DataFrame.from_dict(table, orient="index"))
    whose = next(iter(thresholds))
    curves = [
        study.Curves(f"After {edits} edits, at several strengths: {what}", "reached, %", "%", {
            method: line(_swept(found[method], count, edits), 100) for method in METHODS
        }, bold=[OURS])
        for what, count in _kinds(thresholds, whose, edits).items()
    ]  # fmt: skip
    return study.Section("One edit after the other (Fig. 4 in numbers)", sentences, [grid, *curves])


def _kinds(thresholds: Mapping[str, Threshold], metric: str, edits: int) -> dict[str, Count]:
    """What may stay after so many edits, in words, and how it is counted."""
    return {
        f"identities kept ({WHOSE[metric]})": lambda one: thresholds[metric].kept(one.number(metric, edits)),
        KEPT: lambda one: one.kept(edits),
    }


def _faces(found: Found) -> str:
    count = len(found[OURS].faces)
    return f"{count:,} face{'' if count == 1 else 's'}"


def _step(found: Found, method: str) -> int:
    return found[method].point(SETTINGS[method])


def _percent(values_N: NDArray[np.float64]) -> str:
    there = values_N[~np.isnan(values_N)]
    return study.percent(float(there.mean()) if len(there) else np.nan)
