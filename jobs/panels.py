"""Families of classifiers as a job is planned with them."""

from collections.abc import Sequence

from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.stages.looking import Panel
from pipeline.stages.models import Model


def panel_of(family: str, attributes: Sequence[str], prefix: str = "", gradients: bool = False) -> Panel:
    """A family as it is now, for some attributes. `gradients`: whether those of its scores are followed.

    Raises:
        SpecError: no such family or attribute, or one without gradients where they are followed.
        ModelFileError: its networks are not here, or not what they should be.
    """
    found = classifiers.load(family, attributes, measures=())
    if gradients and not found.differentiable:
        raise SpecError(f"--classifiers {family} judges and gives no gradient: choose a family to edit with")
    return Panel(Model(family, found.fingerprint), found.attributes, prefix)


def weights_of(*panels: Panel) -> tuple[str, ...]:
    """The networks of their attributes, by name."""
    loaded = (classifiers.load(panel.family.name, panel.attributes, measures=()) for panel in panels)
    return tuple(name for family in loaded for name in family.weights)
