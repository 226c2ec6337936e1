"""What a comparison takes, before it is begun."""

import time

import torch

from jobs.compare import step_lengths
from jobs.compare.entrants import Entrant, entrants, is_trained
from jobs.compare.spec import CompareSpec, editor_of
from jobs.directions.spec import UNSUPERVISED
from jobs.flags import say
from jobs.reproduce import learned_from
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import labelling_cost
from jobs.reproduce.toggled_edits import ToggledFaces
from pipeline.editors import config_of
from pipeline.errors import SpecError
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.false_acceptance import ALIKE
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models import generators
from pipeline.models.classifiers import attributes_of
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.report import wording
from pipeline.stages import kept_artifacts
from pipeline.stages.models import Model, Runtime, open_generator, open_scorer, read_artifact

FEW = 2
"""Faces on which is measured how long the metrics take."""


def cost(spec: CompareSpec) -> Passes:
    """All of it; flags, artifacts and networks are looked at first."""
    check(spec)
    for name in spec.named:
        if is_trained(spec, name):
            say(f"Study the training of {name} comes on top: nothing is kept for it, and --artifacts gives nothing")
    if spec.dry_run and (torch.cuda.is_available() or not spec.on_gpu):
        say_measuring(spec)
    labelled = Passes()
    if spec.from_ is None:
        labelled = labelling_cost(spec, spec.labelled, attributes_of(spec.classifiers))
    return labelled + Passes(spec.there) + ahead(spec)


def say_measuring(spec: CompareSpec) -> None:
    """What the metrics take beside making the faces that they look at, as measured now on two of them."""
    generator = generators.load(spec.generator, backend="eager")
    device = "cuda" if spec.on_gpu else "cpu"
    runtime = Runtime(device, torch.get_num_threads(), "eager", "fp32", FEW)
    faces = open_scorer(open_generator(Model(spec.generator, generator.fingerprint), runtime), runtime, [])
    z_NZ = torch.randn(FEW, generator.z_dim, generator=torch.Generator().manual_seed(spec.seed))
    with torch.no_grad():
        seen = Faces(*faces.look_with_pictures(Codes("w", generator.map(z_NZ, psi=0.7)[:, 0])))
    seconds = 0.0
    for name in spec.metrics:
        one = BY_NAME[name].open(device, spec.judge)
        source = one.see(seen)  # opens what it needs
        started = time.perf_counter()
        one.compare(source, one.see(seen), [spec.attributes[0]])
        seconds += time.perf_counter() - started
    looked = sum(len(spec.attributes) * 2 * (one.rows // 2) * one.passes(generator)[0]
                 for one in entrants(spec, spec.labelled_faces))  # fmt: skip
    say(f"Study the metrics look at {looked:,} faces, {wording.duration(looked * seconds / FEW)} in one process, at "
        f"{seconds / FEW:.2g} s each; on top of the hours below")  # fmt: skip


def ahead(spec: CompareSpec) -> Passes:
    """Once faces are labelled and judged: components and lengths of steps, whose faces these are, edits, and edits made
    again to measure them.
    """
    generator = generators.load(spec.generator, backend="eager")
    tuned = sum(name in UNSUPERVISED for name in spec.named) * spec.components * 2 * spec.tuning
    whose = spec.there if {*spec.metrics} & {*ALIKE} else 0
    compared = entrants(spec, spec.labelled_faces)
    edits = [edited(spec, one, generator) for one in compared]
    return sum(edits, Passes(tuned) + step_lengths.cost(spec, compared) + Passes(whose, unscored=whose))


def edited(spec: CompareSpec, one: Entrant, generator: Generator) -> Passes:
    """By one of those that are compared, in all attributes."""
    shown, forward, backward = one.passes(generator)
    faces = len(spec.attributes) * 2 * (one.rows // 2)
    unscored = 0 if one.follows_scores else faces
    return Passes(faces * (2 * shown + forward), faces * backward, unscored * forward, unscored * backward)


def check(spec: CompareSpec) -> None:
    """Look before hours of computing. Raises SpecError, ModelFileError, StoreError and ValidationError."""
    for name in spec.metrics:
        BY_NAME[name].open("cpu", spec.judge)
    spec.check_from(spec.attributes, flags="--attributes")
    faces = ToggledFaces(spec, spec.url("others", "latents"), spec.url("others-judged", "labels"), spec.most, 1)
    generator = generators.load(spec.generator, backend="eager")
    for one in entrants(spec, spec.labelled_faces):
        for attribute in spec.attributes:
            one.edits(faces, attribute, {True: [0], False: [0]})
    for name in spec.named:
        _check_artifact(spec, name, generator)


def _check_artifact(spec: CompareSpec, name: str, generator: Generator) -> None:
    """Of one that is given or kept. Raises SpecError where it was not trained for these edits, or learned from the
    faces that are edited, or from the judge.
    """
    what = config_of(editor_of(name)).ARTIFACT
    url = what and (spec.artifact_of(name) or kept_artifacts.find(what, generator))
    if not what or not url:
        return
    card = read_artifact(url, what).card
    if lacking := [one for one in spec.attributes if card.attributes and one not in card.attributes]:
        raise SpecError(f"{url} was not trained for {lacking[0]}: leave it out of --attributes, leave {name} out of "
                        "--editors, or give another one by --artifacts")  # fmt: skip
    learned_from.check(spec, url, card, "--artifacts")
