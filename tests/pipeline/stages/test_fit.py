"""The stage that fits: its rows are shared and read-only, its choices are those asked, its words name the attribute."""

import numpy as np
import pytest

import schemas
from pipeline.directions.method import FitConfig
from pipeline.directions.ridge import Config as Ridge
from pipeline.directions.svm import Config as Svm
from pipeline.engine.stage import Task
from pipeline.errors import SpecError
from pipeline.stages.fit import FitStage
from pipeline.stages.fit_rows import FitRows, from_array

NOISE = np.random.default_rng(1)
ROWS_ND = NOISE.standard_normal((400, 8)).astype(np.float32)
TRUTH_D = np.eye(8)[2]


def stage(config: FitConfig, rows: FitRows | None = None) -> FitStage:
    scores = np.stack([ROWS_ND @ TRUTH_D, -ROWS_ND @ TRUTH_D], axis=1)
    return FitStage(rows or from_array(ROWS_ND, "w", False), scores, ("smile", "frown"), ("c", None), config, 0, "g", 1)


def run(one: FitStage, shard: int, only=None) -> dict:
    batches = list(one.open().run(Task(shard, 2, shard, shard + 1, only=only)))
    return {name: [row for batch in batches for row in batch.tables[name].to_pylist()] for name in one.outputs}


def test_a_task_fits_its_own_attribute():
    for shard, sign in ((0, 1), (1, -1)):
        [row] = run(stage(Svm(C=1.0, fraction=0.5)), shard)["directions"]
        assert row["index"] == shard
        assert row["attribute"] == ("smile", "frown")[shard]
        assert sign * np.dot(row["vector"], TRUTH_D) > 0.99
        assert (row["generator"], row["classifier"]) == ("g", ("c", "")[shard])


def test_rows_that_ray_shares_are_read_only_and_stay_as_they_are(recwarn):
    rows = from_array(ROWS_ND, "w", False)
    rows.values.flags.writeable = False
    before = rows.values.copy()
    found = run(stage(Svm(), rows), 0)
    np.testing.assert_array_equal(rows.values, before)
    assert found == run(stage(Svm()), 0)
    assert not [warning for warning in recwarn if "writable" in str(warning.message)]


def test_only_the_tasks_that_are_wanted_are_run():
    assert run(stage(Svm(C=1.0, fraction=0.5)), 1, only=(0,)) == {"directions": []}
    assert len(run(stage(Svm(C=1.0, fraction=0.5)), 1, only=(1,))["directions"]) == 1


@pytest.mark.parametrize(("config", "tries"), [(Svm(), True), (Svm(C=1.0, fraction=0.1), False), (Ridge(), False)])
def test_there_is_a_grid_where_something_is_tried(config, tries):
    one = stage(config)
    assert (list(one.outputs) == ["grids", "directions"]) == tries
    found = run(one, 0)
    assert [row["method"] for row in found["directions"]] == ["ridge" if isinstance(config, Ridge) else "svm"]
    if tries:
        rows = schemas.grids().rows({name: [row[name] for row in found["grids"]] for name in found["grids"][0]})
        schemas.grids().validate(rows)


def test_an_error_names_the_attribute():
    with pytest.raises(SpecError, match="glow: all 3 scores are 2"):
        FitStage(from_array(ROWS_ND[:3], "w", False), np.full((3, 1), 2.0), ("glow",), (None,), Svm(), 0, None).check()
    flat = from_array(np.ones((400, 8), np.float32), "w", False)
    with pytest.raises(SpecError, match="smile: all 280 codes are the same point"):
        run(stage(Svm(C=1.0, fraction=0.5), flat), 0)
