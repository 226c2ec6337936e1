"""What every editor offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from pipeline.editors.request import Requests
from pipeline.editors.trace import Trace
from pipeline.models.codes import Codes

Scores = Callable[[Codes], Mapping[str, Tensor]]
"""Codes of N rows -> score (N,) of each attribute: generator and classifiers. Always called with one batch size."""


class Editor(Protocol):
    """A method that moves latents.

    Editors differ in how they are made: from directions (InterFaceGAN), with a generator, classifiers and a number of
    steps (IALS). They are used alike.
    """

    def edit(self, codes: Codes, requests: Requests) -> Trace:
        """Move each row as its own request says.

        A row's result does not depend on its neighbours. A row that goes non-finite stops alone, with its reason.

        Raises:
            SpecError: codes and requests are not of one length, or what is asked for cannot be done by this editor.
        """
        ...
