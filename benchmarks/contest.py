"""Contestants in processes of their own that take turns, so that a slow minute of the machine falls on all of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

import torch

from benchmarks.machine import peak_memory


class Contestant(Protocol):
    """One way of making images."""

    @property
    def rows(self) -> int:
        """Of a batch."""

    def ready(self) -> Callable[[], object]:
        """Called in the contestant's process: one batch, as a function of nothing."""


@dataclass(frozen=True)
class Result:
    """Seconds of an image, of getting ready with the first batch, and the peak of memory in bytes."""

    seconds: float
    first: float
    memory: int


def serve(contestant: Contestant, pipe: Connection) -> None:
    """A contestant's process: seconds of the first batch, then of one batch and the peak memory at each request."""
    begun = time.perf_counter()
    batch = contestant.ready()
    batch()
    pipe.send(time.perf_counter() - begun)
    while pipe.recv():
        begun = time.perf_counter()
        batch()
        seconds = time.perf_counter() - begun
        pipe.send((seconds, peak_memory()))


def contest(contestants: Sequence[Contestant], rounds: int, together: bool = False) -> list[Result]:
    """Results in the contestants' order; `together` lets all of a round run at once instead of in turn."""
    context = get_context("spawn")
    pipes, processes, first = [], [], []
    for contestant in contestants:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(contestant, theirs))
        process.start()
        theirs.close()  # so that recv ends where the process has died
        first.append(ours.recv())
        pipes.append(ours)
        processes.append(process)
    best, memory = [float("inf")] * len(pipes), [0] * len(pipes)
    for _ in range(rounds):
        if together:
            for pipe in pipes:
                pipe.send(True)
        for i, pipe in enumerate(pipes):
            if not together:
                pipe.send(True)
            seconds, memory[i] = pipe.recv()
            best[i] = min(best[i], seconds)
    for pipe, process in zip(pipes, processes, strict=True):
        pipe.send(False)
        process.join()
    return [Result(s / c.rows, f, m) for c, s, f, m in zip(contestants, best, first, memory, strict=True)]


def matrix_rate() -> float:
    """Multiply-adds of a second of float32 matrix products, in units of 1e9."""
    a = torch.randn(2048, 2048)
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begun)
    return 2048**3 / min(times) / 1e9
