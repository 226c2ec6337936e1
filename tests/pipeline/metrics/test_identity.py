"""Identity: cosines, their moments and quantiles, in whatever pieces."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.metrics.identity import BINS, QUANTILES, Identity, IdentityBatch, similarity

IDENTITY = Identity()


def embeddings(rows: int, seed: int, drift: float = 0.8) -> IdentityBatch:
    noise = np.random.default_rng(seed)
    source = noise.standard_normal((rows, 16)).astype(np.float32)
    return IdentityBatch(source, source + drift * noise.standard_normal((rows, 16)).astype(np.float32))


def cosines(batch: IdentityBatch) -> pd.Series:
    pairs = zip(batch.source.astype(np.float64), batch.edited.astype(np.float64), strict=True)
    return pd.Series([a @ b / math.sqrt((a @ a) * (b @ b)) for a, b in pairs])


@settings(max_examples=40)
@given(
    st.integers(2, 200), st.integers(0, 99), st.lists(st.integers(0, 200), max_size=5), st.sampled_from([0.0, 0.8, 9])
)
def test_any_pieces_equal_pandas(rows, seed, cuts, drift):
    whole = embeddings(rows, seed, drift)
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    spans = [slice(*span) for span in itertools.pairwise(edges)]
    pieces = [IDENTITY.measure(IdentityBatch(whole.source[span], whole.edited[span])) for span in spans]
    merged = IDENTITY.merge(pieces)
    assert tuple(merged) == IDENTITY.numbers
    found, wanted = IDENTITY.finish(merged), cosines(whole)
    assert found["count"] == rows == sum(merged[name] for name in BINS.names)
    assert found["mean"] == pytest.approx(wanted.mean(), rel=1e-12, abs=1e-12)
    assert found["sd"] == pytest.approx(wanted.std(), rel=1e-9, abs=1e-12)
    ordered = np.sort(wanted.to_numpy())
    for name, q in QUANTILES.items():
        nearest = ordered[max(math.ceil(q * rows) - 1, 0)]  # the smallest value that has a share q at or below it
        assert abs(found[name] - nearest) <= BINS.width + 1e-9


def test_quantiles_of_many_rows_are_those_of_pandas_within_a_bin():
    batch = embeddings(5000, 1)
    found, wanted = IDENTITY.finish(IDENTITY.measure(batch)), cosines(batch)
    for name, q in QUANTILES.items():
        assert abs(found[name] - wanted.quantile(q)) <= BINS.width


def test_the_ends_are_counted():
    values = np.array([-1.0, -1.0, 1.0, 0.0, 0.9999, BINS.low + BINS.width])
    counts = BINS.counts(values)
    assert counts.sum() == len(values)
    assert (counts[0], counts[1], counts[BINS.bins // 2], counts[-1]) == (2, 1, 1, 2)
    assert BINS.quantile(counts, 0.0) == -1.0
    assert BINS.quantile(counts, 1.0) == 1.0
    assert BINS.quantile([0.0] * 399 + [4.0], 0.0) == pytest.approx(0.995)
    assert math.isnan(BINS.quantile([0.0] * 400, 0.5))


def test_length_does_not_matter_and_the_same_face_is_one():
    batch = embeddings(50, 2)
    np.testing.assert_allclose(similarity(batch.source * 7, batch.edited / 3), cosines(batch), rtol=1e-5)
    np.testing.assert_allclose(similarity(batch.source, batch.source), 1.0, rtol=0, atol=1e-12)
    np.testing.assert_allclose(similarity(batch.source, -batch.source), -1.0, rtol=0, atol=1e-12)
    assert (similarity(batch.source, batch.source) <= 1.0).all()


def test_bad_input_is_named():
    batch = embeddings(4, 1)
    with pytest.raises(SpecError, match=r"\(4, 16\) and \(3, 16\)"):
        similarity(batch.source, batch.edited[:3])
    batch.edited[2] = 0
    with pytest.raises(SpecError, match="row 2 has an embedding of zeros"):
        similarity(batch.source, batch.edited)
    batch.source[1, 0] = np.nan
    with pytest.raises(SpecError, match="source: row 1 is not finite"):
        similarity(batch.source, batch.edited)
