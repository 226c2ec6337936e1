"""What every metric promises: rows may be measured in any pieces and merged in any order, a partial is a row of a
table, and no row at all is neutral."""

import itertools
import math
from typing import get_type_hints

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from pipeline import metrics
from pipeline.metrics import DT, Outcomes, measure_groups
from pipeline.metrics.effects import EffectBatch
from pipeline.metrics.identity import IdentityBatch
from pipeline.metrics.means import Values
from pipeline.metrics.of_faces import BY_NAME, METRICS, NUMBERS


def noise(rows: int, seed: int, *width: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, *width))


def gaps(rows: int) -> np.ndarray:
    """Numbers that some faces do not have; 0 or more, as those of any metric of pictures."""
    return np.where(noise(rows, 2) < 1, np.abs(noise(rows, 1)), np.nan)


MADE = {
    EffectBatch: lambda rows: EffectBatch(noise(rows, 1), noise(rows, 2)),
    IdentityBatch: lambda rows: IdentityBatch(noise(rows, 1, 8), noise(rows, 2, 8)),
    Values: lambda rows: Values(gaps(rows)),
    Outcomes: lambda rows: Outcomes(noise(rows, 1) < -0.3, noise(rows, 2) < 1),
}
"""By what `measure` takes; a metric that takes something else needs a line here."""
OTHERS = tuple(one() for one in vars(metrics).values() if isinstance(one, type) and hasattr(one, "finish")
               and one is not metrics.Metric)  # fmt: skip
CASES = {metric.name: (metric, MADE[get_type_hints(type(metric).measure)["batch"]]) for metric in (*METRICS, *OTHERS)}
each = pytest.mark.parametrize("name", CASES)


def test_metrics_are_told_apart_by_their_names():
    assert len(CASES) == len(METRICS) + len(OTHERS)
    assert DT in map(type, OTHERS)


def test_metrics_of_faces_have_names_and_tables_of_their_own_and_one_is_always_measured():
    assert len({metric.name for metric in METRICS}) == len({metric.table for metric in METRICS}) == len(METRICS)
    assert [metric.name for metric in METRICS if metric.always] == ["effects"]
    assert all(metric.name.isidentifier() and metric.table.startswith("metrics") for metric in METRICS)
    assert all(metric.about and not metric.about.endswith(".") for metric in METRICS)


def test_numbers_of_faces_have_names_of_their_own_and_say_what_is_better():
    names = [measured or metric.name for metric in METRICS for measured in metric.measures]
    assert len(set(names)) == len(names)
    assert set(names) == set(NUMBERS)
    of_itself = {"larger": 1, "smaller": 0}
    for name, number in NUMBERS.items():
        if number.better != "none" and name != "identity_dlib_no_face":
            assert number.of_itself == of_itself[number.better]
    better = {name: NUMBERS[name].better for name in ("mse_outside", "ssim", "identity", "identity_dlib", "perceptual")}
    assert list(better.values()) == ["smaller", "larger", "larger", "smaller", "smaller"]


@each
@settings(max_examples=30)
@given(st.integers(2, 200), st.lists(st.integers(0, 200), max_size=6), st.randoms(use_true_random=False))
def test_any_pieces_in_any_order_give_the_same(name, rows, cuts, random):
    metric, make = CASES[name]
    batch = make(rows)
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    pieces = [
        metric.measure(type(batch)(*(column[first:stop] for column in batch)))
        for first, stop in itertools.pairwise(edges)
    ]
    random.shuffle(pieces)
    found, whole = (metric.finish(partial) for partial in (metric.merge(pieces), metric.measure(batch)))
    assert found == pytest.approx(whole, rel=1e-9, abs=1e-12, nan_ok=True)


@each
def test_partials_are_flat_rows_of_numbers_and_no_row_is_neutral(name):
    metric, make = CASES[name]
    partial, none = metric.measure(make(9)), metric.measure(make(0))
    assert tuple(partial) == tuple(none) == metric.numbers
    assert all(type(value) is float and math.isfinite(value) for value in (*partial.values(), *none.values()))
    assert none == metric.merge([])
    assert metric.merge([partial, none]) == partial == metric.merge([none, partial])
    finished = metric.finish(none)
    assert finished["count"] == 0
    assert all(math.isnan(value) for number, value in finished.items() if number != "count")


@pytest.mark.parametrize("name", BY_NAME)
def test_all_that_it_says_in_the_end_is_a_column_of_measured(name):
    metric, make = CASES[name]
    assert set(metric.finish(metric.measure(make(9)))) <= set(schemas.measured().arrow.names)


@each
def test_partials_come_back_from_a_file(name, tmp_path):
    metric, make = CASES[name]
    keys = [("old", ("male",), 1.0), ("old", ("male",), 3.0), ("smile", (), 1.0)] * 8
    groups = measure_groups(metric, keys, make(24))
    schema = schemas.metrics(metric.numbers)
    columns = {
        "index": [7] * len(groups),
        "group": list(range(len(groups))),
        "metric": metric.name,
        "attribute": [attribute for attribute, _, _ in groups],
        "conditions": [list(conditions) for _, conditions, _ in groups],
        "strength": [strength for _, _, strength in groups],
        **{"edits": "edits", "request": 0, "step": 1, "side": 1, "measured": ""},
        **{number: [partial[number] for partial in groups.values()] for number in metric.numbers},
    }
    rows = schema.rows(columns)
    schema.validate(rows)
    pq.write_table(rows, tmp_path / "part.parquet", **schema.writer_options())
    back = pq.read_table(tmp_path / "part.parquet").to_pylist()
    assert [{number: row[number] for number in metric.numbers} for row in back] == list(groups.values())
    assert metric.finish(metric.merge(back)) == metric.finish(metric.merge(groups.values()))
