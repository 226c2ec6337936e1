"""The tiny generator and classifiers in float64, as a function from codes to scores, for tests of gradients."""

from copy import deepcopy
from functools import cache

import numpy as np
import torch
from torch import Tensor

from pipeline.directions import Direction, normalised
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes, Space

ATTRIBUTES = ("smile", "male", "old")


@cache
def generator() -> generators.Generator:
    """A copy: the open one is lent to other tests, and `double` changes a module in place."""
    return deepcopy(generators.load("stylegan2-tiny", backend="eager")).double()


@cache
def family() -> classifiers.Classifier:
    return classifiers.load("tiny", ATTRIBUTES, measures=()).double()


def scores(codes: Codes) -> dict[str, Tensor]:
    y_NA = family_raw(generator().synthesize(codes))
    return {name: y_NA[:, place] for place, name in enumerate(ATTRIBUTES)}


def family_raw(x_N3HW: Tensor) -> Tensor:
    """Scores in float64: `Family.raw` brings them to float32, as labels are kept."""
    found = family().statistics(x_N3HW.double(), ATTRIBUTES)
    return torch.stack([(found[name] - scale.boundary) / scale.unit for name, scale in scales().items()], dim=1)


def scales() -> dict:
    return {name: family().scales[name] for name in ATTRIBUTES}


def shape(space: Space) -> tuple[int, ...]:
    g = generator()
    return {"w": (g.w_dim,), "w+": (g.num_ws, g.w_dim), "s": (g.num_styles,)}[space]


def codes(space: Space, rows: int, seed: int = 0) -> Codes:
    noise = torch.Generator().manual_seed(seed)
    g = generator()
    w = g.w_avg.double() + torch.randn(rows, g.w_dim, generator=noise, dtype=torch.float64)
    if space == "w":
        return Codes("w", w)
    ws = w[:, None] + 0.1 * torch.randn(rows, g.num_ws, g.w_dim, generator=noise, dtype=torch.float64)
    return Codes("w+", ws) if space == "w+" else Codes("s", g.styles(ws).detach())


def directions(space: Space, shared: bool = False) -> list[Direction]:
    draw = np.random.default_rng(3)
    form = shape(space)[-1:] if shared else shape(space)
    return [normalised(name, "svm", space, draw.standard_normal(form)) for name in ATTRIBUTES]
