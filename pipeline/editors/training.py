"""What is asked of a training whose result is an artifact, and the list of trainings.

A new one is a module with a `TrainConfig`, and a line in the list.

Shapes: N rows, A attributes; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.codes import SPACES, Codes, Space
from pipeline.models.faces import FaceScorer
from pipeline.models.randomness import MAX_SEED

T = TypeVar("T")
TRAININGS = {
    "latent-transformer": ("pipeline.editors.latent_transformer", "a non-linear move in w or w+ for each attribute"),
    "id-style": ("pipeline.editors.id_style", "sparse directions and an intensity for each face, by looking at faces"),
}
"""By name: the module, and what is trained."""
JUDGE = "judge_"
"""Prefix of the family that judges edits while an editor is trained, and from which nothing is learned."""


@dataclass(frozen=True, eq=False)
class LabelledCodes:
    """What is learned from: codes (N, ...), scores (N, A), 0 at the boundary, and the names of the A attributes.

    layers: of w+ of the generator, where it is known. targets: the attributes that the editor is to change, where the
        others are learned too; none for all.
    """

    codes: Codes
    scores: NDArray[np.floating]
    attributes: tuple[str, ...]
    layers: int = 0
    targets: tuple[str, ...] = ()


class PartsInOrder(Protocol):
    """Computes parts of a step, some of them elsewhere; `here` computes one in this process."""

    def compute(self, parts: Sequence[Any], here: Callable[[Any], Any]) -> list[Any]: ...


class FacesOfTraining:
    """Faces that are made in a training, and what is seen of them.

    faces: its family without prefix scores them; there may be one of prefix JUDGE. identity: says whose face it is,
        (N, 3, H, W) -> (N, E).
    """

    def __init__(
        self, faces: FaceScorer, identity: Callable[[Tensor], Tensor], helpers: PartsInOrder | None = None
    ) -> None:
        self._faces, self._identity, self._helpers = faces, identity, helpers

    def with_helpers(self, helpers: PartsInOrder | None) -> FacesOfTraining:
        """The same, where others compute parts too."""
        return FacesOfTraining(self._faces, self._identity, helpers)

    @property
    def device(self) -> torch.device:
        return self._faces.device

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        """As `Generator.stylegan2_rows`."""
        return self._faces.generator.stylegan2_rows

    @property
    def at_once(self) -> int | None:
        """Rows whose gradients are best computed together, None for all."""
        return self._faces.at_once

    def recognise(self, codes: Codes, attributes: Collection[str] | None = None) -> tuple[Mapping[str, Tensor], Tensor]:
        """Scores (N,) by attribute, of some or all, and embeddings (N, E); both differentiable, from one pass."""
        scores, x_N3HW = self._faces.search_with_pictures(codes, attributes)
        return scores, self._identity(x_N3HW)

    @property
    def judged(self) -> tuple[str, ...]:
        """The attributes that a judge scores; none where there is no judge."""
        judge = self._faces.families.get(JUDGE)
        return () if judge is None else judge.attributes

    @torch.no_grad()
    def judge(self, codes: Codes, attributes: Collection[str]) -> tuple[Mapping[str, Tensor], Tensor]:
        """`recognise`, with scores by the judge and without gradients."""
        columns, x_N3HW = self._faces.look_with_pictures(codes, [JUDGE + name for name in attributes])
        return {name: torch.from_numpy(columns[JUDGE + name]) for name in attributes}, self._identity(x_N3HW)

    def compute(self, parts: Sequence[Callable[[FacesOfTraining], T]]) -> list[T]:
        """What the parts give of these faces, in their order: here, or by helpers, with the same bits. Parts, and what
        they give, are on the CPU and can be pickled."""
        if self._helpers is None:
            return [part(self) for part in parts]
        return self._helpers.compute(parts, lambda part: part(self))


class Training(Protocol):
    """A training in known steps. At equal steps two of them have equal bits on a CPU, however often they were
    stopped."""

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        ...

    @property
    def step(self) -> int:
        """How many are done."""
        ...

    @property
    def phase(self) -> str:
        """What the next step trains; the last one once all are done."""
        ...

    def advance(self, steps: int) -> Mapping[str, float]:
        """Do so many steps, or fewer where another phase begins; the mean losses of these steps by name, and now and
        then what held-out rows show after them."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What `load` takes to go on from here."""
        ...

    def load(self, state: Mapping[str, Tensor], step: int) -> None: ...

    def tensors(self) -> dict[str, Tensor]:
        """What the editor needs: `artifact` of its `open`."""
        ...

    def metrics(self) -> dict[str, float]:
        """Metrics on held-out rows; of an attribute as `classifier.smile.accuracy`."""
        ...


class TrainConfig(BaseModel, ABC):
    """What one training can be asked: a field is a flag of `stylemill train NAME`, with its help and its checks.

    The docstring of a subclass is the help of that command. SPACES: of the codes that it learns from. CITATION: of the
    paper. TOLD: metrics of an attribute that are printed at the end; the card has all. MEANINGS: of metrics and losses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    GROUP: ClassVar[str | None] = None
    SPACES: ClassVar[tuple[Space, ...]] = SPACES
    CITATION: ClassVar[str] = ""
    TOLD: ClassVar[tuple[str, ...]] = ()
    ALL_COLUMNS: ClassVar[bool] = False
    """Whether it learns from all scores of the labels, of which --attributes names those that the editor changes."""
    VERSION: ClassVar[int] = 3
    """Raised by hand when what equal flags train changes in any bit."""
    MEANINGS: ClassVar[Mapping[str, str]] = {}
    PACKAGES: ClassVar[tuple[str, ...]] = ("scikit-learn",)
    """Whose versions can move its bits, besides those of every job."""

    seed: int = Field(0, ge=0, le=MAX_SEED, description="Random seed of first weights, row order and held-out rows.")

    @property
    def meanings(self) -> Mapping[str, str]:
        """MEANINGS, as these flags have them."""
        return self.MEANINGS

    @property
    def version(self) -> int:
        """Of what this is trained to; raised where its bits change."""
        return self.VERSION

    @property
    def family(self) -> str | None:
        """The family of classifiers of a training that makes faces; None of one that makes none."""
        return None

    @property
    def judged_by(self) -> str | None:
        """The family of classifiers that judges held-out faces while it is trained, where there is one."""
        return None

    def judged_every(self, attributes: int) -> int:
        """After how many steps it does; 0 for never. attributes: how many are to be changed."""
        return 0

    @property
    def minutes(self) -> float | None:
        """How long it may take, where that decides its steps; None where these are known."""
        return None

    def parts(self, attributes: int) -> int:
        """Of a step, at most: so many workers can compute it together. attributes: how many are to be changed."""
        return 1

    def with_steps(self, steps: int) -> Self:
        """The same with so many steps, where `minutes` are given. Raises SpecError where they are too many."""
        return self

    def learns_in(self, space: Space) -> Space:
        """The space of the codes that are learned from, where the latents are in this one."""
        return space

    @abstractmethod
    def open(self, rows: LabelledCodes, device: torch.device, faces: FacesOfTraining | None = None) -> Training:
        """The training at its start. Raises SpecError where these rows cannot be learned from.

        faces: who makes faces, where `family` says that some are made; None where the steps alone are to be known.
        """


def config_of(name: str) -> type[TrainConfig]:
    """The options of a training. Raises SpecError where there is no such training."""
    if name not in TRAININGS:
        raise SpecError(f"there is no training {name!r}; the trainings are {', '.join(TRAININGS)}")
    config: type[TrainConfig] = importlib.import_module(TRAININGS[name][0]).TrainConfig
    return config
