"""Real processes, really killed: the same command then makes the bytes of an undisturbed run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jobs.__main__ import main

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WORDS = ["dataset", "--generator", "stylegan2-tiny", "--classifiers", "tiny", "--images", "png", "--size", "32"]
WORDS += ["--rows", "800", "--rows-per-shard", "16", "--batch-size", "4", "--threads", "1", "--backend", "eager"]
SHARDS = 50


def parts(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert main([*WORDS, "--local", "--out", str(out)]) == 0
    return parts(out)


def start(out: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "jobs", *WORDS, "--out", str(out), *words]
    environment = {**os.environ, "RAY_ADDRESS": "local"}
    environment.pop("OMP_WAIT_POLICY", None)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_shards(out: Path, count: int, process: subprocess.Popen) -> None:
    """Until so many shards are published; the last table of a shard is `labels`."""
    while len(list((out / "labels").glob("part-*.parquet"))) < count:
        assert process.poll() is None, f"the job ended early: {process.stderr.read()}"
        time.sleep(0.01)


def test_a_killed_worker_is_replaced(tmp_path, undisturbed):
    process = start(tmp_path, "--workers", "2")
    wait_for_shards(tmp_path, 5, process)
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "_Actor" in " ".join(p.cmdline())]
    assert len(workers) == 2
    assert {worker.environ()["OMP_WAIT_POLICY"] for worker in workers} == {"PASSIVE"}
    assert {worker.nice() for worker in workers} == {psutil.Process(process.pid).nice()}
    workers[0].kill()
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert f"Done  {SHARDS}/{SHARDS} shards" in said
    assert json.loads((tmp_path / ".stylemill/dataset/summary.json").read_text())["workers_lost"] >= 1
    assert parts(tmp_path) == undisturbed


def test_a_killed_driver_is_taken_over_by_the_same_command(tmp_path, undisturbed):
    process = start(tmp_path, "--workers", "2")
    wait_for_shards(tmp_path, 5, process)
    process.kill()
    process.wait()
    assert not (tmp_path / "labels/.stylemill/manifest.json").exists()
    again = start(tmp_path, "--workers", "1")
    said = again.communicate(timeout=120)[1]
    assert again.returncode == 0, said
    assert " 0 done," not in said
    assert parts(tmp_path) == undisturbed
    assert main(["verify", str(tmp_path)]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_driver_says_what_is_safe(tmp_path, undisturbed, number):
    process = start(tmp_path, "--workers", "1")
    wait_for_shards(tmp_path, 3, process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "shards are safe; the same command continues" in said
    assert "Traceback" not in said
    assert main([*WORDS, "--local", "--out", str(tmp_path)]) == 0
    assert parts(tmp_path) == undisturbed


def test_signals_while_ray_shuts_down_change_no_exit_code(tmp_path):
    words = [*WORDS, "--workers", "1"]
    words[words.index("--rows") + 1] = "16"
    command = [sys.executable, "-m", "jobs", *words, "--out", str(tmp_path)]
    environment = {**os.environ, "RAY_ADDRESS": "local"}
    environment.pop("OMP_WAIT_POLICY", None)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    driver = psutil.Process(process.pid)
    assert any(line.startswith("Done  1/1 shards") for line in process.stderr)
    nodes = driver.children()
    while all(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in nodes):
        assert process.poll() is None
        time.sleep(0.01)
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
