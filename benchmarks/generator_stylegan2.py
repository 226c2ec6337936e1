"""How fast a StyleGAN2 is beside NVIDIA's reference operators and rosinality's, on a CPU with random weights.

    python -m benchmarks.generator_stylegan2 --ada DIR --rosinality DIR

DIR are checkouts of NVlabs/stylegan2-ada-pytorch and rosinality/stylegan2-pytorch. Every contestant is a process of its
own, and they take turns (benchmarks/contest.py). Memory is a process's peak, all included. Times are of the synthesis
network with the stored noise, from w to pixels in memory, per image; parameters are frozen, and gradients go to w.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.utils import cpp_extension
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contest import Result, contest, matrix_rate
from benchmarks.machine import bf16_instructions, header
from benchmarks.random_stylegan2 import random_stylegan2
from pipeline.engine.machine import cores
from pipeline.models import backend
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes

RESULTS = Path(__file__).parent / "results" / "generator-stylegan2.md"
Engine = Literal["eager", "NVIDIA", "rosinality"]
WANTED, SHARE = 2.0, 0.6
"""Times the images of the faster of the others, or the share of the floor: whichever is less is the goal."""


@dataclass(frozen=True)
class Contestant:
    """One way of making images. folder: the checkout that an engine of others is imported from."""

    engine: Engine
    folder: str
    resolution: int
    rows: int
    gradient: bool
    threads: int
    precision: str = "fp32"

    def ready(self) -> Callable[[], object]:
        """One batch, as a function of nothing."""
        torch.set_num_threads(self.threads)
        make = {"eager": self._ours, "NVIDIA": self._nvidia, "rosinality": self._rosinality}[self.engine]()
        drawn = np.random.default_rng(0).standard_normal((self.rows, 512), dtype=np.float32)
        w_NW = torch.from_numpy(drawn * np.float32(0.5))

        def forward() -> object:
            with torch.no_grad():
                return make(w_NW)

        def forward_and_gradient() -> object:
            w = w_NW.clone().requires_grad_()
            x_N3HW = make(w)
            return torch.autograd.grad(x_N3HW, w, torch.ones_like(x_N3HW))

        return forward_and_gradient if self.gradient else forward

    def _ours(self) -> Callable[[Tensor], Tensor]:
        chosen = backend.choose("eager", "cpu", self.precision, self.threads)
        generator = random_stylegan2(self.resolution, chosen)
        return lambda w_NW: generator.synthesize(Codes("w", w_NW))

    def _nvidia(self) -> Callable[[Tensor], Tensor]:
        sys.path.insert(0, self.folder)
        from training.networks import Generator  # type: ignore[import-not-found]

        torch.manual_seed(0)
        network = Generator(z_dim=512, c_dim=0, w_dim=512, img_resolution=self.resolution, img_channels=3)
        network.eval().requires_grad_(False)
        rows = network.num_ws
        return lambda w_NW: network.synthesis(w_NW[:, None].expand(-1, rows, -1), noise_mode="const")

    def _rosinality(self) -> Callable[[Tensor], Tensor]:
        sys.path.insert(0, self.folder)
        nothing: Any = lambda *arguments, **named: None  # noqa: E731
        cpp_extension.load = nothing  # its operators of CUDA are compiled at import; those of the CPU are PyTorch's
        from model import Generator  # type: ignore[import-not-found]

        torch.manual_seed(0)
        network = Generator(self.resolution, 512, 8).eval().requires_grad_(False)
        return lambda w_NW: network([w_NW], input_is_latent=True, randomize_noise=False)[0]


def arithmetic(resolution: int, gradient: bool) -> float:
    """Multiply-adds of an image of ours, in units of 1e9."""
    generator = random_stylegan2(resolution, Backend.eager())
    w = torch.zeros(1, 512, requires_grad=gradient)
    with torch.set_grad_enabled(gradient), FlopCounterMode(display=False) as counter:
        x = generator.synthesize(Codes("w", w))
        if gradient:
            x.sum().backward()
    return counter.get_total_flops() / 2e9


@dataclass
class Benchmark:
    """What to measure, and for how long."""

    ada: str
    rosinality: str
    resolutions: tuple[int, ...] = (256, 1024)
    rows: tuple[int, ...] = (1, 4)
    rounds: int = 10
    out: Path = RESULTS


def section(options: Benchmark, resolution: int, rows: int, gradient: bool, rate: float) -> str:
    """One table: all engines at one size and batch, and whether the goal is reached."""
    ours = Contestant("eager", "", resolution, rows, gradient, cores())
    folders = {"NVIDIA": options.ada, "rosinality": options.rosinality}
    theirs = [replace(ours, engine=name, folder=folders[name]) for name in get_args(Engine)[1:]]
    who = [ours, *theirs, *([replace(ours, precision="bf16")] if bf16_instructions() else [])]
    if gradient and rows > 1 and resolution > 512:  # their features together would not fit into memory
        results = [contest([one], options.rounds)[0] for one in who]
    else:
        results = contest(who, options.rounds)
    floor = arithmetic(resolution, gradient) / rate
    fastest = min(results[1:3], key=lambda result: result.seconds)
    goal = max(fastest.seconds / WANTED, floor / SHARE)
    title = (
        f"{resolution} px, {rows} {'row' if rows == 1 else 'rows'}, forward{' and gradient to w' if gradient else ''}"
    )
    verdict = "reached" if results[0].seconds <= goal else "not reached"
    return (
        f"## {title}\n\n"
        f"**{fastest.seconds / results[0].seconds:.2f} times** the images of the faster of the others; "
        f"{floor / results[0].seconds:.0%} of the floor of {floor:.3f} s an image. Goal of {goal:.3f} s: {verdict}.\n\n"
        + table(who, results, fastest)
    )


def table(who: list[Contestant], results: list[Result], base: Result) -> str:
    """Markdown, each row beside `base`."""
    lines = [
        "| engine | precision | s/image | images/s, faster of the others = 1 | peak memory | first batch |",
        "|---|---|---|---|---|---|",
    ]
    for one, result in zip(who, results, strict=True):
        lines.append(
            f"| {one.engine} | {one.precision} | {result.seconds:.3f} | {base.seconds / result.seconds:.2f} "
            f"| {result.memory / 1e9:.2f} GB | {result.first:.1f} s |"
        )
    return "\n".join(lines) + "\n\n"


def main(options: Benchmark) -> None:
    rate = matrix_rate()
    text = "# StyleGAN2 on a CPU\n\n"
    text += header("python -m benchmarks.generator_stylegan2", f"--ada DIR --rosinality DIR --rounds {options.rounds}")
    text += (
        f"{cores()} threads, {options.rounds} rounds, the best of which counts. The floor is the time of our "
        f"multiply-adds at the rate of a large float32 matrix product, {rate:.0f} G a second here. Instructions for "
        f"bf16: {', '.join(bf16_instructions()) or 'none, so it is not measured'}.\n\n"
    )
    for resolution in options.resolutions:
        for gradient in (False, True):
            for rows in options.rows:
                text += section(options, resolution, rows, gradient, rate)
    options.out.write_text(text.rstrip() + "\n")
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
