"""The page: ranks, pictures, claims, curves, costs, failures, and how it was made."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.metrics import intervals
from pipeline.report import study, wording
from pipeline.report.claims import Page
from pipeline.report.compare import looks, ranked
from pipeline.report.compare.ranked import Ranked
from pipeline.report.compare.result import HEADINGS, Result
from pipeline.report.equal_rate import line

LEAD = (
    "Editors side by side on one generator and the same faces, measured by networks that none of them optimised; where "
    "one did, that is said."
)


def page(
    results: Sequence[Result], attributes: Sequence[str], resamples: int, shown: int, commands: Sequence[str],
    sliders: Sequence[str], facts: Mapping[str, str],
) -> Page:  # fmt: skip
    """results: the first is what others are compared with, the last a random direction. commands: of the steps.
    sliders: commands that make them.
    """
    found = Ranked.of(results, attributes, resamples)
    return Page(
        title="Editors compared",
        lead=LEAD,
        strips=[ranked.section(found), *(looks.strips(results, name, shown) for name in attributes)],
        claims=ranked.claims(found),
        sections=[
            ranked.by_attribute(found),
            *(curves(results, name) for name in attributes),
            adversarial(results),
            costs(results),
            looks.failures(results),
            dragged(sliders),
            made(commands),
        ],
        facts=facts,
        about_claims="Which of the papers' claims hold here",
    )


def curves(results: Sequence[Result], attribute: str) -> study.Section:
    """Each number over the share of faces that changed."""
    parts = []
    for number in results[0].numbers:
        lines = {one.name: line(one.method(attribute, number).swept(), 1) for one in results}
        if any(len(frame) > 1 for frame in lines.values()):
            parts.append(study.Curves(f"{attribute}: {HEADINGS[number]}", "share of faces that changed",
                                      HEADINGS[number], lines, [results[0].name]))  # fmt: skip
    sentence = "Means over all faces at growing strengths; between two strengths each face's scores and numbers are on "
    return study.Section(f"{attribute}: curves", [sentence + "straight lines."], parts)


def adversarial(results: Sequence[Result]) -> study.Section:
    """Edits that the editing family sees, and the judge does not."""
    rows = {}
    for one in results:
        own, judge = [], []
        for its in one.toggles.values():
            seen_NP = its.reached_by_own
            if seen_NP is None:
                continue
            open_N = ~seen_NP[:, 0]  # the family sees the source where the judge does
            own.append(seen_NP[open_N, one.usual])
            judge.append(its.reached[open_N, one.usual])
        both = [np.concatenate(part) if part else np.zeros(0, dtype=bool) for part in (own, judge)]
        changed, alone = int(both[0].sum()), int((both[0] & ~both[1]).sum())
        low, high = intervals.of_rate(alone, changed)
        rows[one.name] = [len(both[0]), changed, int(both[1].sum()), alone / changed if changed else float("nan"),
                          f"{study.cell(low)} to {study.cell(high)}" if changed else study.cell(None)]  # fmt: skip
    columns = ["edits", "the editing family sees", "the judge sees", "of the first, the judge does not", "95 %"]
    sentence = (
        "At the strength that each method's paper takes, of faces on whose side both families agree before the edit. "
        "An edit that the editing family sees and the judge does not may be one that deceives a network and changes no "
        "face; a method that changes little has some too, near the boundary."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(object)
    return study.Section("Edits that only the editing family sees", [sentence],
                         [study.Grid("Edits at the usual strength", frame, sortable=True)])  # fmt: skip


def costs(results: Sequence[Result]) -> study.Section:
    """What each takes, and which networks it used."""
    columns = ["seconds", "forward", "backward", "memory", "training", "learned from or optimises"]
    rows = {
        one.name: [one.cost.seconds, one.cost.forward, one.cost.backward, wording.size(one.cost.bytes),
                   one.cost.training, one.networks]
        for one in results
    }  # fmt: skip
    sentence = (
        "Of one face in one attribute, edited and scored by both families at all strengths, in one worker, as the jobs "
        "recorded it: seconds; passes forward and backward through the generator, at most; the most memory of a worker."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(object)
    return study.Section("What each takes", [sentence], [study.Grid("Costs", frame, sortable=True)])


def dragged(sliders: Sequence[str]) -> study.Section:
    """How to drag the edits along their strengths."""
    sentence = (
        "Each command makes a page of one attribute, on which the same faces are dragged along the strengths of all "
        "methods, side by side, with their scores: one HTML file, which needs no network."
    )
    return study.Section("Edits to drag along their strengths", [sentence], commands=sliders)


def made(commands: Sequence[str]) -> study.Section:
    """The steps, to be pasted."""
    frame = pd.DataFrame({"command": list(commands)}, index=range(1, len(commands) + 1))
    sentence = "Each step is a command of its own, which continues where it stopped; digests and terms are below."
    return study.Section("How it was made", [sentence], [study.Grid("Steps, in order", frame)])
