"""Which noise a synthesis network adds: the stored one, none, or another one drawn from a seed.

All rows get the same noise, so that a row does not depend on its neighbours and an edit changes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.randomness import standard_normal

CONST, STRENGTH = ".noise_const", ".noise_strength"


@dataclass(frozen=True)
class Noise:
    """`const` is the stored noise, `none` leaves it out, `random` is drawn from the seed."""

    mode: Literal["const", "none", "random"] = "const"
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Noise:
        """`const`, `none`, or `random:SEED`. Raises SpecError for anything else."""
        found = re.fullmatch(r"random:(\d{1,18})", text)
        if found:
            return cls("random", int(found[1]))
        if text not in ("const", "none"):
            raise SpecError(f"unknown noise {text!r}: choose const, none, or random with a seed, as in random:1")
        return cls("none" if text == "none" else "const")

    def applied(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a synthesis network with this noise in place of the stored one."""
        changed = dict(tensors)
        if self.mode == "none":
            changed.update({name: torch.zeros_like(one) for name, one in tensors.items() if name.endswith(STRENGTH)})
        if self.mode == "random":
            for index, name in enumerate(sorted(name for name in tensors if name.endswith(CONST))):
                shape = tensors[name].shape
                drawn = standard_normal(self.seed, [index], shape.numel())
                changed[name] = torch.from_numpy(drawn).reshape(shape)
        return changed


STORED = Noise()
