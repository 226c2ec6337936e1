"""Edits of single attributes: both methods on the same faces, the claims, and Table 1 at the paper's settings.

Shapes: N faces, P points with the source first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.metrics.false_acceptance import Threshold
from pipeline.metrics.swept import EqualRate, Swept, difference_at, difference_at_equal_rate
from pipeline.report import study, wording
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim, agreed, of_difference
from pipeline.report.latent_transformer.paper import (
    ACCURACY,
    ALPHA,
    ATTRIBUTES,
    DISTANCE,
    IDENTITY,
    METHODS,
    NAMES,
    OURS,
    TABLE_1,
    THEIRS,
    average,
)
from pipeline.report.toggles import Toggles, paired

SETTINGS = {THEIRS: DISTANCE, OURS: ALPHA}
SIMILAR = 0.1
"""Accuracies are similar where they differ by no more than this share of the faces."""
WHOSE = {"identity_dlib": "dlib's network", "identity": "fr-feature"}


@dataclass(frozen=True, eq=False)
class Compared:
    """Both methods' edits of the same faces. thresholds: by metric of identity; the first is the one that claims are
    told by.
    """

    toggles: Mapping[str, Toggles]
    thresholds: Mapping[str, Threshold]

    @classmethod
    def of(cls, theirs: Toggles, ours: Toggles, thresholds: Mapping[str, Threshold]) -> "Compared":
        """On the toggles that both have."""
        both = paired(*(one.only(one.is_toggle) for one in (theirs, ours)))
        return cls(dict(zip(METHODS, both, strict=True)), thresholds)

    def __len__(self) -> int:
        return len(self.toggles[OURS])

    @property
    def attribute(self) -> str:
        return self.toggles[OURS].attribute

    @property
    def name(self) -> str:
        return NAMES[self.attribute]

    @cached_property
    def whose(self) -> str:
        """The metric of identity that claims are told by."""
        return next(iter(self.thresholds))

    def step(self, method: str) -> int:
        """The point of the paper's setting."""
        strengths = self.toggles[method].strengths
        return int(np.argmin(np.abs(strengths - SETTINGS[method]))) + 1

    def same(self, method: str, metric: str) -> NDArray[np.float64]:
        """(N, P): 1 where it is the source's person, else 0, also where no face is found any more; NaN where the metric
        finds none in the source.
        """
        return self.thresholds[metric].kept(self.toggles[method].number(metric))

    def swept(self, what: str, among: bool) -> dict[str, Swept]:
        """By method; what: ATTRIBUTES, or a metric of identity."""
        return {
            method: one.swept(one.kept if what == ATTRIBUTES else self.same(method, what), among, share=True)
            for method, one in self.toggles.items()
        }

    def at_equal_rate(self, what: str, among: bool = True) -> EqualRate:
        """Ours less InterFaceGAN, each face on a straight line between two strengths."""
        both = self.in_between.swept(what, among)
        first, second = (self.in_between.step(method) for method in (OURS, THEIRS))
        return difference_at_equal_rate(both[OURS], first, both[THEIRS], second)

    @cached_property
    def ends(self) -> "list[Compared]":
        """The same with each threshold at the lower end of its interval, and at the upper one."""
        both = ({name: one.ends[place] for name, one in self.thresholds.items()} for place in (0, 1))
        return [Compared(self.toggles, thresholds) for thresholds in both]

    @cached_property
    def in_between(self) -> "Compared":
        """The same with points between the strengths."""
        return Compared({method: one.in_between() for method, one in self.toggles.items()}, self.thresholds)


# -- claims -----------------------------------------------------------------------------------------------------------


def claims(found: Sequence[Compared]) -> list[Claim]:
    """Of Table 1 at the paper's settings, then where both succeed as often. Those of identity are decided only where
    they come out alike at both ends of the threshold's interval.
    """

    def at_settings(one: Compared) -> Claim:
        about = "The identity is kept more often (Table 1, the paper's settings)"
        return _at_settings(one, one.whose, IDENTITY, about)

    def at_equal_rate(one: Compared) -> Claim:
        return _at_equal_rate(one, one.whose, "The identity is kept more often at equal accuracy")

    return [
        *(_as_accurate(one) for one in found),
        *(agreed(at_settings(one), [at_settings(end) for end in one.ends]) for one in found),
        *(_at_settings(one, ATTRIBUTES, ATTRIBUTES, "Other attributes are kept more often (Table 1, the paper's "
                       "settings)") for one in found),
        *(agreed(at_equal_rate(one), [at_equal_rate(end) for end in one.ends]) for one in found),
        *(_at_equal_rate(one, ATTRIBUTES, "Other attributes are kept more often at equal accuracy") for one in found),
    ]  # fmt: skip


def _as_accurate(one: Compared) -> Claim:
    """Does the judge see as many faces on the other side?"""
    ours, theirs = (one.toggles[method].reached[:, one.step(method)] for method in (OURS, THEIRS))
    counts = [int(np.count_nonzero((ours == a) & (theirs == b))) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))]
    low, high = intervals.of_paired_rates(*counts)
    more = float(np.mean(ours) - np.mean(theirs)) if len(one) else np.nan
    verdict = HOLDS if low > -SIMILAR and high < SIMILAR else FAILS if low > SIMILAR or high < -SIMILAR else NOT_DECIDED
    about = f"The accuracy is similar (within {100 * SIMILAR:g} % of the faces) at the paper's settings"
    return Claim(about, f"{one.name}: accuracy ({len(one)} faces)", _paper(ACCURACY, one), more, low, high, verdict)


def _at_settings(one: Compared, what: str, table: str, about: str) -> Claim:
    both = one.swept(what, among=True)
    more = difference_at(both[OURS], one.step(OURS), both[THEIRS], one.step(THEIRS))
    counted = " and ".join(str(both[method].counts()[one.step(method)]) for method in (OURS, THEIRS))
    told = f"{one.name}: {said(what)} (of {counted} successes)"
    return of_difference(about, told, _paper(table, one), more, better=True)


def _at_equal_rate(one: Compared, what: str, about: str) -> Claim:
    found = one.at_equal_rate(what)
    rate = f"{100 * found.rate:.0f} %" if np.isfinite(found.rate) else "no success"
    told = f"{one.name}: {said(what)}, at {rate} ({len(one)} faces)"
    return of_difference(about, told, "not measured", found.difference, better=True)


def said(what: str) -> str:
    """ATTRIBUTES, or a metric of identity, in words."""
    return "other attributes kept" if what == ATTRIBUTES else f"identities kept ({WHOSE[what]})"


def _paper(table: str, one: Compared) -> str:
    theirs, ours = (float(TABLE_1[table][method][one.attribute]) for method in (THEIRS, OURS))
    return wording.score((ours - theirs) / 100, 3)


# -- sections ---------------------------------------------------------------------------------------------------------


def table_1(found: Sequence[Compared]) -> study.Section:
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
    rows["Average"] = {heading: percent(float(np.mean(its))) for heading, its in means.items()}  # a dash if one lacks
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


def percent(value: float) -> str:
    """A share in per cent, or a dash."""
    return f"{100 * value:.1f}" if np.isfinite(value) else study.cell(None)
