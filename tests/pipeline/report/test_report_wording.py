"""How numbers are written."""

import math

import pytest

from pipeline.report import wording

WRITTEN = [
    (wording.score, 1.2449, "+1.24"),
    (wording.score, -0.5, "−0.50"),
    (wording.score, 0.0, "0.00"),
    (wording.score, -0.001, "0.00"),
    (wording.score, math.nan, "none"),
    (wording.score, math.inf, "none"),
    (wording.duration, 0.04, "0.0 s"),
    (wording.duration, 59.94, "59.9 s"),
    (wording.duration, 59.97, "1 m 00 s"),
    (wording.duration, 842, "14 m 02 s"),
    (wording.duration, 3599.6, "1 h 00 m"),
    (wording.duration, 11_220, "3 h 07 m"),
    (wording.duration, None, "not recorded"),
    (wording.duration, "soon", "soon"),
    (wording.duration, math.nan, "nan"),
    (wording.rate, 0.0475, "0.0475"),
    (wording.rate, 2.123, "2.12"),
    (wording.rate, 545.4, "545"),
    (wording.rate, 12_345.6, "12,346"),
    (wording.rate, None, "not recorded"),
    (wording.anything, None, "not recorded"),
    (wording.anything, "", "not recorded"),
    (wording.anything, [], "not recorded"),
    (wording.anything, False, "no"),
    (wording.anything, 0, "0"),
    (wording.anything, 0.699999988079071, "0.7"),
    (wording.anything, ["smile", "male"], "smile, male"),
    (wording.anything, {"a": 1}, "a 1"),
    (wording.count, 1_280_000, "1,280,000"),
    (wording.count, True, "yes"),
    (wording.tick, -2.5, "−2.5"),
    (wording.difference, -0.0045, "−0.0045"),
    (wording.difference, 2.3149, "+2.31"),
    (wording.difference, -0.0, "0"),
    (wording.plain, "age_years", "age"),
    (wording.plain, "smile", "smile"),
    (wording.size, 0, "0 B"),
    (wording.size, 840, "840 B"),
    (wording.size, 1000, "1.00 kB"),
    (wording.size, 12_340_000, "12.3 MB"),
    (wording.size, 1.9e9, "1.90 GB"),
    (wording.size, 123e12, "123 TB"),
]


@pytest.mark.parametrize(("write", "value", "text"), WRITTEN)
def test_one_value(write, value: object, text: str) -> None:
    assert write(value) == text


@pytest.mark.parametrize(
    ("write", "values", "text"),
    [
        (wording.measure, (31.6, "age_years"), "32 years"),
        (wording.measure, (-12.3, "yaw_degrees"), "−12°"),
        (wording.measure, (-10.2, "yaw_degrees"), "−10°"),
        (wording.measure, (-0.2, "yaw_degrees"), "0°"),
        (wording.measure, (math.nan, "age_years"), "none"),
        (wording.share, (1, 3), "33.3 %"),
        (wording.share, (0, 0), "none"),
    ],
)
def test_two_values(write, values: tuple, text: str) -> None:
    assert write(*values) == text
