"""What the directions of a training start from: the normals of linear SVMs.

Shapes: N rows to learn from, W w_dim, M attributes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.directions import svm
from pipeline.directions.classes import two_values
from pipeline.directions.method import FitInputs
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

C, FRACTION = 0.003, 0.2


def check_start(scores_NM: NDArray[np.floating], attributes: Sequence[str], seed: int) -> None:
    """Raise SpecError where rows with these scores give no normal of an attribute."""
    for scores_N, name in zip(scores_NM.T, attributes, strict=True):
        with _startable(name):
            _svm_of(scores_N).check(scores_N, seed)


def normals(codes: Codes, scores_NM: NDArray[np.floating], attributes: Sequence[str], seed: int) -> Tensor:
    """(M, W): of linear SVMs between the rows with the highest and the lowest scores; of scores of yes and no, between
    all of both.

    Raises:
        SpecError: rows that give no normal of an attribute.
    """
    found = []
    for scores_N, name in zip(scores_NM.T, attributes, strict=True):
        with _startable(name):
            found.append(_svm_of(scores_N).fit(FitInputs(codes, scores_N, name, seed)).direction.vector)
    return torch.from_numpy(np.stack(found))


def _svm_of(scores_N: NDArray[np.floating]) -> svm.Config:
    """Of yes and no, however rare one is, all rows, and both weigh the same."""
    middle = two_values(scores_N)
    if middle is None:
        return svm.Config(C=C, fraction=FRACTION)
    return svm.Config(C=C, class_weight="balanced").of_yes_or_no(middle)


@contextmanager
def _startable(attribute: str) -> Iterator[None]:
    """Say of what cannot be fitted which attribute it is, and what else can be done."""
    try:
        yield
    except SpecError as error:
        raise SpecError(
            f"{attribute}: these rows give no linear SVM to start from ({str(error).split(':')[0]}): give more rows, "
            "leave it out of --attributes, or pass --start random"
        ) from error
