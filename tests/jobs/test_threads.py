"""How threads wait for each other, as the OpenMP runtime itself says that it was told; and what depends on them."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_jobs import dataset

from jobs.__main__ import main
from jobs.resolve import CODES

ROOT = Path(__file__).parents[2]
TINY = ["--generator", "stylegan2-tiny", "--rows", "4", "--local", "--threads", "2", "--device", "cpu"]


@pytest.mark.skipif(sys.platform != "linux", reason="libgomp's words")
@pytest.mark.parametrize(
    ("given", "spins"), [({}, "0"), pytest.param({"OMP_WAIT_POLICY": "ACTIVE"}, "30000000000", marks=pytest.mark.slow)]
)
def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(tmp_path, given, spins):
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "jobs", "sample", *TINY, "--out", str(tmp_path)],
        cwd=ROOT, env={**ours, **given, "OMP_DISPLAY_ENV": "VERBOSE"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(re.findall(r"GOMP_SPINCOUNT = '(\d+)'", ended.stderr)) == {spins}


def test_where_bytes_depend_on_threads_another_number_is_refused_and_it_is_said_why(tmp_path, capsys):
    words = ("--rows", "8", "--rows-per-shard", "4")
    assert dataset(tmp_path, *words, "--limit", "1") == 0
    assert dataset(tmp_path, *words, "--threads", "2") == 4
    said = capsys.readouterr().err
    assert "threads: 1 there, 2 asked, which moves the last bits of sums; leave --threads out to go on" in said
    assert dataset(tmp_path, *words) == 0


def test_a_job_without_faces_that_was_begun_when_it_had_threads_goes_on(tmp_path, monkeypatch, capsys):
    words = ["sample", *TINY, "--rows-per-shard", "2", "--batch-size", "2", "--out", str(tmp_path)]
    with monkeypatch.context() as then:
        then.setattr("jobs.sample.CODES", replace(CODES, threads=True))
        assert main([*words, "--limit", "1"]) == 0
    begun = json.loads((tmp_path / ".stylemill/sample/spec.json").read_text())
    assert begun["spec"]["threads"] == 2
    assert main(words) == main([*words, "--threads", "1"]) == 0
    assert "2 shards, 4 rows: all done" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 0
    assert main([*words, "--seed", "3"]) == 4
    said = capsys.readouterr().err
    assert "(seed: 1 there, 3 asked); " in said
    assert main([*words, "--replace"]) == 0
    assert "threads" not in json.loads((tmp_path / ".stylemill/sample/spec.json").read_text())["spec"]
