"""Training of ID-Style through pictures: Eq. 6 to 11, a face at a time where that is what the device does best.

Shapes: N rows to learn from, B of a step, L layers of w+, W w_dim, M attributes, E numbers of an embedding.
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
from pipeline.editors.id_style.crossovers import crossover
from pipeline.editors.id_style.networks import IDStyle, Part
from pipeline.editors.id_style.start import check_start, normals
from pipeline.editors.resumable import Shuffle, adam_state, load_adam_state
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
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
BETAS = (0.98, 0.98)
LAST_RATE = 1e-5
"""The lowest learning rate, as a share of the highest."""
STEPS, MOST = 4000, 10_000_000
ORDER, DRAWN, HELD_OUT = 21, 22, 23
"""Streams of the seed."""


class TrainConfig(training.TrainConfig):
    """Train directions that keep the identity, with an intensity for each face (ID-Style); write DIR/artifact.

    Faces are made in training, and scored by the classifiers and by an identity network.

    Example: stylemill train id-style --latents out/faces/latents --labels out/faces/labels --attributes smile,old --steps 2000 --out out/ids
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "id-style"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    CITATION: ClassVar[str] = CITATION
    TOLD: ClassVar[tuple[str, ...]] = ("reached", "likeness")
    VERSION: ClassVar[int] = 4
    MEANINGS: ClassVar[Mapping[str, str]] = MEANINGS

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
        description="mean: Eq. 6 to 10 are means over attributes and layers, for which the weights are; sum: sums and "
        "the norm of Eq. 8 as printed, with which nothing moves.",
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
    def family(self) -> str:
        return self.classifiers

    @property
    def minutes(self) -> float | None:
        return self.budget

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
        self._rows, self._device, self._faces = rows, device, faces
        self._seen: dict[int, tuple[dict[str, float], Tensor]] = {}
        if len(rows.codes) - config.held_out < 2:
            raise SpecError(f"{len(rows.codes)} rows, {config.held_out} of them held out, are too few: give some more")
        order = np.argsort(raw_words(config.seed, 0, len(rows.codes), HELD_OUT), kind="stable")
        self._held_out, self._learned = (np.sort(part) for part in np.split(order, [config.held_out]))
        codes = len(self._learned) * max(1, config.crossovers)
        self._shuffle = Shuffle(codes, config.batch_size, config.seed, ORDER)
        if config.start == "svm":
            check_start(rows.scores[self._learned], rows.attributes, config.seed)

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
            made.start_along(self._normals())
        made.start_moving(config.start_move)
        return made.to(self._device)

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """Adam with decoupled decay. AdaBelief, which the paper takes, divides a step by how far gradients are spread
        about their running mean, where Adam divides it by their running size; the rest of it is the same."""
        return torch.optim.AdamW(
            self.network.parameters(), self.config.learning_rate, BETAS, weight_decay=self.config.weight_decay
        )

    def advance(self, steps: int) -> Mapping[str, float]:
        """So many steps; the mean losses of these steps by name, before they are weighed."""
        told = [self._advance() for _ in range(min(steps, self.steps - self.step))]
        return {name: math.fsum(each[name] for each in told) / len(told) for name in told[0]}

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, with `step`."""
        return adam_state(self.network, self.optimiser)

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Go on from the state after so many steps. Raises SpecError where it is that of another network."""
        load_adam_state(self.network, self.optimiser, state, step)
        self.step = step

    def tensors(self) -> dict[str, Tensor]:
        """The weights: see `IDStyle.named`."""
        return self.network.named()

    @torch.no_grad()
    def metrics(self) -> dict[str, float]:
        """Of each attribute, over the held-out faces: the share whose edit is on the other side of the boundary, by the
        classifiers that are learned from, and the mean cosine of the identity."""
        seen: defaultdict[str, list[float]] = defaultdict(list)
        for row in self._held_out.tolist():
            ws_1LW = self._expanded(row)[None]
            before, before_1E = self._look(ws_1LW)
            moves_1MLW = self.network(ws_1LW)
            for place, name in enumerate(self.attributes):
                attr = -1.0 if float(before[name]) > 0 else 1.0
                after, after_1E = self._look(ws_1LW + attr * moves_1MLW[:, place])
                seen[f"edit.{name}.reached"].append(float(attr * float(after[name]) > 0))
                seen[f"edit.{name}.likeness"].append(1 - float(losses.identity(before_1E, after_1E)))
        return {name: float(np.mean(values)) for name, values in seen.items()}

    # -- one step -----------------------------------------------------------------------------------------------------

    def _advance(self) -> dict[str, float]:
        rate = learning_rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        numbers, told = self._numbers(), dict[str, float]()
        edits = self._edits(len(numbers))
        size = self.faces.at_once or len(numbers)
        for first in range(0, len(numbers), size):
            some = slice(first, first + size)
            parts = self._losses(numbers[some], [places[some] for places in edits])
            share = len(numbers[some]) / len(numbers)
            (share * self._weighed(parts)).backward()
            for name, value in parts.items():
                told[name] = told.get(name, 0.0) + share * float(value.detach())
        if bad := [name for name, value in told.items() if not math.isfinite(value)]:
            raise SpecError(f"the loss {bad[0]} is not finite at step {self.step}: a lower --learning-rate may help")
        self.optimiser.step()
        self.step += 1
        return told

    def _losses(self, numbers: Sequence[int], edits: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Of some codes, each loss before it is weighed. edits: for each pass the attribute of each code."""
        reduction, network = self.config.reduction, self.network
        ws_NLW = torch.stack([self._code(number) for number in numbers])
        before = [self._before(number) for number in numbers]
        intensity_NLW = network.intensity(ws_NLW)
        deltas_NMLW = network(ws_NLW, intensity_NLW)
        known_NE = torch.stack([embedding for _, embedding in before])
        classes, identities = [], []
        for places in edits:
            names = [self.attributes[place] for place in places]
            attr_N = [-1.0 if scores[name] > 0 else 1.0 for (scores, _), name in zip(before, names, strict=True)]
            attr_N1 = torch.tensor(attr_N, device=ws_NLW.device)
            moved_NLW = deltas_NMLW[torch.arange(len(numbers), device=ws_NLW.device), list(places)]
            edited, embedding_NE = self._look(ws_NLW + attr_N1[:, None, None] * moved_NLW, sorted(set(names)))
            score_N = torch.stack([edited[name][row] for row, name in enumerate(names)])
            classes.append(losses.classification(score_N, attr_N1.to(score_N), self.config.logit_scale))
            identities.append(losses.identity(known_NE, embedding_NE))
        many = len(self.attributes) if reduction == "sum" else 1
        return {
            "classification": many * torch.stack(classes).mean(),
            "identity": many * torch.stack(identities).mean(),
            "neighbourhood": losses.neighbourhood(deltas_NMLW, reduction),
            "direction": losses.direction(intensity_NLW, network.direction_MW, reduction),
            "sparsity": losses.sparsity(network.direction_MW, reduction),
        }

    def _weighed(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Eq. 11."""
        return torch.stack([getattr(self.config, WEIGHTS[name]) * value for name, value in parts.items()]).sum()

    def _edits(self, rows: int) -> list[tuple[int, ...]]:
        """The attribute in which each row of this step is edited, for each pass of faces."""
        many = len(self.attributes)
        if self.config.edits_of_a_row == "all":
            return [(place,) * rows for place in range(many)]
        words = raw_words(self.config.seed, self.step, rows, DRAWN)
        return [tuple((words % np.uint64(many)).astype(int).tolist())]

    # -- faces --------------------------------------------------------------------------------------------------------

    @property
    def faces(self) -> FacesOfTraining:
        if self._faces is None:
            raise SpecError("this training makes faces: give `faces` to open")
        return self._faces

    def _look(self, ws_NLW: Tensor, attributes: Sequence[str] | None = None) -> tuple[Mapping[str, Tensor], Tensor]:
        return self.faces.recognise(Codes("w+", ws_NLW), attributes or self.attributes)

    @torch.no_grad()
    def _before(self, number: int) -> tuple[dict[str, float], Tensor]:
        """Scores and embedding (E,) of a code that is not edited; made once."""
        if number not in self._seen:
            scores, embedding_1E = self._look(self._code(number)[None])
            self._seen[number] = {name: float(score) for name, score in scores.items()}, embedding_1E[0]
        return self._seen[number]

    # -- codes --------------------------------------------------------------------------------------------------------

    def _numbers(self) -> list[int]:
        """The codes of this step."""
        numbers: list[int] = self._shuffle.batch(self.step).tolist()
        return numbers

    def _code(self, number: int) -> Tensor:
        """(L, W), on the device."""
        each = self.config.crossovers
        if not each:
            return self._expanded(int(self._learned[number]))
        found = crossover(self.config.seed, number, len(self._learned), each, self._rows.layers)
        rows = self._learned[[found.row, found.other]]
        two = self._rows.codes.values[torch.from_numpy(rows)]
        return found.between(two, self._rows.layers).to(self._device)

    def _expanded(self, row: int) -> Tensor:
        return self._rows.codes.values[row].expand(self._rows.layers, -1).to(self._device)

    def _normals(self) -> Tensor:
        """(M, W), of the rows to learn from."""
        codes = self._rows.codes.select(torch.from_numpy(self._learned))
        return normals(codes, self._rows.scores[self._learned], self.attributes, self.config.seed)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Of a step: it rises in equal steps, then falls along a cosine, as often as there are cycles."""
    steps = config.steps or STEPS
    rise = config.warm_up if config.warm_up is not None else min(1000, steps // 10)
    if step < rise:
        return config.learning_rate * (step + 1) / (rise + 1)
    length = max(1, math.ceil((steps - rise) / config.cycles))
    fallen = (1 + math.cos(math.pi * ((step - rise) % length) / length)) / 2
    return config.learning_rate * (LAST_RATE + (1 - LAST_RATE) * fallen)
