"""From a network's last logits to one number that never saturates.

A probability near 0 or 1 says nothing more about how strongly an attribute is present, and its gradient vanishes. The
log-odds log p(yes) - log p(no) of the same softmax keep growing, and are 0 where p = 0.5.

Shapes: N rows, K classes, P places.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def log_odds(logits_NK: Tensor, classes: Sequence[int], dim: int = 1) -> Tensor:
    """log p(one of `classes`) - log p(any other), of the softmax along `dim`: (N,), 0 where p = 0.5."""
    chosen = set(classes)
    others = [k for k in range(logits_NK.shape[dim]) if k not in chosen]
    return _logsumexp(logits_NK, sorted(chosen), dim) - _logsumexp(logits_NK, others, dim)


def expectation(logits_NK: Tensor, values_K: Tensor) -> Tensor:
    """Mean of `values_K` under the softmax of the logits: (N,)."""
    return logits_NK.softmax(1) @ values_K.to(logits_NK)


def soft_maximum(margins_NP: Tensor, temperature: float) -> Tensor:
    """Between the mean (high temperature) and the maximum (low) over places: t log mean exp(m / t), (N,).

    It rises with every place's margin, most with the highest, and grows as fast as they do.
    """
    return temperature * ((margins_NP / temperature).logsumexp(1) - math.log(margins_NP.shape[1]))


def _logsumexp(logits: Tensor, classes: Sequence[int], dim: int) -> Tensor:
    index = torch.tensor(classes, device=logits.device)
    kept = logits.index_select(dim, index)
    return kept.squeeze(dim) if len(classes) == 1 else kept.logsumexp(dim)
