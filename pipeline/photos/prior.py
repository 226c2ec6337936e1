"""How w is distributed: its mean and its covariance, from seeded samples of the mapping network.

In whitened coordinates the samples have variance 1 in every direction, so that |v|^2 is the squared Mahalanobis
distance of w from the mean. They are the principal components of w, each in its own standard deviations,
v = (w - mean) Q / d with C = Q d^2 Q^T: faces differ most along the first, and an optimiser that scales each coordinate
by itself, as Adam does, takes short steps there.

Shapes: N rows, L layers, W w_dim.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal

SAMPLES, SEED, TOGETHER = 10_000, 20_130, 1000
LEAST_VARIANCE = 1e-4
"""Of the largest: directions in which w varies less than that are taken to vary so much, else no step could leave
them."""


_PRIORS: dict[tuple[str, str], Prior] = {}
"""By the generator's fingerprint and the device."""


class Prior:
    """Mean and covariance of w.

    mean: (W,). whitening, colouring: (W, W), Q / d and its inverse. All are float32, on a device.
    """

    def __init__(self, w_NW: Tensor, device: torch.device | str = "cpu") -> None:
        samples = w_NW.double().cpu()
        mean_W = samples.mean(0)
        centred = samples - mean_W
        variance_W, axes_WW = torch.linalg.eigh(centred.T @ centred / (len(samples) - 1))
        deviation_W = variance_W.clamp(min=LEAST_VARIANCE * variance_W[-1].item()).sqrt()
        self.mean = mean_W.float().to(device)
        self.whitening = (axes_WW / deviation_W).float().to(device)
        self.colouring = (axes_WW * deviation_W).T.float().contiguous().to(device)

    def whitened(self, ws_NLW: Tensor) -> Tensor:
        """v of w, (..., W)."""
        return (ws_NLW - self.mean) @ self.whitening

    def coloured(self, v_NLW: Tensor) -> Tensor:
        """w of v, (..., W): the inverse of `whitened`."""
        return self.mean + v_NLW @ self.colouring


def check_space(generator: Generator) -> None:
    """Raise SpecError where a generator has no w+."""
    if "w+" not in generator.spaces:
        raise SpecError(f"{generator.name} has no w+, in which photos are inverted: choose another generator")


@torch.no_grad()
def prior_of(generator: Generator) -> Prior:
    """Of SAMPLES w of a generator, without truncation; computed once in a process.

    Raises:
        SpecError: it has no w.
    """
    check_space(generator)
    device = generator.backend.device
    known = generator.fingerprint, str(device)
    if known not in _PRIORS:
        found = []
        for first in range(0, SAMPLES, TOGETHER):
            z_NZ = standard_normal(SEED, np.arange(first, first + TOGETHER), generator.z_dim)
            found.append(generator.mapping(torch.from_numpy(z_NZ).to(device)))
        _PRIORS[known] = Prior(torch.cat(found), device)
    return _PRIORS[known]
