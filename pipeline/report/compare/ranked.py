"""Ranks: every method beside the one that all are compared with, by every number, in each attribute and over all."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from pipeline.metrics.bootstrap import BETTER, WORSE
from pipeline.metrics.over_rates import LEAST, OverRates, Rank, averaged, over_rates, ranks, reaches
from pipeline.report import study, wording
from pipeline.report.claims import Claim, by_bootstrap
from pipeline.report.compare.result import DIGITS, HEADINGS, LARGER, REACH, Result

NOTHING = "nothing"
OTHER_WAY = {BETTER: WORSE, WORSE: BETTER}


@dataclass(frozen=True, eq=False)
class Ranked:
    """found: by attribute, number and method. results: the first is the one that others are compared with."""

    results: Sequence[Result]
    found: Mapping[str, Mapping[str, Mapping[str, OverRates]]]

    @classmethod
    def of(cls, results: Sequence[Result], attributes: Sequence[str], resamples: int) -> "Ranked":
        """All comparisons."""
        against = results[0].name

        def compared(attribute: str, number: str) -> Mapping[str, OverRates]:
            methods = {one.name: one.method(attribute, number) for one in results}
            return (reaches if number == REACH else over_rates)(methods, against, resamples)

        numbers = (*results[0].numbers, REACH)
        return cls(results, {name: {number: compared(name, number) for number in numbers} for name in attributes})

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(next(iter(self.found.values())))

    @cached_property
    def overall(self) -> Mapping[str, Mapping[str, OverRates]]:
        """By number and method: the mean over the attributes in which something could be compared."""
        return {
            number: {one.name: averaged([its[number][one.name] for its in self.found.values()]) for one in self.results}
            for number in self.numbers
        }

    def ranks(self, attribute: str | None = None) -> Mapping[str, Mapping[str, Rank]]:
        """By number and method, in one attribute or over all."""
        found = self.overall if attribute is None else self.found[attribute]
        return {number: ranks(its, LARGER[number]) for number, its in found.items()}


def verdict(one: OverRates, number: str) -> str:
    """better | worse | not decided, of this method."""
    return one.verdict if LARGER[number] else OTHER_WAY.get(one.verdict, one.verdict)


def section(ranked: Ranked) -> study.Section:
    """Ranks over all attributes, differences, and means."""
    against = ranked.results[0].name
    sentences = [
        "Each method edits the same faces at several strengths, half of them towards an attribute and half away from "
        "it, to the side where the judge does not see them. What is compared is a curve, not a point: each number as a "
        "function of the share of faces that changed, by the judge. A number is its mean over the shares from "
        f"{LEAST:g} to the largest that both the method and {against} reach, so that a method that moves faces less is "
        "not better for it, and one that reaches little shrinks no other's range. The reach is the largest share at "
        "any strength.",
        f"A rank is by the difference to {against} on the same faces, averaged over the attributes; in brackets the "
        "ranks in 95 % of the resamples of the faces. Where two intervals overlap, the order of these two methods is "
        f"not decided. A dash: in no attribute do both reach {LEAST:g}, or there is no such number. A difference is "
        "better or worse where its whole interval is larger than reading between strengths may be wrong by: how far "
        "both means move without every other strength.",
        "No method optimised dlib's network, the network of the perceptual distance, the judge, or its landmarks. "
        "fr-feature and the parser are shown beside them; what each method used is in the table of costs. A region "
        "that the judge's landmarks do not show has only the parser's number.",
    ]
    return study.Section(
        "Ranks",
        sentences,
        [
            study.Grid("Ranks over all attributes; a click on a heading sorts", rank_table(ranked), sortable=True),
            study.Grid(f"Differences to {against}, with intervals of 95 %; a click on a heading sorts",
                       difference_table(ranked), sortable=True),
            study.Grid("Means over these shares, and of no edit at all; ranges differ from method to method, so that "
                       "only differences above compare", mean_table(ranked), sortable=True, digits=4),
        ],
    )  # fmt: skip


def by_attribute(ranked: Ranked) -> study.Section:
    """Ranks in each attribute."""
    grids = [study.Grid(f"{name}: ranks", rank_table(ranked, name), sortable=True) for name in ranked.found]
    return study.Section("Ranks in each attribute", [], grids)


def rank_table(ranked: Ranked, attribute: str | None = None) -> pd.DataFrame:
    """A rank with its interval by method and number."""
    places = ranked.ranks(attribute)
    rows = [[str(places[number].get(one.name, study.cell(None))) for number in ranked.numbers]
            for one in ranked.results]  # fmt: skip
    return _frame([*rows, [study.cell(None)] * len(ranked.numbers)], ranked)


def difference_table(ranked: Ranked) -> pd.DataFrame:
    """What each has more than the one that it is compared with."""

    def cell(one: OverRates, number: str) -> str:
        more, digits = one.difference, DIGITS.get(number, 3)
        if math.isnan(more.observed) or math.isnan(more.low):
            return study.cell(None)
        said = f"{wording.score(more.observed, digits)} ({wording.score(more.low, digits)} to " \
            f"{wording.score(more.high, digits)})"  # fmt: skip
        return f"{said} {verdict(one, number)}"

    rows = [[cell(ranked.overall[number][one.name], number) for number in ranked.numbers] for one in ranked.results[1:]]
    names = [one.name for one in ranked.results[1:]]
    return pd.DataFrame(rows, names, [HEADINGS[number] for number in ranked.numbers])


def mean_table(ranked: Ranked) -> pd.DataFrame:
    """Of each method, and of no edit: a number beside itself."""
    rows = [[ranked.overall[number][one.name].own for number in ranked.numbers] for one in ranked.results]
    first = next(iter(ranked.results[0].toggles.values()))
    nothing = [
        {"kept": 1.0, REACH: 0.0}.get(number, _of_itself(first.numbers.get(number))) for number in ranked.numbers
    ]
    return _frame([*rows, nothing], ranked)


def claims(ranked: Ranked) -> list[Claim]:
    """What each method's paper says that it does better than the one that all are compared with; of that one itself,
    what it does better than the last, a random direction.
    """
    return [claim for one in ranked.results for claim in _claims(ranked, one)]


def _claims(ranked: Ranked, one: Result) -> Iterator[Claim]:
    baseline, last = ranked.results[0], ranked.results[-1]
    for number, sentence in one.claims.items():
        about = f"{one.name}: {sentence}"
        if number not in ranked.numbers:
            yield Claim(
                about, f"{one.name}: {HEADINGS[number]}", "better", math.nan, math.nan, math.nan, "not measured"
            )
            continue
        for attribute, its in ranked.found.items():
            found, sign = (its[number][last.name], -1) if one is baseline else (its[number][one.name], 1)
            more, said = found.difference, verdict(found, number)
            low, high = (more.low, more.high) if sign > 0 else (-more.high, -more.low)
            said = OTHER_WAY.get(said, said) if one is baseline else said
            what = f"{one.name}, {attribute}: {HEADINGS[number]}"
            paper = "larger" if LARGER[number] else "smaller"
            yield Claim(about, what, paper, sign * more.observed, low, high, by_bootstrap(said), DIGITS.get(number, 3))


def _frame(rows: Sequence[Sequence[object]], ranked: Ranked) -> pd.DataFrame:
    return pd.DataFrame(rows, [*(one.name for one in ranked.results), NOTHING],
                        [HEADINGS[number] for number in ranked.numbers])  # fmt: skip


def _of_itself(number_NP: object) -> float:
    """Of a source beside itself."""
    import numpy as np

    return math.nan if number_NP is None else float(np.nanmean(np.asarray(number_NP)[:, 0]))
