"""Small spaces, directions and a nonlinear scorer, for tests of editors."""

import numpy as np
import torch

from pipeline.directions import Direction, normalised
from pipeline.models.codes import Codes

L, W = 5, 12
SPACES = {"z": (W,), "w": (W,), "w+": (L, W), "s": (31,)}
FORMS = [("z", (W,)), ("w", (W,)), ("w+", (W,)), ("w+", (L, W)), ("s", (31,))]
"""Space and shape of a direction there."""


def direction(space: str, shape: tuple[int, ...], attribute: str = "old", seed: int = 1, **about: object) -> Direction:
    raw = np.random.default_rng(seed).standard_normal(shape)
    return normalised(attribute, "svm", space, raw, intercept=0.7 * seed, **about)


def codes(space: str, rows: int, seed: int = 0) -> Codes:
    noise = torch.Generator().manual_seed(seed)
    return Codes(space, torch.randn(rows, *SPACES[space], generator=noise))


class Scorer:
    """A score that saturates, of a network's kind: its bits may depend on the batch size, which is to be one."""

    def __init__(self, directions: list[Direction], batch_size: int) -> None:
        self.directions, self.batch_size, self.calls = directions, batch_size, 0

    def __call__(self, some: Codes) -> dict[str, torch.Tensor]:
        assert len(some) == self.batch_size
        self.calls += 1
        return {d.attribute: (2 * torch.tanh(0.4 * d.distance(some))).float() for d in self.directions}
