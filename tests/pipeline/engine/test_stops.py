"""Ctrl-C and SIGTERM while a job runs, and after it was summed up."""

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.engine.local_pool import LocalPool
from pipeline.engine.signals import late_signals
from tests.waiting import LONG


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_meets_a_finaliser_stops_the_job_all_the_same(bench, monkeypatch, capfd, number):
    class Reference:
        def __del__(self):
            signal.raise_signal(number)  # Python drops the KeyboardInterrupt of this

    real = LocalPool.map

    def dropping(self, stage, todo, outputs, journal):
        for done, outcome in enumerate(real(self, stage, todo, outputs, journal)):
            yield outcome
            if done == 1:
                Reference()
                time.sleep(LONG)

    monkeypatch.setattr(LocalPool, "map", dropping)
    hook = sys.unraisablehook
    assert bench.run(LocalPool()).exit_code == 130
    assert any("2 shards are safe; the same command continues" in line for line in bench.said)
    assert "Exception ignored" not in capfd.readouterr().err
    assert sys.unraisablehook is hook


def test_once_summed_up_signals_are_remembered_and_afterwards_do_what_they_did(bench):
    class Closing(LocalPool):
        def close(self):
            heard.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])
            for number in come:
                signal.raise_signal(number)

    heard, before = [], [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    come, earlier = [signal.SIGINT, signal.SIGTERM], late_signals()
    for times in (1, 2):  # each run has its own count
        assert bench.run(Closing()).exit_code == 0
        assert late_signals() == earlier + 2 * times
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    come.append(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        bench.run(Closing())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    come.clear()
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(bench.run, Closing()).result().exit_code == 0
    assert heard[-1] == before
