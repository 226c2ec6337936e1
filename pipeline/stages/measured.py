"""What measured edits come to: DIR/measured and measured.csv, from the partial numbers of all parts."""

import functools
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

import schemas
from pipeline.engine.derived import Derived, DerivedFile, DerivedTable
from pipeline.metrics.face_metric import FaceMetric
from pipeline.metrics.of_faces import METRICS
from pipeline.tables import Table, store
from pipeline.tables.frames import to_rows
from schemas.measured import NUMBERS

GROUP = ["edits", "request", "step", "side", "attribute", "conditions", "strength", "measured"]
ORDER = {"metric": True, "edits": True, "request": True, "step": True, "side": False}
"""Of the rows, by column: whether it rises."""


def derived_of(out: str, partials: tuple[str, ...], edits: Sequence[str]) -> list[Derived]:
    """DIR/measured, from the sealed tables of partial numbers, and the same for a spreadsheet."""
    once = functools.cache(lambda: summed(out, partials, edits))
    return [
        DerivedTable("measured", schemas.measured(), lambda: _rows(once()), partials),
        DerivedFile("measured.csv", lambda: _csv(once()), partials),
    ]


def summed(out: str, partials: tuple[str, ...], edits: Sequence[str]) -> pd.DataFrame:
    """One row for each metric, table of edits, request, step and side, in this order."""
    there = [metric for metric in METRICS if metric.table in partials]
    tables = [Table.open(store.join(out, metric.table)).read().to_pandas() for metric in there]
    found = pd.concat(map(_finished, there, tables), ignore_index=True)
    found["edits"] = pd.Categorical(found["edits"], list(edits))
    found = found.sort_values(list(ORDER), ascending=list(ORDER.values()), ignore_index=True)
    return found.assign(edits=found["edits"].astype(str))


def _finished(metric: FaceMetric, partials: pd.DataFrame) -> pd.DataFrame:
    """One row for each group of edits, the partials of all tasks put together."""
    partials = partials.assign(conditions=partials["conditions"].map(tuple))
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, key in enumerate(zip(*(partials[name].tolist() for name in GROUP), strict=True)):
        groups.setdefault(key, []).append(place)
    numbers = partials[list(metric.numbers)].to_numpy()
    rows = []
    for key, places in groups.items():
        merged = metric.merge([dict(zip(metric.numbers, row, strict=True)) for row in numbers[places].tolist()])
        rows.append({**dict(zip(GROUP, key, strict=True)), "metric": metric.name, **metric.finish(merged)})
    return pd.DataFrame(rows, columns=[*GROUP, "metric", "count", *NUMBERS] if not rows else None)


def _rows(found: pd.DataFrame) -> pa.Table:
    schema = schemas.measured()
    if unknown := [name for name in found.columns if name not in schema.arrow.names]:
        raise RuntimeError(
            f"a metric gives the number {unknown[0]}, and `measured` has no such column: schemas/measured.py"
        )
    return to_rows(schema, found.assign(count=found["count"].astype(int)))


def _csv(found: pd.DataFrame) -> bytes:
    text: str = found.assign(conditions=[" ".join(names) for names in found["conditions"]]).to_csv(index=False)
    return text.encode(errors="backslashreplace")
