"""The flags of `stylemill photos edit`, and the commands of its steps."""

from collections.abc import Mapping
from typing import Any, Literal

import tyro
from pydantic import Field, model_validator

from jobs.edit.spec import SPECS, EditSpec
from jobs.flags import Names, Spec
from jobs.locations import absolute
from jobs.options import RayFlags
from jobs.passed_on import given, wrong
from jobs.photos.align import AlignSpec
from jobs.photos.invert import InvertSpec
from jobs.photos.paste import PasteSpec
from jobs.reproduce.faces import LabelledFlags
from pipeline.editors import EDITORS, EditorConfig, config_of
from pipeline.models import generators
from pipeline.models.codes import Space
from pipeline.stages.photo_sources import SOURCES

LARGEST = 256
"""Pixels of a side of the pictures that the page shows; a smaller generator's are as large as it makes them."""
HOW_FAR = ("strengths", "alphas", "sequence")
"""Flags of editors in place of a target and a score to reach."""
OF_THE_PLAN = ("out", "photos", "aligned", "inverted", "edits", "latents", "attribute", "preserve", "images", "local")
"""Fields of steps that the plan itself decides."""
STEPS: Mapping[str, type[Spec]] = {"align_flags": AlignSpec, "invert_flags": InvertSpec, "paste_flags": PasteSpec}


class PhotosEditSpec(LabelledFlags):
    """Edit the faces of photos: find and align them, find their codes, edit these, and paste the edited faces back.
    Each step is a command of its own, which is printed and goes on where it stopped. Writes DIR/pasted/photos, a file
    for each photo and attribute, and the page DIR/report.html.

    Faces are personal data: take photos of people who agreed to it, or that you have a right to use so. An edited photo
    of a person is no photo: say so where you show it.

    Example: stylemill photos edit photos --editor ials --attribute smile --target 1 --out out/smiling
    """

    VERB = "photos edit"

    photos: tyro.conf.Positional[str] = Field(
        description=f"Where the photos are: {'; '.join(source.about for source in SOURCES.values())}. A path or any "
        "fsspec URL.",
        json_schema_extra={"metavar": "DIR|FILE"},
    )
    column: str | None = Field(None, description="Column of a Parquet table that has the pictures, if several have.")
    editor: str = Field("ials", description=f"The editor: {', '.join(EDITORS)}.")
    attribute: Names = Field(min_length=1, description="Attributes to change; photos are written for each by itself.")
    preserve: Names = Field((), description="Attributes to leave unchanged, where the editor takes them.")
    target: Literal["1", "0", "flip"] = Field("1", description="1 towards the attribute, 0 away from it, or flip.")
    until: float = Field(
        1.0, ge=0, allow_inf_nan=False,
        description="The score to reach, in standard deviations beyond the boundary; faces that have it stay as they "
        "are. Of editors that search for a score.",
    )  # fmt: skip
    artifact: str | None = Field(None, description="What was trained for the editor in w+, where it needs that.")
    align_flags: Names = Field((), description="Further flags of photos align, as in faces=largest,min-size=200.")
    invert_flags: Names = Field((), description="Further flags of photos invert, as in budget=60.")
    edit_flags: Names = Field(
        (), description="Further flags of edit EDITOR, as in steps=40; several values with / between."
    )
    paste_flags: Names = Field((), description="Further flags of photos paste, as in format=png,exif=none.")
    shown: int = Field(24, ge=1, le=200, description="Faces that the page shows, the worst inversions first.")

    @model_validator(mode="after")
    def _known(self) -> "PhotosEditSpec":
        if self.editor not in SPECS:
            raise ValueError(f"--editor {self.editor}: choose from {', '.join(SPECS)}")
        steps: dict[str, type[Spec]] = {**STEPS, "edit_flags": SPECS[self.editor]}
        for name, kind in steps.items():
            for word in getattr(self, name):
                if why := wrong(word, kind, OF_THE_PLAN):
                    raise ValueError(f"--{name.replace('_', '-')} {word}: {why}")
        return self

    @property
    def aligned(self) -> AlignSpec:
        """The first step."""
        more = given(self.align_flags, AlignSpec)
        return AlignSpec.model_validate(
            {"photos": absolute(self.photos), "column": self.column, "device": self.device, "out": self.url("aligned"),
             **self.model_dump(include={*RayFlags.model_fields}), **more}
        )  # fmt: skip

    @property
    def inverted(self) -> InvertSpec:
        """The second one."""
        size = min(LARGEST, generators.load(self.generator, backend="eager").resolution)
        return InvertSpec.model_validate(
            {"aligned": self.url("aligned"), "generator": self.generator, "classifiers": self.classifiers,
             "images": "webp", "size": size, "out": self.url("inverted"), **self.scoring,
             **given(self.invert_flags, InvertSpec)}
        )  # fmt: skip

    def edited(self, step_size: float | None) -> EditSpec:
        """The third one. step_size: of an editor that goes in steps, where it was not given."""
        kind, config = SPECS[self.editor], config_of(self.editor)
        fields, own = kind.model_fields, dict[str, Any]()
        if config.TAKES_DIRECTIONS:
            tables = tuple(self.labelled_faces.fitted(space) for space in self.spaces_of_directions)
            own |= {"directions": tables, "space": "w+"}
        own |= self.wanted
        if "artifact" in fields:
            own["artifact"] = self.artifact
        if config.COMPARED is not None and config.COMPARED.length and step_size:
            own[config.COMPARED.length] = step_size
        size = min(LARGEST, generators.load(self.generator, backend="eager").resolution)
        return kind.model_validate(
            {"latents": (self.url("inverted", "latents"),), "attribute": self.attribute, "preserve": self.preserve,
             "classifiers": self.classifiers, "judge": self.judge, "scores": "both", "images": "webp", "size": size,
             "out": self.url("edited"), **self.scoring, **own, **given(self.edit_flags, kind)}
        )  # fmt: skip

    @property
    def pasted(self) -> PasteSpec:
        """The last one."""
        return PasteSpec.model_validate(
            {"photos": absolute(self.photos), "column": self.column, "device": self.device,
             **{name: self.url(name) for name in ("aligned", "inverted")}, "edits": self.url("edited"),
             "out": self.url("pasted"), **self.model_dump(include={*RayFlags.model_fields}),
             **given(self.paste_flags, PasteSpec)}
        )  # fmt: skip

    @property
    def wanted(self) -> dict[str, Any]:
        """The target and the score to reach, where the editor takes them and is not told how far to go."""
        fields = SPECS[self.editor].model_fields
        if given(self.edit_flags, SPECS[self.editor]).keys() & {*HOW_FAR}:
            return {}
        return {name: getattr(self, name) for name in ("target", "until") if name in fields}

    @property
    def config(self) -> EditorConfig:
        """The flags of the editor alone. Raises ValidationError."""
        config = config_of(self.editor)
        flags = {**self.wanted, **given(self.edit_flags, SPECS[self.editor])}
        return config.model_validate({name: value for name, value in flags.items() if name in config.model_fields})

    @property
    def spaces_of_directions(self) -> tuple[Space, ...]:
        """w, and s where the editor needs a second, sparse direction of each attribute; none where it takes none."""
        if not config_of(self.editor).TAKES_DIRECTIONS:
            return ()
        return ("w", "s") if self.config.needed(self.attribute, self.preserve).also_in == "s" else ("w",)
