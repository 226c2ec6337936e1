"""Codes and scores with a known direction."""

import numpy as np
import torch

from pipeline.directions import Direction, normalised
from pipeline.models.codes import Codes


def faces(rows, width, seed=0, noise=0.8):
    """x (N, D) float32 of falling variance about a mean that is not 0, scores (N,), and the unit vector behind them."""
    draw = np.random.default_rng(seed)
    x_ND = draw.standard_normal((rows, width)) * np.geomspace(3.0, 0.1, width) + draw.standard_normal(width)
    truth = draw.standard_normal(width)
    scores = (x_ND - x_ND.mean(0)) @ truth
    scores = scores / scores.std() + noise * draw.standard_normal(rows)
    return x_ND.astype(np.float32), scores, truth / np.linalg.norm(truth)


def codes(values, space="w"):
    return Codes(space, torch.as_tensor(values))


def direction(vector, name="old", space="w", **about) -> Direction:
    return normalised(name, "svm", space, vector, **about)
