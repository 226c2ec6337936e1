"""The stage that fits: its rows are shared and read-only, its choices are those asked, its words name the attribute."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import schemas
from pipeline.engine.stage import Task
from pipeline.errors import SpecError
from pipeline.stages.fit import UNCONVERGED, FitStage, FitWorker, How
from pipeline.stages.fit_rows import FitRows, from_array

NOISE = np.random.default_rng(1)
ROWS_ND = NOISE.standard_normal((400, 8)).astype(np.float32)
TRUTH_D = np.eye(8)[2]


def stage(how: How, rows: FitRows | None = None) -> FitStage:
    scores = np.stack([ROWS_ND @ TRUTH_D, -ROWS_ND @ TRUTH_D], axis=1)
    return FitStage(rows or from_array(ROWS_ND, "w", False), scores, ("smile", "frown"), ("c", None), how, "g", 1)


def run(one: FitStage, shard: int, only=None) -> dict:
    batches = list(one.open().run(Task(shard, 2, shard, shard + 1, only=only)))
    return {name: [row for batch in batches for row in batch.tables[name].to_pylist()] for name in one.outputs}


def test_a_task_fits_its_own_attribute():
    for shard, sign in ((0, 1), (1, -1)):
        [row] = run(stage(How(C=1.0, fraction=0.5)), shard)["directions"]
        assert row["index"] == shard
        assert row["attribute"] == ("smile", "frown")[shard]
        assert sign * np.dot(row["vector"], TRUTH_D) > 0.99
        assert (row["generator"], row["classifier"]) == ("g", ("c", "")[shard])


def test_rows_that_ray_shares_are_read_only_and_stay_as_they_are(recwarn):
    rows = from_array(ROWS_ND, "w", False)
    rows.values.flags.writeable = False
    before = rows.values.copy()
    found = run(stage(How(), rows), 0)
    np.testing.assert_array_equal(rows.values, before)
    assert found == run(stage(How()), 0)
    assert not [warning for warning in recwarn if "writable" in str(warning.message)]


def test_only_the_tasks_that_are_wanted_are_run():
    assert run(stage(How(C=1.0, fraction=0.5)), 1, only=(0,)) == {"directions": []}
    assert len(run(stage(How(C=1.0, fraction=0.5)), 1, only=(1,))["directions"]) == 1


@pytest.mark.parametrize(
    ("how", "chooses"),
    [
        (How(), True),
        (How(C=1.0), True),
        (How(fraction=0.1), True),
        (How(threshold=0.0), True),
        (How(C=1.0, threshold=0.0), False),
        (How(C=1.0, fraction=0.1), False),
        (How(as_released=True), False),
    ],
)
def test_there_is_a_grid_where_something_is_chosen(how, chooses):
    one = stage(how)
    assert (list(one.outputs) == ["grids", "directions"]) == chooses
    found = run(one, 0)
    if chooses:
        rows = schemas.grids().rows({name: [row[name] for row in found["grids"]] for name in found["grids"][0]})
        schemas.grids().validate(rows)


def test_a_margin_takes_a_larger_c():
    wide_ND = NOISE.standard_normal((400, 64)).astype(np.float32)
    noisy = (wide_ND[:, 2] + NOISE.standard_normal(400))[:, None]
    rows = from_array(wide_ND, "w", False)
    strict, loose = (
        run(replace(stage(How(fraction=0.5, margin=margin), rows), scores=noisy), 0) for margin in (0.0, 0.5)
    )
    assert strict["grids"] == loose["grids"]
    most = max(cell["agreement"] for cell in strict["grids"])
    [best] = strict["directions"][0]["C"]
    assert next(cell["C"] for cell in strict["grids"] if cell["agreement"] == most) == best
    assert loose["directions"][0]["C"] == [max(cell["C"] for cell in loose["grids"] if cell["agreement"] >= most - 0.5)]
    assert best < loose["directions"][0]["C"][0]


def test_an_error_names_the_attribute():
    with pytest.raises(SpecError, match="glow: all 3 scores are 2"):
        How().check("glow", np.full(3, 2.0))
    flat = from_array(np.ones((400, 8), np.float32), "w", False)
    with pytest.raises(SpecError, match="smile: all 280 codes are the same point"):
        run(stage(How(C=1.0, fraction=0.5), flat), 0)


@pytest.mark.filterwarnings("ignore:something else")
def test_other_warnings_than_the_solvers_are_not_its_limit(monkeypatch):
    def warned(one, *_):
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
        return kept(one, *_)

    kept = FitWorker._direction
    monkeypatch.setattr(FitWorker, "_direction", warned)
    [batch] = stage(How(C=0.01, fraction=0.5)).open().run(Task(0, 2, 0, 1))
    assert UNCONVERGED not in batch.counters
