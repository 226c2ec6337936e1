"""The interface of editors, and what is known of an editor before it is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from pipeline.editors.compared import Compared
from pipeline.editors.kept import Earlier, KeptTable
from pipeline.editors.request import EditRequest
from pipeline.editors.trace import Trace
from pipeline.models.codes import SPACES, Codes, Space
from pipeline.models.generators import Generator

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

Scores = Callable[[Codes], Mapping[str, Tensor]]
"""Codes of N rows -> score (N,) of each attribute: generator and classifiers. Always called with one batch size."""
Artifact = Mapping[str, Tensor]
"""What was trained for an editor, or taken from an earlier edit: tensors by name."""
Rows = Mapping[str, Any]
"""Some rows of a table, by column: arrays (N, ...) of numbers, lists of words."""


class Faces(Protocol):
    """A generator and the classifiers of its faces, as an editor uses them.

    at_once: rows whose gradients are best computed together, None for all.
    """

    @property
    def generator(self) -> Generator: ...

    @property
    def at_once(self) -> int | None: ...

    def __call__(self, codes: Codes, attributes: Sequence[str] | None = None) -> Mapping[str, Tensor]:
        """Scores (N,) by attribute; of some attributes, or all."""
        ...

    def styles(self, codes: Codes) -> Tensor:
        """s (N, S) of codes in any space; z is truncated as that of the faces."""
        ...

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities of the face parser's classes."""
        ...


class Editor(Protocol):
    """A method that moves latents, ready for work."""

    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Move each row as its own request says; the source is step 0.

        A row's result does not depend on its neighbours. A row that goes non-finite stops alone, with its reason.

        Raises:
            SpecError: codes and requests are not of one length, or what is asked for cannot be done by this editor.
        """
        ...


@dataclass(frozen=True)
class Needed:
    """The directions that an editor needs, by the names in a table of directions.

    names: none where it needs none. projected: whether each is to have `preserve` projected out of it; else they are
    attribute-level ones, and the editor projects by itself. why: what is said where no table is given.
    space: the only one that the flags allow, with the flag that says so; none for that of the directions.
    also_in: a space in which each attribute needs a second direction, a sparse one, beside that in another space.
    """

    names: tuple[str, ...] = ()
    preserve: tuple[str, ...] = ()
    projected: bool = False
    why: str = ""
    space: tuple[Space, str] | None = None
    also_in: Space | None = None


@dataclass(frozen=True)
class Traits:
    """What jobs, stages and reports ask of an editor, of given requests, instead of its name.

    steps: the most that a request takes after the source. keep: the steps that are kept by default.
    looks_at: attributes whose scores it looks at, of faces that it makes; none where it makes no face.
    gradients: whether it follows the gradients of these scores.
    needs_generator: whether it needs the generator, be it that it makes no face.
    on_device: whether it computes where the networks run, and not on the CPU.
    rows_may_stop: whether a row may stop before others do; it then stands still, and its last step counts in each later
        one.
    independent_steps: whether a step stands where another one of the same row is not finite.
    recompute: whether features are computed twice, which takes less memory and more time.
    masks: whether it needs a face parser, and pictures with gradients.
    stages: where each step is an edit of its own of what the step before made: what each does, in words.
    psi: truncation of the latents that the method's public code edits, where it is to be as that code.
    """

    steps: int
    keep: Literal["all", "last"] = "last"
    looks_at: tuple[str, ...] = ()
    gradients: bool = False
    needs_generator: bool = False
    on_device: bool = True
    rows_may_stop: bool = False
    independent_steps: bool = False
    recompute: bool = False
    masks: bool = False
    stages: tuple[str, ...] = ()
    psi: float | None = None


class EditorConfig(BaseModel, ABC):
    """The options of an editor: a field is a flag of `stylemill edit EDITOR`, with its help and its checks.

    The docstring of a subclass is the help of that command. A GROUP is the title of its box of flags there. What stands
    for the value of a flag in the help is `json_schema_extra={"metavar": ...}` of its field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    GROUP: ClassVar[str | None] = None
    SPACES: ClassVar[tuple[Space, ...]] = SPACES
    TAKES_DIRECTIONS: ClassVar[bool] = True
    ARTIFACT: ClassVar[str | None] = None
    """The method whose artifact it needs, as its card names it."""

    NAMES_ATTRIBUTES: ClassVar[bool] = False
    """Whether flags of its own may name the attributes, in place of --attribute."""

    COMPARED: ClassVar[Compared | None] = None
    """How it is compared with other editors; None of one that is not."""

    def asked(self, attributes: Sequence[str]) -> Sequence[str]:
        """The attribute of each request, of those that --attribute names. Raises ValueError where there is none."""
        if not attributes:
            raise ValueError("--attribute: name what is to change")
        return attributes

    @property
    def resolved(self) -> Mapping[str, Any]:
        """Fields as they are to be stored, where a flag leaves the choice open or is another form of its value."""
        return {}

    def needed(self, attributes: Sequence[str], preserve: Sequence[str]) -> Needed:
        """The directions for edits of these attributes that preserve those."""
        return Needed()

    def edits_in(self, space: Space) -> Space:
        """The space of the edits of codes that are read in this one."""
        return space

    def keeps(self, shape: tuple[int, ...]) -> Sequence[KeptTable]:
        """The tables that it keeps beside the edits. shape: of one row of codes in the space of the edits."""
        return ()

    def earlier(self, shape: tuple[int, ...]) -> Earlier | None:
        """The table of an earlier edit that a flag names. shape: of one row of codes in the space of the edits."""
        return None

    def take(self, rows: Iterable[Rows], attributes: Sequence[str]) -> Artifact:
        """What edits of these attributes take from that table, whose rows come in pieces. Raises SpecError."""
        return {}

    def check(self, space: Space, generator: Generator) -> None:
        """Raise SpecError where the flags do not go with this space of this generator."""

    def check_artifact(self, artifact: Artifact, shape: tuple[int, ...]) -> None:
        """Raise SpecError where these are not the tensors of a whole artifact for codes of this shape."""

    @abstractmethod
    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        """The request that the flags make for an attribute. Raises SpecError."""

    @abstractmethod
    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        """What is known beforehand of the edits of these requests."""

    def passes(self, requests: Sequence[EditRequest], generator: Generator) -> tuple[int, int]:
        """Passes of one face forward and backward through the generator that these edits take, or at most take, before
        the faces of their steps are made. Classifiers look at these where the traits have gradients.
        """
        return 0, 0

    @abstractmethod
    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> Editor:
        """The editor.

        Args:
            faces: makes and scores faces; may be None if the traits need neither faces nor a generator.
            directions: as `needed` says, all in the space of the codes.
            artifact: what was trained for it, and what `take` took.

        Raises:
            SpecError: directions do not go together, or something is missing.
        """
