"""The output of one `stylemill dt`: a page, and a few of its numbers on the screen."""

import math
from collections.abc import Iterator, Mapping, Sequence

from pipeline.metrics import AGREED, LEVEL
from pipeline.report import study
from pipeline.report.dt.result import PairResult, all_areas
from pipeline.report.dt.sections import (
    AGAINST_LEVEL,
    COMMON,
    areas_frame,
    best,
    cell_name,
    means,
    overview,
    pair_section,
    said_as_released,
)  # fmt: skip
from pipeline.tables import store

LEAD = (
    "After each step of an edit: the share of faces whose edited attribute changed (p), and the share whose other "
    "attribute, the condition, stayed (q), by classifiers that were not used to edit. A cell is a pair of lambdas: "
    "the share of the attribute-level direction in the direction of the attribute (lambda1) and of the condition "
    "(lambda2); the rest is each face's own gradient."
)
PICTURES = (
    "This job keeps scores and no pictures. `stylemill reproduce ials` also shows faces: the source, (1, 1) and the "
    "cells at the same score; `stylemill edit ials --images webp` makes any of these edits."
)
ALL_SHOWN = 6
"""If there are more cells, only (1, 1) and the best of a ranked pair are printed; the tables and the page have all."""
MEANS_SHOWN = 5
SHOWN = ["p", COMMON, AGAINST_LEVEL, "95 %", "verdict"]


def write(directory: str, results: Sequence[PairResult], facts: Mapping[str, str]) -> str:
    """DIR/report.html; returns where it is. Raises StoreError."""
    sections = [
        overview(results[0].judge, all_areas(results)),
        *(pair_section(result) for result in results if result.is_measured),
        study.Section("Faces", [PICTURES]),
    ]
    return study.write(
        store.join(directory, "report.html"), "Disentanglement and transformation", LEAD, sections, facts
    )


def on_screen(results: Sequence[PairResult]) -> Iterator[study.Grid | str]:
    """The judge's results: each pair's cells, which is best, and the means over the ranked pairs; with --as-released
    also the public code's score.
    """
    measured = [result for result in results if result.is_measured]
    for result in measured:
        yield _grid(result)
        if result.asked.get("as_released"):
            yield said_as_released(result, MEANS_SHOWN)
    if measured:
        yield _said_means(measured)


def _grid(result: PairResult) -> study.Grid:
    row, winner, level = result.area(result.cells[0]), best(result), cell_name(LEVEL)
    kappa = "–" if math.isnan(row["kappa"]) else f"{row['kappa']:.2f}"
    frame = areas_frame(result)[SHOWN]
    if len(frame) > ALL_SHOWN:
        frame = frame[frame.index.isin([level, *([cell_name(winner)] if winner else [])])]
    if winner:
        frame = frame.rename(index={cell_name(winner): f"{cell_name(winner)}, best"})
    caption = (
        f"{' | '.join(result.pair)} by {result.judge}: {row['rows']:,} rows, kappa {kappa}, "
        f"{'ranked' if row['ranked'] else 'not ranked'}"
    )
    return study.Grid(caption, frame, digits=3)


def _said_means(results: Sequence[PairResult]) -> str:
    mean = sorted(means(all_areas(results), results[0].judge).items(), key=lambda item: -item[1])
    pairs = sum(best(result) is not None for result in results)
    if not pairs:
        return (
            f"No pair is ranked: that takes a kappa of {AGREED} or more on unedited faces (--labels of both families), "
            "and a p above 0 that all cells reach."
        )
    first = ", ".join(f"{cell_name(cell)} {value:.4f}" for cell, value in mean[:MEANS_SHOWN])
    return f"Mean over {pairs} ranked pair{'' if pairs == 1 else 's'} of q over the common range (Eq. 7): {first}"
