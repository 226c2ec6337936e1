"""The flags of ID-Style's training, and what follows from them."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.editors import training
from pipeline.editors.id_style import losses
from pipeline.editors.id_style.networks import Part
from pipeline.errors import SpecError
from pipeline.models.codes import Space

CITATION = (
    "Mohammadbagheri et al., Identity-preserving Editing of Multiple Facial Attributes by Learning Global Edit "
    "Directions and Local Adjustments, 2023"
)
MEANINGS = {
    "classification": "binary cross-entropy of the classifiers and the side that is wanted (Eq. 9)",
    "identity": "1 - the cosine of the identity before and after (Eq. 10)",
    "neighbourhood": "how far codes are moved, the root mean square over layers (Eq. 8)",
    "direction": "1 - the cosine of a move and its global direction (Eq. 7)",
    "sparsity": "the L1 norm of the global directions (Eq. 6)",
    "reached": "share of held-out faces whose edit is on the other side of the boundary, by the classifiers that "
    "are learned from",
    "likeness": "mean cosine of the identity before and after, by the network that is learned from",
    "judged": "share of held-out faces, each edited in one attribute to the other side by the judge, that the judge "
    "sees there after this step; nothing is learned from it",
    "alike": "mean cosine of their identity before and after, by the network that is learned from",
}
WEIGHTS = {
    "classification": "lambda_class", "identity": "lambda_id", "neighbourhood": "lambda_nb",
    "direction": "lambda_direction", "sparsity": "lambda_sparsity",
}  # fmt: skip
LAST_RATE = 1e-5
"""The lowest learning rate, as a share of the highest."""
STEPS, MOST = 4000, 10_000_000
JUDGED, JUDGED_SHARE, LOOK = 32, 0.03, 1 / 3
"""Held-out faces that are judged while it is trained, at most; about what share of the time that is to take; and about
how long it takes to see a face beside a face in a step, which is edited and passed backwards."""


class Flags(training.TrainConfig, ABC):
    """All of them."""

    GROUP: ClassVar[str | None] = "id-style"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    CITATION: ClassVar[str] = CITATION
    TOLD: ClassVar[tuple[str, ...]] = ("reached", "likeness")
    VERSION: ClassVar[int] = 7
    MEANINGS: ClassVar[Mapping[str, str]] = MEANINGS
    PACKAGES: ClassVar[tuple[str, ...]] = ("scikit-learn", "pytorch-optimizer")

    classifiers: str = Field("faces", description="Family of classifiers that score the edits in training.")
    steps: int | None = Field(
        None, gt=0, le=MOST, description=f"Steps of --batch-size faces; 100,000 in the paper. Default: {STEPS:,}."
    )
    budget: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
        description="In place of --steps: as many steps as this machine does in so many minutes, measured at the first "
        "start and then stored.",
    )
    batch_size: int = Field(2, gt=0, le=1024, description="Faces in a step.")
    edits_of_a_row: Literal["one", "all"] = Field(
        "one",
        description="one: a face is edited in one attribute a step, drawn by the seed, which has the same mean "
        "gradient; all: in every attribute, as in the paper.",
    )
    crossovers: int = Field(
        8, ge=0, le=1000, description="Codes made of each latent by taking a block of layers from another; 0 for none."
    )
    start: Literal["svm", "random"] | None = Field(
        None,
        description="First directions: normals of linear SVMs, or random. Default: svm; with --as-released random.",
    )
    start_move: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="About how far the first edits move each layer; 0: hardly, as in the paper; that trains slowly. "
        "Default: 1; with --as-released 0.",
    )
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False, description="Highest learning rate.")
    warm_up: int | None = Field(
        None, ge=0, le=MOST, description="Steps until the highest rate. Default: a tenth of the steps, at most 1,000."
    )
    cycles: int = Field(1, gt=0, le=1000, description="How many times the rate decays along a cosine.")
    weight_decay: float = Field(
        1e-5, ge=0, allow_inf_nan=False, description="Decoupled weight decay, times the learning rate."
    )
    lambda_class: float = Field(2.0, ge=0, allow_inf_nan=False, description="Weight of the attribute loss (Eq. 9).")
    lambda_id: float = Field(5.0, ge=0, allow_inf_nan=False, description="Weight of the identity loss (Eq. 10).")
    lambda_nb: float = Field(
        0.3, ge=0, allow_inf_nan=False, description="Weight of the loss that keeps latents near (Eq. 8)."
    )
    lambda_direction: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Weight of the loss that keeps to the global direction (Eq. 7)."
    )
    lambda_sparsity: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Weight of the sparsity of directions (Eq. 6)."
    )
    logit_scale: float = Field(
        3.0,
        gt=0,
        allow_inf_nan=False,
        description="Eq. 9: D is the sigmoid of so many times the score. The log-odds of the classifiers' networks are "
        "2 to 5 times the score.",
    )
    reduction: losses.Reduction = Field(
        "mean",
        description="mean: Eq. 6 to 10 are means over attributes and layers, as the weights suppose; sum: sums over "
        "them, and in Eq. 8 the norm over all layers as printed.",
    )
    held_out: int = Field(
        32, ge=0, le=10_000, description="Faces left out of training, for the figures of the card and the judge."
    )
    judge: str = Field(
        "judge", description="Family of classifiers that judges edits of held-out faces as the training goes on."
    )
    judge_every: int | None = Field(
        None,
        ge=0,
        le=MOST,
        description="Steps until the judge looks again; 0: never. It is shown, and decides nothing. Default: as many "
        "as take about 3 % of the time for that.",
    )
    without: Part | None = Field(
        None,
        description="A part to leave out, as the paper's Table 3 does: the mixer of the intensity predictor, the "
        "positions at its input, or the embedding of the layers that are edited.",
    )

    as_released: bool = Field(
        False,
        description="Follow the public code: it edits fixed layers of each attribute, normalises the input of the "
        "intensity predictor, and takes in Eq. 8 the norm over all layers; with --edits-of-a-row all it keeps the "
        "identity in one attribute a step, in turn.",
    )

    @model_validator(mode="after")
    def _steps_or_budget(self) -> Self:
        if self.steps is not None and self.budget is not None:
            raise ValueError("--budget decides the steps: leave out --steps")
        return self

    @model_validator(mode="after")
    def _released(self) -> Self:
        if self.as_released and self.reduction == "sum":
            raise ValueError("--as-released takes means over attributes: leave out --reduction sum")
        if self.as_released and self.without is not None:
            raise ValueError("--as-released is one form, with all its parts: leave out --without")
        return self

    @property
    def first_directions(self) -> Literal["svm", "random"]:
        """start."""
        return self.start or ("random" if self.as_released else "svm")

    @property
    def first_move(self) -> float:
        """start_move."""
        return (0.0 if self.as_released else 1.0) if self.start_move is None else self.start_move

    @property
    def meanings(self) -> Mapping[str, str]:
        moved = {"neighbourhood": "how far codes are moved, the norm over all layers (Eq. 8)"}
        return {**MEANINGS, **moved} if self.as_released or self.reduction == "sum" else MEANINGS

    @property
    def version(self) -> int:
        """One higher without positions, since that network starts from the weights of the whole one."""
        return self.VERSION + (self.without == "positions")

    @property
    def family(self) -> str:
        return self.classifiers

    @property
    def judged_by(self) -> str | None:
        return self.judge if self.held_out and self.judge_every != 0 else None

    def judged_every(self, attributes: int) -> int:
        if self.judge_every is not None or not self.held_out:
            return self.judge_every or 0
        looks = min(self.held_out, JUDGED) * LOOK
        return max(1, round(looks / (JUDGED_SHARE * self.parts(attributes))))

    @property
    def minutes(self) -> float | None:
        return self.budget

    def parts(self, attributes: int) -> int:
        return self.batch_size * (attributes if self.edits_of_a_row == "all" else 1)

    def learns_in(self, space: Space) -> Space:
        return "w+" if self.crossovers else space

    def with_steps(self, steps: int) -> Self:
        if steps > MOST:
            raise SpecError(f"--budget is enough for {steps:,} steps, and {MOST:,} are the most: give fewer minutes")
        return self.model_copy(update={"steps": steps, "budget": None})


def learning_rate(config: Flags, step: int) -> float:
    """Of a step: it rises in equal steps, then falls along a cosine, as often as there are cycles."""
    steps = config.steps or STEPS
    rise = config.warm_up if config.warm_up is not None else min(1000, steps // 10)
    if step < rise:
        return config.learning_rate * (step + 1) / (rise + 1)
    length = max(1, math.ceil((steps - rise) / config.cycles))
    fallen = (1 + math.cos(math.pi * ((step - rise) % length) / length)) / 2
    return config.learning_rate * (LAST_RATE + (1 - LAST_RATE) * fallen)
