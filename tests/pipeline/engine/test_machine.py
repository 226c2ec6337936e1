"""Cores and memory, as affinity and control groups leave them."""

import os

import psutil
import pytest

from pipeline.engine import machine

GB = 2**30


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Makes the files of control groups: `groups(own, {path: text})`; the machine has 8 processors and 64 GiB free."""
    monkeypatch.setattr(machine, "OWN", tmp_path / "own")
    monkeypatch.setattr(machine, "MOUNT", tmp_path / "mount")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)

    class Memory:
        available = 64 * GB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)

    def make(own: str, files: dict[str, str]) -> tuple[int, float]:
        (tmp_path / "own").write_text(own)
        for path, text in files.items():
            file = tmp_path / "mount" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return machine.cores(), machine.free_memory() / GB

    return make


V2 = {"cgroup.controllers": "cpu memory\n"}
OWN_V1 = "4:memory:/docker/1f\n2:cpu,cpuacct:/docker/1f\n0::/docker/1f\n"


def test_without_limits_it_is_the_machine(groups):
    assert groups("", {}) == (8, 64)
    assert groups("0::/user.slice\n", {**V2, "user.slice/cpu.max": "max 100000\n", "memory.max": "max\n"}) == (8, 64)
    assert groups(OWN_V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}) == (8, 64)


def test_version_2_limits_what_lies_below(groups):
    files = {
        "pod/cpu.max": "250000 100000\n",
        "pod/box/cpu.max": "max 100000\n",
        "pod/memory.max": f"{16 * GB}\n",
        "pod/memory.current": f"{12 * GB}\n",
        "pod/memory.stat": f"anon {2 * GB}\ninactive_file {6 * GB}\n",
        "pod/box/memory.max": "max\n",
    }
    assert groups("0::/pod/box\n", {**V2, **files}) == (2, 10)


def test_a_container_has_its_group_at_the_root(groups):
    assert groups("0::/\n", {**V2, "cpu.max": "50000 100000\n", "memory.max": f"{4 * GB}\n"}) == (1, 4)
    assert groups("0::/../../other\n", {**V2, "cpu.max": "300000 100000\n"})[0] == 3


def test_version_1_has_a_mount_for_each_controller(groups):
    files = {
        "cpu/cpu.cfs_quota_us": "400000\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "memory/docker/1f/memory.limit_in_bytes": f"{8 * GB}\n",
        "memory/docker/1f/memory.usage_in_bytes": f"{5 * GB}\n",
        "memory/docker/1f/memory.stat": f"cache 1\ntotal_inactive_file {GB}\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert groups(OWN_V1, files) == (4, 4)


def test_affinity_and_a_full_group(groups, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    full = {"memory.max": f"{GB}\n", "memory.current": f"{2 * GB}\n", "memory.stat": ""}
    assert groups("0::/\n", {**V2, **full, "cpu.max": "400000 100000\n"}) == (1, 0)


def test_here():
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    assert 0 < machine.free_memory() <= psutil.virtual_memory().total
