"""What a study of ID-Style trains, or is given: the whole network, and for Table 3 those without one part."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.id_style_edits import ATTRIBUTES, EditedFaces
from jobs.reproduce.learned_from import settings_of
from jobs.reproduce.study import step
from jobs.train.spec import SPECS
from pipeline.report.id_style.paper import WHOLE
from pipeline.stages.kept_artifacts import place
from pipeline.stages.train import CURVE
from pipeline.tables import Artifact

STEPS, STEPS_ON_GPU, FACES = 4500, 100_000, 2
"""Of a training, and the faces of a step; on a GPU as in the paper."""


PARTS: Mapping[str, Mapping[str, Any]] = {
    WHOLE: {},
    "B: without L_direction": {"lambda_direction": 0.0},
    "C: without L_sparsity": {"lambda_sparsity": 0.0},
    "D: without the mixer": {"without": "mixer"},
    "E: without input positions": {"without": "positions"},
    "F: without the layer embedding": {"without": "layers"},
}
"""By variant of the paper's Table 3, the flags of `train id-style`."""


class TrainedFlags(EditedFaces):
    """Of what is trained."""

    artifact: str | None = Field(
        None,
        description="What `train id-style` made, of male, eyeglasses, old and smile. Default: it is trained on the "
        "labelled faces.",
    )
    steps: int | None = Field(
        None, gt=0, description=f"Without --artifact: steps of the training, of {FACES} faces each. Default: "
        f"{STEPS:,}; on a GPU {STEPS_ON_GPU:,} and every face in every attribute, as in the paper.",
    )  # fmt: skip
    budget: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="In place of --steps: minutes of training on this machine."
    )
    ablations: int | None = Field(
        None,
        gt=0,
        description="Train this many steps without each part as well (Table 3): "
        f"{len(PARTS)} trainings, the whole one among them.",
    )

    @model_validator(mode="after")
    def _one_training(self) -> "TrainedFlags":
        if self.artifact is not None and (self.steps is not None or self.budget is not None):
            raise ValueError("--artifact is trained already: leave out --steps and --budget")
        if self.steps is not None and self.budget is not None:
            raise ValueError("--budget decides the steps: leave out --steps")
        return self

    @property
    def taken(self) -> int:
        """Steps of the training; none of what is given, nor where a budget decides."""
        if self.artifact is not None or self.budget is not None:
            return 0
        return self.steps or (STEPS_ON_GPU if self.on_gpu else STEPS)


def trained(spec: TrainedFlags, faces: LabelledFaces) -> str:
    """The artifact that is given, or trained now on the labelled faces."""
    if spec.artifact is not None:
        return spec.artifact
    every = {"edits_of_a_row": "all"} if spec.on_gpu else {}
    length = {"steps": spec.taken} if spec.budget is None else {"budget": spec.budget}
    return _train(spec, faces, "trained", **length, **every)


def ablate(spec: TrainedFlags, faces: LabelledFaces) -> dict[str, str]:
    """Each variant trained for --ablations steps: by its name, the artifact."""
    steps = {"steps": spec.ablations}
    return {name: _train(spec, faces, f"trained-{name[0]}", **steps, **flags) for name, flags in PARTS.items()}


def _train(spec: TrainedFlags, faces: LabelledFaces, name: str, **flags: Any) -> str:
    machine = {flag: value for flag, value in spec.machine.items() if flag != "batch_size"}  # here: faces of a step
    asked = SPECS["id-style"].model_validate(
        {"latents": (faces.latents,), "labels": (faces.labels,), "attributes": ATTRIBUTES, "batch_size": FACES,
         "classifiers": spec.classifiers, "judge": spec.judge, "out": spec.url(name), **machine, **flags}
    )  # fmt: skip
    step(asked, "--steps, --budget or the flags of the run")
    return spec.url(name, "artifact")


def face_edits(url: str) -> int | None:
    """How many edits of a face an artifact was trained with, by its curve and what was asked. None where it does not
    say.

    Raises:
        ModelFileError: it is no artifact, or damaged.
    """
    artifact = Artifact(place(url))
    card = artifact.card()
    asked = settings_of(url, card)
    steps = json.loads(artifact.read(CURVE))[-1]["step"] if CURVE in card.files else asked.get("steps")
    if "batch_size" not in asked or steps is None:
        return None
    each = len(card.attributes) if asked.get("edits_of_a_row") == "all" else 1
    return int(steps) * int(asked["batch_size"]) * each
