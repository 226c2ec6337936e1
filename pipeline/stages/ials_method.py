"""IALS as a job has it."""

import time
from dataclasses import dataclass

import torch

from pipeline.directions import Direction
from pipeline.editors import Requests, Trace
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator
from pipeline.stages.ials_settings import IalsSettings
from pipeline.stages.method import Wanted
from pipeline.stages.models import ClassifierRef, Runtime, open_scorer


@dataclass(frozen=True)
class IalsMethod:
    """`pipeline.editors.IALS` for each request.

    directions: attribute-level ones, in the space of the codes, of every attribute that IALS needs one of.
    classifiers: those whose gradients are followed; None where no request needs one.
    """

    wanted: tuple[Wanted, ...]
    directions: tuple[Direction, ...]
    classifiers: ClassifierRef | None
    settings: IalsSettings

    @property
    def steps(self) -> int:
        return self.settings.steps

    @property
    def independent(self) -> bool:
        return False

    @property
    def networks(self) -> bool:
        return self.classifiers is not None

    @property
    def generates(self) -> bool:
        return self.networks

    def open(self, generator: Generator | None, runtime: Runtime) -> "IalsEditing":
        return IalsEditing(self, generator, runtime)


class IalsEditing:
    """The editor with what it looks with."""

    def __init__(self, method: IalsMethod, generator: Generator | None, runtime: Runtime) -> None:
        self._method, self._device = method, torch.device(runtime.device)
        self._seconds = 0.0
        self._faces: FaceScorer | None = None
        if method.classifiers is not None and generator is not None:
            self._faces = open_scorer(
                generator, runtime, [method.classifiers], follow=True, recompute=method.settings.recompute
            )
        at_once = self._faces.at_once if self._faces else None
        self._editor = method.settings.editor(method.directions, self._faces or _nobody, at_once)

    def edit(self, codes: Codes, request: int) -> Trace:
        """Where the models are."""
        wanted = self._method.wanted[request]
        requests = Requests.same(
            len(codes),
            wanted.attribute,
            conditions=wanted.conditions,
            target=wanted.target,
            until=wanted.until,
            lambdas=(wanted.lambdas[0], wanted.lambdas[1]),
        )
        begun = time.perf_counter()
        trace = self._editor.edit(codes.to(self._device), requests)
        self._seconds += time.perf_counter() - begun
        return trace

    def take_seconds(self) -> dict[str, float]:
        """`search_seconds` are all; what is left of them beside faces and scores went into gradients."""
        seconds, self._seconds = self._seconds, 0.0
        return {"search_seconds": seconds, **(self._faces.take_seconds() if self._faces else {})}


def _nobody(codes: Codes) -> dict[str, torch.Tensor]:
    raise SpecError("a score is needed and no classifier was opened")
