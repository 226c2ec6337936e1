"""What one editor makes of the flags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.classifiers import classifier_ref
from jobs.flags import say
from jobs.options import canonical
from pipeline.directions import Direction
from pipeline.directions.aliases import resolve as our_attribute
from pipeline.directions.formats import check_generator
from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.method import Method
from pipeline.stages.models import ClassifierRef, Runtime, Truncated


@dataclass(frozen=True)
class Ask:
    """An editor, all but how it is run.

    classifiers: what it looks with. gradients: whether it follows theirs. keep: the steps kept by default.
    facts: what goes into the stored spec besides the flags.
    """

    space: Space
    shape: tuple[int, ...]
    method: Callable[[Runtime, Truncated], Method]
    classifiers: ClassifierRef | None
    gradients: bool
    keep: str
    facts: Mapping[str, Any]


def seeing(family: str, attributes: Sequence[str], gradients: bool = False) -> ClassifierRef | None:
    """The classifiers of what an editor looks at; None where it looks at nothing. Raises as `classifier_ref`."""
    if not attributes:
        return None
    return classifier_ref(family, canonical(sorted({known(name)[0] for name in attributes})), gradients=gradients)


def known(attribute: str) -> tuple[str, int]:
    """The classifiers' name of an attribute, and the sign of its score. Raises SpecError."""
    ours = our_attribute(attribute)
    if ours is None:
        names = ", ".join(classifiers.ATTRIBUTES)
        raise SpecError(f"no classifier knows {attribute!r}, whose score is to be looked at: they know {names}")
    return ours


def check_directions(directions: Sequence[Direction], generator: Generator, force: bool) -> None:
    """Raise SpecError where a direction does not fit the generator; warn where that is not known."""
    for direction in directions:
        if warning := check_generator(direction, generator.fingerprint, force):
            say(f"Note  {warning}")
        direction.check(Codes(direction.space, generator.w_avg.new_zeros(1, *shape_of(direction.space, generator))))


def shape_of(space: Space, generator: Generator) -> tuple[int, ...]:
    """Of one row of codes."""
    match space:
        case "z":
            return (generator.z_dim,)
        case "w":
            return (generator.w_dim,)
        case "w+":
            return (generator.num_ws, generator.w_dim)
        case "s":
            return (generator.num_styles,)
