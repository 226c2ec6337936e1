"""`stylemill directions compare`: the paper's Tables 2 and 3 for any directions and labels."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

import schemas
from jobs.flags import Names, parse, say
from jobs.options import canonical
from jobs.print_tables import show_part
from jobs.small_outputs import DirectionsSpec, write_small_table
from pipeline.directions.compare import Correlations, correlations, cosines
from pipeline.directions.names import joined
from pipeline.errors import SpecError
from pipeline.report import study
from pipeline.report.heat_map import heat_maps
from pipeline.stages.joined import Labels, label_columns, open_labels, scores_of
from pipeline.stages.source import check_kind
from pipeline.tables import Table, store

T = TypeVar("T")
TITLES = {"cosine": "Cosine of directions", "correlation": "Correlation of scores"}


class CompareSpec(DirectionsSpec):
    """Cosines of directions and correlations of labels: printed, DIR/comparisons, and DIR/comparisons.png.

    Example: stylemill directions compare --directions out/fit/directions --labels out/faces/labels --out out/compared
    """

    VERB = "directions compare"

    labels: str | None = Field(None, description="A labels table, or a file of your own (.csv, .tsv, .parquet).")
    attributes: Names = Field((), description="Some of the directions and labels, by name. Default: all.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(CompareSpec, argv)
    url, picture = spec.output_url("comparisons"), spec.output_url("comparisons.png")
    table, named = spec.open_directions()
    labels = None if spec.labels is None else open_labels(spec.labels)
    columns = {} if labels is None else _columns(labels)
    attributes = joined(spec.attributes, {*named, *columns})
    if unknown := [name for name in attributes if name not in named and name not in columns]:
        known = ", ".join(dict.fromkeys([*named, *columns]))
        raise SpecError(f"there is no {unknown[0]!r} to compare; there are {known}")
    some = _some(named, attributes)
    matrices = {"cosine": cosines(list(some.values()), list(some))}
    if columns:
        matrices["correlation"] = correlations(_some(columns, attributes))
    facts = {
        "verb": spec.VERB,
        "spec": {"attributes": attributes},
        "resolved": {"directions_digest": table.digest, "labels_digest": labels.digest if labels else None},
    }
    write_small_table(url, schemas.comparisons(), _rows(matrices), facts)
    shown = {TITLES[name]: (matrix.names, matrix.values) for name, matrix in matrices.items()}
    store.write_atomic(picture, heat_maps(shown))
    say(f"Done  {picture}")
    for title, (names, values) in shown.items():
        show_part(study.Grid(title, pd.DataFrame(values, list(names), list(names)).map("{:.2f}".format)))
    return 0


def _columns(labels: Labels) -> dict[str, NDArray[np.floating]]:
    """The scores of labels, of the rows that have them all. Raises SpecError for another table."""
    if isinstance(labels, Table):
        check_kind(labels, "labels")
    columns, names = label_columns(labels), canonical(scores_of(labels))
    full = ~np.isnan([columns[name] for name in names]).any(axis=0)
    return {name: columns[name][full] for name in names}


def _some(named: Mapping[str, T], wanted: Sequence[str]) -> dict[str, T]:
    return {name: value for name, value in named.items() if not wanted or name in wanted}


def _rows(matrices: Mapping[str, Correlations]) -> pa.Table:
    cells = [
        (measure, first, second, float(matrix.values[row, column]))
        for measure, matrix in matrices.items()
        for row, first in enumerate(matrix.names)
        for column, second in enumerate(matrix.names)
    ]
    measure, first, second, value = (list(column) for column in zip(*cells, strict=True))
    return schemas.comparisons().rows(
        {"index": range(len(cells)), "measure": measure, "first": first, "second": second, "value": value}
    )
