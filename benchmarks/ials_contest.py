"""The ways of going a step of IALS that are compared: each a process of its own, in turns."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Literal

import torch
from torch import Tensor

from benchmarks.machine import peak_memory
from benchmarks.openvino_reference import OpenVINOReference
from benchmarks.public_ials import PublicIALS
from pipeline.editors import EditRequest
from pipeline.editors.gradients import score_gradients
from pipeline.editors.ials import IALS
from pipeline.models import backend, classifiers, generators, zoo
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import w_avg
from pipeline.models.generators.mobilestylegan import MobileStyleGAN
from pipeline.models.randomness import standard_normal

GENERATOR = "mobilestylegan-ffhq"
PAIRS = (("male", "smile"), ("old", "eyeglasses"))
STEP_SIZE = 0.1


@dataclass(frozen=True)
class Contestant:
    """One way of going a step.

    way: `step` is ours; `two passes` the same gradients with a generator pass for each attribute; `generator` has no
        classifier, two backward passes after one forward; `openvino` is a forward pass alone; `public` has a process as
        Python starts it, `public, memory kept` one with the allocator set as ours is (`pipeline.models.backend`).
    """

    way: Literal["step", "two passes", "generator", "openvino", "public", "public, memory kept"]
    pair: tuple[str, str] = PAIRS[0]
    rows: int = 1
    recompute: bool = False
    threads: int = 2


@dataclass(frozen=True)
class Result:
    """Seconds of a face, of its forward pass, of the generator's part in that; and the peak of memory in bytes."""

    seconds: float
    forward: float
    generator: float
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
    """w (N, 512) of rows first, ..., last - 1, at psi 0.7; the process is left as it is."""
    generator = MobileStyleGAN(GENERATOR, zoo.load(GENERATOR).tensors, w_avg.load(GENERATOR), Backend.eager())
    with torch.no_grad():
        return generator.map(torch.from_numpy(standard_normal(1, range(first, last), generator.z_dim)), 0.7)[:, 0]


def scorer(attributes: tuple[str, ...], rows: int, threads: int, recompute: bool = False) -> FaceScorer:
    """Ours, with the classifiers of these attributes."""
    generator = generators.load(GENERATOR, threads=threads)
    faces = FaceScorer(generator, {"": classifiers.load("faces", attributes, measures=())}, recompute=recompute)
    faces.warm_up(rows, gradients=True)
    return faces


Parts = tuple[float, float]
"""Seconds of forward passes, and of the generator's part in them; 0 where they are not told apart."""


def ready(contestant: Contestant) -> Callable[[], Parts]:
    """One step of all rows, as a function of nothing."""
    (attribute, condition), rows, threads = contestant.pair, contestant.rows, contestant.threads
    w_NW = latents(0, rows)
    match contestant.way:
        case "openvino":
            network = OpenVINOReference("SynthesisNetwork", rows, 512, threads)

            def forward() -> Parts:
                network(w_NW.numpy())
                return 0.0, 0.0

            return forward
        case "public" | "public, memory kept":
            torch.set_num_threads(threads)
            if contestant.way != "public":
                backend.choose("eager")
            public = PublicIALS(GENERATOR, contestant.pair)

            def public_step() -> Parts:
                public.step(w_NW, attribute, condition, STEP_SIZE)
                return 0.0, 0.0

            return public_step
        case "generator":
            return generator_alone(w_NW, threads)
        case "two passes":
            each = [(name, scorer((name,), rows, threads)) for name in contestant.pair]

            def twice() -> Parts:
                for name, faces in each:
                    score_gradients(faces, Codes("w", w_NW), [[(name, 1.0)]] * rows, at_once=faces.at_once)
                first, second = (parts(faces) for _, faces in each)
                return first[0] + second[0], first[1] + second[1]

            return twice
        case "step":
            faces = scorer(contestant.pair, rows, threads, contestant.recompute)
            editor = IALS([], faces, STEP_SIZE, steps=1, at_once=faces.at_once)
            request = [EditRequest(attribute, (condition,), options={"lambda1": 0.0, "lambda2": 0.0})] * rows

            def step() -> Parts:
                editor.edit(Codes("w", w_NW), request)
                return parts(faces)

            return step


def parts(faces: FaceScorer) -> Parts:
    seconds = faces.take_seconds()
    return sum(seconds.values()), seconds["search_synth_seconds"]


def generator_alone(w_NW: Tensor, threads: int) -> Callable[[], Parts]:
    generator = generators.load(GENERATOR, threads=threads)

    def run() -> Parts:
        begun = time.perf_counter()
        values = w_NW.detach().requires_grad_()
        x_N3HW = generator.synthesize(Codes("w", values), 512)
        forward = time.perf_counter() - begun
        for retain in (True, False):
            torch.autograd.grad(x_N3HW, values, torch.ones_like(x_N3HW), retain_graph=retain)
        return forward, forward

    return run


def serve(contestant: Contestant, pipe: Connection) -> None:
    """A contestant's process: seconds of a step, those of its forward passes, and the peak memory at each request."""
    step = ready(contestant)
    step()
    pipe.send(None)
    while pipe.recv():
        begun = time.perf_counter()
        forward, generator = step()
        seconds = time.perf_counter() - begun
        pipe.send((seconds, forward, generator, peak_memory()))


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
            seconds, forward, generator, memory = pipe.recv()
            best = found.get(contestant)
            n = contestant.rows
            if best is None or seconds / n < best.seconds:
                found[contestant] = Result(seconds / n, forward / n, generator / n, memory)
            else:
                found[contestant] = replace(best, memory=memory)
    for _, pipe, process in running:
        pipe.send(False)
        process.join()
    return found
