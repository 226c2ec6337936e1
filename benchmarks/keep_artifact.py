"""Whether a trained artifact is good enough to be kept in the repository, and the files to keep.

    python -m benchmarks.keep_artifact --artifact out/lt/artifact --out out/kept

Its tensors are rounded to float16. By these it edits faces that it was not trained on, each to the side of an
attribute where the judge does not see it (a toggle), and InterFaceGAN edits the same faces in w, both at their
papers' settings. It is good enough if the judge sees at least 0.8 of the changes that it sees by InterFaceGAN, and
identity is kept as well or better on average, by fr-feature and, with the extra identity, by dlib's network. The
numbers go into the card; an artifact that is not good enough is called a demonstration there. OUT/METHOD.GENERATOR is
the folder to move into pipeline/editors/trained. Run it in the folder in which the artifact was trained: its name is
left out of the card.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from pydantic import Field

from jobs.flags import one_line, parse, say
from jobs.launch import INTERRUPTED
from jobs.reproduce import learned_from
from jobs.reproduce.faces import LabelledFlags, judge_others, label_faces
from jobs.reproduce.study import step
from jobs.reproduce.toggled_edits import PICTURE, ToggledFaces, measure_spec, measured, read_toggles
from pipeline.card import Card
from pipeline.editors import EDITORS, config_of
from pipeline.errors import SpecError, StylemillError
from pipeline.metrics.of_faces import NUMBERS
from pipeline.models.classifiers import attributes_of
from pipeline.report.toggles import Toggles, paired
from pipeline.stages.models import MODEL, Trained, read_artifact
from pipeline.tables.artifact import Artifact, ArtifactFiles

SHARE = 0.8
"""Of the changes by InterFaceGAN that are enough."""
LEARNED_FROM: Mapping[str, str] = {"id-style": "identity"}
"""By method, the metric whose network its training follows; that alone cannot say how well identity is kept."""
DISTANCE = 3.0
"""Of InterFaceGAN, in w."""
FIRST = 8
"""Faces on which a test repeats the edits."""
OURS, THEIRS = "kept", "interfacegan"
"""Of folders, and of figures on the card."""
MEANINGS = {
    "toggles": "edits of faces that nothing was trained on, each to the side where the judge does not see the face",
    "changed": "how many of them the judge sees on the other side",
    "first": f"the same of the first {FIRST} faces, which a test repeats",
    "identity": "mean cosine of the embeddings of fr-feature, source and edit",
    "identity_dlib": "mean distance of dlib's embeddings",
    "demonstration": "1: too few of the changes, or too little of the identity kept; here to be looked at",
}


class KeepSpec(LabelledFlags):
    """Say whether an artifact is good enough to be kept, and write the files to keep.

    Example: python -m benchmarks.keep_artifact --artifact out/lt/artifact --out out/kept
    """

    VERB = "keep"

    artifact: str = Field(description="DIR/artifact of stylemill train.")
    labelled: int = Field(10000, ge=400, description="Without --from: faces to fit InterFaceGAN's directions on.")
    toggles: int = Field(64, ge=8, description="Edits by each method, at least.")
    metrics: tuple[str, ...] = Field(("identity", "identity_dlib"), description="Of identity.")


def main(argv: Sequence[str]) -> int:
    """Edit, measure, write the files and say how good it is; the exit code is 1 where that is not enough."""
    try:
        with one_line():
            return keep(parse(KeepSpec, argv))
    except StylemillError as error:  # of a step too, which has said why, and whose exit code it names
        say(f"keep_artifact: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def keep(spec: KeepSpec) -> int:
    """The same, of what was asked for. Raises StylemillError."""
    trained = read_artifact(spec.artifact, what := Artifact(spec.artifact).card().what)
    if what not in EDITORS or config_of(what).COMPARED is None:
        raise SpecError(f"{spec.artifact}: {what} does not say how it is compared: give its Config a COMPARED")
    if spec.metrics == (LEARNED_FROM.get(what),):
        raise SpecError(
            f"--metrics: the training of {what} follows the network of {spec.metrics[0]}: add identity_dlib"
        )
    learned_from.check(spec, spec.artifact, trained.card, "--artifact")
    attributes = [name for name in trained.card.attributes if name in attributes_of(spec.judge)]
    half = write(spec, trained, {})
    toggles = edit(spec, attributes, half, what)
    good, metrics = judge(spec, toggles)
    say(f"Made  {write(spec, trained, metrics)}: {'good enough to be kept' if good else 'a demonstration'}")
    return 0 if good else 1


def write(spec: KeepSpec, trained: Trained, metrics: Mapping[str, float]) -> str:
    """The artifact with tensors in float16; its URL."""
    artifact = Artifact(spec.url(f"{trained.card.what}.{trained.card.generator}"))
    half = {name: value.to(torch.float16) if value.is_floating_point() else value
            for name, value in sorted(trained.tensors.items())}  # fmt: skip
    card = trained.card.model_copy(update={
        "metrics": {**trained.card.metrics, **metrics},
        "meanings": {**trained.card.meanings, **(meanings(trained.card.what) if metrics else {})},
    })  # fmt: skip
    card = Card.model_validate_json(card.encode().replace(f"{Path.cwd()}/".encode(), b""))
    artifact.publish(ArtifactFiles({MODEL: safetensors.torch.save(half)}, card))
    return artifact.url


def meanings(what: str) -> dict[str, str]:
    """Of the figures on the card of a method."""
    learned = LEARNED_FROM.get(what)
    return {name: told + (", whose network the training follows" if name == learned else "")
            for name, told in MEANINGS.items()}  # fmt: skip


def edit(spec: KeepSpec, attributes: Sequence[str], artifact: str, what: str) -> list[tuple[Toggles, Toggles]]:
    """By attribute the toggles of both methods, of the same faces in one order."""
    if spec.from_ is None:
        label_faces(spec, spec.labelled, ("w",), attributes)
    faces = max(FIRST, math.ceil(spec.toggles / len(attributes)))
    judge_others(spec, "others", faces, spec.seed + 1, attributes)
    size = min(PICTURE, spec.labelled_faces.generator.resolution)
    edited = ToggledFaces(spec, spec.url("others", "latents"), spec.url("others-judged", "labels"), faces, size)
    linear = {to: {"strengths": (way * DISTANCE,)} for to, way in ((True, 1), (False, -1))}
    directions = (spec.labelled_faces.fitted("w"),)
    made = {
        name: {
            OURS: edited.edit(what, name, spec.url(f"{name}-{OURS}"), settings(what), artifact=artifact),
            THEIRS: edited.edit(THEIRS, name, spec.url(f"{name}-{THEIRS}"), linear, directions=directions),
        }
        for name in attributes
    }
    measure = measure_spec(
        spec, [url for its in made.values() for some in its.values() for url, _ in some], spec.metrics
    )
    step(measure, "--metrics")
    values = measured(measure)
    return [paired(*(read_toggles(name, its[method], values) for method in (OURS, THEIRS)))
            for name, its in made.items()]  # fmt: skip


def settings(what: str) -> dict[bool, dict[str, Any]]:
    """By whether the faces are to have the attribute, the flags that say how far and which way: as the paper does."""
    config = config_of(what)
    about = config.COMPARED
    assert about is not None, "what is trained can be compared"
    edits = {to: about.at([about.usual]).edits(config, to) for to in (True, False)}
    return {to: flags for to, [flags] in edits.items()}


def judge(spec: KeepSpec, toggles: Sequence[tuple[Toggles, Toggles]]) -> tuple[bool, dict[str, float]]:
    """Whether it is good enough, and the figures for the card; a line of totals for each method is printed."""
    found, changed, means = dict[str, float](), list[int](), list[dict[str, float]]()
    for place, method in enumerate((OURS, THEIRS)):
        its = [one[place] for one in toggles]
        for one in its:
            few = one.only(one.faces < FIRST)
            figures = {"toggles": len(one), "changed": one.reached[:, -1].sum(), "first": few.reached[:, -1].sum(),
                       **{name: np.nanmean(one.number(name)[:, -1]) for name in spec.metrics}}  # fmt: skip
            found |= {f"{method}.{one.attribute}.{name}": float(value) for name, value in figures.items()}
        changed.append(sum(int(one.reached[:, -1].sum()) for one in its))
        numbers = {name: np.concatenate([one.number(name)[:, -1] for one in its]) for name in spec.metrics}
        means.append({name: float(np.nanmean(values)) for name, values in numbers.items()})
        told = ", ".join(f"{name} {mean:.3f}" for name, mean in means[-1].items())
        say(f"{method}: {changed[-1]} of {sum(map(len, its))} toggles changed; {told}")
    good = changed[0] >= SHARE * changed[1] and all(
        means[0][name] >= means[1][name] if NUMBERS[name].better == "larger" else means[0][name] <= means[1][name]
        for name in spec.metrics
    )
    return good, found | ({} if good else {"demonstration": 1.0})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
