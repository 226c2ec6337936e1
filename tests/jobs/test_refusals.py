"""What the machine refuses is one line that names the file and the reason; our own bugs keep their traceback."""

import os

import pytest
from tiny_jobs import TINY

from jobs import sample
from jobs.__main__ import main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/x/part.parquet"), "/x/part.parquet: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(5, "Input/output error", b"/x/part.parquet"), "/x/part.parquet: Input/output error"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte"), "can't decode byte 0xff in position 1"),
        (UnicodeEncodeError("latin-1", "\u65e5", 0, 1, "ordinal not in range"), "can't encode character"),
        (MemoryError("1 TB"), "out of memory: 1 TB; a smaller --batch-size"),
    ],
)
def test_a_refusal_is_one_line_and_1(monkeypatch, capsys, error, line):
    def refuse(argv):
        raise error

    monkeypatch.setattr(sample, "main", refuse)
    assert main(["sample"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("stylemill sample: ")
    assert line in said
    assert said.count("\n") == 1
    monkeypatch.setenv("STYLEMILL_TRACEBACK", "1")
    assert main(["sample"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [KeyError("x"), ZeroDivisionError(), AssertionError(), ValueError("x"), TypeError("x")]
)
def test_a_bug_of_ours_keeps_its_traceback(monkeypatch, error):
    def break_down(argv):
        raise error

    monkeypatch.setattr(sample, "main", break_down)
    with pytest.raises(type(error)):
        main(["sample"])


@pytest.mark.parametrize("words", [["models", "list"], ["models", "pull", "faceres"], ["models", "show", "faceres"]])
def test_a_cache_that_cannot_be_is_one_line_that_says_where_else(monkeypatch, capsys, words):
    monkeypatch.setenv("STYLEMILL_HOME", "/dev/null/cache")
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "/dev/null/cache" in said
    assert "Not a directory: the cache of networks cannot be used there; set STYLEMILL_HOME" in said
    assert said.count("\n") == 1


def test_a_home_that_is_no_directory_stops_no_job_that_needs_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.delenv("STYLEMILL_HOME", raising=False)
    assert main(["dataset", *TINY, "--rows", "4", "--out", str(tmp_path / "out")]) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_cache_without_permission_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path))
    tmp_path.chmod(0)
    assert main(["models", "list"]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_version_is_said(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "stylemill 0.1.0\n"
    assert main(["--help"]) == 0
    assert "stylemill --version" in capsys.readouterr().out
