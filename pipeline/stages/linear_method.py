"""InterFaceGAN's edits as a job has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.directions import Direction
from pipeline.editors import InterFaceGAN, Requests, Search, Trace, Truncation
from pipeline.editors.interfacegan import Mode
from pipeline.editors.request import Target
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator
from pipeline.stages.method import Wanted
from pipeline.stages.models import ClassifierRef, Runtime, Truncated, open_scorer


@dataclass(frozen=True)
class Asked:
    """One request: how far along which direction, or until which score of the classifiers' `scored`, times `sign`."""

    direction: Direction
    strengths: tuple[float, ...] = ()
    until: float | None = None
    target: Target = "1"
    scored: str = ""
    sign: int = 1

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            self.direction.attribute, self.direction.conditions, self.target,
            strengths=self.strengths, until=self.until,
        )  # fmt: skip

    def requests(self, rows: int) -> Requests:
        """The same for each of N rows."""
        return Requests.same(
            rows,
            self.direction.attribute,
            strengths=self.strengths if self.until is None else None,
            conditions=self.direction.conditions,
            target=self.target,
            until=self.until,
        )


@dataclass(frozen=True)
class LinearMethod:
    """`pipeline.editors.InterFaceGAN` for each request.

    search: how far `until` may go. classifiers: what it is looked up with. truncated: as z was mapped.
    """

    asked: tuple[Asked, ...]
    mode: Mode = "relative"
    layers: tuple[int, ...] | None = None
    psi_after: float | None = None
    search: Search = field(default_factory=Search)
    classifiers: ClassifierRef | None = None
    truncated: Truncated = field(default_factory=Truncated)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        return tuple(asked.wanted for asked in self.asked)

    @property
    def steps(self) -> int:
        return max(1 if asked.until is not None else len(asked.strengths) for asked in self.asked)

    @property
    def independent(self) -> bool:
        return True

    @property
    def networks(self) -> bool:
        return self.classifiers is not None

    @property
    def generates(self) -> bool:
        return self.networks or self.psi_after is not None

    def open(self, generator: Generator | None, runtime: Runtime) -> "LinearEditing":
        return LinearEditing(self, generator, runtime)


class LinearEditing:
    """The editors, one a request."""

    def __init__(self, method: LinearMethod, generator: Generator | None, runtime: Runtime) -> None:
        self._method = method
        self._faces: FaceScorer | None = None
        truncation = None
        if generator is not None and method.psi_after is not None:
            truncation = Truncation(generator.w_avg.cpu(), method.psi_after)
        if generator is not None and method.classifiers is not None:
            self._faces = open_scorer(generator, runtime, [method.classifiers], truncated=method.truncated)
        self._editors = [self._editor(asked, truncation) for asked in method.asked]

    def edit(self, codes: Codes, request: int) -> Trace:
        """On the CPU, whatever device the models are on."""
        return self._editors[request].edit(codes, self._method.asked[request].requests(len(codes)))

    def take_seconds(self) -> dict[str, float]:
        return self._faces.take_seconds() if self._faces else {}

    def _editor(self, asked: Asked, truncation: Truncation | None) -> InterFaceGAN:
        @torch.no_grad()
        def scores(codes: Codes) -> Mapping[str, Tensor]:
            assert self._faces is not None
            return {asked.direction.attribute: asked.sign * self._faces(codes)[asked.scored].cpu()}

        method = self._method
        return InterFaceGAN(
            [asked.direction], method.mode, method.layers, truncation, scores, method.search, source=True
        )
