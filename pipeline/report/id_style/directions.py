"""The global directions: the angles between them, and how many of their numbers count (Fig. 4, Sec. 4.5).

Shapes: M attributes, W w_dim.
"""

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics.intervals import Z95
from pipeline.report import study
from pipeline.report.claims import FAILS, HOLDS, Claim
from pipeline.report.id_style.paper import ANGLES, LINEAR, NAMES, OURS

MOST = 0.95
"""Of the squared length of a direction."""
Vectors = Mapping[str, NDArray[np.floating]]
"""(W,) by attribute."""


def angle(first_W: NDArray[np.floating], second_W: NDArray[np.floating]) -> float:
    """Between two directions, in degrees."""
    first, second = (
        np.asarray(one, np.float64) / np.linalg.norm(np.asarray(one, np.float64)) for one in (first_W, second_W)
    )
    return math.degrees(math.acos(float(np.clip(first @ second, -1, 1))))


def entries(vector_W: NDArray[np.floating], share: float = MOST) -> int:
    """How many of its largest numbers make up that share of its squared length."""
    squared_W = np.sort(np.square(np.asarray(vector_W, np.float64)))[::-1]
    return int(np.searchsorted(np.cumsum(squared_W), share * squared_W.sum() * (1 - 1e-12))) + 1


def by_chance(width: int) -> tuple[float, float]:
    """Between which angles 95 % of the pairs of random directions lie, in degrees."""
    half = math.degrees(Z95 / math.sqrt(width))
    return 90 - half, 90 + half


def section(ours: Vectors, linear: Vectors) -> tuple[study.Section, list[Claim]]:
    """Angles of the learned directions and of the normals of the linear boundaries, and the claim about them."""
    width = len(next(iter(ours.values())))
    low, high = by_chance(width)
    sentences = [
        f"Two directions of {width} numbers drawn at random are {low:.0f} to {high:.0f} degrees apart in 19 cases of "
        "20, so that angles near 90 alone do not say that anything was disentangled: beside them are those of the "
        f"normals that {LINEAR} moves along, which are not trained to be sparse. The angles are those of this one "
        "training, without an interval.",
        f"Entries: how many of the {width} numbers of a direction, the largest, make up {100 * MOST:g} % of its "
        "squared length.",
    ]
    counts = {
        NAMES[name]: {OURS: entries(ours[name]), LINEAR: entries(linear[name])} for name in ours if name in linear
    }
    grids = [
        _angles(f"Angles of the global directions of {OURS}, in degrees", ours),
        _angles(f"Angles of the normals of {LINEAR}, in degrees", linear),
        study.Grid("Entries that count", pd.DataFrame.from_dict(counts, orient="index")),
    ]
    return study.Section("Angles between the directions (Fig. 4)", sentences, grids), [_orthogonal(ours, linear)]


def _angles(caption: str, vectors: Vectors) -> study.Grid:
    values_MM = np.array([[angle(one, other) for other in vectors.values()] for one in vectors.values()])
    np.fill_diagonal(values_MM, 0.0)
    names = [NAMES[name] for name in vectors]
    return study.Grid(caption, pd.DataFrame(values_MM, names, names), shaded=True, middle=90.0, reach=90.0, digits=1)


def _orthogonal(vectors: Vectors, linear: Vectors) -> Claim:
    """Whether all pairs lie between the paper's angles; the number told is that which is furthest from 90 degrees, with
    that of the normals, which may be as near to it."""
    found, normals = (
        {pair: angle(one[pair[0]], one[pair[1]]) for pair in combinations(one, 2)} for one in (vectors, linear)
    )
    furthest = max(found, key=lambda pair: abs(found[pair] - 90))
    beside = max(normals.values(), key=lambda degrees: abs(degrees - 90))
    least, most = ANGLES
    verdict = HOLDS if all(least <= one <= most for one in found.values()) else FAILS
    told = f"{NAMES[furthest[0]]} and {NAMES[furthest[1]]}: of {len(found)} angles that furthest from 90, in degrees"
    told += f" (of the normals of {LINEAR}: {beside:.1f})"
    return Claim("Global directions are near orthogonal", told, f"{least:g} to {most:g}", found[furthest], math.nan,
                 math.nan, verdict, digits=1)  # fmt: skip
