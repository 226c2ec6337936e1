"""The style channels that a sparse direction moves, as rows of a table.

Shapes: S style channels.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

import schemas
from pipeline.directions import Direction


def channel_rows(
    index: int, direction: Direction, hyperplane: Direction, layers: Sequence[tuple[str, int]] = ()
) -> pa.Table:
    """One row for each channel that the direction moves, in the order of s.

    direction, hyperplane: c * sd and c / sd, each normalised; the square root of their product is c.
    layers: name and width of each style layer; none where they are not known.
    """
    move_S, normal_S = (one.vector.astype(np.float64) for one in (direction, hyperplane))
    place = np.flatnonzero(move_S)
    effect_S = np.sign(move_S) * np.sqrt(np.abs(move_S * normal_S))
    stops = np.cumsum([width for _, width in layers])
    layer = np.searchsorted(stops, place, side="right") if layers else None
    starts = np.concatenate([[0], stops])
    return schemas.channels().rows(
        {
            "index": np.full(len(place), index),
            "place": place,
            "attribute": [direction.attribute] * len(place),
            "layer": [""] * len(place) if layer is None else [layers[one][0] for one in layer],
            "channel": np.full(len(place), -1) if layer is None else place - starts[layer].astype(np.int64),
            "weight": move_S[place],
            "effect": (effect_S / np.abs(effect_S).max())[place],
        }
    )
