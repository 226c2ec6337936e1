"""A row's randomness: Philox words keyed by (seed, index), and a transform of our own.

Nothing else decides a row's numbers: not the shard it is in, not the worker, not the order. The raw words of Philox4x64
are fixed by its authors (Salmon et al. 2011) and NumPy promises them; NumPy's own normal transform is not promised, so
the Box-Muller transform is spelled out here, in float64, and rounded once to float32.

Shapes: N rows, D numbers a row.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MAX_SEED = 2**63 - 1


def raw_words(seed: int, index: int, count: int, stream: int = 0) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of the row's stream; `stream` tells apart several uses within one row.

    Raises:
        ValueError: seed or index outside [0, 2^63).
    """
    if not (0 <= seed <= MAX_SEED and 0 <= index <= MAX_SEED):
        raise ValueError(f"seed and index must lie in [0, 2^63), got seed {seed} and index {index}")
    key = np.array([seed, index], dtype=np.uint64)
    counter = np.array([0, 0, 0, stream], dtype=np.uint64)
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def standard_normal(seed: int, indices: Iterable[int], width: int, stream: int = 0) -> NDArray[np.float32]:
    """z_ND ~ N(0, 1), float32 of shape (len(indices), width): row n belongs to indices[n] alone."""
    pairs = (width + 1) // 2
    rows = [raw_words(seed, int(index), 2 * pairs, stream) for index in indices]
    words = np.stack(rows) if rows else np.empty((0, 2 * pairs), dtype=np.uint64)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # in (0, 1), never 0
    radius = np.sqrt(-2.0 * np.log(uniform[:, :pairs]))
    angle = 2.0 * np.pi * uniform[:, pairs:]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return normal[:, :width].astype(np.float32)
