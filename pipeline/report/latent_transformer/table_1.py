"""Table 1: single attributes at the paper's settings, over the edits that succeeded and over all.

Shapes: N faces, P points with the source first.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.metrics import intervals
from pipeline.metrics.swept import Swept
from pipeline.report import study
from pipeline.report.latent_transformer.paper import (
    ACCURACY,
    ALPHA,
    ATTRIBUTES,
    DISTANCE,
    IDENTITY,
    METHODS,
    OURS,
    TABLE_1,
    average,
)
from pipeline.report.latent_transformer.toggled import WHOSE, Compared


def section(found: Sequence[Compared]) -> study.Section:
    """Table 1 at the paper's settings: over the edits that succeeded, as the paper has it, and over all."""
    first = found[0]
    learned = "; ".join(
        f"{WHOSE[name]} {one.value:.3f} (95 %: {one.low:.3f} to {one.high:.3f}; {one.accepted} of {one.pairs:,} "
        f"pairs of {one.faces} faces are accepted)"
        for name, one in first.thresholds.items()
    )
    rate = 100 * next(iter(first.thresholds.values())).rate
    sentences = [
        f"InterFaceGAN moves by {DISTANCE:g} along its unit normal in w, the Latent Transformer by alpha {ALPHA:g}; "
        "each face goes to the side where the judge does not see it. Accuracy: the share of faces that the judge then "
        "sees there. Attributes: the mean share of the judge's other attributes that stay on their side, of "
        f"{', '.join(first.toggles[OURS].scores)}. Identity: the share of edits that a network takes "
        f"for the same person, at a threshold that takes {rate:g} % of pairs of different generated faces for one "
        f"person: {learned}. The paper has VGG-Face, and does not say which pairs. "
        "Where a network finds a face in the source and none in the edit, the identity is not kept.",
        "As in the paper, identity and attributes are over the edits that succeeded; over all edits they stand below. "
        "In per cent, with intervals of 95 % (Wilson; of attributes with as many yes and no as vary so much).",
        "The intervals of differences are those of a bootstrap over the faces, and never narrower than score intervals "
        "(Newcombe): a bootstrap of a few edits that all keep the identity has no width. They do not hold what is not "
        "known of the threshold; so a claim on identity is decided only where it comes out alike at both ends of the "
        "threshold's interval.",
        "Both methods are learned from one family's labels. Where that family sees more edits succeed than the judge "
        "does, they exploit its weaknesses: the last table.",
    ]
    captions = {True: "Over the edits that succeeded (Table 1)", False: "Over all edits"}
    parts = [
        study.Grid(caption, _frame(found, among), bold=[f"{IDENTITY}, {OURS}"]) for among, caption in captions.items()
    ]
    for metric in list(first.thresholds)[1:]:
        parts.append(study.Grid(f"Identity by {WHOSE[metric]}", _by_another(found, metric)))
    parts.append(study.Grid("Edits that succeeded, by the way that they went", _counts(found)))
    if len(by_own := _by_own(found)):
        parts.append(study.Grid("Accuracy by the family that the edits were learned from, and by the judge", by_own))
    return study.Section("Single attributes (Table 1)", sentences, parts)


def _frame(found: Sequence[Compared], among: bool) -> pd.DataFrame:
    """A row for each attribute, below it the paper's where it has one, and the means."""
    rows: dict[str, dict[str, str]] = {}
    means: dict[str, list[float]] = {}
    for one in found:
        cells: dict[str, str] = {}
        for what, heading in ((one.whose, IDENTITY), (ATTRIBUTES, ATTRIBUTES)):
            for method, swept in one.swept(what, among).items():
                cells[f"{heading}, {method}"] = _cell(swept, one.step(method), what == ATTRIBUTES)
                means.setdefault(f"{heading}, {method}", []).append(float(swept.means()[one.step(method)]))
        for method, toggles in one.toggles.items():
            reached_N = toggles.reached[:, one.step(method)]
            cells[f"{ACCURACY}, {method}"] = _rate(int(reached_N.sum()), len(reached_N))
            means.setdefault(f"{ACCURACY}, {method}", []).append(float(reached_N.mean()) if len(reached_N) else np.nan)
        rows[f"{one.name} ({len(one)} faces)"] = cells
        if among:
            rows[f"{one.name}, paper"] = {
                f"{table}, {method}": f"{float(theirs[method][one.attribute]):.2f}"
                for table, theirs in TABLE_1.items()
                for method in METHODS
            }
    # a dash where an attribute has none
    rows["Average"] = {heading: study.percent(float(np.mean(its))) for heading, its in means.items()}
    if among:
        rows["Average, paper"] = {
            f"{table}, {method}": f"{mean:.2f}"
            for table in TABLE_1
            for method, mean in zip(METHODS, average(table, [one.attribute for one in found]), strict=True)
        }
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def _by_another(found: Sequence[Compared], metric: str) -> pd.DataFrame:
    """Identity by a network that claims are not told by."""
    rows = {}
    for one in found:
        rows[f"{one.name} ({len(one)} faces)"] = {
            f"{edits}, {method}": _cell(swept, one.step(method), is_mean=False)
            for among, edits in ((True, "successes"), (False, "all edits"))
            for method, swept in one.swept(metric, among).items()
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _cell(swept: Swept, step: int, is_mean: bool) -> str:
    """A mean in per cent with its interval."""
    mean, count = float(swept.means()[step]), int(swept.counts()[step])
    if not count:
        return study.cell(None)
    if not is_mean:
        return _rate(round(mean * count), count)
    low, high = swept.moments().at(step).interval()
    return f"{100 * mean:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def _rate(hits: int, count: int) -> str:
    if not count:
        return study.cell(None)
    low, high = intervals.of_rate(hits, count)
    return f"{100 * hits / count:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def _counts(found: Sequence[Compared]) -> pd.DataFrame:
    """Of each way, how many faces, and how many edits of each method succeeded; in how many no face is found."""
    rows = {}
    for one in found:
        for to, words in ((True, "to have it"), (False, "to lose it")):
            way_N = one.toggles[OURS].targets == to
            row = {"faces": str(int(way_N.sum()))}
            for method, toggles in one.toggles.items():
                row[method] = str(int(toggles.reached[way_N, one.step(method)].sum()))
            for metric in one.thresholds:
                numbers = ((one.toggles[method].number(metric)[way_N], one.step(method)) for method in METHODS)
                none = (int((np.isnan(its[:, step]) & ~np.isnan(its[:, 0])).sum()) for its, step in numbers)
                row[f"no face any more for {WHOSE[metric]}"] = " and ".join(map(str, none))
                unseen_NP = one.toggles[OURS].number(metric)[way_N]
                row[f"none in the source for {WHOSE[metric]}"] = str(int(np.isnan(unseen_NP[:, 0]).sum()))
            rows[f"{one.name}, {words}"] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _by_own(found: Sequence[Compared]) -> pd.DataFrame:
    """Where its scores were kept: how often the family that labels sees the face on its side, beside the judge."""
    rows = {}
    for one in found:
        cells = {}
        for method, toggles in one.toggles.items():
            if toggles.reached_by_own is None:
                continue
            for who, reached_NP in (("own", toggles.reached_by_own), ("judge", toggles.reached)):
                cells[f"{method}, {who}"] = _rate(int(reached_NP[:, one.step(method)].sum()), len(one))
        if cells:
            rows[f"{one.name} ({len(one)} faces)"] = cells
    return pd.DataFrame.from_dict(rows, orient="index")
