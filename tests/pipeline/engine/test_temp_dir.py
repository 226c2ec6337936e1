"""The temporary directory of a cluster that is started here: what Ray cannot use is refused before Ray is started."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from ray._private.utils import validate_socket_filepath

from pipeline.engine.temp_dir import LONGEST_SOCKET, ray_temp_dir
from pipeline.errors import SpecError

linux = pytest.mark.skipif(sys.platform != "linux", reason="Ray heeds TMPDIR on Linux alone")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def short_path():
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        yield Path(place)


@linux
def test_where_it_is(monkeypatch, short_path):
    assert ray_temp_dir() == "/tmp/ray"
    monkeypatch.setenv("TMPDIR", "")
    assert ray_temp_dir() == "/tmp/ray"
    monkeypatch.setenv("TMPDIR", str(short_path / "t"))
    assert ray_temp_dir() == str(short_path / "t" / "ray")
    monkeypatch.setenv("RAY_TMPDIR", str(short_path / "r"))
    assert ray_temp_dir() == str(short_path / "r" / "ray")
    assert list(Path(ray_temp_dir()).iterdir()) == []  # the probe is gone


def test_a_path_is_too_long_exactly_where_it_is_for_ray(monkeypatch, tmp_path):
    refused = 0
    for length in range(30, 60):
        place = f"/tmp/{'x' * length}"
        monkeypatch.setenv("RAY_TMPDIR", place)
        monkeypatch.setattr(Path, "mkdir", lambda self, **how: None)
        monkeypatch.setattr("tempfile.TemporaryFile", lambda **how: (tmp_path / "probe").open("wb", buffering=0))
        try:
            validate_socket_filepath(f"{place}/ray/{LONGEST_SOCKET.format(pid=os.getpid())}")
        except OSError:
            refused += 1
            with pytest.raises(SpecError, match=r"RAY_TMPDIR=/tmp/x* is too long for Ray.*set RAY_TMPDIR to a dir"):
                ray_temp_dir()
        else:
            assert ray_temp_dir() == f"{place}/ray"
    assert 0 < refused < 30


def test_bytes_count_and_not_letters(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", f"/tmp/{'ö' * 25}")
    with pytest.raises(SpecError, match="is too long for Ray"):
        ray_temp_dir()


def test_a_file_in_its_place_is_named(monkeypatch, short_path):
    (short_path / "ray").write_text("")
    monkeypatch.setenv("RAY_TMPDIR", str(short_path))
    with pytest.raises(SpecError, match=f"Ray cannot keep its files below RAY_TMPDIR={short_path}: File exists; set"):
        ray_temp_dir()


@linux
def test_a_full_disk_is_refused(short_path):
    """A limit on the size of files stands for it: it needs no file system of its own."""
    code = f"ulimit -f 64; exec {sys.executable} -c 'from pipeline.engine.temp_dir import *; ray_temp_dir()'"
    environment = {**os.environ, "TMPDIR": str(short_path)}
    ended = subprocess.run(["sh", "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert f"Ray cannot keep its files below TMPDIR={short_path}: File too large" in ended.stderr
