"""The main job where something is wrong: it is said in a line, with its exit code, and nothing is lost."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_jobs import dataset, rows, tables

import schemas
from jobs.__main__ import main
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease
from pipeline.tables import Table


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--seed", "2"], "seed: 1 there, 2 asked"),
        (["--psi", "0.5"], "psi: 0.7 there, 0.5 asked"),
        (["--attributes", "smile"], "attributes: "),
        (["--images", "jpeg"], "images: "),
        (["--batch-size", "2"], "batch_size: 4 there, 2 asked"),
    ],
)
def test_a_changed_spec_is_refused_with_4_by_name(made, capsys, changed, named):
    before = tables(made)
    assert dataset(made, "--rows", "20", "--rows-per-shard", "8", "--images", "png", *changed) == 4
    assert named in capsys.readouterr().err
    assert tables(made) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--psi", "nan"], "--psi nan"),
        (["--rows", "0"], "--rows 0"),
        (["--generator", "nobody"], "unknown generator 'nobody'"),
        (["--attributes", "smile,handsome"], "handsome"),
        (["--classifiers", "nobody"], "nobody"),
        (["--rows-per-shard", "6"], "not a multiple of batch_size 4"),
        (["--images", "png", "--size", "31"], "31"),
        (["--cutoff", "99"], "cutoff"),
    ],
)
def test_bad_input_is_one_line_and_2_and_nothing_is_written(tmp_path, capsys, words, message):
    out = tmp_path / "out"
    assert dataset(out, *words) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not out.exists()


def test_an_unwritable_output_is_one_line_and_1(tmp_path, capsys):
    blocker = tmp_path / "file"
    blocker.write_text("not a directory")
    assert dataset(blocker / "out", "--rows", "4") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert str(blocker) in said


def test_label_refuses_a_table_that_is_not_complete(tmp_path, capsys):
    out = ["--out", str(tmp_path), "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    sample = ["sample", "--generator", "stylegan2-tiny", "--rows", "20", "--rows-per-shard", "8", *out]
    assert main([*sample, "--limit", "1"]) == 0
    assert main(["label", "--latents", f"{tmp_path}/latents", "--classifiers", "tiny", *out]) != 0
    assert "is not complete" in capsys.readouterr().err


def test_verify_beside_a_driver_at_work_leaves_its_books_alone(made, tmp_path, capsys):
    out = shutil.copytree(made, tmp_path / "set")
    part = out / "labels" / "part-00001-of-00003.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"\0")
    job_records = JobRecords(str(out), "dataset")
    with Lease(job_records.lease_url):
        assert main(["verify", str(out)]) == 1
        said = capsys.readouterr().err
        assert f"a driver is at work on the dataset job of {out}: process {os.getpid()} on" in said
        assert "still running. Nothing is noted in its records: run verify again when it has ended" in said
        assert job_records.suspects() == {}
    assert main(["verify", str(out)]) == 1
    assert job_records.suspects() == {1: "found damaged by verify"}


def test_a_poison_row_is_set_aside_and_its_neighbours_are_the_same_bytes(made, tmp_path, capsys, monkeypatch):
    """Row 9 breaks the synthesis of any micro-batch that it is in; row 14 comes out not finite."""
    from pipeline.models.faces import FaceScorer

    latents = schemas.to_numpy(Table.open(f"{made}/latents").read()["w"])
    real = FaceScorer.look

    def look(self, codes):
        w_NW = codes.values.numpy() if codes.space == "w" else codes.values[:, 0].numpy()
        if any(np.array_equal(w, latents[9]) for w in w_NW):
            raise RuntimeError("no face comes of this")
        columns = real(self, codes)
        for slot, w in enumerate(w_NW):
            if np.array_equal(w, latents[14]):
                columns["smile"][slot] = np.nan
        return columns

    monkeypatch.setattr(FaceScorer, "look", look)
    assert dataset(tmp_path, "--rows", "20", "--rows-per-shard", "8", "--images", "png") == 0
    assert "20 rows = 18 published + 2 rejected (1 not finite, 1 raised) + 0 failed" in capsys.readouterr().err
    kept = [i for i in range(20) if i not in (9, 14)]
    for table in ("latents", "labels", "images"):
        assert rows(tmp_path, table) == [row for row in rows(made, table) if row["index"] in kept]
    aside = rows(tmp_path, "rejects/dataset")
    assert "in _compute" in aside[0]["traceback"]
    assert aside[0]["traceback"].endswith("\nRuntimeError: no face comes of this")
    assert str(Path.home()) not in aside[0]["traceback"]
    assert [{**row, "traceback": ""} for row in aside] == [
        {"index": 9, "stage": "dataset", "reason": "raised", "detail": "RuntimeError: no face comes of this"}
        | {"traceback": ""},
        {"index": 14, "stage": "dataset", "reason": "not finite", "detail": "smile", "traceback": ""},
    ]
    assert main(["verify", str(tmp_path)]) == 0
    unharmed = "part-00000-of-00003.parquet"
    assert tables(tmp_path)[f"labels/{unharmed}"] == tables(made)[f"labels/{unharmed}"]


def test_two_bad_rows_that_fill_a_micro_batch_are_set_aside_and_a_broken_network_fails_the_shard(
    tmp_path, capsys, monkeypatch
):
    """The default micro-batch on a CPU has two rows; a network that is broken breaks on padding too."""
    from pipeline.stages.dataset import DatasetWorker

    real, broken = DatasetWorker._compute, False

    def compute(self, index, slots):
        if broken or {4, 5} & set(index[slots].tolist()):
            raise RuntimeError("no face comes of this")
        return real(self, index, slots)

    monkeypatch.setattr(DatasetWorker, "_compute", compute)
    words = ("--rows", "16", "--rows-per-shard", "16", "--batch-size", "2")
    assert dataset(tmp_path / "rows", *words) == 0
    assert "16 rows = 14 published + 2 rejected (2 raised) + 0 failed" in capsys.readouterr().err
    assert [row["index"] for row in rows(tmp_path / "rows", "rejects/dataset")] == [4, 5]
    broken = True
    assert dataset(tmp_path / "broken", *words) == 1
    assert "16 rows = 0 published + 0 rejected + 16 failed" in capsys.readouterr().err


def test_labels_of_a_table_with_gaps_keep_their_slots(made, tmp_path, monkeypatch):
    """Rows that an earlier stage rejected leave padding behind: the others' labels are the same bytes."""
    from pipeline.stages.sample import SampleWorker

    real = SampleWorker._compute

    def gaps(self, index, slots):
        columns = real(self, index, slots)
        columns["w"][index == 6] = np.inf
        return columns

    monkeypatch.setattr(SampleWorker, "_compute", gaps)
    common = ["--out", str(tmp_path), "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    assert main(["sample", "--generator", "stylegan2-tiny", "--rows", "20", "--rows-per-shard", "8", *common]) == 0
    assert main(["label", "--latents", f"{tmp_path}/latents", "--classifiers", "tiny", *common]) == 0
    assert rows(tmp_path, "labels") == [row for row in rows(made, "labels") if row["index"] != 6]


def test_replace_leaves_no_table_of_the_earlier_spec(tmp_path):
    assert dataset(tmp_path, "--rows", "8", "--images", "png") == 0
    assert dataset(tmp_path, "--rows", "8", "--images", "none", "--seed", "2", "--replace") == 0
    assert not list((tmp_path / "images").rglob("*.parquet"))
    assert main(["verify", str(tmp_path)]) == 0


def test_two_verbs_never_share_a_table(made, tmp_path, capsys):
    common = ["--out", str(tmp_path), "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    sample = [
        "sample",
        "--generator",
        "stylegan2-tiny",
        "--rows",
        "20",
        "--rows-per-shard",
        "8",
        "--seed",
        "5",
        *common,
    ]
    assert main(sample) == 0
    assert dataset(tmp_path, "--rows", "20", "--rows-per-shard", "8") == 4
    assert "is the table of a 'sample' job" in capsys.readouterr().err
    assert dataset(tmp_path, "--rows", "20", "--rows-per-shard", "8", "--replace") == 0
    assert main(sample) == 4
    assert rows(tmp_path, "latents") == rows(made, "latents")


def test_verify_sees_a_row_that_one_table_lacks(tmp_path, capsys):
    assert dataset(tmp_path, "--rows", "8") == 0
    table = Table.open(f"{tmp_path}/labels")
    manifest = table.require_sealed()
    short = table.read().slice(0, 7)
    record = table.publish(0, short, 1)
    table.unseal()
    table.seal([record], manifest["facts"], manifest["fingerprint"])
    assert main(["verify", str(tmp_path)]) == 1
    assert "row 7 is in one of latents and labels" in capsys.readouterr().err


def test_verify_goes_on_past_a_damaged_manifest(tmp_path, capsys):
    assert dataset(tmp_path, "--rows", "8") == 0
    (tmp_path / "labels/.stylemill/manifest.json").write_text("{")
    part = tmp_path / "latents/part-00000-of-00001.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "manifest.json: is damaged" in said
    assert "latents: part-00000-of-00001.parquet" in said


def test_what_breaks_every_row_fails_the_shard_and_rejects_none(tmp_path, capsys, monkeypatch):
    from pipeline.models.faces import FaceScorer

    real = FaceScorer.look
    calls = []

    def look(self, codes):
        calls.append(1)
        if len(calls) > 3:  # the first is the warm-up
            raise RuntimeError("the network is broken")
        return real(self, codes)

    monkeypatch.setattr(FaceScorer, "look", look)
    assert dataset(tmp_path, "--rows", "20", "--rows-per-shard", "8") == 1
    assert "20 rows = 8 published + 0 rejected + 12 failed" in capsys.readouterr().err
    monkeypatch.setattr(FaceScorer, "look", real)
    assert dataset(tmp_path, "--rows", "20", "--rows-per-shard", "8") == 0


def test_memory_that_runs_out_at_the_start_is_one_line(tmp_path, capsys, monkeypatch):
    import torch

    from pipeline.models.faces import FaceScorer

    def look(self, codes):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB")

    monkeypatch.setattr(FaceScorer, "look", look)
    assert dataset(tmp_path, "--rows", "4") == 2
    assert "pass a smaller --batch-size" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_2_and_blocks_nothing(tmp_path, capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert dataset(tmp_path, "--rows", "4", "--device", "cuda") == 2
    assert "sees no GPU" in capsys.readouterr().err
    assert dataset(tmp_path, "--rows", "4", "--precision", "tf32") == 2
    assert dataset(tmp_path, "--rows", "4") == 0
