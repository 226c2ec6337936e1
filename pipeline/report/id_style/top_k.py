"""How many numbers of a layer need to move: accuracy and identity of the k that move most (Fig. 9)."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.metrics import intervals
from pipeline.report import study
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim
from pipeline.report.id_style.paper import ENOUGH
from pipeline.report.id_style.result import by_face, said, said_rate, without_number

AS_MANY = 0.05
"""So many entries are enough where no more than this share of the edits that succeed by all entries are lost."""


@dataclass(frozen=True, order=True)
class Setting:
    """k: numbers of a layer that move; none for all. intensity: a factor of the move."""

    k: int | None
    intensity: float = 1.0

    def __str__(self) -> str:
        return f"k = {self.k or 'all'}, intensity {self.intensity:g}"


def section(
    frame: pd.DataFrame, settings: Sequence[Setting], numbers: Collection[str], width: int
) -> tuple[study.Section, list[Claim]]:
    """The curves, their table, and whether the paper's 150 entries are enough.

    frame: toggles, as `result.read` has them, `what` is a setting in words. width: of a layer.
    """
    rows = {}
    for one in settings:
        its = frame[frame["what"] == str(one)]
        rows[str(one)] = {
            "accuracy %": said_rate(by_face(its, "there")),
            "FRS": said(by_face(its, "identity")) if "identity" in numbers else study.cell(None),
        }
        if "identity_dlib" in numbers:
            rows[str(one)]["distance by dlib"] = said(by_face(its, "identity_dlib"))
            rows[str(one)]["no face by dlib"] = without_number(its, "identity_dlib")
    plain = [one for one in settings if one.intensity == 1 and one.k not in _small(settings)]
    lines = {"k from small to all, intensity 1": plain}
    for k in _small(settings):
        lines[f"k = {k}, rising intensity"] = [one for one in settings if one.k == k]
    drawn = {name: _line(frame, its, numbers) for name, its in lines.items() if its}
    x = "FRS" if "identity" in numbers else "minus the distance by dlib"
    sentences = [
        f"Of each layer's {width} numbers only the k that move most are moved, and with few of them the move is "
        "multiplied by an intensity. Toggles alone: each face to the side where the judge does not see it; "
        "the paper counts both sides. It finds that k beyond 150 changes nothing, and that few entries with a high "
        "intensity cost identity.",
        f"{ENOUGH} entries are called enough where they lose no more than {100 * AS_MANY:g} % of the edits that "
        "succeed by all entries, by the interval of the difference over the toggles (Newcombe), taken one by one.",
    ]
    parts: list[study.Grid | study.Curves] = [
        study.Curves("Accuracy over identity", x, "accuracy", drawn),
        study.Grid("By setting", pd.DataFrame.from_dict(rows, orient="index")),
    ]
    return study.Section("How many entries (Fig. 9)", sentences, parts), [_enough(frame, width)]


def _small(settings: Sequence[Setting]) -> list[int]:
    """Those k that are tried with several intensities."""
    return sorted({one.k for one in settings if one.intensity != 1 and one.k is not None})


def _line(frame: pd.DataFrame, settings: Sequence[Setting], numbers: Collection[str]) -> pd.DataFrame:
    points = []
    for one in settings:
        its = frame[frame["what"] == str(one)]
        kept = by_face(its, "identity").mean() if "identity" in numbers else -by_face(its, "identity_dlib").mean()
        points.append({"x": float(kept), "y": float(by_face(its, "there").mean())})
    return pd.DataFrame(points).dropna()


def _enough(frame: pd.DataFrame, width: int) -> Claim:
    """Whether as many edits succeed by the paper's entries as by all of them."""
    key = ["face", "attribute"]
    both = pd.concat(
        [frame[frame["what"] == str(Setting(k))].set_index(key)["there"].astype(bool) for k in (ENOUGH, None)],
        axis=1, join="inner", keys=["few", "all"],
    )  # fmt: skip
    few, whole = both["few"], both["all"]
    low, high = intervals.of_paired_rates(
        int((few & whole).sum()), int((few & ~whole).sum()), int((whole & ~few).sum()), int((~few & ~whole).sum())
    )
    margin = AS_MANY * float(whole.mean()) if len(both) else math.nan
    told = f"accuracy of toggles as a share: by {ENOUGH} of {width} entries less by all ({len(both)} toggles)"
    more = float(few.mean() - whole.mean()) if len(both) else math.nan
    verdict = HOLDS if low > -margin else FAILS if high < -margin else NOT_DECIDED
    return Claim(f"{ENOUGH} of the entries are enough", told, "as many", more, low, high, verdict)
