"""Numbers of faces from partial numbers of parts that are one face each."""

import numpy as np
import pytest

import schemas
from pipeline.errors import StoreError
from pipeline.report.face_numbers import of_faces
from pipeline.tables import Table


def partials(url, edits, counts) -> None:
    """A table of partial numbers, a row for each part of two tables of edits."""
    schema = schemas.metrics(("count", "mean", "m2"))
    rows = {
        "index": list(range(len(counts))), "group": [0] * len(counts), "metric": ["pictures"] * len(counts),
        "edits": edits, "request": [0] * len(counts), "step": [1] * len(counts), "attribute": ["old"] * len(counts),
        "conditions": [[]] * len(counts), "side": [1] * len(counts), "strength": [1.0] * len(counts),
        "measured": ["mse"] * len(counts), "count": counts, "mean": [0.1 * k for k in range(len(counts))],
        "m2": [0.0] * len(counts),
    }  # fmt: skip
    table = Table.create(f"{url}/metrics_pictures", schema, rows=len(counts), rows_per_shard=len(counts))
    table.seal([table.publish(0, schema.rows(rows))], {})


def edits_of(url, faces) -> str:
    """A table of edits with a part for each face."""
    schema = schemas.edits((2,))
    table = Table(url, schema)
    records = [
        table.publish(
            part,
            schema.rows(
                {
                    "index": [face], "request": [0], "step": [0], "strength": [0.0], "stop": ["done"], "space": ["w"],
                    "latent": np.zeros((1, 2), np.float32), "generator": ["g"],
                }
            ),
            shards=len(faces),
        )
        for part, face in enumerate(faces)
    ]  # fmt: skip
    table.seal(records, {})
    return url


def test_a_part_of_one_face_has_its_number(tmp_path):
    urls = [edits_of(f"{tmp_path}/{name}", faces) for name, faces in (("a", (4, 9)), ("b", (2,)))]
    partials(tmp_path, [urls[0], urls[0], urls[1]], [1.0, 1.0, 1.0])
    found = of_faces(str(tmp_path), urls, ["metrics_pictures"])
    assert found["face"].tolist() == [4, 9, 2]
    assert found["name"].tolist() == ["mse"] * 3
    assert found["value"].tolist() == [0.0, 0.1, 0.2]


def test_a_part_of_several_faces_has_none(tmp_path):
    url = edits_of(f"{tmp_path}/a", (4, 9))
    partials(tmp_path, [url, url], [1.0, 2.0])
    with pytest.raises(StoreError, match="holds several faces: edit with shards of one"):
        of_faces(str(tmp_path), [url], ["metrics_pictures"])
