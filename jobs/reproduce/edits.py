"""Edits of a study: what is asked, strips of their pictures, and what the judge says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from jobs.edit.spec import SPECS, EditSpec
from pipeline.report import study, wording
from pipeline.report.edit_means import in_order
from pipeline.tables import Table, store
from schemas.edits import JUDGE

IDENTITY = ""
"""What is measured where it is no attribute."""
NUMBERS = ("mean", "mean_low", "mean_high", "flip_rate", "flip_rate_low", "flip_rate_high")


def edit_spec(editor: str, **flags: Any) -> EditSpec:
    """The flags of `stylemill edit` for one editor. Raises ValidationError where they are not valid."""
    return SPECS[editor].model_validate(flags)


def pictured(url: str, scores: Sequence[str] = ()) -> pd.DataFrame:
    """The kept steps of `stylemill edit --images`: index, request, step, strength, scores, and `picture`, encoded.

    Raises:
        StoreError: a table is not there, or not complete.
    """
    pictures = Table.open(store.join(url, "edit_images")).read()
    edits = Table.open(store.join(url, "edits")).read(columns=["index", "request", "step", "strength", *scores])
    return edits.to_pandas().assign(picture=[row["bytes"] for row in pictures["image"].to_pylist()])


def strips(url: str, what: str, faces: int, request: int = 0, scores: Sequence[str] = ()) -> list[study.Strip]:
    """Of each of the first faces the source, on the left, and its steps in the order of their strengths."""
    frame = pictured(url, scores)
    by_face = list(frame[frame["request"] == request].groupby("index"))[:faces]
    return [
        study.Strip(f"{what}: face {index}", [_look(row, scores) for _, row in in_order(rows).iterrows()])
        for index, rows in by_face
    ]


def _look(row: "pd.Series[Any]", scores: Sequence[str]) -> study.Look:
    words = "source" if row["step"] == 0 else wording.score(row["strength"])
    return study.Look(row["picture"], words, {name: wording.score(row[name], 1) for name in scores}, scores)


# -- what was measured ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Edits of one attribute at several strengths, by what they are called: the folder, and the unit of strengths."""

    frame: pd.DataFrame
    edits: Mapping[str, tuple[str, float]]

    @classmethod
    def read(cls, url: str, edits: Mapping[str, tuple[str, float]]) -> "Measured":
        """From a folder of `stylemill measure`. Raises StoreError."""
        frame = Table.open(store.join(url, "measured")).read().to_pandas()
        return cls(frame.assign(**{name: frame[name].map(_one) for name in NUMBERS}), edits)

    def of(self, name: str, what: str) -> pd.DataFrame:
        """A row for each strength, of an attribute or of IDENTITY."""
        frame, metric = self.frame, "effects" if what else "identity"
        mine = (frame["edits"] == store.join(self.edits[name][0], "edits")) & (frame["measured"] == what)
        return frame[mine & (frame["metric"] == metric)].sort_values("strength")

    def curves(self, caption: str, what: str) -> study.Curves:
        """The mean change over the strength, in units."""
        lines = {}
        for name, (_, unit) in self.edits.items():
            rows = self.of(name, what)
            lines[name] = pd.DataFrame(
                {"x": rows["strength"] / unit, "y": rows["mean"], "low": rows["mean_low"], "high": rows["mean_high"]}
            )
        return study.Curves(caption, "strength, standard deviations", "change", lines)

    def flips(self, what: str) -> dict[str, list[str]]:
        """Faces that changed side, in per cent, with intervals: one for each strength."""
        return {
            name: [
                f"{100 * row['flip_rate']:.0f} ({100 * row['flip_rate_low']:.0f} to {100 * row['flip_rate_high']:.0f})"
                for _, row in self.of(name, what).iterrows()
            ]
            for name in self.edits
        }


def changes(url: str, attribute: str, step: int) -> "pd.Series[float]":
    """How far the judge's score of an attribute is from the source's after a step, by row; in a folder of edits."""
    name = JUDGE + attribute
    rows = Table.open(store.join(url, "edits")).read(columns=["index", "step", name]).to_pandas()
    score = rows.pivot(index="index", columns="step", values=name)
    return (score[step] - score[0]).abs()


def _one(values: Any) -> float:
    return float(values[0]) if len(values) else float("nan")
