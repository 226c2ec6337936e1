"""The page of `reproduce ials`: the claim on each pair, curves, both families' sights, what was left out, strips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import pandas as pd

from jobs.dt.page import of_pair, overview
from jobs.dt.paper_ials import KEEPS_WELL
from jobs.dt.spec import AGREED, LEVEL, Cell
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.ials_ablations import incremental, levels
from jobs.reproduce.ials_plan import CHOICE, PAPER, Plan
from jobs.reproduce.ials_strips import Pictures
from jobs.reproduce.ials_table import beside_paper
from jobs.reproduce.step_size import SHARE, StepSize
from pipeline.metrics.bootstrap import BETTER, NOT_DECIDED, WORSE
from pipeline.report import study, wording
from pipeline.tables import Table, store

LEAD = (
    "The paper moves a face by the gradients of its own classifiers, mixed with a direction that all faces share, and "
    "finds that this changes an attribute with less change of another than the shared direction alone, which is cell "
    "(1, 1). It does so on StyleGAN with ResNets on 12 pairs; here the generator and the classifiers are those at "
    "hand, and what measures an edit has not been used to make it."
)


NONE = "no face is left that could be measured"
IN_NUMBERS = (CHOICE, (1.0, 0.0))
"""Cells whose differences to (1, 1) are said in numbers."""


@dataclass(frozen=True)
class Found:
    """What the steps have made, by pair.

    own: curves with the pair's own step size; paper: with the paper's, of some cells or all. kept: without
    incremental updating; gradient: with directions that are means of gradients; both of fewer faces.
    """

    plan: Plan
    sizes: Mapping[str, StepSize]
    own: Mapping[str, DtRun]
    paper: Mapping[str, DtRun]
    kept: Mapping[str, DtRun]
    gradient: Mapping[str, DtRun]
    pictures: Sequence[Pictures]

    @property
    def runs(self) -> dict[str, DtRun]:
        """All of them, by what they are called."""
        named = {"": self.own, ", the paper's steps": self.paper, ", direction kept": self.kept}
        named[", means of gradients"] = self.gradient
        return {f"{run.name}{what}": run for what, runs in named.items() for run in runs.values()}


def sections(found: Found) -> list[study.Section]:
    """All of the page; the faces come first."""
    own, paper = list(found.own.values()), list(found.paper.values())
    parts = [_claim("Is (1, 1) worse? (Table 1, Eq. 7)", own, [_lengths(found)]), beside_paper(own), *_pairs(own)]
    heading = f"The same with the paper's {PAPER.steps} steps of {PAPER.length:g}"
    parts.append(_claim(heading, paper, [short(paper)]))
    parts += [replace(one, heading=f"{one.heading}, steps of {PAPER.length:g}") for one in _pairs(paper)]
    parts += [families(own), incremental(found.own, found.kept), levels(found.plan, found.own, found.gradient)]
    return [*chain.from_iterable(one.sections() for one in found.pictures), *parts]


def facts(found: Found) -> dict[str, str]:
    """Where the numbers come from."""
    plan = found.plan
    labelled = Table.open(store.join(plan.faces, "latents")).require_sealed()["facts"]["spec"]["rows"]
    return {
        "Faces": f"{labelled:,} labelled, {plan.others:,} others of which those are edited that start in the source "
        f"class, {plan.rows:,} of each pair",
        "Directions": Table.open(plan.directions).digest,
        "Means of gradients": Table.open(plan.by_gradients).digest,
        **{f"Steps of {found.own[pair].name}": str(size) for pair, size in found.sizes.items()},
        **{f"Work, {name}": f"{run.passes}; {wording.duration(run.seconds)}" for name, run in found.runs.items()},
    }


# -- the claim --------------------------------------------------------------------------------------------------------


def _claim(heading: str, runs: Sequence[DtRun], before: Sequence[str]) -> study.Section:
    areas = pd.concat([run.areas for run in runs], ignore_index=True)
    (section,) = overview(runs[0].asked.judge, areas)
    said = [compared(run) for run in runs]
    sentences = [verdict(areas, runs[0].asked.judge), *section.sentences, *before, *said]
    return replace(section, heading=heading, sentences=sentences)


def verdict(areas: pd.DataFrame, judge: str) -> str:
    """What becomes of the paper's claim, in the pairs on which the families agree; `areas`: rows of `dt_auc`."""
    inside = _plateau(areas, judge)
    agreed = inside[inside["kappa"] >= AGREED]
    counts = agreed["verdict"].value_counts()
    better, worse, open_ = (int(counts.get(name, 0)) for name in (BETTER, WORSE, NOT_DECIDED))
    first, second = KEEPS_WELL
    claim = f"That (1, 1), which is InterFaceGAN, is worse than lambda1 of {first:g} or more with lambda2 of {second:g}"
    claim += " or less"
    match better > 0, worse > 0, open_ > 0:
        case False, False, False:
            why = "no comparison could be made" if inside.empty else "the families agree on no pair that was compared"
            return f"{claim}, is neither confirmed nor refuted here: {why}."
        case True, False, False:
            return f"{claim}, is so here, in all {better} comparisons."
        case True, False, True:
            return f"{claim}, is so here in {better} of {better + open_} comparisons; the others are not decided."
        case False, False, True:
            return f"{claim}, is not decided here: each of {open_} differences may be 0."
        case False, True, _:
            return f"{claim}, is not so here: in {worse} of {worse + open_} comparisons it is better, in none worse."
        case _:
            return f"{claim}, depends here on cell and pair: so in {better}, not so in {worse}, not decided in {open_}."


def compared(run: DtRun) -> str:
    """How the cells of the paper's plateau compare with (1, 1) on one pair: the paper's choice and (1, 0) in numbers,
    the others by name.
    """
    rows = _plateau(run.areas, run.asked.judge).to_dict("records")
    if not rows:
        return f"{run.name}: {NONE}."
    words = [_in_numbers(row) for row in rows if _cell(row) in IN_NUMBERS]
    for verdict_ in (BETTER, WORSE, NOT_DECIDED):
        same = [row for row in rows if row["verdict"] == verdict_ and _cell(row) not in IN_NUMBERS]
        if same:
            words.append(f"{verdict_}: {', '.join(map(_named, same))}")
    ranked = "" if rows[0]["ranked"] else " The pair is shown, not ranked."
    return f"{run.name}, {rows[0]['rows']:,} faces: {'; '.join(words)}.{ranked}"


def _in_numbers(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["difference"]):
        return f"{_named(row)} is {row['verdict']}"
    low, high = _signed(row["difference_low"]), _signed(row["difference_high"])
    return f"{_named(row)} is {row['verdict']}, {_signed(row['difference'])} ({low} to {high})"


def _named(row: Mapping[Any, Any]) -> str:
    return f"({row['lambda1']:g}, {row['lambda2']:g})"


def _cell(row: Mapping[Any, Any]) -> Cell:
    return row["lambda1"], row["lambda2"]


def _plateau(areas: pd.DataFrame, judge: str) -> pd.DataFrame:
    first, second = KEEPS_WELL
    inside = (areas["lambda1"] >= first) & (areas["lambda2"] <= second) & (areas["family"] == judge)
    return areas[inside]


def _lengths(found: Found) -> str:
    words = " ".join(
        f"{found.own[pair].name}: {size}. {reached(found.own[pair])}" for pair, size in found.sizes.items()
    )
    return (
        "Unless asked otherwise, steps are as long as it takes (1, 1) to change nine of ten faces that are used for "
        f"nothing else; whether it then changes as many of those that are edited here is said with each. {words}"
    )


def reached(run: DtRun, cell: Cell = LEVEL) -> str:
    """How many of the faces a cell changes, by the judge: a sentence."""
    if not _measured(run):
        return f"{NONE.capitalize()}."
    row = _of(run.areas, run.asked.judge, cell)
    return f"({cell[0]:g}, {cell[1]:g}) then changes {row['p_max']:.0%} of the {row['rows']:,} faces measured."


def short(runs: Sequence[DtRun]) -> str:
    """How far the paper's steps go, and whether that is far enough."""
    shares = [
        _of(run.areas, run.asked.judge, cell)["p_max"] for run in runs if _measured(run) for cell in run.asked.cells
    ]
    cells = (LEVEL, CHOICE)
    words = "; ".join(
        f"{run.name}: {' and '.join(_changes(run, cell) for cell in cells) if _measured(run) else NONE}" for run in runs
    )
    enough = min(shares, default=0.0) >= SHARE
    what = "which suffices" if enough else f"which does not change {SHARE:.0%} of the faces in every cell of every pair"
    if shares and max(shares) < SHARE:
        what = f"which nowhere changes {SHARE:.0%} of the faces, so that curves end before and are compared up to there"
    rows = ", ".join(dict.fromkeys(f"{run.asked.rows:,}" for run in runs))
    return (
        f"These steps go {PAPER.length * PAPER.steps:g} far, whatever the pair, {what}. Of each pair {rows} faces are "
        f"edited. {words}."
    )


def _changes(run: DtRun, cell: Cell) -> str:
    return f"({cell[0]:g}, {cell[1]:g}) reaches p = {_of(run.areas, run.asked.judge, cell)['p_max']:.2f}"


def _measured(run: DtRun) -> bool:
    """Whether the judge's curves are of any face."""
    return run.asked.judge in set(run.areas["family"])


def _pairs(runs: Sequence[DtRun]) -> list[study.Section]:
    """Curves (Fig. 3) and areas of each pair."""
    return [
        of_pair(run.stage, run.pair, run.seen, run.curves, run.areas)
        if _measured(run)
        else study.Section(f"{run.pair[0]}, leaving {run.pair[1]} alone", [f"{run.name}: {NONE}."])
        for run in runs
    ]


# -- both families ----------------------------------------------------------------------------------------------------


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
            last = {family: _of(run.curves, family, cell) for family in (own, judge)}
            gaps[cell] = float(last[own]["p"] - last[judge]["p"])
            rows[f"({cell[0]:g}, {cell[1]:g})"] = {
                **{f"p by {family}": _share(row, "p") for family, row in last.items()},
                "difference of p": gaps[cell],
                **{f"q by {family}": _share(row, "q") for family, row in last.items()},
                "difference of q": float(last[own]["q"] - last[judge]["q"]),
            }
        most = max(gaps, key=lambda cell: gaps[cell])
        elsewhere = f"{_points(gaps[most])} at ({most[0]:g}, {most[1]:g}), where it sees the most"
        sentences.append(
            f"{run.name}: at (1, 1) {own} sees {_points(gaps[LEVEL])} of the faces changed beside {judge}, and "
            f"{'in no cell more' if gaps[most] <= gaps[LEVEL] else elsewhere}."
        )
        frame = pd.DataFrame.from_dict(rows, orient="index")
        grids.append(study.Grid(f"{run.name}, after the last step, by cell (lambda1, lambda2)", frame))
    return study.Section("The judge beside the family that edits", sentences, grids)


def _of(frame: pd.DataFrame, family: str, cell: Cell) -> "pd.Series[Any]":
    """The row of a family and a cell; of curves that of the last step."""
    own = frame[(frame["family"] == family) & (frame["lambda1"] == cell[0]) & (frame["lambda2"] == cell[1])]
    return own.sort_values("step").iloc[-1] if "step" in own else own.iloc[0]


def _share(row: "pd.Series[Any]", name: str) -> str:
    return f"{row[name]:.2f} ({row[f'{name}_low']:.2f} to {row[f'{name}_high']:.2f})"


def _points(value: float) -> str:
    return f"{100 * value:+.0f} points".replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")
