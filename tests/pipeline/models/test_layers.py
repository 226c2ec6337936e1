"""Numbers and ranges of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.layers import as_spans, spans


@pytest.mark.parametrize(("text", "found"), [("0-2,5", (0, 1, 2, 5)), ("7", (7,)), ("3, 1-1", (3, 1))])
def test_they_are_read(text, found):
    assert spans(text, "rows") == found


@pytest.mark.parametrize("text", ["", "5-2", "1,", "-3", "a", "1-2-3", "1.5", "99999"])
def test_anything_else_is_said(text):
    with pytest.raises(ValueError, match="give rows counted from 0, as in 0-7"):
        spans(text, "rows")


def test_twice_is_said():
    with pytest.raises(ValueError, match="rows: one is named twice"):
        spans("0-3,2", "rows")


@given(st.sets(st.integers(0, 99), min_size=1))
def test_they_are_written_as_they_are_read(numbers):
    assert spans(as_spans(sorted(numbers)), "rows") == tuple(sorted(numbers))
    assert as_spans((6, 7, 8, 11)) == "6-8,11"
