"""What is to be seen: the same faces by all methods at equal success, and where each method fails."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.report import study, wording
from pipeline.report.compare.result import HEADINGS, WORST_FOR, Result
from pipeline.report.pictured import pictured
from schemas.edits import JUDGE

FAILURES = 3
"""Of each kind and method that are shown."""


class Pictures:
    """The kept pictures of a method's edits, by attribute, face and point; a folder is read once."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self._read: dict[tuple[str, int, bool], pd.DataFrame] = {}

    def at(self, attribute: str, face: int, towards: bool, point: int) -> Mapping[Any, Any]:
        """The row of a face: the source at point 0, else the step that is there, or at which it had stopped before."""
        parts = self._result.folders[attribute]
        count = (self._result.toggles[attribute].reached.shape[1] - 1) // len(parts)
        part, place = divmod(max(point - 1, 0), count)
        rows = self._rows(attribute, part, towards)
        steps = sorted(rows["step"].unique())
        last = steps[min(place + 1, len(steps) - 1)] if point else 0
        its = rows[(rows["index"] == face) & (rows["step"] <= last)].sort_values("step")
        found: Mapping[Any, Any] = its.iloc[-1].to_dict()
        return found

    def _rows(self, attribute: str, part: int, towards: bool) -> pd.DataFrame:
        key = (attribute, part, towards)
        if key not in self._read:
            folder = next(url for url, to in self._result.folders[attribute][part] if to == towards)
            self._read[key] = pictured(folder, [JUDGE + attribute])
        return self._read[key]


def strips(results: Sequence[Result], attribute: str, shown: int) -> study.Section:
    """The first faces that all methods have, by each method where the judge first sees the change."""
    keys = [set(zip(one.toggles[attribute].faces.tolist(), one.toggles[attribute].targets.tolist(), strict=True))
            for one in results]  # fmt: skip
    common = sorted(set.intersection(*keys))
    by_way = [[key for key in common if key[1] == to] for to in (True, False)]
    faces = [*by_way[0][: (shown + 1) // 2], *by_way[1][: shown // 2]]
    pictures = {one.name: Pictures(one) for one in results}
    sources = [_look(pictures[results[0].name].at(attribute, face, to, 0), attribute, f"source {face}")
               for face, to in faces]  # fmt: skip
    parts = [study.Strip(f"{attribute}: sources", sources)]
    for one in results:
        points = dict(zip(zip(one.toggles[attribute].faces.tolist(), one.toggles[attribute].targets.tolist(),
                              strict=True), zip(*one.first_reached(attribute), strict=True), strict=True))  # fmt: skip
        looks = []
        for face, to in faces:
            point, reached = points[face, to]
            row = pictures[one.name].at(attribute, face, to, int(point))
            looks.append(_look(row, attribute, wording.score(row["strength"]) if reached else "not reached"))
        parts.append(study.Strip(f"{attribute}: {one.name}", looks))
    sentence = (
        f"The same faces by all methods, each at the first strength at which the judge sees {attribute} on the other "
        "side, so that all are as successful; at its largest strength where it sees that at none. Below each picture "
        "the strength and the judge's score: above 0 it sees the attribute."
    )
    return study.Section(f"{attribute} at equal success", [sentence], parts)


def failures(results: Sequence[Result]) -> study.Section:
    """Of each method the edits that changed the face and lost most of the identity, or changed most outside."""
    parts = [strip for one in results for strip in _worst(one)]
    sentence = (
        f"Of each method's edits in which the judge sees the change, at the first such strength, the {FAILURES} that "
        "are worst by identity and the worst by what changed outside the region: the source, and the edit beside it."
    )
    return study.Section("Where each method fails", [sentence], parts)


def _worst(one: Result) -> Iterator[study.Strip]:
    pictures = Pictures(one)
    for kind, numbers in zip(("identity", "spill"), WORST_FOR, strict=True):
        rows = []
        for attribute, its in one.toggles.items():
            point_N, reached_N = one.first_reached(attribute)
            there = next((name for name in numbers if name in its.numbers and not
                          np.isnan(its.numbers[name][:, 1:]).all()), None)  # fmt: skip
            if there is None:
                continue
            value_N = its.numbers[there][np.arange(len(its)), point_N]
            bad_N = -value_N if there == "identity" else value_N / np.nanmax(np.abs(value_N), initial=1e-12)
            rows += [(bad, attribute, int(face), bool(to), int(point), there, value) for bad, face, to, point, value, ok
                     in zip(bad_N, its.faces, its.targets, point_N, value_N, reached_N, strict=True)
                     if ok and np.isfinite(bad)]  # fmt: skip
        looks = []
        for _, attribute, face, to, point, number, value in sorted(rows, key=lambda row: -row[0])[:FAILURES]:
            said = f"{HEADINGS[number]} {study.cell(float(value), 3)}"
            looks.append(_look(pictures.at(attribute, face, to, 0), attribute, f"source {face}"))
            looks.append(_look(pictures.at(attribute, face, to, point), attribute, f"{attribute}: {said}"))
        if looks:
            yield study.Strip(f"{one.name}: worst {kind}", looks)


def _look(row: Mapping[Any, Any], attribute: str, words: str) -> study.Look:
    return study.Look(row["picture"], words, {"judge": wording.score(row[JUDGE + attribute], 1)}, ["judge"])
