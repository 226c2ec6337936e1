"""What a person sees of a run: one redrawing line on a terminal, plain lines elsewhere."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tiny_jobs import TINY

from jobs.__main__ import main

ROOT = Path(__file__).parents[2]
WORDS = ["dataset", *TINY, "--rows", "32", "--rows-per-shard", "4"]
JOB = [sys.executable, "-m", "jobs", *WORDS]
ENVIRONMENT = {**os.environ, "TERM": "xterm", "COLUMNS": "160"}
ERASE = "\x1b[2K"


def on_a_terminal(command: list[str]) -> str:
    """All that a command writes to the terminal that it is given."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=ENVIRONMENT)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 4096):
            said += piece
    os.close(ours)
    assert process.wait() == 0, said
    return said.decode()


@pytest.mark.slow
def test_on_a_terminal_one_line_is_redrawn_and_gone_in_the_end(tmp_path):
    said = on_a_terminal([*JOB, "--out", str(tmp_path)])
    drawn = re.findall(r"Run   \d/8 shards[^\r\n\x1b]*", said)
    assert len(drawn) >= 2
    assert said.count(ERASE) >= len(drawn)  # each is erased for the next one, the last for good
    assert said.index("Plan  dataset") < said.index(drawn[0]) < said.rindex(ERASE) < said.index("Done  8/8 shards")


def test_elsewhere_lines_are_plain(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("TERM", "xterm")
    assert main([*WORDS, "--out", str(tmp_path)]) == 0
    said = capfd.readouterr()
    lines = said.err.splitlines()
    assert (lines[0][:6], lines[-1][:16]) == ("Plan  ", "Done  8/8 shards")
    assert not {"\x1b", "\r"} & {*said.err, *said.out}


def test_in_a_directory_that_was_deleted_one_line_says_so(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()

    def go_there_and_delete_it() -> None:
        os.chdir(gone)
        gone.rmdir()

    command = [sys.executable, "-m", "jobs", "sample", "--local", "--rows", "8", "--out", str(tmp_path / "out")]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, preexec_fn=go_there_and_delete_it, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "stylemill sample: the current directory was deleted: go to another one and run the command again\n"
    )
