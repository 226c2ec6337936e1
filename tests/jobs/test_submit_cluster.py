"""`stylemill submit` end to end: a head, two workers, a token; jobs sent, followed, stopped; their tables read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from a_cluster import BIN, Cluster
from tiny_jobs import rows, tables

from jobs.__main__ import main
from tests.waiting import LONG

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TINY = ["dataset", "--generator", "stylegan2-tiny", "--classifiers", "tiny", "--size", "32", "--images", "png"]
TINY += ["--backend", "eager", "--threads", "1", "--batch-size", "4", "--device", "cpu"]
NO_REGISTRY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")


@pytest.fixture(scope="module")
def cluster():
    with Cluster(workers=2) as cluster:
        yield cluster


def start(cluster: Cluster, *words: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "jobs", "submit", "--address", cluster.address, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=cluster.environment(**environment), cwd=Path(__file__).parents[2], **pipes)


def ended(process: subprocess.Popen, code: int) -> str:
    """Everything that the process said, after it ended with this code."""
    said = "".join(process.communicate(timeout=LONG))
    assert process.returncode == code, said
    return said


def test_a_job_is_followed_to_its_tables_and_its_exit_codes_come_back(cluster, tmp_path):
    words, out = [*TINY, "--rows", "512", "--rows-per-shard", "64"], tmp_path / "faces"
    too_many = ["--rows", "8", "--psi", "1e38", "--max-rejects", "3", "--workers", "1"]
    processes = {
        0: start(cluster, "--", *words, "--workers", "2", "--out", str(out)),
        1: start(cluster, "--working-dir", "none", "--", "verify", str(tmp_path / "nothing")),
        3: start(cluster, "--", *TINY, *too_many, "--out", str(tmp_path / "rejects")),
    }
    logs = {code: ended(process, code) for code, process in processes.items()}
    assert "Done  8/8 shards | 512 rows = 512 published" in logs[0]
    assert "holds no table" in logs[1]
    assert "8 rejected" in logs[3]
    assert [row["index"] for row in rows(out, "labels")] == list(range(512))
    changed = start(cluster, "--", *words, "--seed", "2", "--out", str(out))
    assert main([*words, "--local", "--out", str(tmp_path / "here")]) == 0
    assert tables(out) == tables(tmp_path / "here")
    assert "seed: 1 there, 2 asked" in ended(changed, 4)


def test_a_job_that_is_followed_no_more_goes_on_until_it_is_stopped(cluster, tmp_path):
    job_records = tmp_path / ".stylemill" / "dataset"
    words = [*TINY, "--rows", "4000000", "--rows-per-shard", "64", "--workers", "1", "--out", str(tmp_path)]
    assert "a-long-one\n" in ended(start(cluster, "--no-wait", "--submission-id", "a-long-one", "--", *words), 0)
    follower = start(cluster, "--follow", "a-long-one")
    assert any(line.startswith("Plan") for line in follower.stdout)
    assert json.loads((job_records / "lease.json").read_text())["pid"]

    follower.send_signal(signal.SIGINT)
    said = ended(follower, 130)
    assert "a-long-one goes on; this command no longer follows it" in said
    assert f"stylemill submit --address {cluster.address} --follow a-long-one" in said
    assert f"ray job stop --address {cluster.address} a-long-one" in said

    taken = start(cluster, "--submission-id", "a-long-one", "--", "status", str(tmp_path))
    second = start(cluster, "--", *words)
    assert "--follow a-long-one" in ended(taken, 2)
    assert "another driver is running" in ended(second, 5)

    follower = start(cluster, "--follow", "a-long-one")
    stop = [str(BIN / "ray"), "job", "stop", "--address", cluster.address, "a-long-one"]
    subprocess.run(stop, env=cluster.environment(), check=True, capture_output=True, timeout=LONG)
    assert "shards are safe; the same command continues" in ended(follower, 130)
    assert not (job_records / "lease.json").exists()
    assert json.loads((job_records / "summary.json").read_text())["exit_code"] == 130


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ({"RAY_AUTH_TOKEN": "wrong-and-secret"}, "does not accept the token of RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}, "wants a token, and there is none here"),
    ],
)
def test_a_wrong_token_is_one_line(cluster, token, message):
    said = ended(start(cluster, "--", "status", "/x", **token), 2)
    assert message in said
    assert "\n" not in said.strip()
    assert "wrong-and-secret" not in said


def test_a_job_that_never_was_cannot_be_followed(cluster):
    assert "the cluster has no job nobody" in ended(start(cluster, "--follow", "nobody"), 2)


def test_too_large_an_upload_says_what_to_do(cluster, tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "__main__.py").touch()
    (tmp_path / "large.bin").write_bytes(os.urandom(106 * 2**20))
    said = ended(start(cluster, "--working-dir", str(tmp_path), "--", "status", "/x"), 2)
    assert "is too large to upload" in said
    assert ".rayignore" in said
    assert "\n" not in said.strip()


@pytest.mark.weights
def test_weights_come_from_the_shared_zoo_and_no_registry_is_asked(cluster, tmp_path, monkeypatch):
    with monkeypatch.context() as environment:
        for name, value in {**NO_REGISTRY, "STYLEMILL_ZOO": str(tmp_path / "zoo")}.items():
            environment.setenv(name, value)
        assert main(["models", "pull", "mobilestylegan-ffhq"]) == 0
    words = ["sample", "--rows", "64", "--device", "cpu", "--threads", "1"]
    words += ["--batch-size", "8", "--rows-per-shard", "32"]
    blocked = [word for name, value in NO_REGISTRY.items() for word in ("--env", f"{name}={value}")]
    blocked += ["--env", "NO_PROXY=127.0.0.1"]
    alone = ["--env", f"STYLEMILL_HOME={tmp_path / 'alone'}", "--", *words, "--out", str(tmp_path / "none")]
    shared = ["--env", f"STYLEMILL_HOME={tmp_path / 'home'}", "--env", "STYLEMILL_ZOO", "--", *words]
    without = start(cluster, *blocked, *alone)
    served = start(cluster, *blocked, *shared, "--out", str(tmp_path / "codes"), STYLEMILL_ZOO=str(tmp_path / "zoo"))
    assert "stylemill models pull mobilestylegan-ffhq" in ended(without, 2)
    ended(served, 0)
    assert len(rows(tmp_path / "codes", "latents")) == 64
    assert (tmp_path / "home" / "zoo" / "mobilestylegan-ffhq").is_dir()
