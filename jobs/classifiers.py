"""Families of classifiers as a job is planned with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.classifiers import MEASURES
from pipeline.stages.models import ClassifierRef, Model

LABELLING: Any = Field(
    ("faces",),
    min_length=1,
    description="Families of classifiers: faces, judge, or both.",
)


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


def labelling_refs(families: Sequence[str], attributes: Sequence[str]) -> tuple[ClassifierRef, ...]:
    """The families that label the same faces, a table each.

    Raises:
        SpecError: as `classifier_ref`, or a family is named twice.
        ModelFileError: as there.
    """
    if twice := [family for place, family in enumerate(families) if family in families[:place]]:
        raise SpecError(f"--classifiers names {twice[0]} twice")
    prefixes = ["", *(f"{family}_" for family in families[1:])]
    return tuple(
        classifier_ref(family, attributes, prefix, MEASURES) for family, prefix in zip(families, prefixes, strict=True)
    )


def families_said(refs: Sequence[ClassifierRef]) -> str | list[str]:
    """What a spec says of families that label: the one, or all."""
    names = [ref.family.name for ref in refs]
    return names[0] if len(names) == 1 else names


def family_digests(refs: Sequence[ClassifierRef]) -> dict[str, str]:
    """By name, for what a spec was resolved to: of the first, then of each further one."""
    further = {f"{ref.family.name}_digest": ref.family.fingerprint for ref in refs[1:]}
    return {"classifiers_digest": refs[0].family.fingerprint, **further}


def labels_facts(refs: Sequence[ClassifierRef]) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """What the manifest of each labels table says of whose labels it has, where a job makes several."""
    if len(refs) == 1:
        return {}
    return {
        ref.labels_table: {
            "spec": {"classifiers": ref.family.name},
            "resolved": {"classifiers_digest": ref.family.fingerprint},
        }
        for ref in refs
    }
