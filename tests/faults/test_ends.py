"""How a process ends that has read parts: as it says, and not by an abort in the interpreter's last moments."""

import json
import os
import subprocess
import sys

import pytest

from jobs.__main__ import main

from .drivers import REPOSITORY

AT_ONCE = 2
WORDS = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--images", "png", "--size", "32", "--local"]
WORDS += ["--rows", "8", "--rows-per-shard", "8", "--batch-size", "4", "--threads", "1", "--backend", "eager"]


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """A data set of eight rows."""
    out = str(tmp_path_factory.mktemp("eight"))
    assert main(["dataset", *WORDS, "--out", out]) == 0
    return out


@pytest.mark.parametrize(("verb", "times"), [("verify", 200), ("report", 40)])
def test_every_one_ends_with_0(eight, verb, times):
    command = [sys.executable, "-m", "tests.faults.repeated", str(times // AT_ONCE), verb, eight]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # it limits Arrow's
    runs = [
        subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(AT_ONCE)
    ]
    said = [run.communicate(timeout=850) for run in runs]
    codes = [json.loads(out.splitlines()[-1]) for out, _ in said]
    assert codes == [{"0": times // AT_ONCE}] * AT_ONCE, [err for _, err in said]
