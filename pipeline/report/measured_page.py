"""The page of measured edits: the numbers of each table of edits, and over the strength where there are several."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.report import gather, provenance, study, wording
from pipeline.report.measured import on_screen, stages_at
from pipeline.tables import Table, store
from pipeline.tables.frames import read_frame

LEAD = (
    "What edits changed, each face beside its source: means over the faces, with 95 % intervals. Scores are the "
    "judge's, whose classifiers did not guide the edits, in standard deviations over the calibration faces."
)


def write(directory: str, url: str, title: str | None = None) -> str:
    """Write the page of DIR/measured to `url` and return it. Equal tables give an equal page.

    Raises:
        StoreError: the table is not complete, or cannot be read.
    """
    notes: list[str] = []
    run = gather.read_run(directory, "measure", notes)
    manifest = Table(store.join(directory, "measured")).require_sealed()
    found = read_frame(store.join(directory, "measured"))
    sections = [
        study.Section(str(edits), [], [grid, *_curves(found[found["edits"] == edits], run.spec)])
        for edits, grid in zip(dict.fromkeys(found["edits"]), on_screen(found, run.spec), strict=True)
    ]
    top = study.Top(
        {"tables of edits": str(len(sections)), "judge": wording.anything(run.asked("families"))},
        [("good", "Complete"), *provenance.ended_badly([run]), *(("warning", note) for note in notes)],
    )
    facts = {
        "Command": wording.anything(run.asked("command")),
        "Judge": wording.anything(run.asked("judge_digest")),
        "Fingerprint": str(manifest["fingerprint"]),
    }
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, facts, top)


def _curves(rows: pd.DataFrame, on_record: Mapping[str, Any]) -> Iterator[study.Curves]:
    """Of each request and side with several strengths, or edits one after the other: a picture for the scores, and for
    numbers of one kind.
    """
    kind = rows["metric"].where(
        rows["metric"] == "effects", rows["metric"] + " " + rows["measured"].str.split("_").str[0]
    )
    for _, its in rows.groupby(["request", "side", kind], sort=False):
        if its["step"].nunique() > 1:
            first, what = its.iloc[0], kind[its.index[0]].strip()
            edited = " | ".join(filter(None, (first["attribute"], ", ".join(first["conditions"]))))
            lines = {}
            for measured, line in its.groupby("measured", sort=False):
                numbers = line.sort_values("strength")[["strength", "mean", "mean_low", "mean_high"]]
                lines[str(measured or first["metric"])] = numbers.set_axis(["x", "y", "low", "high"], axis=1).dropna()
            caption = f"{edited}{', down' if first['side'] < 0 else ''}: {what}"
            stages = stages_at(on_record, first["edits"], first["request"])
            along = "; ".join(f"{step} {stage}" for step, stage in enumerate(stages, 1)) or "strength"
            yield study.Curves(caption, along, "change" if what == "effects" else "mean", lines)
