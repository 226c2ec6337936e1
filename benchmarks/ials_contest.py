"""The ways of going a step of IALS that are compared: each a process of its own, in turns."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Literal

import torch
from torch import Tensor

from benchmarks.openvino_reference import OpenVINOReference
from benchmarks.public_ials import PublicIALS
from pipeline.editing import IALS, Requests
from pipeline.editing.gradients import pulls
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.stages.looking import Panel
from pipeline.stages.models import Model, Runtime
from pipeline.stages.sight import Sight

GENERATOR = "mobilestylegan-ffhq"
PAIRS = (("male", "smile"), ("old", "eyeglasses"))
STEP_SIZE = 0.1


@dataclass(frozen=True)
class Contestant:
    """One way of going a step.

    way: `step` is ours; `two passes` the same gradients with a generator pass for each attribute; `generator` has no
        classifier, two backward passes after one forward; `openvino` is a forward pass alone.
    """

    way: Literal["step", "two passes", "generator", "openvino", "public"]
    pair: tuple[str, str] = PAIRS[0]
    rows: int = 1
    recompute: bool = False
    threads: int = 2


@dataclass(frozen=True)
class Result:
    """Seconds of a face, those of its forward pass, and the peak of memory in bytes."""

    seconds: float
    forward: float
    memory: int

    @property
    def backward(self) -> float:
        """Of one of the two."""
        return (self.seconds - self.forward) / 2

    @property
    def bound(self) -> float:
        """The most that one pass for two attributes can win over two passes."""
        return 2 * (self.forward + self.backward) / (self.forward + 2 * self.backward)


def latents(first: int, last: int) -> Tensor:
    """w (N, 512) of rows first, ..., last - 1, at psi 0.7."""
    generator = generators.load(GENERATOR)
    with torch.no_grad():
        return generator.map(torch.from_numpy(standard_normal(1, range(first, last), generator.z_dim)), 0.7)[:, 0]


def sight(attributes: tuple[str, ...], rows: int, threads: int, recompute: bool = False) -> Sight:
    """Ours, with the classifiers of these attributes."""
    generator = generators.load(GENERATOR, threads=threads)
    family = classifiers.load("faces", attributes, measures=())
    runtime = Runtime("cpu", threads, "eager", "fp32", rows)
    return Sight(generator, runtime, [Panel(Model("faces", family.fingerprint), attributes)], recompute)


def ready(contestant: Contestant) -> Callable[[], float]:
    """One step of all rows, as a function of nothing; it gives the seconds of forward passes within."""
    (attribute, condition), rows, threads = contestant.pair, contestant.rows, contestant.threads
    w_NW = latents(0, rows)
    match contestant.way:
        case "openvino":
            network = OpenVINOReference("SynthesisNetwork", rows, 512, threads)
            return lambda: 0.0 * len(network(w_NW.numpy()))
        case "public":
            torch.set_num_threads(threads)
            public = PublicIALS(GENERATOR, contestant.pair)
            return lambda: 0.0 * len(public.step(w_NW, attribute, condition, STEP_SIZE))
        case "generator":
            return generator_alone(w_NW, threads)
        case "two passes":
            each = [(name, sight((name,), rows, threads)) for name in contestant.pair]

            def twice() -> float:
                for name, looks in each:
                    pulls(looks, Codes("w", w_NW), [[(name, 1.0)]] * rows)
                return sum(sum(looks.take_seconds().values()) for _, looks in each)

            return twice
        case "step":
            looks = sight(contestant.pair, rows, threads, contestant.recompute)
            editor = IALS([], looks, STEP_SIZE, steps=1)
            request = Requests.same(rows, attribute, conditions=(condition,), lambdas=(0.0, 0.0))

            def step() -> float:
                editor.edit(Codes("w", w_NW), request)
                return sum(looks.take_seconds().values())

            return step


def generator_alone(w_NW: Tensor, threads: int) -> Callable[[], float]:
    generator = generators.load(GENERATOR, threads=threads)

    def run() -> float:
        begun = time.perf_counter()
        values = w_NW.detach().requires_grad_()
        x_N3HW = generator.synthesize(Codes("w", values), 512)
        forward = time.perf_counter() - begun
        for retain in (True, False):
            torch.autograd.grad(x_N3HW, values, torch.ones_like(x_N3HW), retain_graph=retain)
        return forward

    return run


def serve(contestant: Contestant, pipe: Connection) -> None:
    """A contestant's process: seconds of a step, those of its forward passes, and the peak memory at each request."""
    step = ready(contestant)
    step()
    pipe.send(None)
    while pipe.recv():
        begun = time.perf_counter()
        forward = step()
        seconds = time.perf_counter() - begun
        pipe.send((seconds, forward, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def contest(contestants: Sequence[Contestant], rounds: int) -> dict[Contestant, Result]:
    """The best round of each, in turns."""
    context = get_context("spawn")
    running = []
    for contestant in contestants:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(contestant, theirs))
        process.start()
        ours.recv()
        running.append((contestant, ours, process))
    found: dict[Contestant, Result] = {}
    for _ in range(rounds):
        for contestant, pipe, _ in running:
            pipe.send(True)
            seconds, forward, memory = pipe.recv()
            best = found.get(contestant)
            if best is None or seconds / contestant.rows < best.seconds:
                found[contestant] = Result(seconds / contestant.rows, forward / contestant.rows, memory)
            else:
                found[contestant] = replace(best, memory=memory)
    for _, pipe, process in running:
        pipe.send(False)
        process.join()
    return found
