"""What several runs of `stylemill dt` say together: claims and sections of a page."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from jobs.dt.page import of_pair, overview
from jobs.dt.paper_ials import KEEPS_WELL, TABLE_1
from jobs.dt.spec import AGREED, LEVEL, Cell
from jobs.dt.tables import means
from jobs.reproduce.claims import FAILS, HOLDS, NOT_DECIDED, Claim, of_difference
from jobs.reproduce.dt_runs import DtRun
from pipeline.metrics import CellArea, Difference, Outcomes, cell_areas
from pipeline.report import study

NONE = "no face is left that could be measured"


def cell_name(cell: Cell) -> str:
    return f"({cell[0]:g}, {cell[1]:g})"


def plateau_claims(about: str, run: DtRun, more: str = "") -> list[Claim]:
    """Is (1, 1) worse than each cell of the paper's plateau? By the judge; the paper's is of its mean over 12 pairs."""
    first, second = KEEPS_WELL
    found = run.areas
    inside = found[(found["lambda1"] >= first) & (found["lambda2"] <= second) & (found["family"] == run.asked.judge)]
    claims = []
    for row in inside.to_dict("records"):
        cell = (row["lambda1"], row["lambda2"])
        theirs = f"{TABLE_1[cell] - TABLE_1[LEVEL]:+.3f}" if cell in TABLE_1 else "more"
        verdict = {"better": HOLDS, "worse": FAILS}.get(row["verdict"], NOT_DECIDED)
        if not row["kappa"] >= AGREED:
            verdict = f"not counted: kappa below {AGREED}"
        what = f"{run.name}{more}: mean of q of {cell_name(cell)}, more than of (1, 1)"
        numbers = (row["difference"], row["difference_low"], row["difference_high"])
        claims.append(Claim(about, what, theirs, *numbers, verdict))
    return claims


def compared(
    first: tuple[str, DtRun, Cell], second: tuple[str, DtRun, Cell]
) -> tuple[dict[str, Any], Difference] | None:
    """A row of a table, and how much more the second has than the first, over the rows that the judge measured in
    both; None where there are none. Of each what it is called, the run and the cell.
    """
    shared = set(first[1].measured) & set(second[1].measured)
    if not shared:
        return None
    by_name: dict[str, Outcomes] = {}
    for name, run, cell in (first, second):
        places = [place for place, row in enumerate(run.measured) if row in shared]
        by_name[name] = Outcomes(*(of[places] for of in run.judged.by_cell[cell]))
    areas: dict[str, CellArea] = cell_areas(by_name, first[0])
    more = areas[second[0]].difference
    assert more is not None
    row = {
        "faces": len(shared),
        **{f"p, {name}": area.p_max for name, area in areas.items()},
        "common p": areas[first[0]].common,
        **{f"q, {name}": area.auc_common for name, area in areas.items()},
    }
    return row, more


def ablation(
    pairs: Sequence[tuple[DtRun, DtRun]], cells: Sequence[Cell], names: tuple[str, str], better: bool,
    heading: str, about: str, paper: str, lead: str,
) -> tuple[study.Section, list[Claim]]:  # fmt: skip
    """A part of the method left out: the second run of each pair beside the first, on the same faces; and the claim
    that it is better, or worse.
    """
    rows, claims = {}, []
    for first, second in pairs:
        for cell in cells:
            what = f"{second.name} at {cell_name(cell)}"
            if both := compared((names[0], first, cell), (names[1], second, cell)):
                rows[what], more = both
                claims.append(
                    of_difference(about, f"{what}: mean of q, {names[1]} less {names[0]}", paper, more, better)
                )
    columns = "the p that each reaches, the p that both do, and the mean of q up to there"
    frame = pd.DataFrame.from_dict(rows, orient="index")
    grids = [study.Grid(f"{' and '.join(names)}: {columns}", frame, digits=3)] if rows else []
    return study.Section(heading, [lead], grids), claims


def families(runs: Sequence[DtRun]) -> study.Section:
    """p and q after the last step by the judge and by the family whose gradients were followed, and who sees more."""
    sentences = [
        "A gradient may find what moves a classifier and not the face. (1, 1) follows none: where the two families "
        "differ there, they differ anyway; where they differ more in another cell, the edit has misled the family that "
        "it looked with. Shares are of the faces that start in the source class as the family itself sees them, with "
        "intervals of 95 %."
    ]
    grids = []
    for run in runs:
        judge, own = run.asked.judge, run.asked.classifiers
        if not {judge, own} <= set(run.curves["family"]):
            sentences.append(f"{run.name}: no face starts in the source class as both see it.")
            continue
        rows: dict[str, dict[str, Any]] = {}
        gaps: dict[Cell, float] = {}
        for cell in run.asked.cells:
            last = {family: run.of(run.curves, family, cell) for family in (own, judge)}
            gaps[cell] = float(last[own]["p"] - last[judge]["p"])
            rows[cell_name(cell)] = {
                **{f"p by {family}": _share(row, "p") for family, row in last.items()},
                "difference of p": gaps[cell],
                **{f"q by {family}": _share(row, "q") for family, row in last.items()},
                "difference of q": float(last[own]["q"] - last[judge]["q"]),
            }
        most = max(gaps, key=lambda cell: gaps[cell])
        elsewhere = f"{_points(gaps[most])} at {cell_name(most)}, where it sees the most"
        sentences.append(
            f"{run.name}: at (1, 1) {own} sees {_points(gaps[LEVEL])} of the faces changed beside {judge}, and "
            f"{'in no cell more' if gaps[most] <= gaps[LEVEL] else elsewhere}."
        )
        frame = pd.DataFrame.from_dict(rows, orient="index")
        grids.append(study.Grid(f"{run.name}, after the last step, by cell (lambda1, lambda2)", frame))
    return study.Section("The judge beside the family that edits", sentences, grids)


def areas_section(heading: str, runs: Sequence[DtRun], sentence: str) -> study.Section:
    """Means over the pairs beside the paper's (Table 1, Eq. 7), and how far the steps of each pair go."""
    areas = pd.concat([run.areas for run in runs], ignore_index=True)
    (section,) = overview(runs[0].asked.judge, areas)
    rows = {
        run.name: {
            "steps": run.asked.steps,
            "length": run.asked.step_size,
            "faces measured": len(run.measured),
            **{
                f"p of {cell_name(cell)}": run.of(run.areas, run.asked.judge, cell)["p_max"]
                if run.is_measured
                else None
                for cell in run.asked.cells
            },
        }
        for run in runs
    }
    caption = "How far the steps go: the share of faces whose attribute changed, by the judge"
    reach = study.Grid(caption, pd.DataFrame.from_dict(rows, orient="index"), digits=3)
    return replace(section, heading=heading, sentences=[*section.sentences, sentence], parts=[*section.parts, reach])


def pair_sections(runs: Sequence[DtRun], more: str = "") -> list[study.Section]:
    """Curves (Fig. 3) and areas of each pair."""
    return [
        of_pair(run.stage, run.pair, run.seen, run.curves, run.areas, more=more)
        if run.is_measured
        else study.Section(f"{run.pair[0]}, leaving {run.pair[1]} alone{more}", [f"{run.name}: {NONE}."])
        for run in runs
    ]


def beside_paper(runs: Sequence[DtRun]) -> study.Section:
    """Our mean areas beside the paper's Table 1, of the cells that were counted: over the ranked pairs, or where none
    is over all that have an area; and how much more they are than that of (1, 1).
    """
    heading = "Beside the paper's Table 1"
    areas = pd.concat([run.areas for run in runs], ignore_index=True)
    judge = runs[0].asked.judge
    ranked = means(areas, judge)
    counted = areas["ranked"] if ranked else areas["common"] > 0
    ours = means(areas.assign(ranked=counted), judge)
    cells = [cell for cell in TABLE_1 if cell in ours]
    if not cells:
        return study.Section(heading, ["No cell of that table could be measured."])
    mine = (areas["family"] == judge) & (areas["lambda1"] == cells[0][0]) & (areas["lambda2"] == cells[0][1])
    count = int((counted & mine).sum())
    pairs = f"{count} {'ranked ' if ranked else ''}pair{'' if count == 1 else 's'}"
    what = pairs if ranked else f"{pairs}, none of them ranked,"
    rows = {
        cell_name(cell): {
            "here": ours[cell],
            "here, more than (1, 1)": ours[cell] - ours[LEVEL],
            "paper": TABLE_1[cell],
            "paper, more than (1, 1)": TABLE_1[cell] - TABLE_1[LEVEL],
        }
        for cell in cells
    }
    sentence = (
        f"Of the {len(cells)} cells of its {len(TABLE_1)} that were counted, means over {what} beside its means over "
        "12. Generators, classifiers and faces differ, and so do the scales: the paper's areas are over p from 0 to 1, "
        "ours are means of q over the range of p that all cells reach. What can be compared is the order of the cells, "
        "and the sign of what each has more than (1, 1)."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return study.Section(heading, [sentence], [study.Grid("Mean area by cell (lambda1, lambda2)", frame, digits=4)])


def _share(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _points(value: float) -> str:
    return f"{100 * value:+.0f} points".replace("-", "\N{MINUS SIGN}")
