"""Trained editors of others: their public files, read into the tensors of an artifact. Nothing in a file is executed.

A new form is a `public.py` beside its editor, and a line in the list.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from pipeline.errors import ModelFileError

Name = Literal["latent-transformer", "id-style"]
FORMATS: Mapping[Name, str] = {
    "latent-transformer": "pipeline.editors.latent_transformer.public",
    "id-style": "pipeline.editors.id_style.public",
}
"""The module that reads the files of a method, by the method's name."""


@dataclass(frozen=True, eq=False)
class OthersEditor:
    """What the files hold: the tensors of our editor of that method, and the attributes that it changes, by the names
    that they have here where the file's name means the same."""

    tensors: dict[str, Tensor]
    attributes: tuple[str, ...]


class Format(Protocol):
    """The module of a form.

    ROWS: of w+, that the editor moves. NORMS: least, mean and largest L2 norm of a code in w+ over all its rows, of
    the codes that come with the public code. ADVICE: for who edits with it.
    """

    CITATION: str
    LICENCE: str
    ROWS: int
    NORMS: tuple[float, float, float]
    ADVICE: str

    @staticmethod
    def read(files: Mapping[str, bytes]) -> OthersEditor:
        """The editor in these files, by name. Raises ModelFileError where one is none of its files, or lacks a
        tensor."""
        ...


def format_of(name: Name) -> Format:
    """The module of a form."""
    module: Format = importlib.import_module(FORMATS[name])  # type: ignore[assignment]
    return module


def take(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...], file: str) -> Tensor:
    """One tensor in float32. Raises ModelFileError where the file lacks it, or it is of another shape or not finite."""
    if name not in tensors:
        held = ", ".join(list(tensors)[:3])
        raise ModelFileError(
            f"{file}: it has no tensor {name} (it has {held}, ...): is it another file of the project?"
        )
    value = tensors[name].float()
    if tuple(value.shape) != shape:
        raise ModelFileError(f"{file}: {name} has the shape {tuple(value.shape)}, and {shape} was expected")
    if not bool(value.isfinite().all()):
        raise ModelFileError(f"{file}: {name} is not finite: fetch the file again")
    return value
