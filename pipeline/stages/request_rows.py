"""Requests as rows of a table, and back."""

from collections.abc import Sequence

import pyarrow as pa

import schemas
from pipeline.editors import EditRequest
from pipeline.tables import Table

LAMBDAS = ("lambda1", "lambda2")
"""Options that have a column of their own too, which tables of version 1 have alone."""


def to_rows(requests: Sequence[EditRequest]) -> pa.Table:
    """One row for each request, in the order of their numbers."""
    return schemas.requests().rows(
        {
            "index": range(len(requests)),
            "attribute": [request.attribute for request in requests],
            "target": [request.target for request in requests],
            "conditions": [list(request.preserve) for request in requests],
            "lambdas": [[request.options[name] for name in LAMBDAS if name in request.options] for request in requests],
            "strengths": [list(request.strengths) for request in requests],
            "until": [[] if request.until is None else [request.until] for request in requests],
            "options": [list(request.options) for request in requests],
            "option_values": [list(request.options.values()) for request in requests],
        }
    )


def read_requests(table: Table) -> dict[int, EditRequest]:
    """The requests of a table, by number. Raises StoreError where it cannot be read."""
    return {
        row["index"]: EditRequest(
            attribute=row["attribute"],
            preserve=tuple(row["conditions"]),
            target=row["target"],
            strengths=tuple(row["strengths"]),
            until=row["until"][0] if row["until"] else None,
            options=dict(zip(row.get("options", LAMBDAS), row.get("option_values", row["lambdas"]), strict=False)),
        )
        for row in table.read().to_pylist()
    }
