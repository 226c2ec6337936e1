"""Edits of single attributes: both methods on the same faces, and the claims.

Shapes: N faces, P points with the source first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.metrics import intervals
from pipeline.metrics.between_strengths import BetweenStrengths, Read, at_equal_rate
from pipeline.metrics.false_acceptance import Threshold
from pipeline.metrics.swept import Swept, difference_at
from pipeline.report import wording
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim, agreed, of_difference, of_equal_rate
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
        return self.toggles[method].point(SETTINGS[method])

    def swept(self, what: str, among: bool) -> dict[str, Swept]:
        """By method; what: ATTRIBUTES, or a metric of identity."""
        return {method: self._swept(one, what, among) for method, one in self.toggles.items()}

    def at_equal_rate(self, what: str, among: bool = True) -> BetweenStrengths:
        """Ours less InterFaceGAN."""

        def read(method: str) -> Read:
            return lambda change: self._swept(self.toggles[method].along(change), what, among)

        return at_equal_rate(read(OURS), self.step(OURS), read(THEIRS), self.step(THEIRS))

    def _swept(self, one: Toggles, what: str, among: bool) -> Swept:
        kept_NP = one.kept if what == ATTRIBUTES else self.thresholds[what].kept(one.number(what))
        return one.swept(kept_NP, among, share=True)

    @cached_property
    def ends(self) -> "list[Compared]":
        """The same with each threshold at the lower end of its interval, and at the upper one."""
        both = ({name: one.ends[place] for name, one in self.thresholds.items()} for place in (0, 1))
        return [Compared(self.toggles, thresholds) for thresholds in both]


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
    return of_equal_rate(about, told, "not measured", found, better=True)


def said(what: str) -> str:
    """ATTRIBUTES, or a metric of identity, in words."""
    return "other attributes kept" if what == ATTRIBUTES else f"identities kept ({WHOSE[what]})"


def _paper(table: str, one: Compared) -> str:
    theirs, ours = (float(TABLE_1[table][method][one.attribute]) for method in (THEIRS, OURS))
    return wording.score((ours - theirs) / 100, 3)
