"""Families of classifiers as a job is planned with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from jobs.constants import CalibrationFlag, Constants
from jobs.flags import Names, say
from jobs.options import ATTRIBUTES_HELP, OR_A_FILE, canonical
from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.generators import Generator
from pipeline.stages.models import ClassifierRef, Model


class LabellingFlags(CalibrationFlag):
    """Of jobs that write labels."""

    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description=ATTRIBUTES_HELP)
    classifiers: Names = Field(
        ("faces",),
        min_length=1,
        description="Families of classifiers: faces (labels and guides edits), judge (only measures), or both; "
        f"{OR_A_FILE}.",
    )


@dataclass(frozen=True)
class Labelling:
    """The families that label the same faces, a table each.

    facts: what a stored spec says of them. families: by the part that they play, for `jobs.plan`: the first as
    `classifiers`, each further one by its short name. table_facts: what the manifest of each labels table says of whose
    labels it has, where a job makes several.
    """

    refs: tuple[ClassifierRef, ...]

    @property
    def facts(self) -> dict[str, str | list[str]]:
        names = [ref.family.name for ref in self.refs]
        attributes = canonical(dict.fromkeys(name for ref in self.refs for name in ref.attributes))
        return {"attributes": attributes, "classifiers": names[0] if len(names) == 1 else names}

    @property
    def families(self) -> dict[str, ClassifierRef]:
        return {"classifiers": self.refs[0], **{ref.prefix.removesuffix("_"): ref for ref in self.refs[1:]}}

    @property
    def table_facts(self) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        return {
            ref.labels_table: {
                "spec": {"classifiers": ref.family.name},
                "resolved": {"classifiers_digest": ref.family.fingerprint},
            }
            for ref in (self.refs if len(self.refs) > 1 else ())
        }


def classifier_ref(
    family: str,
    attributes: Sequence[str],
    prefix: str = "",
    measures: Sequence[str] = (),
    gradients: bool = False,
    *,
    constants: Constants,
    may_lack: bool = False,
    beside: Sequence[str] = (),
) -> ClassifierRef:
    """A family as it is now, for some attributes. gradients: whether those of its scores are needed.

    constants: what it scores by.
    may_lack: attributes that it does not see are left out, and a line says so. Where all that there are are asked for,
    it is so in any case. Where no attributes are named, those of a file of one's own are asked for too.
    beside: other families that score the same faces, which may be files with attributes of their own.

    Raises:
        SpecError: no such family or attribute, one that it does not see, or one without gradients where they are
            needed.
        ModelFileError: its networks are not here, or not what they should be.
    """
    seen = classifiers.attributes_of(family)
    if set(attributes) == set(DEFAULT_ATTRIBUTES) and classifiers.is_own(family):
        attributes = [name for name in seen if name in (*attributes, *classifiers.own_readings(family))]
    asked = canonical(attributes)
    known = {*ATTRIBUTES, *(name for other in beside for name in classifiers.attributes_of(other))}
    unseen = [name for name in asked if name in known and name not in seen]
    if unseen and len(unseen) < len(asked) and (may_lack or set(asked) >= set(DEFAULT_ATTRIBUTES)):
        say(f"Note  unjudged: {family} does not score {', '.join(unseen)}")
        asked = [name for name in asked if name not in unseen]
    found = constants.load(family, asked, measures)
    if gradients and not found.differentiable:
        raise SpecError(f"--classifiers {family} only measures and has no gradients: choose a family that edits")
    return ClassifierRef(
        Model(family, found.fingerprint), found.attributes, prefix, found.measures, found.weights, constants.of(family)
    )


def labelling(spec: LabellingFlags, generator: Generator) -> Labelling:
    """The families that the flags name, with the attributes of each.

    Raises:
        SpecError: as `classifier_ref`, or a family is named twice.
        ModelFileError: as there.
    """
    families = spec.classifiers
    names = [classifiers.short_name(family) for family in families]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise SpecError(f"--classifiers names {twice[0]} twice")
    constants, several = Constants(generator, spec.calibration), len(families) > 1
    prefixes = ["", *(f"{name}_" for name in names[1:])]
    return Labelling(
        tuple(
            classifier_ref(
                family,
                spec.attributes,
                prefix,
                classifiers.measures_of(family),
                constants=constants,
                may_lack=several,
                beside=families,
            )
            for family, prefix in zip(families, prefixes, strict=True)
        )
    )
