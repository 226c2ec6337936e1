"""The rows that a Latent Transformer learns from: which are held out, which its networks see, and whether they will do.

Shapes: N rows, A attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.editors.training import LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.randomness import raw_words


def split(count: int, held_out: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to judge C by, and those to learn from, each in rising order."""
    order = np.argsort(raw_words(seed, 0, count, stream=3), kind="stable")
    held = max(1, round(count * held_out))
    return np.sort(order[:held]), np.sort(order[held:])


def some(rows_N: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Of the rows to learn from those that the transformations see, in rising order."""
    order = np.argsort(raw_words(seed, 0, len(rows_N), stream=4), kind="stable")
    return np.sort(rows_N[order[:most]])


def check(
    rows: LabelledCodes, scores_NA: Tensor, targets: Sequence[str], learned_N: NDArray[np.int64], held_out: float,
    soft_labels: bool,
) -> None:  # fmt: skip
    """Raise SpecError where these rows cannot be learned from.

    scores_NA: of all attributes of `rows`. targets: the attributes to edit. learned_N: the rows that are not held out.
    held_out, soft_labels: as asked.
    """
    count = len(rows.codes.values)
    if len(scores_NA) != count or scores_NA.shape[1] != len(rows.attributes):
        raise SpecError(f"{count} codes and scores of the shape {tuple(scores_NA.shape)}")
    if count < 4:
        raise SpecError(f"{count} rows are too few to train on: give some thousands")
    if len(learned_N) < 2:
        raise SpecError(
            f"--held-out {held_out:g} of {count:,} rows leaves {len(learned_N)} to learn from: hold out fewer"
        )
    if unknown := [name for name in targets if name not in rows.attributes]:
        raise SpecError(f"no scores of {unknown[0]}: there are {', '.join(rows.attributes)}")
    for name, scores_N in zip(rows.attributes, scores_NA.T, strict=True):
        if bad := int((~scores_N.isfinite()).sum()):
            raise SpecError(
                f"{bad:,} of {len(scores_N):,} scores of {name} are not finite: label these rows again, or choose "
                "others (--where)"
            )
        if soft_labels and bool(((scores_N == 0) | (scores_N == 1)).all()):
            raise SpecError(
                f"--soft-labels takes scores, 0 at the boundary, and {name} is 0 or 1 in every row: leave it out"
            )
        _check_classes(name, scores_N, scores_N[torch.from_numpy(learned_N)])


def _check_classes(name: str, scores_N: Tensor, learned_N: Tensor) -> None:
    """Both sides of the boundary are among the scores to learn from."""
    if (yes := int((learned_N > 0).sum())) not in (0, len(learned_N)):
        return
    who = "every row" if yes else "no row"
    if 0 < int((scores_N > 0).sum()) < len(scores_N):
        who += f" of the {len(learned_N):,} that are not held out"
    raise SpecError(
        f"{who} has {name}: there is nothing to learn it from; give more rows, another --seed, or labels without it"
    )
