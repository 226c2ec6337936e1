"""Face parsers by family: where the parts of a face are. The judge has none, and shares none with `faces`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pipeline.errors import SpecError
from pipeline.models.classifiers import tiny
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import Parser

VERSION = 1
"""Raised by hand when equal weights give other masks."""

PARSERS: dict[str, Callable[[Networks], nn.Module]] = {"faces": Parser, "tiny": tiny.TinyParser}
"""By family. Each has `masks`: (N, 3, H, W) in [-1, 1] -> (N, 19, H, W), probabilities of `parser.CLASSES`."""


class FaceParser:
    """A face parser.

    fingerprint: hex digest of its weights and of the version of this code. networks: names of its networks.
    """

    def __init__(self, parser: nn.Module, fingerprint: str, networks: tuple[str, ...] = ()) -> None:
        self._parser, self.fingerprint, self.networks = parser, fingerprint, networks

    @torch.no_grad()
    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities, in the order of `parser.CLASSES`."""
        masks: Tensor = self._parser.masks(x_N3HW)  # type: ignore[operator]
        return masks


def load(family: str, device: str | torch.device = "cpu") -> FaceParser:
    """The face parser of a family.

    Raises:
        SpecError: the family has none.
        ModelFileError: its weights have not been pulled, or are damaged.
    """
    if family not in PARSERS:
        raise SpecError(f"the family {family} has no face parser: choose one of {', '.join(PARSERS)}")
    networks = Networks(device)
    parser = PARSERS[family](networks).to(device).eval()
    facts = {"version": VERSION, "networks": networks.digests}
    fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return FaceParser(parser, fingerprint, tuple(networks.digests))
