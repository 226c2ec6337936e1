"""Edits of one attribute at several strengths, as `stylemill measure` has measured them, for a study's page."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.report import study
from pipeline.tables import store
from pipeline.tables.frames import read_frame

IDENTITY = ""
"""What is measured where it is no attribute."""


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
