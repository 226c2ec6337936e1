"""What an editor is to a job: small enough to be sent, opened where the work is, asked by the number of a request."""

from dataclasses import dataclass
from typing import Protocol

from pipeline.editors import Trace
from pipeline.editors.request import Target
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.stages.models import Runtime


@dataclass(frozen=True)
class Wanted:
    """A request as the table of requests says it; empty and None where the editor has no such thing."""

    attribute: str
    conditions: tuple[str, ...] = ()
    target: Target = "1"
    lambdas: tuple[float, ...] = ()
    strengths: tuple[float, ...] = ()
    until: float | None = None


class Editing(Protocol):
    """An editor with its models open."""

    def edit(self, codes: Codes, request: int) -> Trace:
        """The steps of N rows from the source (step 0) on, on the CPU or where the models are."""
        ...

    def take_seconds(self) -> dict[str, float]:
        """Seconds since last asked, by what they went into."""
        ...


class Method(Protocol):
    """An editor and all that is asked of it.

    wanted: the requests, in the order of their numbers. steps: the most that one takes after the source.
    networks: whether it makes faces to edit. generates: whether it needs the generator at all.
    independent: whether a step stands where another of the same row is not finite.
    """

    @property
    def wanted(self) -> tuple[Wanted, ...]: ...

    @property
    def steps(self) -> int: ...

    @property
    def independent(self) -> bool: ...

    @property
    def networks(self) -> bool: ...

    @property
    def generates(self) -> bool: ...

    def open(self, generator: Generator | None, runtime: Runtime) -> Editing:
        """Load what it needs besides the generator. Raises SpecError and ModelFileError."""
        ...
