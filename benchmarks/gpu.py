"""Whether a GPU computes what the CPU does, and how fast: tables on the screen, in under five minutes.

    python -m benchmarks.gpu                  # or make bench-gpu, which keeps them in benchmarks/results/gpu.md
    python -m benchmarks.gpu --device cpu --precisions fp32 --seconds 60     # to see that it runs where there is no GPU

It needs torch, NumPy and safetensors alone, and the weights in the cache (`stylemill models pull`; STYLEMILL_HOME says
where), so it runs on a machine on which nothing can be installed. Pictures are of 512 px, as classifiers look at them.
A step of IALS is one pass of generator and classifiers for two attributes, a gradient of each to w, and a move.
StyleGAN2 has the channels of the published networks and random weights.

Shapes: N rows, W numbers of a latent, S style channels, 3HW pixels, A attributes.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.random_stylegan2 import random_stylegan2
from pipeline.errors import StylemillError
from pipeline.models import classifiers, generators
from pipeline.models.backend import PRECISIONS, choose, device_failed
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators.generator import Generator
from pipeline.models.randomness import standard_normal

ATTRIBUTES = ("male", "smile")
"""That a step of IALS changes, and leaves alone."""
STEP = 0.1
SEED, PSI, CHECKED = 1, 0.7, 4
GAIN = 1.03
"""A batch of twice the rows that is not that much faster ends the search for the best one."""
FEWEST, LONGEST = 3, 1.0
"""Repetitions of a measurement, and seconds after which it ends."""
GUIDES = {"w": "relative", "s": "relative", "image": "relative", "scores": "largest, in sd", "gradient": "relative"}
COLUMNS = "a second | rows at once | GB | share of the floor"
Work = Callable[[Tensor], object]


@dataclass(frozen=True)
class Speed:
    """The best batch of one kind of work. floor: seconds of a row's multiply-adds at the rate of a matrix product."""

    rows: int
    rate: float
    memory: int
    floor: float


def latents(rows: int) -> Tensor:
    """z_NZ of rows 0 to N - 1, as jobs draw them."""
    return torch.from_numpy(standard_normal(SEED, range(rows), 512))


def opened(name: str, family: str, device: str, precision: str) -> FaceScorer:
    """A generator and a family of classifiers, ready on a device."""
    generator = generators.load(name, device, "eager", precision)
    return FaceScorer(generator, {"": classifiers.load(family, device=device)})


def sync(device: str) -> None:
    """Wait until the device has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def computed(faces: FaceScorer, rows: int) -> dict[str, Tensor]:
    """Each thing that a job computes of the first rows, float64 on the CPU."""
    generator = faces.generator
    with torch.no_grad():
        ws_NLW = generator.map(latents(rows).to(faces.device), PSI)
        found = {"w": ws_NLW[:, 0], "s": generator.styles_of(Codes("w+", ws_NLW))}
        found["image"] = generator.synthesize(Codes("w+", ws_NLW), min(512, generator.resolution))
        found["scores"] = torch.stack(list(faces(Codes("w+", ws_NLW)).values()), dim=1)
    w_NW = ws_NLW[:, 0].clone().requires_grad_()
    found["gradient"] = torch.autograd.grad(faces(Codes("w", w_NW), ATTRIBUTES)["smile"].sum(), w_NW)[0]
    return {name: value.detach().double().cpu() for name, value in found.items()}


def errors(found: dict[str, Tensor], reference: dict[str, Tensor]) -> list[float]:
    """|found - reference| / |reference| of each; of scores the largest difference."""
    differences = {name: found[name] - value for name, value in reference.items()}
    return [
        float(differences[name].abs().max() if name == "scores" else differences[name].norm() / value.norm())
        for name, value in reference.items()
    ]


def works(faces: FaceScorer) -> dict[str, Work]:
    """What is timed, by what one of it is called; each takes w_NW."""

    def image(w_NW: Tensor) -> Tensor:
        with torch.no_grad():
            return faces.generator.synthesize(Codes("w", w_NW), min(512, faces.generator.resolution))

    def label(w_NW: Tensor) -> object:
        return faces.look(Codes("w", w_NW))

    def step(w_NW: Tensor) -> Tensor:
        w_NW = w_NW.clone().requires_grad_()
        scores = faces(Codes("w", w_NW), ATTRIBUTES)
        moved, kept = (
            torch.nn.functional.normalize(torch.autograd.grad(scores[name].sum(), w_NW, retain_graph=True)[0])
            for name in ATTRIBUTES
        )
        direction = moved - (moved * kept).sum(1, keepdim=True) * kept
        return (w_NW + STEP * torch.nn.functional.normalize(direction)).detach()

    return {"images": image, "rows labelled": label, "IALS steps": step}


def seconds_of(work: Work, w_NW: Tensor, device: str) -> float:
    """The median of some runs after one that counts for nothing."""
    work(w_NW)
    sync(device)
    times: list[float] = []
    while len(times) < FEWEST or sum(times) < LONGEST:
        begun = time.perf_counter()
        work(w_NW)
        sync(device)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def product_rate(device: str, precision: str, size: int) -> float:
    """Multiply-adds a second of a matrix product in this precision, which the generator's loading has set up."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return size**3 / seconds_of(lambda _: a @ b, a, device)


def stylegan2_works(generator: Generator) -> dict[str, Callable[[Tensor], Tensor]]:
    """Its forward pass, and that with the gradient of a sum of the pixels to w."""

    def image(w_NW: Tensor) -> Tensor:
        with torch.no_grad():
            return generator.synthesize(Codes("w", w_NW))

    def gradient(w_NW: Tensor) -> Tensor:
        w_NW = w_NW.clone().requires_grad_()
        return torch.autograd.grad(generator.synthesize(Codes("w", w_NW)).sum(), w_NW)[0]

    return {"forward": image, "forward and gradient": gradient}


def best_batch(work: Work, w_NW: Tensor, device: str, rate: float, until: float) -> Speed | None:
    """Twice as many rows at a time, until that is hardly faster, there is no memory, or the time is over."""
    most = len(w_NW)
    with FlopCounterMode(display=False) as counter:
        work(w_NW[:1])
    best, rows = None, 1
    while rows <= most:
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        try:
            found = rows / seconds_of(work, w_NW[:rows], device)
        except (MemoryError, RuntimeError) as error:
            if best is None or not (isinstance(error, MemoryError) or device_failed(error)):
                raise
            break
        memory = torch.cuda.max_memory_allocated() if device == "cuda" else 0
        slower = best is not None and found < best.rate * GAIN
        if best is None or found > best.rate:
            best = Speed(rows, found, memory, counter.get_total_flops() / 2 / rate)
        if slower or time.perf_counter() > until:
            break
        rows *= 2
    return best


def speed_row(speed: Speed, *cells: str) -> str:
    """A row of a table: cells, then what was measured."""
    memory = f"{speed.memory / 1e9:.1f}" if speed.memory else ""
    words = [*cells, f"{speed.rate:,.1f}", str(speed.rows), memory, f"{speed.floor * speed.rate:.0%}"]
    return f"| {' | '.join(words)} |\n"


def stylegan2_table(
    device: str, precisions: Sequence[str], most: int, size: int, sizes: Sequence[int], seconds: float
) -> Iterator[str]:
    """Markdown: StyleGAN2 at some sizes in pixels, forward and with a gradient, in about so many seconds."""
    yield f"\n## StyleGAN2, random weights\n\n| precision | px | | {COLUMNS} | beside the CPU in fp32 |\n"
    yield f"|---|---:|---|{'---:|' * 5}\n"
    begun, done, planned = time.perf_counter(), 0, len(precisions) * len(sizes) * 2
    for pixels in sizes:
        reference = stylegan2_works(random_stylegan2(pixels, choose("eager", "cpu")))
        for precision in precisions:
            generator = random_stylegan2(pixels, choose("eager", device, precision))
            w_NW = generator.map(latents(most).to(device), PSI)[:, 0]
            rate = product_rate(device, precision, size)
            for what, work in stylegan2_works(generator).items():
                done += 1
                known = reference[what](w_NW[:1].cpu()).double()
                error = float((work(w_NW[:1]).double().cpu() - known).norm() / known.norm())
                speed = best_batch(work, w_NW, device, rate, begun + done / planned * seconds)
                if speed is not None:
                    yield f"{speed_row(speed, precision, str(pixels), what).rstrip()} {error:.1e} |\n"


def tables(
    name: str,
    family: str,
    device: str,
    precisions: Sequence[str],
    most: int,
    size: int,
    sizes: Sequence[int],
    seconds: float,
) -> Iterator[str]:
    """Markdown, a piece when it is known."""
    begun = time.perf_counter()
    choose("eager", device)
    hardware = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    yield f"# {hardware}\n\n`python -m benchmarks.gpu`, {versions}\n\n"
    reference = computed(opened(name, family, "cpu", "fp32"), CHECKED)
    yield f"## Beside the CPU in fp32, {CHECKED} rows\n\n"
    yield f"| precision | {' | '.join(f'{what} ({how})' for what, how in GUIDES.items())} |\n"
    yield f"|---|{'---:|' * len(GUIDES)}\n"
    speeds = [f"| precision | | {COLUMNS} |\n|---|---|---:|---:|---:|---:|\n"]
    for place, precision in enumerate(precisions):
        faces = opened(name, family, device, precision)
        yield f"| {precision} | {' | '.join(f'{e:.1e}' for e in errors(computed(faces, CHECKED), reference))} |\n"
        rate = product_rate(device, precision, size)
        kinds = works(faces)
        for number, (what, work) in enumerate(kinds.items()):
            done = (place * len(kinds) + number + 1) / (len(precisions) * len(kinds))
            w_NW = faces.generator.map(latents(most).to(faces.device), PSI)[:, 0]
            speed = best_batch(work, w_NW, device, rate, begun + done * seconds / 2)
            if speed is not None:
                speeds.append(speed_row(speed, precision, what))
        speeds.append(f"| {precision} | (a matrix product: {rate / 1e12:.2f} x 10^12 multiply-adds) | | | | |\n")
    yield "\n## Speed\n\n" + "".join(speeds)
    yield from stylegan2_table(device, precisions, most, size, sizes, seconds / 2)
    yield f"\nThe floor is the time that the multiply-adds take at the rate of a matrix product of {size} x {size}.\n"
    yield f"\nIn {time.perf_counter() - begun:.0f} s.\n"


def main() -> int:
    """Print the tables, and keep them where asked; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--generator", default="mobilestylegan-ffhq")
    parser.add_argument("--classifiers", default="faces")
    parser.add_argument(
        "--precisions", nargs="+", choices=PRECISIONS, help="default: fp32, bf16, on a GPU tf32 too; a CPU without "
        "instructions for bf16 takes ten times as long for it",
    )  # fmt: skip
    parser.add_argument("--most", type=int, default=256, help="rows at once, at most")
    parser.add_argument("--product", type=int, default=0, help="size of a matrix product; 0: 8192 on a GPU, else 1024")
    parser.add_argument(
        "--stylegan2", nargs="*", type=int, default=[256, 1024], help="its sizes in pixels; may be none"
    )
    parser.add_argument("--seconds", type=float, default=200.0, help="about how long it measures speed")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    asked = parser.parse_args()
    precisions = asked.precisions or (("fp32", "tf32", "bf16") if asked.device == "cuda" else ("fp32", "bf16"))
    size = asked.product or (8192 if asked.device == "cuda" else 1024)
    text = ""
    try:
        for piece in tables(
            asked.generator,
            asked.classifiers,
            asked.device,
            precisions,
            asked.most,
            size,
            asked.stylegan2,
            asked.seconds,
        ):
            print(piece, end="", flush=True)
            text += piece
    except StylemillError as error:
        print(f"benchmarks.gpu: {error}")
        return 2
    if asked.out:
        asked.out.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
