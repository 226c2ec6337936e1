"""What editing does: the primal and its condition as the judge sees them, identity, and strips of pictures."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from jobs.reproduce.directions_study import Study
from jobs.reproduce.strips import pictured
from pipeline.report import study, wording
from pipeline.report.edit_means import in_order
from pipeline.tables import Table, store

STRIPS = 3


def changes(
    out: str, edits: Sequence[str], primal: str, condition: str, found: Study
) -> tuple[study.Section, study.Section]:
    """Does conditioning keep what it should keep (Sec. 3.3, 3.4)? A section of strips and one of numbers."""
    measured = Table.open(store.join(out, "measured", "measured")).read().to_pandas()
    measured = measured.assign(**{name: measured[name].map(_one) for name in _NUMBERS})
    ways = {url: _way(url, primal, condition) for url in edits}
    curves = [
        _curve(measured, ways, found, what, caption)
        for what, caption in (
            (primal, f"Change of the judge's {primal}, in standard deviations"),
            (condition, f"Change of the judge's {condition}, in standard deviations"),
            ("", "Identity: cosine to the source's embedding"),
        )
    ]
    flips = {
        way: [
            f"{100 * row['flip_rate']:.0f} ({100 * row['flip_rate_low']:.0f} to {100 * row['flip_rate_high']:.0f})"
            for _, row in _of(measured, url, condition).iterrows()
        ]
        for url, way in ways.items()
    }
    steps = [f"{k} sd" for k in (1.5, 3.0, 4.5, 6.0)]
    table = pd.DataFrame(flips, index=steps[: len(next(iter(flips.values())))])
    numbers = study.Section(
        f"Conditional manipulation: {primal}, leaving {condition} alone",
        [
            "Strengths are in standard deviations of the faces' distance to the boundary, so that spaces can be "
            "compared. Intervals are of 95 %. The paper expects conditioning to help in Z and to do little in W, where "
            "the direction of age is nearly orthogonal to that of eyeglasses and yet brings them along."
        ],
        [*curves, study.Grid(f"Faces whose {condition} changed side, by the judge, in per cent", table)],
    )
    parts = [part for url in edits for part in _strips(url, ways[url], STRIPS)]
    heading = f"Faces: {primal}, without and with {condition} left alone"
    return study.Section(heading, ["The source is on the left, then the steps of the edit."], parts), numbers


def far_away(out: str, attributes: Sequence[str], found: Study) -> study.Section:
    """Fig. 3: far past the boundary, with the scores along the way."""
    url = store.join(out, "far")
    rows = Table.open(store.join(url, "edits")).read(columns=["index", "request", "step", "strength", *attributes])
    frame = rows.to_pandas()
    lines = {}
    for request, attribute in enumerate(attributes):
        own = frame[frame["request"] == request]
        mean = own.groupby("strength")[attribute].mean().reset_index()
        lines[attribute] = pd.DataFrame({"x": mean["strength"], "y": mean[attribute]})
    strips = [
        part for request, name in enumerate(attributes) for part in _strips(url, f"{name} in w", 1, request, (name,))
    ]
    return study.Section(
        "Distance (Fig. 3)",
        ["A face moved along each direction in W, far past the boundary on either side, and its score along the way."],
        [study.Curves("Score of the attribute that is edited, mean of two faces", "strength", "score", lines), *strips],
    )


_NUMBERS = ("mean", "mean_low", "mean_high", "flip_rate", "flip_rate_low", "flip_rate_high")


def _one(values: Any) -> float:
    return float(values[0]) if len(values) else float("nan")


def _way(url: str, primal: str, condition: str) -> str:
    name = url.rsplit("/", 1)[-1].removeprefix("edit-")
    space = name.removesuffix("-on")
    return f"{primal}|{condition} in {space}" if name.endswith("-on") else f"{primal} in {space}"


def _of(measured: pd.DataFrame, url: str, what: str) -> pd.DataFrame:
    metric = "identity" if not what else "effects"
    mine = (measured["edits"] == store.join(url, "edits")) & (measured["measured"] == what)
    return measured[mine & (measured["metric"] == metric)].sort_values("strength")


def _curve(measured: pd.DataFrame, ways: dict[str, str], found: Study, what: str, caption: str) -> study.Curves:
    lines = {}
    for url, way in ways.items():
        rows = _of(measured, url, what)
        unit = found.unit(way.rsplit(" ", 1)[-1], way.split("|")[0].split(" ")[0])
        lines[way] = pd.DataFrame(
            {"x": rows["strength"] / unit, "y": rows["mean"], "low": rows["mean_low"], "high": rows["mean_high"]}
        )
    return study.Curves(caption, "strength, standard deviations", "change", lines)


def _strips(url: str, what: str, faces: int, request: int = 0, scores: Sequence[str] = ()) -> list[study.Strip]:
    """Source and steps of the first faces, the source on the left."""
    frame = pictured(url, scores)
    by_face = list(frame[frame["request"] == request].groupby("index"))[:faces]
    return [
        study.Strip(f"{what}: face {index}", [_look(row, scores) for _, row in in_order(rows).iterrows()])
        for index, rows in by_face
    ]


def _look(row: pd.Series, scores: Sequence[str]) -> study.Look:
    words = "source" if row["step"] == 0 else wording.score(row["strength"])
    return study.Look(row["picture"], words, {name: wording.score(row[name], 1) for name in scores}, scores)
