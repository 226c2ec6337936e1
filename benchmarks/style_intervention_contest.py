"""The ways of an edit by Style Intervention that are compared: each a process of its own, in turns."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.ials_contest import GENERATOR, latents
from benchmarks.machine import peak_memory
from pipeline.editors.style_intervention import Config, StyleIntervention, intervention, losses, solver
from pipeline.models import generators
from pipeline.models.classifiers import parsing
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables

RESULTS = Path(__file__).parent / "results" / "style-intervention.md"
NAIVE_STEPS, NAIVE_SIZE = 6, 1024
ROUNDS = 5
"""Of the times of each layer; the best counts."""


@dataclass(frozen=True)
class Benchmark:
    """What to measure.

    directions: tables with a direction in w and a sparse one in s. layers: that the naive way solves for; all by
    default.
    """

    directions: tuple[str, ...]
    attribute: str = "smile"
    faces: int = 3
    layers: int | None = None
    threads: int = 0
    out: Path = RESULTS


@dataclass(frozen=True)
class Result:
    """Of one face: seconds, the final loss at 512 px, the pixel loss outside the mask at the start and at the end, how
    many passes began at each layer, and the peak of memory in bytes.
    """

    seconds: float
    loss: float
    errors: tuple[float, float]
    passes: Counter[int]
    memory: int


@dataclass(frozen=True)
class Times:
    """Seconds of each layer, forwards and backwards, and of a whole pass of both at 512 px."""

    forward: list[float]
    backward: list[float]
    whole: float

    def bound(self, passes: Counter[int]) -> float:
        """The most that passes which begin at these layers can win over as many whole ones."""
        both = [f + b for f, b in zip(self.forward, self.backward, strict=True)]
        suffix = list(accumulate(reversed(both)))[::-1]
        return sum(passes.values()) * suffix[0] / sum(count * suffix[layer] for layer, count in passes.items())


def editor(options: Benchmark) -> StyleIntervention:
    """As a job opens it, with the directions of the attribute."""
    generator = generators.load(GENERATOR, backend="eager", threads=options.threads)
    table = DirectionTables.open(options.directions)
    own = [one for one in table.directions if one.attribute == options.attribute]
    faces = FaceScorer(generator, {}, parser=parsing.load("faces"))
    faces.warm_up_masks(1)
    return Config(always=True).open(faces, own)


def edit(opened: StyleIntervention, face: int, attribute: str) -> Any:
    w_NW = latents(face, face + 1)
    return opened.edit(Codes("w", w_NW), [Config(always=True).request(attribute)])


@contextmanager
def kept_problem() -> Iterator[list[solver.Problem]]:
    """The problems that an editor sets its solver; what comes back is the start."""
    found: list[solver.Problem] = []

    def keep(generator: Generator, problem: solver.Problem, settings: solver.Settings) -> solver.Solution:
        found.append(problem)
        groups = 1 + len(generator.style_layers)
        return solver.Solution(torch.full_like(problem.s, solver.START), problem.s.new_zeros(len(problem.s), groups))

    with patch.object(intervention, "solve", keep):
        yield found


def objective(generator: Generator, it: solver.Problem, coefficients_NS: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The loss and the pixel loss, (N,), by one whole pass."""
    by_m_NS = losses.merged(coefficients_NS, it.by_z, it.by_n)
    pixel_N = losses.pixel_loss(generator.synthesize(Codes("s", it.s + by_m_NS), size), it.source, it.outside)
    attribute_N = losses.progress_loss(it.by_n, by_m_NS, it.spread)
    known = solver.Settings()
    norm_N = losses.norm_loss(coefficients_NS)
    return losses.objective(pixel_N, attribute_N, norm_N, known.lambda_attr, known.lambda_norm), pixel_N


def naive(generator: Generator, it: solver.Problem, layers: int | None) -> Tensor:
    """Coefficients (N, S), layer by layer, by whole passes; of the first `layers` of them."""
    coefficients_NS, start = torch.full_like(it.s, solver.START), 0
    for layer in generator.style_layers[:layers]:
        channels = slice(start, start + layer.width)
        own_NC = coefficients_NS[:, channels].clone().requires_grad_()
        adam = torch.optim.Adam([own_NC], lr=solver.Settings().step_size)
        for _ in range(NAIVE_STEPS):
            adam.zero_grad()
            parts = [coefficients_NS[:, : channels.start], own_NC, coefficients_NS[:, channels.stop :]]
            objective(generator, it, torch.cat(parts, dim=1), NAIVE_SIZE)[0].sum().backward()
            adam.step()
            with torch.no_grad():
                own_NC.clamp_(0, 1)
        coefficients_NS[:, channels], start = own_NC.detach(), channels.stop
    return coefficients_NS


def of_the_naive_way(options: Benchmark) -> Callable[[int], Result]:
    opened = editor(options)
    generator = opened._faces.generator

    def run(face: int) -> Result:
        with kept_problem() as found:
            edit(opened, face, options.attribute)
        begun = time.perf_counter()
        with torch.no_grad():
            source = generator.synthesize(Codes("s", found[0].s), NAIVE_SIZE)
        it = replace(found[0], source=source, outside=interpolate(found[0].outside, (NAIVE_SIZE, NAIVE_SIZE)))
        coefficients_NS = naive(generator, it, options.layers)
        layers = len(generator.style_layers)
        seconds = (time.perf_counter() - begun) * layers / (options.layers or layers)
        with torch.no_grad():
            first = objective(generator, found[0], torch.full_like(it.s, solver.START), 512)
            last = objective(generator, found[0], coefficients_NS, 512)
        passes = Counter({0: NAIVE_STEPS * layers})
        return Result(seconds, float(last[0]), (float(first[1]), float(last[1])), passes, peak_memory())

    return run


def of_ours(options: Benchmark) -> Callable[[int], Result]:
    opened = editor(options)
    generator = opened._faces.generator

    def run(face: int) -> Result:
        passes: Counter[int] = Counter()
        one_pass = solver.losses

        def counted(*args: Any) -> tuple[Tensor, Tensor]:
            passes[args[6][0]] += 1
            return one_pass(*args)

        with patch.object(solver, "losses", counted):
            begun = time.perf_counter()
            trace = edit(opened, face, options.attribute)
            seconds = time.perf_counter() - begun
        with kept_problem() as found:
            edit(opened, face, options.attribute)
        coefficients_NS = trace.tables["coefficients"]["coefficients"]
        with torch.no_grad():
            first = objective(generator, found[0], torch.full_like(coefficients_NS, solver.START), 512)
            last = objective(generator, found[0], coefficients_NS, 512)
        return Result(seconds, float(last[0]), (float(first[1]), float(last[1])), passes, peak_memory())

    return run


def of_the_layers(options: Benchmark) -> Callable[[int], Times]:
    generator = generators.load(GENERATOR, backend="eager", threads=options.threads)
    layers = len(generator.style_layers)

    def once(s_NS: Tensor) -> Times:
        with torch.no_grad():
            states = [generator.start(1)]
            for layer in range(layers):
                states.append(generator.run(s_NS, states[-1], layer, layer + 1))
        forward, backward = [], []
        for layer, before in enumerate(states[:-1]):
            state = type(before)(*(tensor.detach().clone().requires_grad_() for tensor in before))
            begun = time.perf_counter()
            after = generator.run(s_NS, state, layer, layer + 1)
            forward.append(time.perf_counter() - begun)
            onwards = [torch.ones_like(tensor) for tensor in after]
            begun = time.perf_counter()
            torch.autograd.grad(after, state, onwards)
            backward.append(time.perf_counter() - begun)
        leaf = s_NS.clone().requires_grad_()
        begun = time.perf_counter()
        torch.autograd.grad(generator.synthesize(Codes("s", leaf), 512).square().mean(), leaf)
        return Times(forward, backward, time.perf_counter() - begun)

    def run(face: int) -> Times:
        with torch.no_grad():
            s_NS = generator.styles_of(Codes("w", latents(face, face + 1)))
        once(s_NS)
        return best([once(s_NS) for _ in range(ROUNDS)])

    return run


def best(found: list[Times]) -> Times:
    """The shortest of each."""
    forward = [min(each) for each in zip(*(one.forward for one in found), strict=True)]
    backward = [min(each) for each in zip(*(one.backward for one in found), strict=True)]
    return Times(forward, backward, min(one.whole for one in found))


WAYS = {"the naive way": of_the_naive_way, "ours": of_ours, "layers": of_the_layers}


def _serve(way: str, options: Benchmark, pipe: Connection) -> None:
    run = WAYS[way](options)
    while (face := pipe.recv()) is not None:
        pipe.send(run(face))


def contest(options: Benchmark) -> dict[str, list[Any]]:
    """What each way found, by face: in turns, one process for each."""
    context, found = get_context("spawn"), dict[str, list[Any]]()
    pipes: dict[str, Connection] = {}
    for way in WAYS:
        pipes[way], theirs = context.Pipe()
        context.Process(target=_serve, args=(way, options, theirs), daemon=True).start()
        theirs.close()
    for face in range(options.faces):
        for way, pipe in pipes.items():
            pipe.send(face)
            found.setdefault(way, []).append(pipe.recv())
            print(f"face {face}: {way} done", flush=True)
    for pipe in pipes.values():
        pipe.send(None)
    return found
