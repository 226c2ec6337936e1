"""Codes of w+ that ID-Style is trained on: each a latent, in a block of whose layers lies another latent (Sec. 4).

Which one and which layers depends on the seed and on the number of the code alone.

Shapes: L layers of w+, W w_dim.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.models.randomness import raw_words

STREAM = 11
NARROWEST, WIDEST = 2, 10
"""Layers of a block among the 18 of the public code; for other generators in proportion."""
PAPERS_LAYERS = 18


@dataclass(frozen=True)
class Crossover:
    """Layers `first` to `first + width - 1` of latent `row` are those of latent `other`."""

    row: int
    other: int
    first: int
    width: int

    def between(self, two: Tensor, layers: int) -> Tensor:
        """The code (L, W), of the two latents in w (2, W) or in w+ (2, L, W)."""
        row, other = (code.expand(layers, -1) for code in two)
        inside = torch.arange(layers, device=two.device)
        inside = (inside >= self.first) & (inside < self.first + self.width)
        return torch.where(inside[:, None], other, row)


def crossover(seed: int, number: int, rows: int, each: int, layers: int) -> Crossover:
    """Code `number` of rows * each: the number modulo `each` of the crossovers of a latent. One latent alone is left as
    it is."""
    row, last = number // each, layers - 1
    other, width, first = (int(word) for word in raw_words(seed, number, 3, STREAM))
    most = max(1, min(last, round(WIDEST * layers / PAPERS_LAYERS)))
    least = min(NARROWEST, most)
    width = least + width % (most - least + 1)
    return Crossover(row, (row + 1 + other % max(1, rows - 1)) % rows, first % (layers - width + 1), width)
