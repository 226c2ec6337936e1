"""Partials are rows of a metrics table, and come back from it as they were."""

import numpy as np
import pyarrow.parquet as pq
import pytest

import schemas
from pipeline.metrics import DT, EffectBatch, Effects, Identity, IdentityBatch, Outcomes, measure_groups

NOISE = np.random.default_rng(1)
KEYS = [("old", ("male",), 1.0), ("old", ("male",), 3.0), ("smile", (), 1.0)] * 8
BATCHES = {
    "effects": (Effects(), EffectBatch(NOISE.standard_normal(24), NOISE.standard_normal(24))),
    "identity": (Identity(), IdentityBatch(NOISE.standard_normal((24, 8)), NOISE.standard_normal((24, 8)))),
    "dt": (DT(), Outcomes(NOISE.random(24) < 0.4, NOISE.random(24) < 0.9)),
}


@pytest.mark.parametrize("name", BATCHES)
def test_partials_come_back_from_a_file(name, tmp_path):
    metric, batch = BATCHES[name]
    groups = measure_groups(metric, KEYS, batch)
    schema = schemas.metrics(metric.numbers)
    rows = schema.rows(
        {
            "index": [7] * len(groups),
            "group": list(range(len(groups))),
            "metric": metric.name,
            "edits": "edits",
            "request": 0,
            "step": 1,
            "attribute": [attribute for attribute, _, _ in groups],
            "conditions": [list(conditions) for _, conditions, _ in groups],
            "side": 1,
            "strength": [strength for _, _, strength in groups],
            "measured": "",
            **{number: [partial[number] for partial in groups.values()] for number in metric.numbers},
        }
    )
    schema.validate(rows)
    pq.write_table(rows, tmp_path / "part.parquet", **schema.writer_options())
    back = pq.read_table(tmp_path / "part.parquet").to_pylist()
    assert [{number: row[number] for number in metric.numbers} for row in back] == list(groups.values())
    assert metric.finish(metric.merge(back)) == metric.finish(metric.merge(groups.values()))
