"""What waits on the temporary disk for its way to a store: nobody else's is touched, a killed writer's goes."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import numpy as np
import pytest
from odd_stores import PlainFileSystem

import schemas
from pipeline.errors import StoreError
from pipeline.tables import PartWriter, Table, staging, store
from tests.waiting import LONG

SCHEMA = schemas.labels(["smile"])

STAGE_AND_WAIT = """
from pipeline.tables import staging
(staging.directory() / "part").write_bytes(b"1")
print(staging.directory(), flush=True)
input()
"""


def rows_of(indices):
    scores = np.asarray(list(indices), np.float32)
    return SCHEMA.rows({"index": list(indices), "smile": scores, "age_years": scores, "yaw_degrees": scores})


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary directory of our own, for this process and those that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(staging, "_own", None)
    yield tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def other(temporary):
    """(a process that has staged a file, where)."""
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE_AND_WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, Path(process.stdout.readline().strip()) / "part"
    process.kill()
    process.wait()


def test_a_killed_writers_files_go_and_a_live_ones_stay(other):
    process, theirs = other
    ours = staging.directory() / "part"
    ours.write_bytes(b"1")
    assert staging.sweep_staged() == 0
    assert theirs.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert theirs.exists()
    assert staging.sweep_staged() == 1
    assert not theirs.parent.exists()
    assert ours.exists()


def test_who_comes_next_sweeps(other):
    process, theirs = other
    process.kill()
    process.wait()
    assert staging.directory().exists()
    assert not theirs.parent.exists()


def test_who_ends_well_leaves_nothing(other):
    process, theirs = other
    process.communicate("\n", timeout=LONG)
    assert process.returncode == 0
    assert not theirs.parent.exists()


def test_a_forked_child_has_a_directory_of_its_own(temporary):
    ours = staging.directory()
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, str(staging.directory()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = Path(os.read(reading, 4096).decode())
    assert theirs != ours
    assert staging.sweep_staged() == 1
    assert ours.exists()
    assert not theirs.exists()


def test_nothing_to_sweep(temporary):
    assert staging.sweep_staged() == 0


@pytest.mark.parametrize("kind", ["memory", "plain"])
def test_a_writer_of_a_store_leaves_no_staged_file(temporary, kind):
    url = f"{kind}://{uuid.uuid4().hex}"
    table = Table.create(url, SCHEMA, rows=20, rows_per_shard=10)
    with table.writer(0) as writer:
        writer.write(rows_of(range(10)))
        assert [path for path in staging.directory().iterdir() if path.name.endswith(".staged")]
        writer.finish()
        writer.publish()
    with table.writer(1) as writer:
        writer.write(rows_of(range(10, 20)))
    assert [path.name for path in staging.directory().iterdir()] == ["lock"]
    assert list(store.list_names(url)) == ["part-00000-of-00002.parquet"]
    assert table.read() == rows_of(range(10))


def test_a_full_temporary_disk_is_told(temporary, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pipeline.tables.writer._Digesting.write", refuse)
    with pytest.raises(StoreError, match=rf"temporary directory {temporary}.* is full.*TMPDIR.*run") as caught:
        PartWriter(f"memory://{uuid.uuid4().hex}", SCHEMA, 0, 1)
    assert caught.value.__cause__.errno == errno.ENOSPC  # the engine stops on it: no other shard fares better
    assert [path.name for path in staging.directory().iterdir()] == ["lock"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError("bucket/a"), "^cannot read {url}: not there"),
        (PermissionError("403"), "^cannot read {url}: permission denied"),
        (OSError(errno.ENOSPC, "no room"), "^cannot write .*temporary directory {temporary}.* is full"),
    ],
)
def test_a_copy_that_cannot_be_made_says_what_failed(temporary, monkeypatch, error, message):
    def refuse(*_):
        raise error

    url = f"memory://{uuid.uuid4().hex}/a"
    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.get_file", refuse)
    with pytest.raises(StoreError, match=message.format(url=url, temporary=temporary)), store.local_copy(url):
        pass
    assert [path.name for path in staging.directory().iterdir()] == ["lock"]


def test_a_torn_copy_is_no_part(temporary, monkeypatch):
    """A store that shows files before they are whole: half a file is there, and not under the name of a part."""

    def tear(source, place):
        fs.fs.pipe_file(fs._join(place), Path(source).read_bytes()[:100])
        raise OSError(errno.ENOSPC, "no room in the store")

    fs, url = PlainFileSystem(), f"plain://{uuid.uuid4().hex}"
    monkeypatch.setattr(PlainFileSystem, "before_whole", staticmethod(tear))
    table = Table.create(url, SCHEMA, rows=10, rows_per_shard=10)
    with pytest.raises(StoreError, match=r"cannot publish plain://.*/part-00000-of-00001\.parquet"):
        table.publish(0, rows_of(range(10)))
    assert table.parts() == {}
    assert len(store.list_names(url)) == 1
    assert table.sweep() == 1
    assert store.list_names(url) == {}
