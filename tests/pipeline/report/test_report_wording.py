"""How numbers are written."""

import math

import pytest

from pipeline.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.2449, "+1.24"), (-0.5, "−0.50"), (0.0, "0.00"), (-0.001, "0.00"), (math.nan, "none"), (math.inf, "none")],
)
def test_score(value: float, text: str) -> None:
    assert wording.score(value) == text


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (31.6, "age_years", "32 years"),
        (-12.3, "yaw_degrees", "−12°"),
        (-10.2, "yaw_degrees", "−10°"),
        (-0.2, "yaw_degrees", "0°"),
        (math.nan, "age_years", "none"),
    ],
)
def test_measure(value: float, name: str, text: str) -> None:
    assert wording.measure(value, name) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.97, "1 m 00 s"),
        (842, "14 m 02 s"),
        (3599.6, "1 h 00 m"),
        (11_220, "3 h 07 m"),
        (None, "not recorded"),
        ("soon", "soon"),
        (math.nan, "nan"),
    ],
)
def test_duration(value: object, text: str) -> None:
    assert wording.duration(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0475, "0.0475"), (2.123, "2.12"), (545.4, "545"), (12_345.6, "12,346"), (None, "not recorded")],
)
def test_rate(value: object, text: str) -> None:
    assert wording.rate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not recorded"),
        ("", "not recorded"),
        ([], "not recorded"),
        (False, "no"),
        (0, "0"),
        (0.699999988079071, "0.7"),
        (["smile", "male"], "smile, male"),
        ({"a": 1}, "a 1"),
    ],
)
def test_anything(value: object, text: str) -> None:
    assert wording.anything(value) == text


def test_count_share_tick_plain() -> None:
    assert wording.count(1_280_000) == "1,280,000"
    assert wording.count(True) == "yes"
    assert wording.share(1, 3) == "33.3 %"
    assert wording.share(0, 0) == "none"
    assert wording.tick(-2.5) == "−2.5"
    assert wording.plain("age_years") == "age"
    assert wording.plain("smile") == "smile"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (840, "840 B"), (1000, "1.00 kB"), (12_340_000, "12.3 MB"), (1.9e9, "1.90 GB"), (123e12, "123 TB")],
)
def test_size(value: float, text: str) -> None:
    assert wording.size(value) == text
