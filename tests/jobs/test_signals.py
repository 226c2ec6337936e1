"""Signals that come when everything is said: they change no exit code."""

import signal
import subprocess
import sys

import pytest
from tiny_jobs import TINY

LATE = """
import os, signal, sys
from jobs import launch
from jobs.__main__ import end, main
from pipeline.engine.local_pool import LocalPool

class Late(LocalPool):
    def close(self):
        os.kill(os.getpid(), int(sys.argv[1]))

launch._pool = lambda *_: Late()
end(main(sys.argv[2:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_pool_closes_changes_no_exit_code(tmp_path, number):
    words = ["dataset", *TINY, "--rows", "4", "--psi", "1e38", "--max-rejects", "3", "--out", str(tmp_path)]
    command = [sys.executable, "-c", LATE, str(int(number)), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    assert "4 rejected" in ended.stderr
    assert "interrupted" not in ended.stderr


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_in_the_last_moments_changes_no_exit_code(number):
    late = f"atexit.register(lambda: os.kill(os.getpid(), signal.{number}))"
    words = f"import atexit, os, signal; {late}; from jobs.__main__ import end; end(3)"
    ended = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
