"""Training of the Latent Transformer: first the latent classifier C, then T of all attributes at the same time.

All of it happens in latent space: no picture is made. The rows of a step are drawn by the seed and the epoch alone, so
that a training that was stopped goes on with the same bits.

Shapes: N rows, B of a batch, W w_dim, D numbers of a code (W in w, L * W in w+), A attributes of C, J of T.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from pipeline.editors import training
from pipeline.editors.latent_transformer import figures, losses
from pipeline.editors.latent_transformer.networks import (
    HIDDEN,
    RELEASED_HIDDEN,
    LatentClassifier,
    LayerTransformers,
    Transformers,
)
from pipeline.editors.latent_transformer.rows import check, some, split
from pipeline.editors.phase import Phase
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.codes import Space

MOST = 100_000
PAPER_ROWS = 10_000
RELEASED_DECAY = 5e-4
STEPS, CLASSIFIER_STEPS, CLASSIFIER_EPOCHS = 6250, 640, 20
"""STEPS: 10 epochs of the paper's rows in batches of 16. The paper does not say how long C is trained."""
CITATION = "Yao et al., Learning Non-Linear Disentangled Editing for StyleGAN, ICIP 2021"


class TrainConfig(training.TrainConfig):
    """Train a transformation of latents for each attribute (Latent Transformer); write DIR/artifact.

    Example: stylemill train latent-transformer --latents out/faces/latents --labels out/faces/labels --out out/lt
    """

    GROUP: ClassVar[str | None] = "latent-transformer"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+")
    CITATION: ClassVar[str] = CITATION
    ALL_COLUMNS: ClassVar[bool] = True
    TOLD: ClassVar[tuple[str, ...]] = ("accuracy", "f1", "reached", "kept")
    MEANINGS: ClassVar[Mapping[str, str]] = figures.MEANINGS

    transformer_rows: int = Field(
        PAPER_ROWS,
        gt=0,
        description="Random rows that the transformations learn from; all if there are fewer.",
    )
    epochs: int | None = Field(
        None,
        gt=0,
        le=MOST,
        description="Epochs of the transformations. Default: as many as make about 6,250 steps, 10 epochs of the "
        "paper's 10,000 rows in batches of 16.",
    )
    batch_size: int = Field(16, gt=0, le=MOST, description="Rows in a step of the transformations.")
    learning_rate: float = Field(
        1e-4, gt=0, allow_inf_nan=False, description="Learning rate of the transformations (Adam)."
    )
    lambda_attr: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Weight of the loss that keeps other attributes (Eq. 5)."
    )
    lambda_recon: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the loss that keeps latents near (Eq. 5). Default: 100; with --as-released 10.",
    )
    reduction: losses.Reduction = Field(
        "mean", description="Eq. 3 and 4: mean of squares, or the norm as printed, with which hardly anything changes."
    )
    classifier_epochs: int | None = Field(
        None,
        gt=0,
        le=MOST,
        description="Epochs of the latent classifier. Default: 20, or as many as make 640 steps if these are more.",
    )
    classifier_batch_size: int | None = Field(
        None, gt=0, le=MOST, description="Rows in a step of the latent classifier. Default: 64; with --as-released 256."
    )
    classifier_learning_rate: float = Field(
        1e-4, gt=0, allow_inf_nan=False, description="Learning rate of the latent classifier (Adam)."
    )
    soft_labels: bool = Field(
        False, description="The latent classifier learns sigmoid(score), not the side of the boundary."
    )
    held_out: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Share of the rows left out of training, for the figures of the card; there are none "
        "of the classifiers for an attribute that all or none of these have.",
    )

    as_released: bool = Field(
        False,
        description="Follow the public code, in w+: a linear layer for each row of a code, Eq. 3 with (1 - |gamma|)^2 "
        "and a mean over the attributes, Eq. 2 balanced in each batch, a wider latent classifier with weight decay.",
    )

    @model_validator(mode="after")
    def _released(self) -> TrainConfig:
        if self.as_released and self.reduction == "norm":
            raise ValueError("--as-released takes means of squares: leave out --reduction norm")
        return self

    @property
    def weight_of_reconstruction(self) -> float:
        """lambda_recon."""
        return (10.0 if self.as_released else 100.0) if self.lambda_recon is None else self.lambda_recon

    @property
    def rows_of_a_classifier_step(self) -> int:
        """classifier_batch_size."""
        return self.classifier_batch_size or (256 if self.as_released else 64)

    def open(
        self, rows: LabelledCodes, device: torch.device, faces: FacesOfTraining | None = None
    ) -> LatentTransformerTraining:
        return LatentTransformerTraining(rows, None, self, device)


class LatentTransformerTraining:
    """C, then T of the attributes `targets`, step by step (`pipeline.editors.training.Training`).

    Args:
        rows: codes in w or w+; the scores of all labelled attributes, since Eq. 3 preserves them.
        targets: the attributes that get a T; by default those that `rows` names, or all.
        config: what is asked.
        device: where it is computed.

    Raises:
        SpecError: too few rows, a score that is not finite, or an attribute that all or none of the rows to learn from
            have.
    """

    def __init__(
        self,
        rows: LabelledCodes,
        targets: Sequence[str] | None = None,
        config: TrainConfig | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.config = config or TrainConfig()
        self.attributes = rows.attributes
        self.targets = tuple(targets or rows.targets or rows.attributes)
        self.codes = rows.codes.values.to(device)
        self.scores_NA = torch.tensor(np.asarray(rows.scores), dtype=self.codes.dtype, device=device)
        self.held_out_N, self.learned_N = split(len(self.codes), self.config.held_out, self.config.seed)
        check(rows, self.scores_NA, self.targets, self.learned_N, self.config.held_out, self.config.soft_labels)
        has_NA = self.scores_NA[torch.from_numpy(self.learned_N)] > 0
        self.gamma_AA = torch.corrcoef(has_NA.to(self.codes.dtype).T).reshape(len(self.attributes), -1)
        self._places = torch.tensor([self.attributes.index(name) for name in self.targets], device=device)
        self._weight_JA = losses.attribute_weights(self.gamma_AA, self._places)
        self._before_NA: Tensor | None = None
        seed = self.config.seed
        released, shape = self.config.as_released, self.codes.shape[1:]
        if released and rows.codes.space != "w+":
            raise SpecError(f"--as-released is in w+, these codes are in {rows.codes.space}: pass --space w+")
        hidden = RELEASED_HIDDEN if released else HIDDEN
        self.classifier = LatentClassifier(shape.numel(), len(self.attributes), seed, hidden).to(self.codes)
        self.transformers: Transformers | LayerTransformers = (
            LayerTransformers((shape[0], shape[1]), self.targets, seed)
            if released
            else Transformers(shape[-1], self.targets, seed)
        ).to(self.codes)
        self.phases = self._phases()

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return sum(phase.steps for phase in self.phases)

    @property
    def step(self) -> int:
        """How many are done."""
        return sum(phase.step for phase in self.phases)

    @property
    def phase(self) -> str:
        """What the next step trains; the last one once all are done."""
        return next((phase.name for phase in self.phases if phase.step < phase.steps), self.phases[-1].name)

    def advance(self, steps: int) -> dict[str, float]:
        """So many steps, or as many as are left of a phase; the mean losses of these steps, by name."""
        phase = next(phase for phase in self.phases if phase.step < phase.steps)
        steps = min(steps, phase.steps - phase.step)
        told = [phase.advance() for _ in range(steps)]
        return {name: float(torch.stack([each[name] for each in told]).mean()) for name in told[0]}

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, with `step`."""
        return {name: value for phase in self.phases for name, value in phase.state().items()}

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Go on from the state after so many steps."""
        for phase in self.phases:
            done = min(step, phase.steps)
            phase.load(state, done)
            step -= done

    def tensors(self) -> dict[str, Tensor]:
        """C and T, each attribute by its name: see `networks.named`."""
        return {**self.classifier.named(self.attributes), **self.transformers.named(self.targets)}

    def metrics(self) -> dict[str, float]:
        """Figures of C, of a linear one beside it, and of T, on held-out rows: `classifier.smile.f1`."""
        has_NA, tested, learned = self.scores_NA > 0, *map(torch.from_numpy, (self.held_out_N, self.learned_N))
        rows = self.codes[tested], has_NA[tested]
        moves = figures.of_transformers(self.transformers, self.classifier, rows[0], self._places, self.targets)
        told = {
            "classifier": figures.of_classifier(self.classifier, *rows, self.attributes),
            "linear": figures.of_linear((self.codes[learned], has_NA[learned]), *rows, self.attributes),
            "transformers": moves,
        }
        return {
            f"{which}.{attribute}.{name}": number
            for which, attributes in told.items()
            for attribute, numbers in attributes.items()
            for name, number in numbers.items()
        }

    def _phases(self) -> tuple[Phase, Phase]:
        asked, classifier, moves = self.config, self.classifier, self.transformers
        return (
            Phase(
                "classifier", classifier, lambda rows: self._classifier_loss(classifier, rows), self.learned_N,
                asked.rows_of_a_classifier_step, asked.classifier_epochs, asked.classifier_learning_rate, asked.seed,
                stream=1, least=(CLASSIFIER_EPOCHS, CLASSIFIER_STEPS),
                weight_decay=RELEASED_DECAY if asked.as_released else 0.0,
            ),
            Phase(
                "transformers", moves, lambda rows: self._transformer_loss(classifier, moves, rows),
                some(self.learned_N, asked.transformer_rows, asked.seed), asked.batch_size, asked.epochs,
                asked.learning_rate, asked.seed, stream=2, least=(1, STEPS),
            ),
        )  # fmt: skip

    def _classifier_loss(self, network: nn.Module, rows_B: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        logits_BA, scores_BA = network(self.codes[rows_B].flatten(1)), self.scores_NA[rows_B]
        target_BA = scores_BA.sigmoid() if self.config.soft_labels else (scores_BA > 0).to(logits_BA.dtype)
        loss = functional.binary_cross_entropy_with_logits(logits_BA, target_BA)
        right = ((logits_BA.detach() > 0) == (scores_BA > 0)).to(logits_BA.dtype).mean()
        return loss, {"classification": loss.detach(), "accuracy": right}

    def _transformer_loss(
        self, classifier: nn.Module, transformers: Transformers | LayerTransformers, rows_B: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Eq. 5, summed over the attributes, which share no weight."""
        s, z = self.config, self.codes[rows_B]
        before_BA = self._logits_of_sources(classifier)[rows_B]
        p_JB = before_BA[:, self._places].T.sigmoid()
        beta_JB = (p_JB < 0.5).to(z.dtype)
        moved = transformers(z, losses.training_alpha(p_JB))
        after_JBA = functional_call(classifier, moved.flatten(2))
        logits_JB = after_JBA.gather(2, self._places[:, None, None].expand(-1, len(rows_B), 1))[..., 0]
        class_J = losses.classification(logits_JB, beta_JB, balanced=s.as_released)
        if s.as_released:
            attr_J = losses.released_attribute_regularisation(after_JBA, before_BA, self._weight_JA)
        else:
            attr_J = losses.attribute_regularisation(after_JBA, before_BA, self._weight_JA, s.reduction)
        recon_J = losses.reconstruction(moved, z, s.reduction)
        loss = (class_J + s.lambda_attr * attr_J + s.weight_of_reconstruction * recon_J).sum()
        reached = ((logits_JB.detach() > 0) == (beta_JB > 0)).to(z.dtype).mean()
        parts = {"classification": class_J, "attribute": attr_J, "reconstruction": recon_J}
        return loss, {**{name: part.detach().mean() for name, part in parts.items()}, "reached": reached}

    def _logits_of_sources(self, classifier: nn.Module) -> Tensor:
        """C(z) of all rows, (N, A): C is not trained any more."""
        if self._before_NA is None:
            with torch.no_grad():
                self._before_NA = torch.cat([classifier(part.flatten(1)) for part in self.codes.split(4096)])
        return self._before_NA


def functional_call(network: nn.Module, codes: Tensor) -> Tensor:
    """A network whose weights are not trained, but through which gradients go."""
    frozen = {name: parameter.detach() for name, parameter in network.named_parameters()}
    out: Tensor = torch.func.functional_call(network, frozen, (codes,))
    return out
