"""What a study takes, before it is begun: passes through the generator, and hours on this machine."""

import time
from collections.abc import Sequence

import torch

from jobs.classifiers import classifier_ref
from jobs.flags import say
from pipeline.models import backend, generators
from pipeline.models.codes import Codes
from pipeline.report import wording
from pipeline.stages.models import Model, Runtime, open_generator, open_scorer

BACKWARD = 1.4
"""A backward pass costs 1.4 forward passes of the generator alone (benchmarks/results/ials.md)."""
ROUNDS = 2


def on_gpu(flags: Sequence[str]) -> bool:
    """Whether jobs with these words added run on a GPU."""
    words = " ".join(flags).replace("=", " ").split()
    named = words[words.index("--device") + 1] if "--device" in words[:-1] else "auto"
    return named == "cuda" or (named == "auto" and torch.cuda.is_available())


def say_cost(
    forward: int,
    backward: int,
    generator: str,
    families: Sequence[str],
    attributes: Sequence[str],
    flags: Sequence[str],
) -> None:
    """Say how many passes a study is and how long they take here, from a few faces that are made and scored now.

    forward, backward: passes of one face each. families: those that look at most faces.
    """
    say(f"Study {forward + backward:,} passes through the generator: {forward:,} forward, {backward:,} backward")
    device = "cuda" if on_gpu(flags) else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        say("      hours unknown: this machine has no such GPU; ask for --dry-run on one that has")
        return
    seconds, faces = seconds_a_face(generator, families, attributes, device)
    whole = (forward + BACKWARD * backward) * seconds
    more = f" and {BACKWARD:g} times that for a backward pass" if backward else ""
    say(
        f"      {wording.duration(whole)} on this machine in one process, at {seconds:.2g} s a face made and scored "
        f"({faces} of them, just now){more}; fits and figures come on top"
    )


def seconds_a_face(
    generator: str, families: Sequence[str], attributes: Sequence[str], device: str
) -> tuple[float, int]:
    """Measured here with the threads that PyTorch has, and on how many faces.

    Raises:
        SpecError: no such generator, family or attribute.
        ModelFileError: a network is not in the cache.
    """
    loaded = generators.load(generator, backend="eager")
    size = backend.default_batch_size(loaded.resolution, device, "eager", False)
    runtime = Runtime(device, torch.get_num_threads(), "eager", "fp32", size)
    opened = open_generator(Model(generator, loaded.fingerprint), runtime)
    scored_by = [classifier_ref(family, attributes, f"{family}_") for family in dict.fromkeys(families)]
    faces = open_scorer(opened, runtime, scored_by)
    codes = Codes("w", torch.zeros(size, loaded.w_dim))
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        faces.look(codes)
    return (time.perf_counter() - begun) / (ROUNDS * size), ROUNDS * size
