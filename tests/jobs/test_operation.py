"""What an operator does with a job: one shard first, rejected rows again, a share of the rows, the records."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_jobs import dataset, rows, tables

import schemas
from jobs.__main__ import main
from pipeline.models.faces import FaceScorer
from pipeline.tables import Table

WORDS = ("--rows", "20", "--rows-per-shard", "8", "--images", "png")


@pytest.fixture
def poison(made, monkeypatch):
    """Rows 9 and 10 (of one micro-batch) raise, row 14 comes out not finite, until the poison is cleared."""
    latents = schemas.to_numpy(Table.open(f"{made}/latents").read()["w"])
    real, bad = FaceScorer.look, {9, 10, 14}

    def look(self, codes):
        w_NW = codes.values.numpy() if codes.space == "w" else codes.values[:, 0].numpy()
        rows_here = {i for i in bad if any(np.array_equal(w, latents[i]) for w in w_NW)}
        if rows_here & {9, 10}:
            raise RuntimeError("no face comes of this")
        columns = real(self, codes)
        for slot, w in enumerate(w_NW):
            if 14 in rows_here and np.array_equal(w, latents[14]):
                columns["smile"][slot] = np.nan
        return columns

    monkeypatch.setattr(FaceScorer, "look", look)
    return bad


def test_rejected_rows_are_taken_up_again_alone_and_the_bytes_are_as_if_nothing_had_been(
    made, poison, tmp_path, capsys
):
    assert dataset(tmp_path, *WORDS) == 0
    assert "17 published + 3 rejected (1 not finite, 2 raised)" in capsys.readouterr().err
    assert dataset(tmp_path, *WORDS, "--retry-rejected", "--dry-run") == 0
    assert "2 done, 1 to run (1 with rejected rows to try again)" in capsys.readouterr().err
    aside = rows(tmp_path, "rejects/dataset")
    assert [(row["index"], row["reason"], row["detail"]) for row in aside] == [
        (9, "raised", "RuntimeError: no face comes of this"), (10, "raised", "RuntimeError: no face comes of this"),
        (14, "not finite", "smile"),
    ]  # fmt: skip
    assert aside[0]["traceback"].endswith("\nRuntimeError: no face comes of this")
    assert str(Path.home()) not in aside[0]["traceback"]
    for table in ("latents", "labels", "images"):
        assert rows(tmp_path, table) == [row for row in rows(made, table) if row["index"] not in (9, 10, 14)]
    before = (tmp_path / "labels/.stylemill/manifest.json").read_bytes()
    assert dataset(tmp_path, *WORDS, "--retry-rejected") == 0
    said = capsys.readouterr().err
    assert "17 published + 3 rejected" in said
    assert (tmp_path / "labels/.stylemill/manifest.json").read_bytes() == before
    poison.clear()
    assert dataset(tmp_path, *WORDS, "--retry-rejected") == 0
    assert "20 rows = 20 published + 0 rejected + 0 failed" in capsys.readouterr().err
    assert tables(tmp_path) == tables(made)
    assert main(["verify", str(tmp_path)]) == 0


def test_a_retry_that_was_cut_off_before_it_published_costs_no_whole_shard(poison, tmp_path, capsys):
    from pipeline.engine.job_records import JobRecords
    from pipeline.engine.plan import HALF_RETRIED

    dataset(tmp_path, *WORDS)
    JobRecords(str(tmp_path), "dataset").set_suspects({1: HALF_RETRIED})
    capsys.readouterr()
    assert dataset(tmp_path, *WORDS) == 0
    assert "3 shards, 20 rows: all done" in capsys.readouterr().err
    part = tmp_path / "rejects/dataset/part-00001-of-00003.parquet"
    part.write_bytes((tmp_path / "rejects/dataset/part-00000-of-00003.parquet").read_bytes())
    JobRecords(str(tmp_path), "dataset").set_suspects({1: HALF_RETRIED})
    poison.clear()
    assert dataset(tmp_path, *WORDS) == 0
    assert "1 to run (1 stopped while rejected rows were tried again)" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 0


def test_a_range_begins_at_any_row_and_its_bytes_are_those_of_the_whole_job(made, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert dataset(first, "--range", "0:6", "--rows-per-shard", "8", "--images", "png") == 0
    assert dataset(second, "--range", "6:20", "--rows-per-shard", "8", "--images", "png") == 0
    for table in ("latents", "labels", "images"):
        assert rows(first, table) + rows(second, table) == rows(made, table)
    assert Table.open(f"{second}/labels").layout.bounds == (6, 12, 20)  # cut where micro-batches of 4 begin
    assert main(["verify", str(second)]) == 0
    assert dataset(second, "--range", "6:20", "--rows-per-shard", "8", "--images", "png") == 0


def test_estimate_runs_one_shard_and_tells_then_the_same_job_goes_on(made, tmp_path, capsys):
    assert dataset(tmp_path, *WORDS, "--estimate") == 0
    said = capsys.readouterr().err
    assert "Calib one shard of 8 rows: " in said
    assert " GB a worker, on the device unknown" in said
    assert "left: 12 rows, " in said
    assert "Stop  1/3 shards" in said
    assert dataset(tmp_path, *WORDS) == 0
    assert tables(tmp_path) == tables(made)


def test_estimate_without_evidence_says_unknown(made, capsys):
    assert dataset(made, *WORDS, "--estimate") == 0
    assert "unknown: no shard was left to run" in capsys.readouterr().err


def test_the_journal_has_a_line_for_each_attempt(tmp_path):
    assert dataset(tmp_path, *WORDS) == 0
    lines = [
        json.loads(line)
        for file in sorted(Path(tmp_path, ".stylemill/dataset/attempts").iterdir())
        for line in file.read_text().splitlines()
    ]
    assert [(line["shard"], line["number"], line["end"]) for line in lines] == [(s, 1, "published") for s in range(3)]
    assert all(line["seconds"] > 0 and line["worker"] for line in lines)
    counters = json.loads(Path(tmp_path, ".stylemill/dataset/summary.json").read_text())["counters"]
    assert counters["peak_rss_bytes"] > 1e7
    assert {"synth_seconds", "score_seconds", "write_seconds"} <= counters.keys()


def test_status_tells_what_failed_what_is_aside_and_who_is_at_work(poison, tmp_path, capsys, monkeypatch):
    from pipeline.engine.job_records import JobRecords
    from pipeline.engine.lease import Lease

    real = FaceScorer.take_seconds

    def broken(self):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls >= 6:  # the third shard, after the warm-up and two micro-batches each of the first two
            raise ArithmeticError("the clock stands still")
        return real(self)

    monkeypatch.setattr(FaceScorer, "take_seconds", broken)
    assert dataset(tmp_path, *WORDS) == 1
    capsys.readouterr()
    with Lease(JobRecords(str(tmp_path), "dataset").lease_url):
        assert main(["status", str(tmp_path), "--json-lines"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["shards_done"], state["shards_failed"], state["rejects_by_reason"]) == (
        2,
        1,
        {"not finite": 1, "raised": 2},
    )
    assert state["errors"] == {"2": "ArithmeticError: the clock stands still (3 attempts)"}
    assert state["running"]["pid"] > 0
    assert state["attempts"] == {"error": 3, "published": 2}
    assert state["bytes"] == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert main(["status", str(tmp_path), "--check"]) == 1
    said = capsys.readouterr().out
    assert "2 of 3 done" in said
    assert "ArithmeticError: the clock stands still" in said
    assert "nobody" in said
    monkeypatch.undo()
    assert dataset(tmp_path, *WORDS) == 0
    assert main(["status", str(tmp_path), "--check"]) == 0
    assert "exit code 0" in capsys.readouterr().out


@pytest.mark.parametrize("table", ["images", "rejects/dataset"])
def test_a_job_whose_table_is_not_sealed_is_not_complete(made, tmp_path, capsys, table):
    out = tmp_path / "out"
    shutil.copytree(made, out)
    assert main(["status", str(out), "--check"]) == 0
    assert re.search(r"sealed +yes", capsys.readouterr().out)
    (out / table / ".stylemill/manifest.json").unlink()
    next((out / table).glob("*.parquet")).unlink()
    assert main(["status", str(out), "--check"]) == 1
    assert re.search(r"sealed +no: the same command seals", capsys.readouterr().out)
    assert main(["status", str(out), "--json-lines"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["complete"], state["sealed"]) == (False, False)
    assert dataset(out, *WORDS) == 0
    assert main(["status", str(out)]) == 0


def test_damage_in_a_table_that_is_not_sealed_is_found_and_made_again(tmp_path, capsys):
    assert dataset(tmp_path, *WORDS) == 0
    Path(tmp_path, "rejects/dataset/.stylemill/manifest.json").unlink()
    part = Path(tmp_path, "rejects/dataset/part-00001-of-00003.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
    capsys.readouterr()
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "part-00001-of-00003.parquet: its sha256 is" in said
    assert "the same dataset command makes 1 shards" in said
    assert dataset(tmp_path, *WORDS) == 0
    assert "(1 found damaged by verify)" in capsys.readouterr().err
    assert part.read_bytes() == whole
    assert main(["verify", str(tmp_path)]) == 0


def test_parts_that_were_found_are_in_the_summary(tmp_path):
    assert dataset(tmp_path, *WORDS) == 0
    file = Path(tmp_path, ".stylemill/dataset/summary.json")
    died = {**json.loads(file.read_text()), "shards_done": 1, "published": 8, "not_run": 12, "exit_code": 130}
    file.write_text(json.dumps(died))
    assert dataset(tmp_path, *WORDS) == 0
    found = json.loads(file.read_text())
    assert (found["published"], found["shards_done"], found["exit_code"]) == (20, 3, 0)


def test_a_job_of_which_no_row_is_left_is_3_and_says_so_also_on_a_pipe(tmp_path, capsys):
    words = ["--rows", "8", "--psi", "1e38"]
    assert dataset(tmp_path, *words) == 3
    said = capsys.readouterr().err
    assert "Note  --psi 1e+38: 1 is no truncation; beyond 2 on either side" in said
    assert f"not one row was published, all were rejected; each with its reason: {tmp_path}/rejects/dataset" in said
    assert json.loads(Path(tmp_path, ".stylemill/dataset/summary.json").read_text())["exit_code"] == 3
    assert dataset(tmp_path, *words) == 3
    assert dataset(tmp_path, *words, "--max-rejects", "8") == 0


@pytest.mark.parametrize(("psi", "noted"), [("2.5", True), ("-70", True), ("2", False), ("-1", False)])
def test_a_truncation_far_from_the_usual_is_noted(tmp_path, capsys, psi, noted):
    assert main(["sample", "--generator", "stylegan2-tiny", "--rows", "4", f"--psi={psi}", "--local", "--dry-run",
                 "--out", str(tmp_path)]) == 0  # fmt: skip
    assert (f"Note  --psi {psi}: " in capsys.readouterr().err) == noted
