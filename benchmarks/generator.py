"""How fast the built-in generator is beside OpenVINO, and where the time of its layers goes.

    python -m benchmarks.generator
    python -m benchmarks.generator --precision bf16     # bf16 beside fp32 alone: rows/s and how far scores move

Every contestant is a process of its own. Within a group they take turns, one batch each, round after round, so that a
slow minute of the machine falls on all of them; the best round counts. Memory is a process's peak, all included. All
times are of the synthesis network from w to pixels in memory, per image.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro

from benchmarks.contest import Result, contest, matrix_rate
from benchmarks.machine import bf16_instructions, header
from benchmarks.openvino_reference import OpenVINOReference
from pipeline.engine.machine import cores
from pipeline.models import classifiers, generators
from pipeline.models.backend import cannot_compile
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.randomness import standard_normal

RESULTS = Path(__file__).parent / "results" / "generator.md"
BF16_RESULTS = RESULTS.with_name("bf16.md")
NAME = "mobilestylegan-ffhq"
PSI = 0.7
"""Truncation of the faces whose scores are compared."""


@dataclass(frozen=True)
class Contestant:
    """One way of making images. `engine` is `openvino` or a backend of ours."""

    engine: str
    rows: int = 1
    size: int = 512
    precision: str = "fp32"
    gradient: bool = False
    threads: int = 2

    def ready(self) -> Callable[[], object]:
        """One batch, as a function of nothing."""
        return ready(self)


def ready(contestant: Contestant) -> Callable[[], object]:
    """One batch of a contestant, as a function of nothing."""
    w_NW = np.random.default_rng(0).standard_normal((contestant.rows, 512), dtype=np.float32) * np.float32(0.5)
    if contestant.engine == "openvino":
        network = OpenVINOReference("SynthesisNetwork", contestant.rows, contestant.size, contestant.threads)
        return lambda: network(w_NW)
    generator = generators.load(
        NAME, backend=contestant.engine, precision=contestant.precision, threads=contestant.threads
    )

    def forward() -> object:
        with torch.no_grad():
            return generator.synthesize(Codes("w", torch.from_numpy(w_NW)), contestant.size)

    def forward_and_gradient() -> object:
        w = torch.from_numpy(w_NW).requires_grad_()
        x_N3HW = generator.synthesize(Codes("w", w), contestant.size)
        return torch.autograd.grad(x_N3HW, w, torch.ones_like(x_N3HW))

    return forward_and_gradient if contestant.gradient else forward


def arithmetic() -> tuple[float, float]:
    """Multiply-adds of one 512 px image, and of a second of float32 matrix products, in units of 1e9."""
    from torch.utils.flop_counter import FlopCounterMode

    generator = generators.load(NAME, backend="eager")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator.synthesize(Codes("w", generator.w_avg[None]), 512)
    return counter.get_total_flops() / 2e9, matrix_rate()


@dataclass
class Benchmark:
    """How long to measure."""

    rounds: int = 20
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 compares it with fp32, and leaves out OpenVINO and the rest."""
    faces: int = 32
    """How many are labelled in both precisions."""
    out: Path | None = None
    """A file for the report; by default benchmarks/results/generator.md, or bf16.md beside it."""


def table(rows: Sequence[tuple[Contestant, Result]], base: Result) -> str:
    """Markdown, each row beside `base`."""
    lines = [
        "| engine | image | rows | | s/image | images/s | images/s, OpenVINO = 1 | peak memory | first batch |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for who, result in rows:
        what = f"{who.precision}{', forward + gradient to w' if who.gradient else ''}"
        lines.append(
            f"| {who.engine} | {who.size} px | {who.rows} | {what} | {result.seconds:.3f} | {1 / result.seconds:.2f} "
            f"| {base.seconds / result.seconds:.2f} | {result.memory / 1e9:.2f} GB | {result.first:.1f} s |"
        )
    return "\n".join(lines) + "\n\n"


def measure(options: Benchmark) -> str:
    """The report."""
    threads = cores()
    openvino = Contestant("openvino", threads=threads)
    eager = replace(openvino, engine="eager")
    text = "# The generator on a CPU\n\n" + header("python -m benchmarks.generator", f"--rounds {options.rounds}")
    text += f"{threads} threads, {options.rounds} rounds.\n\n"

    who = [replace(c, rows=rows) for c in (openvino, eager) for rows in (1, 2, 4)]
    results = contest(who, options.rounds)
    theirs, ours = (min(results[i : i + 3], key=lambda r: r.seconds) for i in (0, 3))
    text += "## Images of 512 px, each engine at several micro-batches\n\n"
    text += f"Best against best, ours makes **{theirs.seconds / ours.seconds:.2f} times** the images of OpenVINO.\n\n"
    text += table(list(zip(who, results, strict=True)), theirs)

    who = [openvino, replace(eager, gradient=True), replace(eager, gradient=True, rows=2)]
    results = contest(who, options.rounds)
    cost = min(r.seconds for r in results[1:]) / results[0].seconds
    text += f"## With one gradient to w\n\nForward and gradient take **{cost:.2f} times** OpenVINO's forward pass.\n\n"
    text += table(list(zip(who, results, strict=True)), results[0])

    full = replace(openvino, size=1024)
    who = [full, replace(eager, size=1024, rows=2), openvino, replace(eager, rows=2, precision="bf16")]
    results = contest(who, options.rounds)
    text += "## Other sizes and precisions\n\n"
    text += table(list(zip(who[:2], results[:2], strict=True)), results[0])
    text += table(list(zip(who[2:], results[2:], strict=True)), results[2])
    if not (why := cannot_compile()):
        text += compiled(options, openvino)
    else:
        text += f"Backend compiled: not measured, since {why}.\n\n"
    text += workers(options, eager)

    needed, rate = arithmetic()
    text += (
        "## The floor\n\n"
        f"One image of 512 px takes {needed:.2f} G multiply-adds; a large float32 matrix product runs at {rate:.0f} G "
        f"a second here: {needed / rate:.3f} s, {needed / rate / ours.seconds:.0%} of the eager time above.\n"
    )
    return text


def compiled(options: Benchmark, openvino: Contestant) -> str:
    """The compiled backend beside the other two, with an empty and with a filled cache of code."""
    before = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    ours = [replace(openvino, engine="compiled", rows=rows) for rows in (1, 2, 4)]
    who = [openvino, replace(openvino, engine="eager", rows=2), *ours]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        results = contest(who, options.rounds)
        filled = contest(ours[1:2], 1)[0]
    if before is None:
        del os.environ["TORCHINDUCTOR_CACHE_DIR"]
    else:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = before
    best = min(result.seconds for result in results[2:])
    return (
        "## Backend compiled\n\n"
        f"Compiled makes **{results[0].seconds / best:.2f} times** the images of OpenVINO, and "
        f"{results[1].seconds / best:.2f} times those of eager. At 2 rows, its first batch takes "
        f"{results[3].first:.0f} s where the cache of code is empty, {filled.first:.0f} s where it is filled.\n\n"
        + table(list(zip(who, results, strict=True)), results[0])
    )


def workers(options: Benchmark, eager: Contestant) -> str:
    """One process on all cores against one process for each core, at the same time."""
    one = contest([replace(eager, rows=2)], options.rounds)[0]
    many = contest([replace(eager, rows=2, threads=1)] * eager.threads, options.rounds, together=True)
    rate = sum(1 / result.seconds for result in many)
    return (
        "## Threads or workers\n\n"
        f"One process with {eager.threads} threads makes {1 / one.seconds:.2f} images/s; {eager.threads} processes "
        f"with one thread each, at once, {rate:.2f}.\n\n"
    )


def bf16(options: Benchmark) -> str:
    """bf16 beside fp32: images and rows labelled a second, and the largest change of each score."""
    engines = ["eager"] if cannot_compile() else ["eager", "compiled"]
    who = [Contestant(e, 2, precision=p, threads=cores()) for e in engines for p in ("fp32", "bf16")]
    results = contest(who, options.rounds)
    text = "# bf16 beside fp32 on a CPU\n\n"
    text += header("python -m benchmarks.generator", f"--precision bf16 --rounds {options.rounds}")
    text += f"{cores()} threads. Instructions for bf16: {', '.join(bf16_instructions()) or 'none'}.\n\n"
    text += "| backend | precision | images/s | fp32 = 1 |\n| --- | --- | --- | --- |\n"
    for i, (one, result) in enumerate(zip(who, results, strict=True)):
        beside = results[i - i % 2].seconds / result.seconds
        text += f"| {one.engine} | {one.precision} | {1 / result.seconds:.2f} | {beside:.2f} |\n"
    ways = [("eager", "fp32"), *((engine, "bf16") for engine in engines)]
    found = [labelled(*way, options.faces) for way in ways]
    exact = found[0][1]
    text += (
        f"\n{options.faces} faces of seed 1, psi {PSI}, labelled by `faces`: rows/s, and the largest change of each "
    )
    text += "column beside eager fp32 (scores in standard deviations).\n\n"
    text += f"| backend | precision | rows/s | {' | '.join(exact)} |\n|{' --- |' * (3 + len(exact))}\n"
    for (engine, precision), (rate, columns) in zip(ways, found, strict=True):
        moved = " | ".join(f"{np.abs(columns[name] - exact[name]).max():.3f}" for name in exact)
        text += f"| {engine} | {precision} | {rate:.2f} | {moved} |\n"
    return text


def labelled(engine: str, precision: str, rows: int) -> tuple[float, dict[str, np.ndarray]]:
    """(rows a second, columns) of some faces, in this process."""
    generator = generators.load(NAME, backend=engine, precision=precision, threads=cores())
    faces = FaceScorer(generator, {"": classifiers.load("faces")}, psi=PSI)
    faces.warm_up(2)
    z_NZ = torch.from_numpy(standard_normal(1, np.arange(rows), 512))
    begun = time.perf_counter()
    columns = faces.look_at_all(Codes("z", z_NZ), 2)
    return rows / (time.perf_counter() - begun), columns


if __name__ == "__main__":
    chosen = tyro.cli(Benchmark, description=__doc__)
    report = (bf16 if chosen.precision == "bf16" else measure)(chosen)
    (chosen.out or (BF16_RESULTS if chosen.precision == "bf16" else RESULTS)).write_text(report)
    print(report)
