"""Yaw and alignment from points of a known head."""

import math

import torch

from pipeline.models.classifiers.identity import PIXELS, TEMPLATE, align, five_points
from pipeline.models.classifiers.landmarks import HALF_WIDTH_OVER_DEPTH, LEFT_JAW, NOSE_TIP, RIGHT_JAW, mouth_open, yaw


def head(degrees: float) -> torch.Tensor:
    """68 points of a head of half width a and nose depth 1, turned to the picture's right."""
    a, t = HALF_WIDTH_OVER_DEPTH, math.radians(degrees)
    points = torch.zeros(1, 68, 2)
    points[:, RIGHT_JAW, 0] = 0.5 - 0.1 * a * math.cos(t)
    points[:, LEFT_JAW, 0] = 0.5 + 0.1 * a * math.cos(t)
    points[:, NOSE_TIP, 0] = 0.5 + 0.1 * math.sin(t)
    return points


def test_yaw_of_a_turned_head() -> None:
    for degrees in (-40.0, -5.0, 0.0, 12.0, 60.0):
        torch.testing.assert_close(yaw(head(degrees)), torch.tensor([degrees]), rtol=1e-4, atol=1e-3)


def test_an_open_mouth_is_the_gap_of_the_lips_in_widths_of_the_mouth() -> None:
    points = torch.zeros(1, 68, 2)
    points[0, 60], points[0, 64] = torch.tensor([0.4, 0.7]), torch.tensor([0.6, 0.7])
    points[0, 61:64], points[0, 65:68] = torch.tensor([0.5, 0.68]), torch.tensor([0.5, 0.72])
    torch.testing.assert_close(mouth_open(points), torch.tensor([0.2]))


def test_alignment_undoes_a_turn_a_shift_and_a_scale() -> None:
    template = torch.tensor(TEMPLATE) / PIXELS
    turn = math.radians(20)
    rotation = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    points = (0.6 * (template - 0.5) @ rotation.T + 0.5 + torch.tensor([0.05, -0.04]))[None]
    x = torch.zeros(1, 3, 224, 224)
    for i, (u, v) in enumerate(points[0]):
        x[0, i % 3, int(v * 224) - 3 : int(v * 224) + 4, int(u * 224) - 3 : int(u * 224) + 4] = 1
    aligned = align(x, points)
    assert aligned.shape == (1, 3, PIXELS, PIXELS)
    for i, (u, v) in enumerate(TEMPLATE):
        assert aligned[0, i % 3, int(v), int(u)] > 0.9


def test_alignment_is_differentiable_in_the_picture() -> None:
    x = torch.rand(2, 3, 20, 20, requires_grad=True)
    align(x, (torch.tensor(TEMPLATE) / PIXELS).expand(2, 5, 2)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_five_points_keep_the_picture_s_left_first() -> None:
    points = torch.arange(68.0).view(1, 68, 1).expand(1, 68, 2)
    torch.testing.assert_close(five_points(points)[0, :, 0], torch.tensor([38.5, 44.5, 30.0, 48.0, 54.0]))
