"""The main job where something is wrong: it is said in a line, with its exit code, and nothing is lost."""

import os
import shutil

import numpy as np
import pytest
from edits import HOW, sample
from tiny_jobs import dataset, rows

from jobs.__main__ import main
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease
from pipeline.tables import Table


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--generator nobody", "unknown generator 'nobody'"),
        ("--attributes smile,handsome", "handsome"),
        ("--classifiers nobody", "unknown family of classifiers 'nobody': choose one of faces, judge"),
        ("--classifiers tiny,tiny", "--classifiers names tiny twice"),
        ("--rows-per-shard 6", "not a multiple of batch_size 4"),
        ("--images png --size 31", "31"),
        ("--cutoff 99", "cutoff"),
        ("--range 0:8 --rows 8", "--rows N is --range 0:N"),
        ("--task-timeout 5", "leave out --local or --task-timeout"),
        ("--estimate --limit 2", "--estimate runs one shard"),
        ("--retry-rejected --replace", "choose one"),
        ("--precision tf32", "tf32"),
    ],
)
def test_bad_input_is_one_line_and_2_and_nothing_is_written(tmp_path, refused, words, message):
    refused(dataset(tmp_path / "out", *words.split()), message, out=tmp_path / "out")


def test_an_unwritable_output_is_one_line_and_1(tmp_path, refused):
    blocker = tmp_path / "file"
    blocker.write_text("not a directory")
    refused(dataset(blocker / "out", "--rows", "4"), str(blocker), 1)


def test_verify_beside_a_driver_at_work_leaves_its_books_alone(made, tmp_path, capsys):
    out = shutil.copytree(made, tmp_path / "set")
    part = out / "labels" / "part-00001-of-00003.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"\0")
    job_records = JobRecords(str(out), "dataset")
    with Lease(job_records.lease_url):
        assert main(["verify", str(out)]) == 1
        said = capsys.readouterr().err
        assert f"a driver is running the dataset job of {out}: process {os.getpid()} on" in said
        assert "still running. Nothing is noted in its records: run verify again when it has ended" in said
        assert job_records.suspects() == {}
    assert main(["verify", str(out)]) == 1
    assert job_records.suspects() == {1: "found damaged by verify"}


def test_labels_of_a_table_with_gaps_keep_their_slots(made, tmp_path, monkeypatch):
    """Rows that an earlier stage rejected leave padding behind: the others' labels are the same bytes."""
    from pipeline.stages.sample import SampleWorker

    real = SampleWorker._compute

    def gaps(self, index, slots):
        columns = real(self, index, slots)
        columns["w"][index == 6] = np.inf
        return columns

    monkeypatch.setattr(SampleWorker, "_compute", gaps)
    latents = sample(tmp_path, 20, 8)
    assert main(["label", "--latents", latents, "--classifiers", "tiny", *HOW, "--out", str(tmp_path)]) == 0
    assert rows(tmp_path, "labels") == [row for row in rows(made, "labels") if row["index"] != 6]


def test_replace_leaves_no_table_of_the_earlier_spec(tmp_path):
    assert dataset(tmp_path, "--rows", "8", "--images", "png") == 0
    assert dataset(tmp_path, "--rows", "8", "--images", "none", "--seed", "2", "--replace") == 0
    assert not list((tmp_path / "images").rglob("*.parquet"))
    assert main(["verify", str(tmp_path)]) == 0


def test_two_verbs_never_share_a_table(made, tmp_path, capsys):
    words = f"sample --generator stylegan2-tiny --rows 20 --rows-per-shard 8 --seed 5 --out {tmp_path}"
    sample = [*words.split(), *HOW]
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
    assert dataset(tmp_path, "--rows", "4") == 0
