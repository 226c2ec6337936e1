"""Histograms and correlations: what is drawn is what was counted."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import Page

from pipeline.report.figures import correlations, histogram


def bars(values: list[float] | np.ndarray, *, boundary: bool = True) -> list[tuple[str, float, float, int]]:
    """(class, left, right, rows) of each bar, by the title that a person sees."""
    found = []
    for rect, title in re.findall(
        r'<rect class="(\w+)".*?<title>(.*?)</title>', histogram(values, "x", boundary=boundary)
    ):
        left, right, rows = re.fullmatch(r"(\S+) to (\S+): ([\d,]+) rows?", title.replace("−", "-")).groups()
        found.append((rect, float(left), float(right), int(rows.replace(",", ""))))
    return found


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=200))
def test_bars_count_every_value_and_split_at_the_boundary(values: list[float]) -> None:
    drawn = bars(values)
    assert sum(rows for *_, rows in drawn) == len(values)
    above = sum(rows for side, *_, rows in drawn if side == "above")
    assert above == sum(value >= 0 for value in values)
    assert all((left >= 0) == (side == "above") for side, left, _, _ in drawn)


def test_bars_lie_where_their_values_are() -> None:
    value_N = np.random.default_rng(0).normal(0.4, 1, 2000)
    for _, left, right, rows in bars(value_N):
        assert rows == ((value_N >= left - 1e-9) & (value_N < right - 1e-9)).sum()


def test_a_far_value_does_not_flatten_the_rest_and_is_mentioned() -> None:
    value_N = np.append(np.random.default_rng(0).normal(size=999), 1e6)
    text = histogram(value_N, "x", boundary=True)
    assert "1 row beyond the axis" in text
    drawn = bars(value_N)
    assert len(drawn) > 10
    assert sum(rows for *_, rows in drawn) == 1000


def test_values_that_are_not_finite_are_left_out() -> None:
    assert sum(rows for *_, rows in bars([1.0, np.nan, np.inf, -np.inf])) == 1
    assert "No finite value" in histogram([np.nan], "x", boundary=True)
    assert "No finite value" in histogram([], "x", boundary=False)


@pytest.mark.parametrize("values", [[0.0], [5.0, 5.0], [-3.0], [1e-30, 2e-30], [1e30, -1e30], [0.0, 1e-300]])
@pytest.mark.parametrize("boundary", [True, False])
def test_degenerate_values_are_drawn(values: list[float], boundary: bool) -> None:
    assert sum(rows for *_, rows in bars(values, boundary=boundary)) == len(values)


def test_everything_drawn_stays_in_the_frame_and_is_described() -> None:
    document = Page(f"<body>{histogram(np.linspace(-3, 5, 500), 'smile', boundary=True)}</body>")
    for rect in document.all("rect"):
        x, y, width, height = (float(rect.attributes[name] or "") for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert x + width <= 100.001
        assert y >= 0
        assert y + height == pytest.approx(100, abs=0.01)
    line = document.one("line", "boundary")
    zero = document.one("span", "zero")
    assert zero.text == "0"
    assert f"left:{float(line.attributes['x1'] or ''):.2f}%" == zero.attributes["style"]
    assert document.one("svg").attributes["aria-label"] == "Histogram of smile: 500 rows from −3 to 5, 62.4 % above 0"


def test_correlations_are_pearsons_and_undefined_ones_are_none() -> None:
    value_N = np.random.default_rng(1).normal(size=(200, 2))
    frame = pd.DataFrame({"a": value_N[:, 0], "b": value_N.sum(1), "still": 1.0})
    frame.loc[0, "a"] = np.nan
    frame.loc[1, "b"] = np.inf
    cells = {(cell.row, cell.column): cell.r for row in correlations(frame) for cell in row}
    assert cells["a", "b"] == pytest.approx(np.corrcoef(frame["a"][2:], frame["b"][2:])[0, 1])
    assert cells["a", "b"] == cells["b", "a"]
    assert cells["a", "still"] is None
    assert correlations(pd.DataFrame()) == []
