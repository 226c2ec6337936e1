"""What the network says of many codes, several at a time, with the bits that each of them has alone.

A matrix product of one code of 23 layers reads all weights for 23 rows: in blocks it is several times as fast. The bits
of such a product may depend on how many rows it has. So one block of this network is compared, in each of its places,
with codes alone, when the first block is to be computed; where one bit differs, codes are taken one at a time.

Shapes: N codes, B of a block, L layers of w+, W w_dim.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from pipeline.editors.id_style.networks import IDStyle

BLOCK, FEWEST = 32, 8
"""Codes of a block, filled up with zeros; fewer than FEWEST are taken one at a time."""


class Blocks:
    """Of one network."""

    def __init__(self, network: IDStyle) -> None:
        self._network = network

    def intensity(self, ws_NLW: Tensor) -> Tensor:
        """l_ft, (N, L, W): `IDStyle.intensity` of each code."""
        if len(ws_NLW) < FEWEST or not self._as_alone:
            return self._alone(ws_NLW)
        found = []
        for some_NLW in ws_NLW.split(BLOCK):
            filled_BLW = torch.nn.functional.pad(some_NLW, (0, 0, 0, 0, 0, BLOCK - len(some_NLW)))
            found.append(self._network.intensity(filled_BLW)[: len(some_NLW)])
        return torch.cat(found)

    def _alone(self, ws_NLW: Tensor) -> Tensor:
        return torch.cat([self._network.intensity(code_1LW) for code_1LW in ws_NLW.split(1)])

    @cached_property
    def _as_alone(self) -> bool:
        """Whether codes in a block have the bits that they have alone, wherever they are."""
        network, random = self._network, torch.Generator().manual_seed(0)
        ws_BLW = torch.randn(BLOCK, network.layers, network.width, generator=random)
        return torch.equal(network.intensity(ws_BLW), self._alone(ws_BLW))
