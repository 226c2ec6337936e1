"""What a study takes, before it is begun: passes through the generator, and hours on this machine."""

import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import torch

from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.flags import say
from pipeline.engine.job_records import JobRecords
from pipeline.models import backend, generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Codes
from pipeline.models.faces import SCORED_SIZE
from pipeline.report import wording
from pipeline.stages.models import Model, Runtime, open_generator, open_scorer
from pipeline.tables import Table, store

BACKWARD = 1.4
"""A backward pass costs 1.4 forward passes of the generator alone (benchmarks/results/ials.md)."""
ROUNDS = 2


@dataclass(frozen=True)
class Passes:
    """Passes of one face each through the generator, and of their gradients back.

    unscored, unscored_backward: how many of these make a face that no classifier looks at.
    """

    forward: int = 0
    backward: int = 0
    unscored: int = 0
    unscored_backward: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(*(mine + others for mine, others in zip(astuple(self), astuple(other), strict=True)))

    def seconds(self, a_face: float, unscored: float | None = None) -> float:
        """At so many seconds for a face that is made and scored, and so many for one that is made alone."""
        alone = self.unscored + BACKWARD * self.unscored_backward
        scored = self.forward + BACKWARD * self.backward - alone
        return scored * a_face + alone * (a_face if unscored is None else unscored)


def say_ahead(passes: Passes) -> None:
    """What will be made, before it is."""
    say(
        f"Study {passes.forward:,} passes forward, {passes.backward:,} backward, most of them scored by the judge too; "
        "existing results are not computed again"
    )


def say_time_left(passes: Passes, labelled: str) -> None:
    """How long that takes, from how long it took to label the faces in a folder; nothing where that is not known."""
    seconds, faces = seconds_labelled(labelled)
    if seconds:
        say(
            f"Study about {wording.duration(passes.seconds(seconds))} of computing left, or less: making and scoring "
            f"each of {faces:,} faces took {seconds:.2g} s, and a backward pass counts as {BACKWARD:g} forward"
        )


def seconds_labelled(folder: str) -> tuple[float, int]:
    """Of a face that was made and labelled in this folder, and of how many faces; 0 where that is not known."""
    done = JobRecords(folder, "label").outcomes().values()
    seconds = math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)
    faces = sum(record.rows for record in Table.open(store.join(folder, "labels")).records())
    return (seconds / faces if faces else 0.0), faces


def say_cost(passes: Passes, generator: str, families: Sequence[str], device: str) -> None:
    """Say how long they take here, from a few faces that are made and scored now by the families that look at most."""
    say(
        f"Study {passes.forward + passes.backward:,} passes through the generator: {passes.forward:,} forward, "
        f"{passes.backward:,} backward"
    )
    if device == "cuda" and not torch.cuda.is_available():
        say("      hours unknown: this machine has no GPU; run --dry-run on one that has")
        return
    seconds, alone, faces = seconds_a_face(generator, families, device)
    more = f", {alone:.2g} s made alone" if passes.unscored else ""
    more += f" and {BACKWARD:g} times that for a backward pass" if passes.backward else ""
    say(
        f"      {wording.duration(passes.seconds(seconds, alone))} on this machine in one process, at {seconds:.2g} s "
        f"a face made and scored (measured on {faces}){more}; fits and figures come on top"
    )


def seconds_a_face(generator: str, families: Sequence[str], device: str) -> tuple[float, float, int]:
    """Of a face that is made and scored, of one that is made alone, and on how many faces it was measured: here, with
    the threads that PyTorch has.

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
    scored = time.perf_counter()
    with torch.no_grad():
        for _ in range(ROUNDS):
            opened.synthesize(codes, min(SCORED_SIZE, opened.resolution)).mean().item()
    made = time.perf_counter()
    return (scored - begun) / (ROUNDS * size), (made - scored) / (ROUNDS * size), ROUNDS * size
