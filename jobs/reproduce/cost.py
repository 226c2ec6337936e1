"""What a study takes, before it is begun: passes through the generator, and hours on this machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.flags import say
from pipeline.engine.job_records import JobRecords
from pipeline.models import backend, generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Codes
from pipeline.report import wording
from pipeline.stages.models import Model, Runtime, open_generator, open_scorer
from pipeline.tables import Table, store

BACKWARD = 1.4
"""A backward pass costs 1.4 forward passes of the generator alone (benchmarks/results/ials.md)."""
ROUNDS = 2


@dataclass(frozen=True)
class Passes:
    """Passes of one face each through the generator, and of their gradients back."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(self.forward + other.forward, self.backward + other.backward)

    def seconds(self, a_face: float) -> float:
        """At so many seconds for a face that is made and scored."""
        return (self.forward + BACKWARD * self.backward) * a_face


def say_ahead(passes: Passes) -> None:
    """What will be made, before it is."""
    say(
        f"Study {passes.forward:,} faces forward, {passes.backward:,} backward, most of which are judged; what is "
        "there already is not made again"
    )


def say_time_left(passes: Passes, labelled: str) -> None:
    """How long that takes, from how long it took to label the faces in a folder; nothing where that is not known."""
    done = JobRecords(labelled, "label").outcomes().values()
    seconds = math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)
    faces = sum(record.rows for record in Table.open(store.join(labelled, "labels")).records())
    if seconds and faces:
        say(
            f"Study from here on about {wording.duration(passes.seconds(seconds / faces))} of computing or less, from "
            f"the {seconds / faces:.2g} s that each of {faces:,} faces took to be made and judged, and a backward pass "
            f"as {BACKWARD:g} forward"
        )


def say_cost(passes: Passes, generator: str, families: Sequence[str], device: str) -> None:
    """Say how long they take here, from a few faces that are made and scored now by the families that look at most."""
    say(
        f"Study {passes.forward + passes.backward:,} passes through the generator: {passes.forward:,} forward, "
        f"{passes.backward:,} backward"
    )
    if device == "cuda" and not torch.cuda.is_available():
        say("      hours unknown: this machine has no such GPU; ask for --dry-run on one that has")
        return
    seconds, faces = seconds_a_face(generator, families, device)
    more = f" and {BACKWARD:g} times that for a backward pass" if passes.backward else ""
    say(
        f"      {wording.duration(passes.seconds(seconds))} on this machine in one process, at {seconds:.2g} s a face "
        f"made and scored ({faces} of them, just now){more}; fits and figures come on top"
    )


def seconds_a_face(generator: str, families: Sequence[str], device: str) -> tuple[float, int]:
    """Measured here with the threads that PyTorch has, and on how many faces.

    Raises:
        SpecError: no such generator or family.
        ModelFileError: a network is not in the cache.
    """
    loaded = generators.load(generator, backend="eager")
    size = backend.default_batch_size(loaded.resolution, device, "eager", False)
    runtime = Runtime(device, torch.get_num_threads(), "eager", "fp32", size)
    opened = open_generator(Model(generator, loaded.fingerprint), runtime)
    constants = Constants(loaded)
    scored_by = [
        classifier_ref(family, DEFAULT_ATTRIBUTES, f"{family}_", constants=constants)
        for family in dict.fromkeys(families)
    ]
    faces = open_scorer(opened, runtime, scored_by)
    codes = Codes("w", torch.zeros(size, loaded.w_dim))
    begun = time.perf_counter()
    for _ in range(ROUNDS):
        faces.look(codes)
    return (time.perf_counter() - begun) / (ROUNDS * size), ROUNDS * size
