"""The flags of `stylemill compare`."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo

from jobs.directions.spec import UNSUPERVISED
from jobs.edit.spec import SPECS
from jobs.flags import Names
from jobs.locations import absolute
from jobs.passed_on import field_of, value_of
from jobs.reproduce.faces import LabelledFlags
from jobs.train.spec import SPECS as TRAININGS
from pipeline.editors import BASELINE, EDITORS, config_of
from pipeline.errors import SpecError
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models.classifiers import attributes_of

CONDITIONS = "+conditions"
"""Behind the name of an editor: it is given the other attributes as --preserve."""
RANDOM = "random"
"""Moves of the baseline along random directions, which are always compared."""
OF_ONE = {
    "rows_of": "write EDITOR:N, a number of faces, 2 or more",
    "strengths_of": "write EDITOR:X/Y/Z, numbers that rise",
    "flags_of": "write EDITOR:FLAG=VALUE, with a flag of stylemill edit EDITOR",
    "artifacts": "write EDITOR:DIR",
    "training_of": "write EDITOR:FLAG=VALUE, with a flag of stylemill train",
}
"""The flags that say something of one editor each, and how."""
ON_GPU = 100
"""Faces of an attribute on a GPU."""
POOL = 8
"""Faces that are sampled for each that is edited, so that there are enough with and without each attribute."""


def comparable() -> tuple[str, ...]:
    """The editors that say how they are compared."""
    return tuple(name for name in EDITORS if config_of(name).COMPARED is not None)


class CompareSpec(LabelledFlags):
    """Compare editors: the same faces edited by each along its strengths, and measured by networks that none of them
    optimised; a page of ranks, curves and pictures.

    Example: stylemill compare --editors interfacegan,latent-transformer --rows 8 --out out/compare
    """

    VERB = "compare"

    labelled: int = Field(10000, ge=400, description="Without --from: faces to fit directions and to train on.")
    editors: Names = Field(
        (),
        description=f"Editors to compare, {BASELINE} among them; ganspace and sefa are moves along components found "
        f"without labels, and EDITOR{CONDITIONS} preserves the other attributes. Default: all editors.",
    )
    attributes: Names = Field(("smile", "male", "old", "eyeglasses"), min_length=1, description="Attributes to edit.")
    rows: int | None = Field(
        None,
        ge=2,
        description="Faces edited in each attribute by each editor, half of which have it. Default: as each editor "
        f"says (64; fewer where a face takes minutes), on a GPU {ON_GPU}.",
    )
    rows_of: Names = Field(
        (), description="The same of one editor, as in ials:32.", json_schema_extra={"metavar": "EDITOR:N,..."}
    )
    strengths_of: Names = Field(
        (),
        description="Strengths of one editor, from small to large, as in interfacegan:1/2/3.",
        json_schema_extra={"metavar": "EDITOR:X/Y/Z,..."},
    )
    flags_of: Names = Field(
        (),
        description="Flags of stylemill edit for one editor, as in ials:lambda1=0.5; of several values, X/Y; in one "
        "attribute, ials:step_size@smile=0.3.",
        json_schema_extra={"metavar": "EDITOR:FLAG[@ATTRIBUTE]=VALUE,..."},
    )
    artifacts: Names = Field(
        (),
        description="What was trained for an editor, as in id-style:out/ids/artifact. Default: what is kept for the "
        "generator, else it is trained.",
        json_schema_extra={"metavar": "EDITOR:DIR,..."},
    )
    training_of: Names = Field(
        (),
        description="Flags of stylemill train for an editor that is trained here, as in id-style:steps=2000.",
        json_schema_extra={"metavar": "EDITOR:FLAG=VALUE,..."},
    )
    others: int | None = Field(
        None, gt=0, description=f"Faces from which those to edit are taken. Default: {POOL} x the most of --rows."
    )
    tuning: int = Field(
        64,
        ge=2,
        description="Faces on which the components of ganspace and sefa are chosen, and of each attribute the length "
        "of the steps of ials.",
    )
    components: int = Field(50, ge=1, description="Components from which they are chosen.")
    metrics: Names = Field(
        ("identity_dlib", "identity", "perceptual", "pictures"),
        description="Of stylemill measure; identity_dlib needs the extra identity.",
    )
    resamples: int = Field(2000, ge=100, description="Resamples of the faces, for intervals.")
    shown: int = Field(8, ge=1, description="Faces of each attribute of which pictures are shown.")

    @property
    def named(self) -> tuple[str, ...]:
        """What is compared, by its name, the baseline first."""
        asked = self.editors or comparable()
        return (BASELINE, *(name for name in asked if name != BASELINE))

    @property
    def most(self) -> int:
        """Of the faces of an attribute that an editor edits."""
        return max(self.rows_by(name) for name in self.named)

    @property
    def there(self) -> int:
        """Faces from which those are taken."""
        return self.others or POOL * self.most

    def rows_by(self, name: str) -> int:
        """Faces of an attribute that are edited by one of those that are compared."""
        about = config_of(editor_of(name)).COMPARED
        usual = ON_GPU if self.on_gpu else about.rows if about else 0
        return int(dict(map(_pair, self.rows_of)).get(name, self.rows or usual))

    def strengths_by(self, name: str) -> tuple[float, ...] | None:
        """Those that are given; None where the editor's own are taken."""
        given = dict(map(_pair, self.strengths_of)).get(name)
        return tuple(map(float, given.split("/"))) if given else None

    def artifact_of(self, name: str) -> str | None:
        """The artifact that is given."""
        given = dict(map(_pair, self.artifacts)).get(name)
        return absolute(given) if given else None

    def edit_flags(self, name: str, attribute: str) -> Mapping[str, Any]:
        """Further flags of its edits of an attribute; those of this one alone count before those of all."""
        fields = SPECS[editor_of(name)].model_fields
        words = [word for editor, word in map(_pair, self.flags_of) if editor == name]
        return {field: value for of in ("", attribute) for word in words if _of_attribute(word) == of
                for field, value in [_value(word, fields)]}  # fmt: skip

    def train_flags(self, name: str) -> Mapping[str, Any]:
        """Further flags of its training."""
        what = config_of(editor_of(name)).ARTIFACT
        fields = TRAININGS[what].model_fields if what else {}
        return dict(_value(word, fields) for editor, word in map(_pair, self.training_of) if editor == name)

    @model_validator(mode="after")
    def _known(self) -> "CompareSpec":
        """Before hours, not after."""
        for name in self.editors:
            editor = editor_of(name)
            if editor not in EDITORS:
                known = ", ".join([*EDITORS, *UNSUPERVISED])
                raise ValueError(f"--editors: no editor {name!r}; there are {known}, and EDITOR{CONDITIONS}")
            if config_of(editor).COMPARED is None:
                raise ValueError(f"--editors: {editor} does not say how it is compared: give its Config a COMPARED")
        for family in (self.classifiers, self.judge):
            if unseen := [name for name in self.attributes if name not in attributes_of(family)]:
                raise ValueError(f"--attributes {unseen[0]}: {family} sees {', '.join(attributes_of(family))}")
        for field in ("editors", "attributes", "metrics"):
            if len(set(getattr(self, field))) < len(getattr(self, field)):
                raise ValueError(f"--{field} names one twice")
        if odd := [name for name in self.metrics if name not in BY_NAME or BY_NAME[name].always]:
            known = ", ".join(name for name, metric in BY_NAME.items() if not metric.always)
            raise ValueError(f"--metrics: no metric {odd[0]!r} to choose; there are {known}")
        self._check_words()
        if self.there < self.most:
            raise ValueError(f"--others {self.there} are fewer than the {self.most} faces to edit")
        return self

    def _check_words(self) -> None:
        """Those of one editor. Raises ValueError."""
        for field, how in OF_ONE.items():
            for word in getattr(self, field):
                name, found = _pair(word)
                if not found or name not in self.named:
                    wrong = f"{name} is not compared; these are: {', '.join(self.named)}" if found else how
                elif field == "flags_of" and _of_attribute(found) not in ("", *self.attributes):
                    wrong = f"{_of_attribute(found)} is not among --attributes {','.join(self.attributes)}"
                elif field == "artifacts" and name in dict(map(_pair, self.training_of)):
                    wrong = f"{name} is not trained where an artifact is given: leave out --training-of"
                else:
                    wrong = _wrong(field, editor_of(name), found)
                if wrong:
                    raise ValueError(f"--{field.replace('_', '-')} {word}: {wrong}")


def editor_of(name: str) -> str:
    """The editor of one of those that are compared."""
    return BASELINE if name in UNSUPERVISED or name == RANDOM else name.removesuffix(CONDITIONS)


def _pair(word: str) -> tuple[str, str]:
    """Which of those that are compared, and what is said of it."""
    name, _, found = word.partition(":")
    return name, found


def _flag(word: str) -> str:
    """The field that FLAG=VALUE is of, or FLAG@ATTRIBUTE=VALUE."""
    return field_of(word.partition("=")[0].partition("@")[0])


def _of_attribute(word: str) -> str:
    """Its ATTRIBUTE; empty where it is of all."""
    return word.partition("=")[0].partition("@")[2]


def _value(word: str, fields: Mapping[str, FieldInfo]) -> tuple[str, Any]:
    """The field and its value."""
    name = _flag(word)
    return name, value_of(word.partition("=")[2], fields[name])


def _wrong(field: str, editor: str, found: str) -> str:
    """What is wrong with what is said of an editor; empty where nothing is."""
    what = config_of(editor).ARTIFACT
    if field in ("artifacts", "training_of") and what is None:
        return f"{editor} is not trained"
    fields: Mapping[str, Any] = {}
    if field == "flags_of":
        fields = SPECS[editor].model_fields
    elif field == "training_of" and what is not None:
        fields = TRAININGS[what].model_fields
    right = {
        "rows_of": found.isdecimal() and int(found) >= 2,
        "strengths_of": all(map(_is_number, found.split("/"))),
        "artifacts": True,
        "flags_of": "=" in found and _flag(found) in fields,
        "training_of": "=" in found and _flag(found) in fields,
    }
    return "" if right[field] else OF_ONE[field]


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def check_rows(spec: CompareSpec, attribute: str, having: int, lacking: int) -> None:
    """Raise SpecError where too few faces have an attribute, or lack it."""
    if min(having, lacking) < spec.most // 2:
        raise SpecError(
            f"of {spec.there:,} other faces {having:,} have {attribute} and {lacking:,} lack it, and {spec.most // 2} "
            f"of each are edited: pass --rows {2 * min(having, lacking)} --others {spec.there}, or more --others and "
            "another --out"
        )
