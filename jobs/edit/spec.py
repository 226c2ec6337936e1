"""The spec of `stylemill edit EDITOR`: the flags that all editors share, and those of one editor."""

from typing import Any, ClassVar, Literal, cast

from pydantic import Field, create_model, field_validator, model_validator

from jobs.choice import LabelledChoice
from jobs.constants import CalibrationFlag
from jobs.flags import Names
from jobs.options import OR_A_FILE, LatentsFlags, PictureFlags, RunFlags
from pipeline.editors import EDITORS, EditorConfig, config_of
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.stage_names import AND
from pipeline.stages import kept_artifacts

ATTRIBUTE = "Attributes to change, by name; old#3 is row 3, where two rows are named old."


class EditSpec(LabelledChoice, LatentsFlags, PictureFlags, CalibrationFlag, RunFlags):
    """The flags of every editor; the spec of one editor adds its own, and --directions if it takes directions."""

    EDITOR: ClassVar[tuple[str, type[EditorConfig]]]

    attribute: Names = Field(min_length=1, description=ATTRIBUTE)
    preserve: Names = Field((), description="Attributes to leave unchanged.")
    space: Literal["z", "w", "w+", "s"] | None = Field(
        None,
        description="Latent space of the codes and of the directions that move them. Default: that of the directions, "
        "or w.",
    )
    keep: str | None = Field(
        None,
        description="Steps to keep: all, last, or a number N for the source, every N-th step and the last. Default: "
        "the editor's.",
    )
    scores: Literal["none", "faces", "judge", "both"] = Field(
        "none",
        description="Scores to write as columns: by --classifiers (faces), by --judge (judge), by both, or none.",
    )
    scored: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description="Attributes to score.")
    classifiers: str = Field(
        "faces", description=f"Family of classifiers for the edit and for --scores faces, {OR_A_FILE}."
    )
    judge: str = Field("judge", description=f"Family of classifiers for --scores judge, {OR_A_FILE}.")
    force: bool = Field(False, description="Allow directions, latents and an artifact of another generator.")

    @field_validator("keep")
    @classmethod
    def _steps(cls, text: str | None) -> str | None:
        if text not in (None, "all", "last") and not (text.isdecimal() and int(text) > 0):
            raise ValueError("give all, last, or a number above 0")
        return text

    @field_validator("attribute", "preserve")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        whole = not any("|" in name for name in names)  # else the table decides which words are one name
        parts = [sorted(name.split(AND)) for name in names]
        if whole and (twice := [name for place, name in enumerate(names) if parts[place] in parts[:place]]):
            raise ValueError(f"{twice[0]} is named twice")
        return names

    @model_validator(mode="after")
    def _of_this_editor(self) -> "EditSpec":
        name, config = self.EDITOR
        if self.space is not None and self.space not in config.SPACES:
            raise ValueError(f"--space {self.space}: {name} moves codes in {_listed(config.SPACES)}")
        if config.ARTIFACT and artifact_of(self) is None and not kept_artifacts.names(config.ARTIFACT):
            raise ValueError(how_to_train(name, config.ARTIFACT))
        needed = cast(EditorConfig, self).needed(cast(EditorConfig, self).asked(self.attribute), self.preserve)
        if needed.names and not self.tables_of_directions:
            raise ValueError(f"--directions: {needed.why}")
        return self

    @property
    def config(self) -> EditorConfig:
        """The flags of the editor alone, without those that all editors share."""
        config = self.EDITOR[1]
        return config.model_validate({name: getattr(self, name) for name in config.model_fields})

    @property
    def tables_of_directions(self) -> tuple[str, ...]:
        return cast(tuple[str, ...], getattr(self, "directions", ()))


def artifact_of(spec: EditSpec) -> str | None:
    """The URL of the artifact that the editor needs; None where it needs none."""
    return cast(str | None, getattr(spec, "artifact", None))


def spec_of(editor: str) -> type[EditSpec]:
    """The flags of `stylemill edit EDITOR`. Raises SpecError where there is no such editor."""
    config = config_of(editor)
    fields: dict[str, Any] = {}
    if config.TAKES_DIRECTIONS:
        fields["directions"] = (Names, Field((), description="A table of directions, or several, separated by commas."))
    if config.NAMES_ATTRIBUTES:
        fields["attribute"] = (Names, Field((), description=ATTRIBUTE))
    if config.ARTIFACT:
        kept = [name.partition(".")[2] for name in kept_artifacts.names(config.ARTIFACT)]
        default = f"Default: that of the repository, for {', '.join(kept)}." if kept else "It is needed."
        what = f"What was trained for it: DIR/artifact of stylemill train {config.ARTIFACT}. {default}"
        fields["artifact"] = (str | None, Field(None, description=what))
    made = create_model(
        f"{editor.title()}Spec", __base__=(EditSpec, config), __doc__=config.__doc__, __module__=__name__, **fields
    )
    spec = cast(type[EditSpec], made)
    spec.EDITOR, spec.VERB = (editor, config), f"edit {editor}"
    return spec


def how_to_train(editor: str, what: str, generator: str | None = None) -> str:
    """What is said where no artifact is given and none is kept: the commands that make one. generator: by name, if it
    is not the built-in one.
    """
    of = f" --generator {generator}" if generator else ""
    return (
        f"--artifact: {editor} needs what is trained on labelled faces; these two commands make it: "
        f"stylemill dataset{of} --rows 10000 --out out/faces && stylemill train {what} --latents out/faces/latents "
        f"--labels out/faces/labels --out out/{what} ; then --artifact out/{what}/artifact"
    )


SPECS = {editor: spec_of(editor) for editor in EDITORS}
"""The spec class of each editor, by its name."""


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
