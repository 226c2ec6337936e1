"""Training of ID-Style through pictures: Eq. 6 to 11.

A step edits codes, has the faces of the edited codes judged in parts (face_parts.py), and passes their gradients back
through the network at once. What a part gives does not depend on where it is computed.

Shapes: B rows of a step, K edits of a step, L layers of w+, W w_dim, M attributes, E numbers of an embedding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from pipeline.editors import training
from pipeline.editors.id_style import losses
from pipeline.editors.id_style.face_parts import Edited, Look, Seen, in_parts
from pipeline.editors.id_style.learned_codes import LearnedCodes
from pipeline.editors.id_style.networks import IDStyle, Part
from pipeline.editors.id_style.start import check_start, normals
from pipeline.editors.resumable import ADABELIEF, load_optimiser_state, optimiser_state
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.randomness import raw_words

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
}
WEIGHTS = {
    "classification": "lambda_class", "identity": "lambda_id", "neighbourhood": "lambda_nb",
    "direction": "lambda_direction", "sparsity": "lambda_sparsity",
}  # fmt: skip
BETAS, EPSILON = (0.98, 0.98), 1e-16
LAST_RATE = 1e-5
"""The lowest learning rate, as a share of the highest."""
STEPS, MOST = 4000, 10_000_000
DRAWN = 22
"""Stream of the seed."""


class TrainConfig(training.TrainConfig):
    """Train directions that keep the identity, with an intensity for each face (ID-Style); write DIR/artifact.

    Faces are made in training, and scored by the classifiers and by an identity network.

    Example: stylemill train id-style --latents out/faces/latents --labels out/faces/labels --attributes smile,old --steps 2000 --out out/ids
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "id-style"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    CITATION: ClassVar[str] = CITATION
    TOLD: ClassVar[tuple[str, ...]] = ("reached", "likeness")
    VERSION: ClassVar[int] = 6
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
    start: Literal["svm", "random"] = Field("svm", description="First directions: normals of linear SVMs, or random.")
    start_move: float = Field(
        1.0,
        ge=0,
        allow_inf_nan=False,
        description="About how far the first edits move each layer; 0: hardly, as in the paper; that trains slowly.",
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
    held_out: int = Field(8, ge=0, le=10_000, description="Faces left out of training, for the figures of the card.")
    without: Part | None = Field(
        None,
        description="A part to leave out, as the paper's Table 3 does: the mixer of the intensity predictor, the "
        "positions at its input, or the embedding of the layers that are edited.",
    )

    @model_validator(mode="after")
    def _steps_or_budget(self) -> Self:
        if self.steps is not None and self.budget is not None:
            raise ValueError("--budget decides the steps: leave out --steps")
        return self

    @property
    def meanings(self) -> Mapping[str, str]:
        moved = {"neighbourhood": "how far codes are moved, the norm over all layers (Eq. 8)"}
        return MEANINGS if self.reduction == "mean" else {**MEANINGS, **moved}

    @property
    def version(self) -> int:
        """One higher without positions, since that network starts from the weights of the whole one."""
        return self.VERSION + (self.without == "positions")

    @property
    def family(self) -> str:
        return self.classifiers

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

    def open(self, rows: LabelledCodes, device: torch.device, faces: FacesOfTraining | None = None) -> IDStyleTraining:
        return IDStyleTraining(rows, self, device, faces)


class IDStyleTraining:
    """Step by step (`pipeline.editors.training.Training`).

    A face is edited away from the side of the boundary on which its classifier sees it. What is seen of a face before
    it is edited is kept, and seen again after a resume.

    Args:
        rows: codes in w or w+, and the scores of the attributes that are learned.
        config: what is asked.
        device: where the network is.
        faces: who makes and looks at faces; None to know the steps alone.

    Raises:
        SpecError: too few rows, or one attribute that cannot be told in the scores that a start from an SVM needs.
    """

    def __init__(
        self, rows: LabelledCodes, config: TrainConfig, device: torch.device, faces: FacesOfTraining | None = None
    ) -> None:
        self.config, self.attributes, self.step = config, rows.attributes, 0
        self.codes = LearnedCodes(rows, config.held_out, config.crossovers, config.batch_size, config.seed)
        self._rows, self._device, self._faces = rows, device, faces
        self._seen: dict[int, Seen] = {}
        if config.start == "svm":
            check_start(self.codes.to_start_from()[1], rows.attributes, config.seed)

    @property
    def steps(self) -> int:
        return self.config.steps or STEPS

    @property
    def phase(self) -> str:
        return "ID-Style"

    @cached_property
    def network(self) -> IDStyle:
        """As it is after `step` steps."""
        rows, config = self._rows, self.config
        made = IDStyle(rows.layers, rows.codes.values.shape[-1], self.attributes, config.seed, config.without)
        if config.start == "svm":
            made.start_along(normals(*self.codes.to_start_from(), self.attributes, config.seed))
        made.start_moving(config.start_move)
        return made.to(self._device)

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """AdaBelief (Zhuang et al., 2020, Algorithm 2) with decoupled weight decay, as in the public code."""
        from pytorch_optimizer import AdaBelief

        return AdaBelief(
            self.network.parameters(), self.config.learning_rate, BETAS, self.config.weight_decay, eps=EPSILON
        )

    def advance(self, steps: int) -> Mapping[str, float]:
        """So many steps; the mean losses of these steps by name, before they are weighed."""
        told = [self._advance() for _ in range(min(steps, self.steps - self.step))]
        return {name: math.fsum(each[name] for each in told) / len(told) for name in told[0]}

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, with `step`."""
        return optimiser_state(self.network, self.optimiser, moments=ADABELIEF)

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Go on from the state after so many steps. Raises SpecError where it is that of another network."""
        load_optimiser_state(self.network, self.optimiser, state, step, moments=ADABELIEF)
        self.step = step

    def tensors(self) -> dict[str, Tensor]:
        """The weights: see `IDStyle.named`."""
        return self.network.named()

    @torch.no_grad()
    def metrics(self) -> dict[str, float]:
        """Of each attribute, over the held-out faces: the share whose edit is on the other side of the boundary, by the
        classifiers that are learned from, and the mean cosine of the identity."""
        rows = [self.codes.row(row) for row in self.codes.held_out.tolist()]
        before = self.faces.compute([Look(ws_LW, self.attributes) for ws_LW in rows])
        edits, looks = [], []
        for ws_LW, seen in zip(rows, before, strict=True):
            moves_MLW = self.network(ws_LW[None].to(self._device))[0].cpu()
            for name, move_LW in zip(self.attributes, moves_MLW, strict=True):
                edits.append((name, seen, seen.side(name)))
                looks.append(Look(ws_LW + seen.side(name) * move_LW, (name,)))
        found: defaultdict[str, list[float]] = defaultdict(list)
        for (name, seen, attr), after in zip(edits, self.faces.compute(looks), strict=True):
            found[f"edit.{name}.reached"].append(float(attr * after.scores[name] > 0))
            unlike = losses.identity(seen.embedding[None], after.embedding[None])
            found[f"edit.{name}.likeness"].append(1 - float(unlike))
        return {name: float(np.mean(values)) for name, values in found.items()}

    # -- one step -----------------------------------------------------------------------------------------------------

    def _advance(self) -> dict[str, float]:
        rate = learning_rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        told = self._backward(self.codes.batch(self.step), self._edits())
        if bad := [name for name, value in told.items() if not math.isfinite(value)]:
            raise SpecError(f"the loss {bad[0]} is not finite at step {self.step}: a lower --learning-rate may help")
        self.optimiser.step()
        self.step += 1
        return told

    def _backward(self, numbers: Sequence[int], edits: Sequence[tuple[int, int]]) -> dict[str, float]:
        """The gradient of Eq. 11 in the network; each loss before it is weighed. edits: K places, each of a code among
        the numbers, and of an attribute."""
        config, network = self.config, self.network
        codes = [self.codes.code(number) for number in numbers]
        before = self._before(numbers, codes)
        ws_BLW = torch.stack(codes).to(self._device)
        intensity_BLW = network.intensity(ws_BLW)
        deltas_BMLW = network(ws_BLW, intensity_BLW)
        rows, places = [list(each) for each in zip(*edits, strict=True)]
        names = [self.attributes[place] for place in places]
        attr_K = torch.tensor([before[row].side(name) for row, name in zip(rows, names, strict=True)])
        edited_KLW = ws_BLW[rows] + attr_K.to(ws_BLW)[:, None, None] * deltas_BMLW[rows, places]

        many = len(self.attributes) if config.reduction == "sum" else 1
        each = many / len(edits)
        weights = each * config.lambda_class, each * config.lambda_id
        known_KE = torch.stack([before[row].embedding for row in rows])
        parts = [
            Edited(codes_NLW, tuple(names[some]), attr_K[some], known_KE[some], weights, config.logit_scale)
            for some in in_parts(len(edits), self.faces.at_once)
            for codes_NLW in [edited_KLW.detach()[some].cpu().clone()]
        ]
        slopes = self.faces.compute(parts)
        told = {
            "neighbourhood": losses.neighbourhood(deltas_BMLW, config.reduction),
            "direction": losses.direction(intensity_BLW, network.direction_MW, config.reduction),
            "sparsity": losses.sparsity(network.direction_MW, config.reduction),
        }
        of_network = torch.stack([getattr(config, WEIGHTS[name]) * value for name, value in told.items()]).sum()
        of_faces_KLW = torch.cat([slope.gradient for slope in slopes]).to(edited_KLW)
        torch.autograd.backward([edited_KLW, of_network], [of_faces_KLW, torch.ones_like(of_network)])
        return {
            "classification": many * float(torch.cat([slope.classification for slope in slopes]).mean()),
            "identity": many * float(torch.cat([slope.identity for slope in slopes]).mean()),
            **{name: float(value.detach()) for name, value in told.items()},
        }

    def _edits(self) -> list[tuple[int, int]]:
        """What this step edits: the place of a code among those of the step, and the place of an attribute."""
        rows, many = len(self.codes.batch(self.step)), len(self.attributes)
        if self.config.edits_of_a_row == "all":
            return [(row, place) for place in range(many) for row in range(rows)]
        words = raw_words(self.config.seed, self.step, rows, DRAWN)
        return list(enumerate((words % np.uint64(many)).astype(int).tolist()))

    # -- faces --------------------------------------------------------------------------------------------------------

    @property
    def faces(self) -> FacesOfTraining:
        if self._faces is None:
            raise SpecError("this training makes faces: give `faces` to open")
        return self._faces

    def _before(self, numbers: Sequence[int], codes: Sequence[Tensor]) -> list[Seen]:
        """What is seen of codes that are not edited; each is seen once."""
        unseen = {number: ws for number, ws in zip(numbers, codes, strict=True) if number not in self._seen}
        found = self.faces.compute([Look(ws_LW, self.attributes) for ws_LW in unseen.values()])
        self._seen |= dict(zip(unseen, found, strict=True))
        return [self._seen[number] for number in numbers]


def learning_rate(config: TrainConfig, step: int) -> float:
    """Of a step: it rises in equal steps, then falls along a cosine, as often as there are cycles."""
    steps = config.steps or STEPS
    rise = config.warm_up if config.warm_up is not None else min(1000, steps // 10)
    if step < rise:
        return config.learning_rate * (step + 1) / (rise + 1)
    length = max(1, math.ceil((steps - rise) / config.cycles))
    fallen = (1 + math.cos(math.pi * ((step - rise) % length) / length)) / 2
    return config.learning_rate * (LAST_RATE + (1 - LAST_RATE) * fallen)
