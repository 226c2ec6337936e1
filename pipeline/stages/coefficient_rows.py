"""What an editor solved for, as columns of a micro-batch and as rows of a table.

Shapes: B slots of a micro-batch, R requests, S style channels, T numbers of errors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from pipeline.editors import EditRequest
from pipeline.stages.microbatch import Columns, Indices


def solved_columns(of_requests: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray]:
    """`coefficients` (B, R, S) and `errors` (B, R, T), 0 where nothing was solved for; `solved` (B, R) says where."""
    found = {name: np.stack([one[name] for one in of_requests], axis=1) for name in ("coefficients", "errors")}
    solved = np.logical_and.reduce([np.isfinite(column).all(axis=2) for column in found.values()])
    return {**{name: np.where(solved[:, :, None], column, 0) for name, column in found.items()}, "solved": solved}


def coefficient_rows(index: Indices, made: Columns, requests: Sequence[EditRequest]) -> pa.Table:
    """A row for each edit, in the order of (index, request)."""
    solved = made["solved"].ravel()
    coefficients = made["coefficients"].reshape(len(solved), -1)
    errors = made["errors"].reshape(len(solved), -1).tolist()
    return schemas.coefficients(coefficients.shape[1]).rows(
        {
            "index": np.repeat(index, len(requests)),
            "request": np.tile(np.arange(len(requests)), len(index)),
            "attribute": [request.attribute for request in requests] * len(index),
            "solved": solved,
            "coefficients": coefficients,
            "errors": [its if there else [] for its, there in zip(errors, solved.tolist(), strict=True)],
        }
    )
