"""What `stylemill measure` has measured: on the screen, and at several strengths of an edit for a study's page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.report import study
from pipeline.tables import store
from pipeline.tables.frames import read_frame

IDENTITY = ""
"""What is measured where it is no attribute."""
STAGES = "stages"
"""On record of a job that measures: what each step of a request does, where each is an edit of its own, by the name of
the table of edits and the number of the request there."""


@dataclass(frozen=True, eq=False)
class Measured:
    """frame: rows of `measured`. edits: by what they are called on the page, the folder and the unit of strengths."""

    frame: pd.DataFrame
    edits: Mapping[str, tuple[str, float]]

    @classmethod
    def read(cls, url: str, edits: Mapping[str, tuple[str, float]]) -> "Measured":
        """From a folder of `stylemill measure`. Raises StoreError."""
        return cls(read_frame(store.join(url, "measured")), edits)

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


def stages_at(on_record: Mapping[str, Any], edits: str, request: int) -> Sequence[str]:
    """What each step of a request does; none where its steps are no edits of their own."""
    found: Sequence[str] = on_record.get(STAGES, {}).get(edits, {}).get(str(request), ())
    return found


def on_screen(found: pd.DataFrame, on_record: Mapping[str, Any]) -> Iterator[study.Grid]:
    """Rows of `measured`, a grid for each table of edits. on_record: of the job, its stored spec or what is to be."""
    for edits, rows in found.groupby("edits", sort=False):
        edited = [
            " | ".join(filter(None, (row["attribute"], ", ".join(row["conditions"])))) for _, row in rows.iterrows()
        ]
        half = (rows["mean_high"] - rows["mean_low"]) / 2
        of_scores = rows["metric"] == "effects"
        down = (rows["side"] < 0) & (rows["strength"] >= 0)
        by = [
            stages[row["step"] - 1]
            if (stages := stages_at(on_record, str(edits), row["request"]))
            else f"{row['strength']:+g}"
            for _, row in rows.iterrows()
        ]
        frame = pd.DataFrame(
            {
                "by": by + down.map({True: ", down", False: ""}),
                "of": rows["measured"].where(rows["measured"] != IDENTITY, rows["metric"]),
                "mean": _written(rows["mean"], "{:+.3f}", "{:.4g}", of_scores)
                + _written(half, " ± {:.3f}", " ± {:.2g}", of_scores),
                "sd": _written(rows["sd"], "{:.3f}", "{:.3g}", of_scores),
                "flip rate": rows["flip_rate"].map("{:.1%}".format, na_action="ignore").fillna(""),
                "rows": rows["count"],
            }
        )
        frame.index = pd.Index(edited, name="edited")
        yield study.Grid(f"What the edits changed: {edits}", frame)


def _written(values: "pd.Series[float]", score: str, other: str, of_scores: "pd.Series[bool]") -> "pd.Series[str]":
    """Scores in one form, all else in another; empty where there is no number."""
    scores, others = (values.map(form.format, na_action="ignore").fillna("") for form in (score, other))
    return scores.where(of_scores, others)
