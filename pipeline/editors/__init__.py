"""Editors: methods that move latents. Tensors in, tensors out; no table, no job.

A new editor is a file (or folder) here with a `Config`, and a line in the list.
"""

from pipeline.editors.compared import Compared
from pipeline.editors.editor import Editor, EditorConfig, Faces, Needed, Scores, Traits
from pipeline.editors.request import EditRequest
from pipeline.editors.trace import DONE, NOT_FINITE, REACHED, Trace
from pipeline.listed import listed_module

__all__ = [
    "BASELINE",
    "DONE",
    "EDITORS",
    "NOT_FINITE",
    "REACHED",
    "Compared",
    "EditRequest",
    "Editor",
    "EditorConfig",
    "Faces",
    "Needed",
    "Scores",
    "Trace",
    "Traits",
    "config_of",
]

EDITORS = {
    "interfacegan": "along directions that hold for all faces, as far as asked or until a score is reached",
    "ials": "by steps along each face's own gradients, mixed with such directions",
    "style-intervention": "in style space, where only the region of the attribute may change",
    "latent-transformer": "by a transformation that was trained for each attribute",
    "id-style": "along trained directions, as far as a trained network says for each face, to keep the identity",
}
"""What each does, by name; its module is of the same name, with _ for -."""
BASELINE = "interfacegan"
"""What others are compared with; it moves along any direction."""


def config_of(name: str) -> type[EditorConfig]:
    """The flags of an editor, which also open it. Raises SpecError where there is no such editor."""
    config: type[EditorConfig] = listed_module("pipeline.editors", name, EDITORS, "editor").Config
    return config
