"""What is compared: an editor with its flags, directions and artifact, at its strengths, on so many faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.compare.spec import CONDITIONS, RANDOM, CompareSpec, editor_of
from jobs.directions.spec import UNSUPERVISED
from jobs.edit.spec import SPECS, EditSpec
from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.step_size import StepSize
from jobs.reproduce.toggled_edits import WAYS, ToggledFaces
from pipeline.editors import Compared, EditorConfig, config_of
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.stages import kept_artifacts
from pipeline.tables import store


@dataclass(frozen=True)
class Entrant:
    """name: as it is called on the page. editor: that edits. about: how it is compared. rows: faces of an attribute.
    directions: tables, none of an editor that takes none. artifact: what is trained for it, None for what is kept or of
    an editor that needs none. lengths: of its steps, by attribute, where they are chosen.
    """

    spec: CompareSpec
    name: str
    editor: str
    about: Compared
    rows: int
    directions: tuple[str, ...] = ()
    artifact: str | None = None
    lengths: Mapping[str, StepSize] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Its part of the names of folders."""
        return self.name.replace("+", "-with-")

    def flags(self, attribute: str, towards: bool) -> list[dict[str, Any]]:
        """Flags of the edits of an attribute one way, without those of the faces."""
        own: dict[str, Any] = {}
        fields = SPECS[self.editor].model_fields
        if "directions" in fields:
            own["directions"] = self.directions
        if self.artifact is not None:
            own["artifact"] = self.artifact
        if self.about.conditions:
            own["preserve"] = self.preserved(attribute)
        if attribute in self.lengths:
            own[self.about.length] = self.lengths[attribute].length
        asked = self.spec.edit_flags(self.name, attribute)
        return [{**own, **one, **asked} for one in self.about.edits(config_of(self.editor), towards)]

    def preserved(self, attribute: str) -> tuple[str, ...]:
        """The attributes that edits of this one are to leave as they are."""
        return tuple(name for name in self.spec.attributes if name != attribute) if self.about.conditions else ()

    @property
    def to_choose(self) -> list[str]:
        """The attributes for which the length of its steps is to be chosen, since it is not given."""
        length = self.about.length
        return [one for one in self.spec.attributes if length and length not in self.spec.edit_flags(self.name, one)]

    @property
    def follows_scores(self) -> bool:
        """Whether the passes that find an edit score the faces too."""
        attribute = self.spec.attributes[0]
        flags = self.flags(attribute, True)[0]
        own = self._config(flags)
        return own.traits([own.request(attribute, flags.get("preserve", ()))]).gradients

    def folders(self, attribute: str) -> list[list[tuple[str, bool]]]:
        """Of its edits: for each edit both ways, with whether its faces are to have the attribute."""
        count = len(self.flags(attribute, True))
        return [
            [(self.spec.url(f"{attribute}-{self.folder}{f'-{part + 1}' if count > 1 else ''}-{WAYS[to]}"), to)
             for to in WAYS]
            for part in range(count)
        ]  # fmt: skip

    def edits(self, faces: ToggledFaces, attribute: str, chosen: dict[bool, Sequence[int]]) -> list[EditSpec]:
        """Of an attribute, in the order of the folders. chosen: by way, the faces, of which it edits the first ones."""
        found = []
        for part, both in enumerate(self.folders(attribute)):
            for url, to in both:
                rows = tuple(str(row) for row in sorted(chosen[to][: self.rows // 2]))
                flags = self.flags(attribute, to)[part]
                found.append(faces.spec_of(self.editor, (attribute,), url, **{**flags, "index": rows}))
        return found

    def passes(self, generator: Generator) -> tuple[int, int, int]:
        """Of one face and attribute, by both families or none: that show the source and each strength; and forward and
        backward to find them.
        """
        attribute, forward, backward = self.spec.attributes[0], 0, 0
        edits = self.flags(attribute, True)
        for flags in edits:
            own = self._config(flags)
            found = own.passes([own.request(attribute, flags.get("preserve", ()))], generator)
            forward, backward = forward + found[0], backward + found[1]
        return len(edits) + len(self.about.strengths), forward, backward

    @property
    def needs_sparse(self) -> bool:
        """Whether it needs a second direction of each attribute, a sparse one in s."""
        attribute = self.spec.attributes[0]
        flags = self.flags(attribute, True)[0]
        return self._config(flags).needed((attribute,), flags.get("preserve", ())).also_in == "s"

    def _config(self, flags: Mapping[str, Any]) -> EditorConfig:
        """The editor's own of these flags."""
        config = config_of(self.editor)
        return config.model_validate({name: value for name, value in flags.items() if name in config.model_fields})


def entrants(spec: CompareSpec, faces: LabelledFaces) -> list[Entrant]:
    """All of them, a move along a random direction last. Raises SpecError where strengths do not go together."""
    return [_entrant(spec, faces, name) for name in (*spec.named, RANDOM)]


def _entrant(spec: CompareSpec, faces: LabelledFaces, name: str) -> Entrant:
    editor = editor_of(name)
    config = config_of(editor)
    about = config.COMPARED
    assert about is not None, "the spec has checked it"
    if strengths := spec.strengths_by(name):
        about = about.at(strengths)
    if name.endswith(CONDITIONS):
        about = replace(about, conditions=True, claims={})  # the paper's are of its own settings
    if name in UNSUPERVISED or name == RANDOM:
        networks = "none" if name == RANDOM else f"chosen by scores of the editing family on {spec.tuning} faces"
        about = replace(about, networks=networks, claims={})
        rows = spec.rows_by(spec.named[0]) if name == RANDOM else spec.rows_by(name)
        return Entrant(spec, name, editor, about, rows, (spec.url(f"along-{name}", "directions"),))
    tables: tuple[str, ...] = (faces.fitted("w"),) if config.TAKES_DIRECTIONS else ()
    found = Entrant(spec, name, editor, about, spec.rows_by(name), tables, _artifact(spec, name))
    if config.TAKES_DIRECTIONS and found.needs_sparse:
        return replace(found, directions=(*tables, spec.url("fit-s", "directions")))
    return found


def is_trained(spec: CompareSpec, name: str) -> bool:
    """Whether an artifact is trained here, since none is given and none is kept."""
    what = config_of(editor_of(name)).ARTIFACT
    if what is None or spec.artifact_of(name):
        return False
    return kept_artifacts.find(what, generators.load(spec.generator, backend="eager")) is None


def _artifact(spec: CompareSpec, name: str) -> str | None:
    if given := spec.artifact_of(name):
        return given
    return store.join(spec.url(f"trained-{editor_of(name)}"), "artifact") if is_trained(spec, name) else None
