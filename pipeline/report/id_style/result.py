"""What edits towards attributes and away from them came to, face by face, and means of that with their intervals.

Shapes: N faces.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.metrics.bootstrap import FEWEST
from pipeline.metrics.number import Number
from pipeline.report import study
from pipeline.report.face_numbers import of_faces
from pipeline.report.id_style.paper import NAMES
from pipeline.report.toggles import Toggles

KEY = ["edits", "face", "attribute", "strength"]
EFFECTS = "metrics"
"""The table of changes of the judge's scores."""


def read(
    measured: str, edits: Mapping[str, str], tables: Sequence[str], numbers: Sequence[str], judged: pd.DataFrame
) -> pd.DataFrame:
    """A row for each edited picture: what (by which edits), face, attribute, strength and

    has     whether the judge sees the attribute in the source
    there   whether it sees the attribute on the side that the edit goes to, as the paper counts accuracy
    toggle  whether the edit goes to the other side than where the source is
    kept    share of the other attributes that stay on their side
    source, score  the judge's score of the attribute, in the source and after the edit
    NUMBER  of the picture beside its source, NaN where there is none

    measured: of a measure job. edits: by the urls that it was given, in that order, what the edits are called. tables:
    of partial numbers. numbers: names of those that are wanted. judged: the judge's scores of the sources, by face.

    Raises StoreError.
    """
    flips = of_faces(measured, list(edits), [EFFECTS], "flips")
    own = flips["name"] == flips["attribute"]
    changes = of_faces(measured, list(edits), [EFFECTS])
    found = flips[own].set_index(KEY)["value"].rename("changed").to_frame()
    found["score"] = changes[changes["name"] == changes["attribute"]].set_index(KEY)["value"]
    found["kept"] = 1 - flips[~own].groupby(KEY)["value"].mean()
    values = of_faces(measured, list(edits), tables)
    wide = values[values["name"].isin(numbers)].pivot(index=KEY, columns="name", values="value")
    found = found.join(wide.reindex(columns=list(numbers))).reset_index()
    found["source"] = [judged[name][face] for name, face in zip(found["attribute"], found["face"], strict=True)]
    found["score"] += found["source"]
    found["has"] = found["source"] > 0
    wanted = found["strength"] > 0
    found["there"] = (found["has"] != (found.pop("changed") > 0)) == wanted
    found["toggle"] = found["has"] != wanted
    found["what"] = found.pop("edits").map(edits)
    return found


def toggles_of(rows: pd.DataFrame, tried: Sequence[float], numbers: Mapping[str, Number]) -> list[Toggles]:
    """Of rows of one method that change side, as `read` has them: of each attribute those with a score at every
    strength that was tried. A number is NaN where it is not there.
    """
    sizes = [round(one, 6) for one in tried]
    found = []
    for attribute in sorted(NAMES):
        its = rows[rows["attribute"] == attribute].assign(size=lambda some: some["strength"].abs().round(6))
        over = {
            name: its.pivot(index="face", columns="size", values=name).reindex(columns=sizes)
            for name in ("score", *numbers)
        }
        faces = over["score"].dropna().index
        source = its.drop_duplicates("face").set_index("face").loc[faces]
        before = {"score": source["source"].to_numpy(np.float64)}
        before |= {name: np.full(len(faces), one.of_itself) for name, one in numbers.items()}
        values = {
            name: np.column_stack([before[name], one.loc[faces].to_numpy(np.float64)]) for name, one in over.items()
        }
        found.append(Toggles(
            attribute, np.array(tried), faces.to_numpy(np.int64), source["strength"].to_numpy(np.float64) > 0,
            {attribute: values.pop("score")}, values,
        ))  # fmt: skip
    return found


def nothing_done(edited: pd.DataFrame, of_itself: Mapping[str, float], what: str) -> pd.DataFrame:
    """The same edits as if each left the source as it is. of_itself: by number, that of a picture beside itself."""
    rows = edited.drop_duplicates(["face", "attribute", "toggle"]).copy()
    rows["there"], rows["kept"], rows["what"] = ~rows["toggle"], 1.0, what
    for name, value in of_itself.items():
        rows[name] = value
    return rows


def by_face(rows: pd.DataFrame, name: str) -> "pd.Series[float]":
    """The mean of a column over the edits of each face, by face; NaN where it has none."""
    return rows[name].astype(float).groupby(rows["face"]).mean()


def together(first: pd.DataFrame, second: pd.DataFrame, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) means of a column over the edits of each face, of faces, attributes and sides of which both have it."""
    key = ["face", "attribute", "toggle"]
    both = pd.concat([one.set_index(key)[name].astype(float) for one in (first, second)], axis=1, join="inner")
    means = both.dropna().groupby("face").mean()
    return means.iloc[:, 0].to_numpy(), means.iloc[:, 1].to_numpy()


def said(values_N: "pd.Series[float]", digits: int = 3) -> str:
    """Their mean, and half of its interval of 95 % where there are faces enough for one."""
    there = values_N.dropna()
    if not len(there):
        return study.cell(None)
    mean = f"{there.mean():.{digits}f}"
    if len(there) < FEWEST:
        return mean
    low, high = intervals.of_mean(there.mean(), there.std(), len(there))
    return f"{mean} ± {(high - low) / 2:.{digits}f}"


def said_rate(shares_N: "pd.Series[float]") -> str:
    """The mean in per cent of shares of each face, and its interval of 95 % where there are faces enough for one: where
    each share is 0 or 1 that of a rate (Wilson), which is not empty where all faces are alike.
    """
    there = shares_N.dropna()
    if not len(there):
        return study.cell(None)
    mean = f"{100 * there.mean():.1f}"
    if len(there) < FEWEST:
        return mean
    if there.isin([0.0, 1.0]).all():
        low, high = intervals.of_rate(there.sum(), len(there))
    else:
        low, high = intervals.of_mean(there.mean(), there.std(), len(there))
    return f"{mean} ({100 * max(low, 0.0):.1f} to {100 * min(high, 1.0):.1f})"


def without_number(rows: pd.DataFrame, name: str) -> str:
    """How many of the edits have no such number, and of how many."""
    return f"{int(rows[name].isna().sum()):,} of {len(rows):,}"
