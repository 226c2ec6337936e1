"""Scores from logits: zero at even odds, never saturating."""

import torch

from pipeline.models.classifiers.margins import expectation, log_odds, soft_maximum


def logits(rows: int = 5, classes: int = 7) -> torch.Tensor:
    return torch.randn(rows, classes, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3


def test_log_odds_are_those_of_the_softmax() -> None:
    p = logits().softmax(1)[:, [2, 4]].sum(1)
    torch.testing.assert_close(log_odds(logits(), [2, 4]), (p / (1 - p)).log())


def test_log_odds_grow_where_probability_has_saturated() -> None:
    steps = torch.zeros(3, 4)
    steps[:, 1] = torch.tensor([50.0, 100.0, 200.0])
    assert steps.softmax(1)[:, 1].diff().abs().max() == 0
    torch.testing.assert_close(log_odds(steps, [1]).diff(), torch.tensor([50.0, 100.0]))


def test_log_odds_over_places() -> None:
    maps = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(log_odds(maps, [1])[:, 2, 0], log_odds(maps[:, :, 2, 0], [1]))


def test_expectation() -> None:
    even = torch.tensor([[0.0, 0.0, -1e9]])
    torch.testing.assert_close(expectation(even, torch.tensor([10, 20, 90])), torch.tensor([15.0]))


def test_soft_maximum_is_between_mean_and_maximum_and_moves_with_both() -> None:
    places = logits(4, 30)
    value = soft_maximum(places, 1.0)
    assert (value > places.mean(1)).all()
    assert (value < places.amax(1)).all()
    torch.testing.assert_close(soft_maximum(places + 5, 1.0), value + 5)
    torch.testing.assert_close(soft_maximum(places, 1e6), places.mean(1), rtol=0, atol=1e-4)
