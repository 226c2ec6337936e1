"""The claims of a paper beside what was found here: each with a verdict, a table of them, and the page of a study."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from pipeline.metrics import Difference
from pipeline.metrics.between_strengths import BetweenStrengths
from pipeline.metrics.bootstrap import BETTER, WORSE
from pipeline.report import study, wording

HOLDS, FAILS, NOT_DECIDED = "holds", "does not hold", "not decided"


@dataclass(frozen=True)
class Claim:
    """A number of the paper (or its statement in words) beside ours with its 95 % interval, NaN where there is none.

    about: the claim of the paper of which this is a case. verdict: holds | does not hold | not decided, or why the case
    does not count.
    """

    about: str
    what: str
    paper: str
    ours: float
    low: float
    high: float
    verdict: str
    digits: int = 3

    @property
    def interval(self) -> str:
        """In words."""
        if math.isnan(self.low):
            return ""
        return f"{wording.score(self.low, self.digits)} to {wording.score(self.high, self.digits)}"


def decided(low: float, high: float, positive: bool) -> str:
    """The verdict on a number that the paper has above 0 (`positive`), or below 0, by our interval."""
    if math.isnan(low) or low <= 0 <= high:
        return NOT_DECIDED
    return HOLDS if (low > 0) == positive else FAILS


def by_bootstrap(verdict: str, better: bool = True) -> str:
    """The verdict on what the paper finds better (or worse), by that of a paired bootstrap."""
    return {BETTER: HOLDS if better else FAILS, WORSE: FAILS if better else HOLDS}.get(verdict, NOT_DECIDED)


def of_difference(about: str, what: str, paper: str, more: Difference, better: bool) -> Claim:
    """A claim that one method of editing is better than another, or worse, by a paired bootstrap."""
    return Claim(about, what, paper, more.observed, more.low, more.high, by_bootstrap(more.verdict, better))


def of_equal_rate(about: str, what: str, paper: str, found: BetweenStrengths, better: bool) -> Claim:
    """The same where both succeed as often."""
    more = found.difference
    return Claim(about, what, paper, more.observed, more.low, more.high, by_bootstrap(found.verdict, better))


def agreed(claim: Claim, others: Sequence[Claim]) -> Claim:
    """The claim; not decided where it comes out otherwise on other grounds, such as at the ends of a threshold's
    interval.
    """
    same = all(other.verdict == claim.verdict for other in others)
    return claim if same else replace(claim, verdict=NOT_DECIDED)


def summary(claims: Sequence[Claim]) -> str:
    """A sentence on the cases of one claim."""
    counts = Counter(claim.verdict for claim in claims)
    others = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if verdict != HOLDS)
    return f"{claims[0].about}: holds in {counts[HOLDS]} of {len(claims)}{f' ({others})' if others else ''}."


PAPERS = "The paper's claims"


def claims_section(claims: Sequence[Claim], heading: str = PAPERS) -> study.Section:
    """All of them: a sentence for each claim, and a table of the cases."""
    by_claim: dict[str, list[Claim]] = {}
    for claim in claims:
        by_claim.setdefault(claim.about, []).append(claim)
    rows = [
        [claim.paper, wording.score(claim.ours, claim.digits) if math.isfinite(claim.ours) else study.cell(None),
         claim.interval, claim.verdict]
        for claim in claims
    ]  # fmt: skip
    frame = pd.DataFrame(rows, [claim.what for claim in claims], ["paper", "here", "95 %", "verdict"])
    grids = [study.Grid(f"{heading}, and the results here", frame)] if rows else []
    return study.Section(heading, [summary(cases) for cases in by_claim.values()], grids)


@dataclass(frozen=True)
class Page:
    """What a study found. strips: sections of pictures, which come first. facts: where the numbers come from.
    about_claims: the heading of the claims.
    """

    title: str
    lead: str
    strips: Sequence[study.Section]
    claims: Sequence[Claim]
    sections: Sequence[study.Section]
    facts: Mapping[str, str] = field(default_factory=dict)
    about_claims: str = PAPERS

    def write(self, url: str, command: str) -> str:
        """Write the page to `url`, and its numbers as Markdown beside it; returns where it is. Raises StoreError."""
        sections = [*self.strips, claims_section(self.claims, self.about_claims), *self.sections]
        return study.write(url, self.title, self.lead, sections, {"Command": command, **self.facts})
