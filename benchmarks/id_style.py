"""What a step of ID-Style's training costs beside its parts, and how fast its edits are without faces.

    python -m benchmarks.id_style
    python -m benchmarks.id_style --rounds 2 --codes 16     # a minute or two

Steps and parts take turns in one process, and each is the median of its turns. The parts of a step of one face in one
attribute are the generator, its classifier and the network of identity, each forwards and backwards; the face before
the edit is known, as in every epoch but the first. Where it is not, the step has the same three forwards in addition.
Memory is the peak of this process, with all that it has loaded. Edits have one thread, as in their jobs; their floor is
the time of their multiply-adds at the rate of a matrix product of 1024 x 1024, in the same turns.

Shapes: N rows, L layers of w+, W w_dim.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor

from benchmarks.machine import header, peak_memory
from pipeline.editors.id_style.config import Config, IDStyleEditor
from pipeline.editors.id_style.networks import IDStyle
from pipeline.editors.id_style.training import IDStyleTraining, TrainConfig
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.engine.machine import cores
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal

RESULTS = Path(__file__).parent / "results" / "id-style.md"
GENERATOR = "mobilestylegan-ffhq"
NAMES = ("male", "eyeglasses", "old", "smile")
GOALS = {"step": 1.15, "edits": 0.6}
PRODUCT = 1024
SEED, PSI = 4, 0.7


@dataclass
class Turns:
    """Seconds by what took them, a number a turn."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, name: str, work: Callable[[], object]) -> None:
        """One turn."""
        begun = time.perf_counter()
        work()
        self.seconds.setdefault(name, []).append(time.perf_counter() - begun)

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])


def backwards(make: Callable[[Tensor], Tensor], given: Tensor) -> None:
    """Forwards, and backwards to what was given."""
    given = given.detach().requires_grad_()
    torch.autograd.grad(make(given).sum(), given)


@torch.no_grad()
def forwards(make: Callable[[Tensor], Tensor], given: Tensor) -> None:
    """Forwards alone."""
    make(given)


def unseen(training: IDStyleTraining) -> None:
    """A step whose faces were not seen before their edit; those that were seen stay so for other steps."""
    seen, training._seen = training._seen, {}
    training.advance(1)
    training._seen |= seen


def training_of(attribute: str, faces: FacesOfTraining, w_NW: Tensor, layers: int) -> IDStyleTraining:
    """A training of steps of one face in one attribute, in which each face was seen before."""
    rows = LabelledCodes(Codes("w", w_NW), np.zeros((len(w_NW), 1)), (attribute,), layers)
    config = TrainConfig(steps=10_000, batch_size=1, start="random", crossovers=0, held_out=0)
    found = config.open(rows, torch.device("cpu"), faces)
    found._before(range(len(w_NW)), [found.codes.code(number) for number in range(len(w_NW))])
    return found


def steps(generator: Generator, rounds: int) -> list[str]:
    """Rows of a table: a step of each attribute, and its parts."""
    w_NW = generator.map(torch.from_numpy(standard_normal(SEED, range(4), generator.z_dim)), PSI)[:, 0].detach()
    ws_1LW = w_NW[:1, None].repeat(1, generator.num_ws, 1)
    whose = identity.load()
    lines, ratios, of_unseen = [], [], []
    for name in NAMES:
        family = classifiers.load("faces", (name,), measures=())
        faces = FaceScorer(generator, {"": family})
        training = training_of(name, FacesOfTraining(faces, whose), w_NW, generator.num_ws)
        with torch.no_grad():
            x_N3HW = faces.search_with_pictures(Codes("w+", ws_1LW))[1]
        size = x_N3HW.shape[-1]
        parts: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
            "generator": (lambda ws, size=size: generator.synthesize(Codes("w+", ws), size), ws_1LW),
            "classifier": (family.scores, x_N3HW),
            "identity": (whose, x_N3HW),
        }
        works: dict[str, Callable[[], object]] = {
            "step": lambda training=training: training.advance(1),
            "step, source unseen": lambda training=training: unseen(training),
            **{part: partial(backwards, *given) for part, given in parts.items()},
            **{f"{part}, forwards": partial(forwards, *given) for part, given in parts.items()},
        }
        turns = Turns()
        for turn in range(rounds + 1):
            for part, work in works.items():
                turns.take(part, work) if turn else work()
        both_ways = [turns.median(part) for part in parts]
        one_way = sum(turns.median(f"{part}, forwards") for part in parts)
        known, new = turns.median("step"), turns.median("step, source unseen")
        ratios.append(known / sum(both_ways))
        of_unseen.append(new / (sum(both_ways) + one_way))
        lines.append(
            f"| {name} | {' | '.join(f'{1000 * seconds:.0f}' for seconds in (*both_ways, known))} | {ratios[-1]:.2f} "
            f"| {1000 * one_way:.0f} | {1000 * new:.0f} | {of_unseen[-1]:.2f} |"
        )
    lines.append(
        f"\nA step takes {statistics.mean(ratios):.2f} times its parts, and {statistics.mean(of_unseen):.2f} times "
        f"where its source was not seen; the goal is {GOALS['step']:.2f} or less. This process held at most "
        f"{peak_memory() / 2**30:.1f} GiB."
    )
    return lines


def edits(layers: int, width: int, codes: int, rounds: int) -> list[str]:
    """Rows of a table: edits without faces, and their floor."""
    network = IDStyle(layers, width, NAMES, SEED)
    editor, request = IDStyleEditor(network.eval().requires_grad_(False), None), Config().request("smile")
    some = Codes("w+", torch.from_numpy(standard_normal(SEED, range(codes), layers * width)).view(codes, layers, width))
    a, b = torch.randn(2, PRODUCT, PRODUCT)
    torch.set_num_threads(1)
    turns = Turns()
    for turn in range(rounds + 1):
        works: dict[str, Callable[[], object]] = {
            "edits": lambda: editor.edit(some, [request] * codes),
            "one": lambda: editor.edit(some.select(slice(0, 1)), [request]),
            "product": lambda: a @ b,
        }
        for part, work in works.items():
            turns.take(part, work) if turn else work()
    operations = layers * width * (2 * width + layers + width)
    floor = operations * turns.median("product") / PRODUCT**3
    share = floor * codes / turns.median("edits")
    return [
        f"| codes a second, {codes} at once | {codes / turns.median('edits'):,.0f} |",
        f"| milliseconds of one code alone (the paper: 2, on a GPU) | {1000 * turns.median('one'):.1f} |",
        f"| million multiply-adds a code | {operations / 1e6:.1f} |",
        f"| share of the floor (goal: {GOALS['edits']:.1f}) | {share:.2f} |",
    ]


def main(rounds: int = 7, codes: int = 64, threads: int = 0, out: Path = RESULTS) -> None:
    """Measure, print and keep the tables.

    Args:
        rounds: turns of each.
        codes: that are edited together.
        threads: of the networks of faces; 0 for all cores.
        out: a file for the tables.
    """
    threads = threads or cores()
    torch.set_num_threads(threads)
    generator = generators.load(GENERATOR, backend="eager", threads=threads)
    text = "# ID-Style: a training step beside its parts, and edits\n\n"
    text += header("python -m benchmarks.id_style", f"--rounds {rounds} --codes {codes} --threads {threads}")
    text += "Milliseconds of one face in one attribute, forwards and backwards; and of its source, forwards:\n\n"
    text += (
        "| attribute | generator | classifier | identity | a step | step / parts | the source's parts "
        "| a step whose source is not seen | step / parts |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    text += "\n".join(steps(generator, rounds))
    text += f"\n\nEdits without faces, {generator.num_ws} layers of {generator.w_dim}:\n\n| | |\n|---|---:|\n"
    text += "\n".join(edits(generator.num_ws, generator.w_dim, codes, rounds)) + "\n"
    print(text)
    out.write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
