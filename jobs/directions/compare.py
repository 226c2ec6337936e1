"""`stylemill directions compare`: the paper's Tables 2 and 3 for any directions and labels."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from rich import box
from rich.table import Table as Grid

import schemas
from jobs.flags import Names, Spec, parse, say
from jobs.options import canonical
from jobs.show import show
from jobs.small import check_free, open_directions, write_small
from pipeline.directions.compare import Correlations, correlations, cosines
from pipeline.directions.names import joined
from pipeline.errors import SpecError
from pipeline.report.heat_map import heat_maps
from pipeline.stages.joined import Labels, open_labels, scores_of
from pipeline.stages.own_labels import OwnLabels
from pipeline.tables import store

T = TypeVar("T")
TITLES = {"cosine": "Cosine of directions", "correlation": "Correlation of scores"}


class CompareSpec(Spec):
    """Cosines of directions and correlations of labels: printed, DIR/comparisons, and DIR/comparisons.png.

    Example: stylemill directions compare --directions out/fit/directions --labels out/faces/labels --out out/compared
    """

    VERB = "directions compare"

    directions: Names = Field(min_length=1, description="A table of directions, or several with commas between.")
    labels: str | None = Field(None, description="A labels table, or a file of your own (.csv, .tsv, .parquet).")
    attributes: Names = Field((), description="Some of the directions and labels, by name. Default: all.")
    out: str = Field(description="Directory for the table and the picture.")
    replace: bool = Field(False, description="Make both anew where there are any.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(CompareSpec, argv)
    url, picture = (store.join(spec.out, name) for name in ("comparisons", "comparisons.png"))
    check_free(url, spec.replace)
    check_free(picture, spec.replace)
    table, named = open_directions(spec.directions)
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
        "verb": "directions compare",
        "spec": {"attributes": attributes},
        "resolved": {"directions_digest": table.digest, "labels_digest": labels.digest if labels else None},
    }
    write_small(url, schemas.comparisons(), _rows(matrices), facts)
    store.write_atomic(
        picture, heat_maps({TITLES[name]: (matrix.names, matrix.values) for name, matrix in matrices.items()})
    )
    say(f"Done  {picture}")
    for name, matrix in matrices.items():
        _print(TITLES[name], matrix)
    return 0


def _columns(labels: Labels) -> dict[str, NDArray]:
    """The scores of labels; of one's own, of the rows that have them all. Raises SpecError for another table."""
    names = canonical(scores_of(labels))
    if isinstance(labels, OwnLabels):
        full = ~np.isnan([labels.columns[name] for name in names]).any(axis=0)
        return {name: labels.columns[name][full] for name in names}
    if labels.schema.name != "labels":
        raise SpecError(f"{labels.url} is a table of {labels.schema.name}, not of labels")
    rows = labels.read(columns=names)
    return {name: schemas.to_numpy(rows[name]) for name in names}


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


def _print(title: str, matrix: Correlations) -> None:
    grid = Grid(title, *matrix.names, box=box.SIMPLE_HEAD)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, row in zip(matrix.names, matrix.values, strict=True):
        grid.add_row(name, *(f"{value:.2f}" for value in row))
    show(grid)
