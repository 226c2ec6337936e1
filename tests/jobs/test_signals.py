"""Signals that come when everything is said: they change no exit code, but a study stops."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_jobs import TINY

from jobs import sample
from jobs.reproduce.study import step
from pipeline.errors import SpecError
from tests.waiting import LONG

HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

LATE = """
import os, signal, sys
from jobs import launch
from jobs.__main__ import end, main
from pipeline.engine.local_pool import LocalPool

class Late(LocalPool):
    def close(self):
        os.kill(os.getpid(), int(sys.argv[1]))

launch._pool = lambda *_: Late()
"""
VERB = f"{LATE}end(main(sys.argv[2:]))"
STUDY = f"""{LATE}
from jobs import reproduce
from jobs.flags import parse
from jobs.reproduce.study import step
from jobs.sample import SampleSpec

def study(argv):
    for name in ("first", "second"):
        step(parse(SampleSpec, [*argv, "--out", os.path.join(os.getcwd(), name)]))
    return 0

reproduce.main = study
end(main(["reproduce", *sys.argv[2:]]))
"""
HANGS = """
import atexit, os, sys, threading, time
from jobs.__main__ import end
from pipeline.engine import ray_pool
from pipeline.engine.signals import count_signals

def hang():
    for _ in range(int(sys.argv[1])):
        os.kill(os.getpid(), int(sys.argv[2]))
        time.sleep(0.05)
    threading.Event().wait(0 if int(sys.argv[1]) < 3 else None)

ray_pool.ray.shutdown = hang
atexit.register(hang)
count_signals()
try:
    ray_pool._shut_down()
except KeyboardInterrupt:
    end(130)
atexit.unregister(hang)
end(0)
"""

both = pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])


@both
def test_a_signal_while_the_pool_closes_changes_no_exit_code(tmp_path, number):
    words = ["dataset", *TINY, "--rows", "4", "--psi", "1e38", "--max-rejects", "3", "--out", str(tmp_path)]
    command = [sys.executable, "-c", VERB, str(int(number)), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended.stderr
    assert "4 rejected" in ended.stderr
    assert "interrupted" not in ended.stderr


@pytest.mark.slow
@both
def test_a_signal_while_the_pool_closes_ends_the_study(tmp_path, number):
    words = ["--generator", "stylegan2-tiny", "--rows", "4", "--local", "--threads", "1"]
    command = [sys.executable, "-c", STUDY, str(int(number)), *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=HERE)
    assert ended.returncode == 130, ended.stderr
    assert "Done  1/1 shards" in ended.stderr
    assert "stylemill reproduce: interrupted; the same command continues" in ended.stderr
    assert not (tmp_path / "second").exists()


def test_a_step_that_was_interrupted_interrupts_the_study(monkeypatch):
    monkeypatch.setattr(sample, "main", lambda words: 130)
    with pytest.raises(KeyboardInterrupt):
        step(sample.SampleSpec(out="x"))
    monkeypatch.setattr(sample, "main", lambda words: 3)
    with pytest.raises(SpecError, match="ended with exit code 3"):
        step(sample.SampleSpec(out="x"))


@both
@pytest.mark.parametrize(("signals", "code"), [(2, 0), (3, 130)])
def test_the_third_signal_ends_a_ray_that_hangs(number, signals, code):
    command = [sys.executable, "-c", HANGS, str(signals), str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG)
    assert (ended.returncode, ended.stderr) == (code, "")


@both
def test_a_signal_in_the_last_moments_changes_no_exit_code(number):
    late = f"atexit.register(lambda: os.kill(os.getpid(), {int(number)}))"
    words = f"import atexit, os; {late}; from jobs.__main__ import end; end(3)"
    ended = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (3, "")
