"""Pages where nothing came of a job, or a picture cannot be read: they open and say so."""

import re
from pathlib import Path

import pytest
from edits import edit, planted, sample
from tiny_jobs import dataset

from jobs.__main__ import main
from pipeline.tables import Table

PICTURES = ["--scores", "both", "--images", "png", "--size", "32"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    out = tmp_path_factory.mktemp("inputs")
    planted(out / "directions", ("w",))
    return sample(out, 8, 4), out / "directions"


def states(text: str) -> list[str]:
    return re.findall('<p class="state warning">([^<]*)</p>', text)


def test_edits_that_were_all_rejected(inputs, tmp_path):
    assert edit(*inputs, tmp_path, "--attribute", "old", "--strengths=3e38", "--psi-after", "100", *PICTURES) == 3
    assert main(["report", str(tmp_path)]) == 0
    text = Path(tmp_path, "report.html").read_text()
    assert states(text) == [
        "Complete, and no face was edited: all were rejected",
        "The last run of edit ended with exit code 3, too many rows rejected, or all",
    ]
    assert "No edit is here, and so no face is shown." in text
    assert "0, 1, 2, 3, 4, 5, 6, 7" in text.split("Faces that were not edited, and why.")[1]
    assert "not finite" in text


BROKEN = {
    "pipeline.stages.edit.EditWorker.run": (
        "edit",
        "the same edit command",
        "No edit is here, and so no face is shown.",
    ),
    "pipeline.stages.fit.FitWorker._fit": ("directions", "the same command", "No direction is here."),
    "pipeline.stages.dataset.DatasetWorker.run": ("dataset", "", "No row has been published here."),
}


@pytest.mark.parametrize("worker", BROKEN)
def test_jobs_that_failed(worker, inputs, flat, tmp_path, monkeypatch):
    def broken(self, task):
        raise OSError("the disk is gone")

    monkeypatch.setattr(worker, broken)
    verb, same, nothing = BROKEN[worker]
    own = ["--latents", f"{flat[0]}/latents", "--labels", f"{flat[0]}/labels", "--local", "--out", str(tmp_path)]
    run = {
        "edit": lambda: edit(*inputs, tmp_path, "--attribute", "old", "--strengths=1", *PICTURES),
        "directions": lambda: main(["directions", "fit", *own]),
        "dataset": lambda: dataset(tmp_path, "--rows", "8", "--images", "png"),
    }
    assert run[verb]() == 1
    assert main(["report", str(tmp_path)]) == 0
    text = Path(tmp_path, "report.html").read_text()
    assert states(text) == [
        f"Not complete: {same} runs what is left" if same else "Nothing has been published here",
        f"The last run of {verb} ended with exit code 1, some tasks failed",
    ]
    assert nothing in text
    assert "the disk is gone" in text


def test_a_picture_that_does_not_decode_is_said_in_its_place(inputs, tmp_path):
    assert edit(*inputs, tmp_path, "--attribute", "old", "--strengths=1", *PICTURES) == 0
    table = Table.open(f"{tmp_path}/edit_images")
    manifest, layout = table.require_sealed(), table.layout
    made, records = Table(table.url, table.schema, layout), []
    for shard in range(layout.shards):
        rows = table.read(None, [shard])
        held = [{**image, "bytes": image["bytes"][:40]} for image in rows["image"].to_pylist()]
        columns = {name: rows[name].to_numpy() for name in ("index", "request", "step")}
        records.append(made.publish(shard, table.schema.rows({**columns, "image": held})))
    made.seal(records, manifest["facts"], manifest["fingerprint"])
    assert main(["report", str(tmp_path)]) == 0
    text = Path(tmp_path, "report.html").read_text()
    assert text.count('<span class="blank">no picture</span>') == 2 * 8


def test_edits_of_which_only_the_end_was_kept_say_that_the_source_is_missing(inputs, tmp_path):
    assert edit(*inputs, tmp_path, "--attribute", "old", "--strengths=1", "--keep", "last", *PICTURES) == 0
    assert main(["report", str(tmp_path)]) == 0
    assert "The source was not kept (stylemill edit --keep all keeps it)" in Path(tmp_path, "report.html").read_text()
