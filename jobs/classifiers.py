"""Families of classifiers as a job is planned with them."""

from collections.abc import Sequence

from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.stages.models import ClassifierRef, Model


def classifier_ref(
    family: str,
    attributes: Sequence[str],
    prefix: str = "",
    measures: Sequence[str] = (),
    gradients: bool = False,
) -> ClassifierRef:
    """A family as it is now, for some attributes. gradients: whether those of its scores are needed.

    Raises:
        SpecError: no such family or attribute, or one without gradients where they are needed.
        ModelFileError: its networks are not here, or not what they should be.
    """
    found = classifiers.load(family, attributes, measures=measures)
    if gradients and not found.differentiable:
        raise SpecError(f"--classifiers {family} judges and gives no gradient: choose a family to edit with")
    return ClassifierRef(Model(family, found.fingerprint), found.attributes, prefix, found.measures, found.weights)
