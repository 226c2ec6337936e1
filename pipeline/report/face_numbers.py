"""Numbers of `stylemill measure` by face, of edits whose shards are one face each."""

from collections.abc import Iterable, Sequence

import pandas as pd

from pipeline.errors import StoreError
from pipeline.tables import Table, store

GROUP = ("request", "attribute", "step", "strength")


def of_faces(measured: str, edits: Sequence[str], tables: Iterable[str], number: str = "mean") -> pd.DataFrame:
    """Partial numbers of `stylemill measure` as numbers of faces: edits, request, attribute (the edited one), face,
    step, strength, name, value.

    Each part of the tables of edits is one face, so that the mean of a part is the face's number. A number's name is
    what was measured, or else the metric.

    edits: as the job was given them, in that order. tables: names of tables of partial numbers. number: the column that
    is the value.

    Raises:
        StoreError: a table is not there, or a part holds more than one face.
    """
    faces = [record.index_first for url in edits for record in Table.open(url).records()]
    columns = ["index", "metric", "edits", *GROUP, "measured", "count", number]
    found = pd.concat([Table.open(store.join(measured, name)).read(columns=columns).to_pandas() for name in tables])
    if (found["count"] > 1).any():
        raise StoreError(f"{measured}: a part of {found['edits'].iloc[0]} holds several faces: edit with shards of one")
    found = found[found["count"] == 1]
    return pd.DataFrame(
        {
            "edits": found["edits"],
            "face": [faces[task] for task in found["index"]],
            **{name: found[name] for name in GROUP},
            "name": found["measured"].where(found["measured"] != "", found["metric"]),
            "value": found[number],
        }
    ).reset_index(drop=True)
