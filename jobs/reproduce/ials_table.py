"""Our mean areas beside the paper's Table 1, cell by cell, of the cells that were counted."""

from collections.abc import Sequence

import pandas as pd

from jobs.dt.paper_ials import TABLE_1
from jobs.dt.spec import LEVEL
from jobs.dt.tables import means
from jobs.reproduce.dt_runs import DtRun
from pipeline.report import study


def beside_paper(runs: Sequence[DtRun]) -> study.Section:
    """Means over the ranked pairs, or where none is over all that have an area; how much more they are than that of
    (1, 1).
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
    rows = {f"({cell[0]:g}, {cell[1]:g})": _row(ours[cell], ours[LEVEL], TABLE_1[cell], TABLE_1[LEVEL])
            for cell in cells}  # fmt: skip
    return study.Section(
        heading,
        [
            f"Of the {len(cells)} cells of its {len(TABLE_1)} that were counted, means over {what} beside its means "
            "over 12. Generators, classifiers and faces differ, and so do the scales: the paper's areas are over p "
            "from 0 to 1, ours are means of q over the range of p that all cells reach. What can be compared is the "
            "order of the cells, and the sign of what each has more than (1, 1)."
        ],
        [study.Grid("Mean area by cell (lambda1, lambda2)", pd.DataFrame.from_dict(rows, orient="index"), digits=4)],
    )


def _row(ours: float, level: float, paper: float, paper_level: float) -> dict[str, float]:
    return {
        "here": ours,
        "here, more than (1, 1)": ours - level,
        "paper": paper,
        "paper, more than (1, 1)": paper - paper_level,
    }
