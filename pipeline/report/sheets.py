"""Which faces a page shows. The choice depends on the rows and a seed, on nothing else.

N rows, K chosen.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Strips:
    """Indices of the faces at three places of one attribute's scale; each at most `count` long."""

    lowest: tuple[int, ...]
    """From the lowest score upwards."""
    nearest: tuple[int, ...]
    """The scores nearest 0, from the most negative to the most positive of them."""
    highest: tuple[int, ...]
    """From the highest score downwards."""


def at_random(index_N: np.ndarray, count: int, seed: int) -> tuple[int, ...]:
    """Draw `count` rows without replacement, in order of their index.

    A row's rank is a hash of (seed, index), so that a table which grows keeps most of its choice.
    """
    rank_N = _mix(index_N.astype(np.uint64) ^ _mix(np.array([seed % 2**64], dtype=np.uint64)))
    return _whole(np.sort(index_N[np.argsort(rank_N, kind="stable")[:count]]))


def along(score_N: pd.Series, count: int) -> Strips:
    """The ends and the middle of an attribute's scale.

    Args:
        score_N: scores by index, 0 at the boundary. Rows without a finite score are left out.
        count: faces in each strip. Equal scores are taken in order of their index.
    """
    finite_N = score_N[np.isfinite(score_N)].sort_index()
    index_N, value_N = finite_N.index.to_numpy(), finite_N.to_numpy()
    nearest_K = np.sort(np.argsort(np.abs(value_N), kind="stable")[:count])
    return Strips(
        lowest=_whole(index_N[np.argsort(value_N, kind="stable")[:count]]),
        nearest=_whole(index_N[nearest_K[np.argsort(value_N[nearest_K], kind="stable")]]),
        highest=_whole(index_N[np.argsort(-value_N, kind="stable")[:count]]),
    )


def _whole(index_K: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in index_K)


def _mix(x_N: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64: 64 bits in, 64 well mixed bits out."""
    x_N = x_N + np.uint64(0x9E3779B97F4A7C15)
    x_N = (x_N ^ (x_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x_N = (x_N ^ (x_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x_N ^ (x_N >> np.uint64(31))
