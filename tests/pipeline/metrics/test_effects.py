"""Effects equal pandas on the raw rows, in whatever pieces they are measured."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.metrics import measure_groups, merge_groups
from pipeline.metrics.effects import EffectBatch, Effects

EFFECTS = Effects()
NONE = {"count": 0.0, "mean": 0.0, "m2": 0.0, "flips": 0.0}


def raw(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    noise = np.random.default_rng(seed)
    frame = pd.DataFrame({"before": noise.standard_normal(rows), "group": noise.integers(0, 3, rows)})
    frame["after"] = frame["before"] + shift + 0.5 * frame["group"] + 0.3 * noise.standard_normal(rows)
    return frame


def batch(frame: pd.DataFrame) -> EffectBatch:
    return EffectBatch(frame["before"].to_numpy(), frame["after"].to_numpy())


@settings(max_examples=60)
@given(st.integers(2, 300), st.integers(0, 999), st.lists(st.integers(0, 300), max_size=6), st.sampled_from([0.0, 1e4]))
def test_any_pieces_equal_pandas(rows, seed, cuts, shift):
    frame = raw(rows, seed, shift)
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    pieces = [EFFECTS.measure(batch(frame[start:stop])) for start, stop in itertools.pairwise(edges)]
    found = EFFECTS.finish(EFFECTS.merge(pieces))
    change = frame["after"] - frame["before"]
    flips = (frame["after"] > 0) != (frame["before"] > 0)
    assert found["count"] == rows
    assert found["mean"] == pytest.approx(change.mean(), rel=1e-12, abs=1e-12)
    assert found["sd"] == pytest.approx(change.std(), rel=1e-12 if shift == 0 else 1e-9, abs=1e-12)
    assert found["flip_rate"] == flips.mean()
    half = 1.959963984540054 * change.sem()
    assert found["mean_low"] == pytest.approx(change.mean() - half, rel=1e-9, abs=1e-12)
    assert found["mean_high"] == pytest.approx(change.mean() + half, rel=1e-9, abs=1e-12)


def test_groups_equal_a_pandas_groupby():
    frames = [raw(rows, seed) for seed, rows in enumerate((40, 1, 77, 13))]
    parts = [measure_groups(EFFECTS, [("old", group) for group in frame["group"]], batch(frame)) for frame in frames]
    whole = merge_groups(EFFECTS, parts)
    frame = pd.concat(frames, ignore_index=True)
    frame["change"] = frame["after"] - frame["before"]
    assert sorted(whole) == [("old", group) for group in range(3)]
    for group, rows in frame.groupby("group"):
        found = EFFECTS.finish(whole["old", group])
        assert found["count"] == len(rows)
        assert found["mean"] == pytest.approx(rows["change"].mean(), rel=1e-12)
        assert found["sd"] == pytest.approx(rows["change"].std(), rel=1e-12)
        assert found["flip_rate"] == ((rows["after"] > 0) != (rows["before"] > 0)).mean()


def test_a_flip_is_a_change_of_side_and_zero_is_not_beyond_the_boundary():
    before, after = [-1.0, -1.0, 1.0, 1.0, 0.0, 0.0, 1.0], [1.0, -2.0, -1.0, 2.0, 1.0, -1.0, 0.0]
    assert EFFECTS.measure(EffectBatch(np.array(before), np.array(after)))["flips"] == 4


def test_too_few_rows_to_say():
    none, one = EFFECTS.finish(NONE), EFFECTS.finish(EFFECTS.measure(batch(raw(1, 1))))
    assert {name for name, value in none.items() if math.isnan(value)} == set(none) - {"count"}
    assert {name for name, value in one.items() if math.isnan(value)} == {"mean_low", "mean_high", "sd"}


def test_float32_scores_are_subtracted_in_float64():
    before, after = np.float32([1000.1]), np.float32([1000.2])
    assert EFFECTS.measure(EffectBatch(before, after))["mean"] == float(after[0]) - float(before[0])


def test_bad_input_is_named():
    with pytest.raises(SpecError, match="after: row 1 is not finite"):
        EFFECTS.measure(EffectBatch(np.zeros(3), np.array([0.0, np.nan, np.inf])))
    with pytest.raises(SpecError, match=r"\(3,\) and \(2,\)"):
        EFFECTS.measure(EffectBatch(np.zeros(3), np.zeros(2)))
    with pytest.raises(SpecError, match="2 keys for 3, 3 rows"):
        measure_groups(EFFECTS, ["a", "b"], EffectBatch(np.zeros(3), np.zeros(3)))
