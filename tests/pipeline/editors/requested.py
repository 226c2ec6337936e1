"""Requests of many rows, for tests of editors."""

from collections.abc import Sequence

import torch

from pipeline.editors import EditRequest
from pipeline.editors.ials import LAMBDAS
from pipeline.editors.request import Target


def same(
    rows: int,
    attribute: str,
    strengths: Sequence[float] | None = None,
    conditions: Sequence[str] = (),
    target: Target = "1",
    until: float | None = None,
    lambdas: Sequence[float] = (),
) -> list[EditRequest]:
    """One request for all of N rows."""
    options = dict(zip(LAMBDAS, lambdas, strict=False))
    return [EditRequest(attribute, tuple(conditions), target, tuple(strengths or ()), until, options)] * rows


def by_row(
    attributes: Sequence[str],
    conditions: Sequence[Sequence[str]],
    targets: Sequence[Target],
    strengths: torch.Tensor | None = None,
    until: torch.Tensor | None = None,
    lambdas: torch.Tensor | None = None,
) -> list[EditRequest]:
    """A request for each of N rows: strengths (N, K), until (N,), lambdas (N, 2)."""
    return [
        EditRequest(
            attribute,
            tuple(conditions[row]),
            targets[row],
            () if strengths is None else tuple(strengths[row].tolist()),
            None if until is None else float(until[row]),
            {} if lambdas is None else dict(zip(LAMBDAS, lambdas[row].tolist(), strict=True)),
        )
        for row, attribute in enumerate(attributes)
    ]
