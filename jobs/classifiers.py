"""Families of classifiers as a job is planned with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from jobs.constants import Constants
from jobs.flags import say
from jobs.options import DEFAULT_ATTRIBUTES, canonical
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
    *,
    constants: Constants,
    may_lack: bool = False,
) -> ClassifierRef:
    """A family as it is now, for some attributes. gradients: whether those of its scores are needed.

    constants: what it scores by.
    may_lack: attributes that it does not see are left out, and a line says so. Where all that there are are asked for,
    it is so in any case.

    Raises:
        SpecError: no such family or attribute, one that it does not see, or one without gradients where they are
            needed.
        ModelFileError: its networks are not here, or not what they should be.
    """
    asked, seen = canonical(attributes), classifiers.attributes_of(family)
    unseen = [name for name in asked if name in DEFAULT_ATTRIBUTES and name not in seen]
    if unseen and len(unseen) < len(asked) and (may_lack or set(asked) >= set(DEFAULT_ATTRIBUTES)):
        say(f"Note  unjudged: {family} does not see {', '.join(unseen)}")
        asked = [name for name in asked if name not in unseen]
    found = constants.load(family, asked, measures)
    if gradients and not found.differentiable:
        raise SpecError(f"--classifiers {family} judges and gives no gradient: choose a family to edit with")
    return ClassifierRef(
        Model(family, found.fingerprint), found.attributes, prefix, found.measures, found.weights, constants.of(family)
    )


def labelling_refs(
    families: Sequence[str], attributes: Sequence[str], constants: Constants
) -> tuple[ClassifierRef, ...]:
    """The families that label the same faces, a table each, with what each sees.

    Raises:
        SpecError: as `classifier_ref`, or a family is named twice.
        ModelFileError: as there.
    """
    if twice := [family for place, family in enumerate(families) if family in families[:place]]:
        raise SpecError(f"--classifiers names {twice[0]} twice")
    prefixes = ["", *(f"{family}_" for family in families[1:])]
    several = len(families) > 1
    return tuple(
        classifier_ref(family, attributes, prefix, MEASURES, constants=constants, may_lack=several)
        for family, prefix in zip(families, prefixes, strict=True)
    )


def families_said(refs: Sequence[ClassifierRef]) -> str | list[str]:
    """What a spec says of families that label: the one, or all."""
    names = [ref.family.name for ref in refs]
    return names[0] if len(names) == 1 else names


def families_of(refs: Sequence[ClassifierRef]) -> dict[str, ClassifierRef]:
    """By the part that they play, for `jobs.plan`: the first as `classifiers`, each further one by its name."""
    return {"classifiers": refs[0], **{ref.family.name: ref for ref in refs[1:]}}


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
