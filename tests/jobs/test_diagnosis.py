"""verify writes into the records what it has read and found to differ, and nothing else."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from tiny_jobs import TINY, dataset

from jobs.__main__ import main
from pipeline.tables import inspection, reader
from schemas import SchemaError
from tests.waiting import LONG

WORDS = ("--rows", "20", "--rows-per-shard", "8", "--images", "png")
PART = "labels/part-00001-of-00003.parquet"
NOBODY = 65534


@pytest.fixture
def out(made):
    """A copy of the data set, in a directory that any user may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copytree(made, Path(folder, "set")))


def everything(out: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(out)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in out.rglob("*")
        if path.is_file()
    }


def verify_changes_nothing(out: Path, capsys) -> str:
    """What verify says of the directory as it is, its exit code being 1."""
    capsys.readouterr()
    before = everything(out)
    assert main(["verify", str(out)]) == 1
    assert everything(out) == before
    return capsys.readouterr().err


def assert_all_is_done(out: Path, capsys) -> None:
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    assert dataset(out, *WORDS) == 0
    assert "3 shards, 20 rows: all done" in capsys.readouterr().err


@contextmanager
def as_nobody():
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
@pytest.mark.parametrize("sealed", [True, False])
def test_a_part_without_read_permission(out, capsys, sealed):
    if not sealed:
        (out / "labels/.stylemill/manifest.json").unlink()
    for path in [out, *out.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    (out / PART).chmod(0)
    with as_nobody():
        before = sorted(out.rglob("*"))
        assert main(["verify", str(out)]) == 1
        assert sorted(out.rglob("*")) == before
    said = capsys.readouterr().err
    assert f"{Path(PART).name}: is not checked: cannot read {out / PART}: permission denied" in said
    assert "Good  " in said, "the other tables are checked all the same"
    (out / PART).chmod(0o644)
    if sealed:
        assert_all_is_done(out, capsys)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EIO, "Input/output error"), "the disk reports an input/output error"),
        (pa.ArrowMemoryError("malloc of size 4096 failed"), "there is not enough memory"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_a_part_that_fails_to_be_read(out, capsys, monkeypatch, error, message):
    real = reader._Part.read_row_group

    def failing(self, i, columns=None):
        if self.metadata.num_rows == 8:
            raise error
        return real(self, i, columns)

    with monkeypatch.context() as patch:
        patch.setattr(reader._Part, "read_row_group", failing)
        said = verify_changes_nothing(out, capsys)
    assert f"{Path(PART).name}: is not checked: cannot read {out / PART}: {message}" in said
    assert "it may be whole" in said
    assert_all_is_done(out, capsys)


def test_a_digest_that_cannot_be_taken(out, capsys, monkeypatch):
    def failing(file, name):
        raise OSError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(inspection.hashlib, "file_digest", failing)
        said = verify_changes_nothing(out, capsys)
    assert said.count("is not checked: cannot read") == 12
    assert_all_is_done(out, capsys)


def test_a_table_of_a_later_version(out, capsys, monkeypatch):
    def later(found):
        raise SchemaError("labels version 9 was written by a later stylemill; this one reads 1")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.tables.verify.from_arrow", later)
        said = verify_changes_nothing(out, capsys)
    assert "was written by a later stylemill; this one reads 1" in said
    assert "its bytes are those that were written: verify it with the stylemill that wrote it" in said
    assert_all_is_done(out, capsys)


@pytest.mark.parametrize("name", ["part-00001-of-00004.parquet", "part-00001-of-00003 (copy).parquet"])
def test_a_foreign_part(out, capsys, name):
    foreign = (out / PART).with_name(name)
    shutil.copy(out / PART, foreign)
    assert f"{name}: is not in the manifest" in verify_changes_nothing(out, capsys)
    foreign.unlink()
    assert_all_is_done(out, capsys)


@pytest.mark.slow
def test_a_path_that_is_not_utf8(made, tmp_path):
    out = os.fsencode(tmp_path) + b"/caf\xe9"
    shutil.copytree(os.fsencode(made), out)
    for words in (["verify"], ["dataset", *TINY, *WORDS, "--out"]):
        ended = subprocess.run(
            [sys.executable, "-m", "jobs", *words, out], check=False, capture_output=True, timeout=LONG
        )
        assert ended.returncode == 0, ended.stderr
    assert b"all done" in ended.stderr
