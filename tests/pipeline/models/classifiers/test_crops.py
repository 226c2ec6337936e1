"""Crops and pixels against known answers."""

import pytest
import torch
from torch.nn.functional import interpolate

from pipeline.models.classifiers.crops import Crop, Pixels, resampling


def picture(height: int = 96, width: int = 96) -> torch.Tensor:
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize("size", [17, 32, 96, 150])
def test_whole_picture_is_torch_antialiased_resize(size: int) -> None:
    x = picture()
    expected = interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    torch.testing.assert_close(Crop(0, 0, 1, 1, size, size)(x), expected, rtol=0, atol=1e-6)


def test_a_box_at_its_own_scale_is_a_slice() -> None:
    x = picture(100, 100)
    torch.testing.assert_close(Crop(0.2, 0.1, 0.7, 0.5, 40, 50)(x), x[:, :, 10:50, 20:70], rtol=0, atol=1e-6)


def test_beyond_the_border_the_border_repeats() -> None:
    x = picture(10, 10)
    out = Crop(-0.5, 0.0, 0.5, 1.0, 10, 10)(x)
    torch.testing.assert_close(out[..., :5], x[..., :1].expand(2, 3, 10, 5), rtol=0, atol=1e-6)
    torch.testing.assert_close(out[..., 5:], x[..., :5], rtol=0, atol=1e-6)


@pytest.mark.parametrize("box", [(-0.05, -0.09, 1.05, 1.01), (0.3, 0.4, 0.9, 1.2), (1.1, 0.2, 1.4, 0.5)])
@pytest.mark.parametrize("size", [(70, 90), (32, 33), (200, 31)])
def test_groups_of_pixels_are_those_of_the_whole_matrices(box, size) -> None:
    x, (left, top, right, bottom) = picture(96, 128), box
    (above, below, rows), (before, behind, columns) = (
        resampling(length, start, stop, pixels, torch.device("cpu"), torch.float64)
        for length, start, stop, pixels in ((96, top, bottom, size[0]), (128, left, right, size[1]))
    )
    expected = rows @ x[:, :, above:below, before:behind] @ columns.T
    torch.testing.assert_close(Crop(*box, *size)(x), expected, rtol=0, atol=1e-12)


def test_antialiasing_keeps_the_mean_of_fine_stripes() -> None:
    x = torch.ones(1, 1, 64, 64)
    x[..., ::2] = -1
    assert Crop(0, 0, 1, 1, 8, 8)(x).abs().max() < 0.05


def test_rows_of_a_resampling_sum_to_one() -> None:
    _, _, matrix = resampling(50, -0.2, 1.3, 23, torch.device("cpu"), torch.float32)
    torch.testing.assert_close(matrix.sum(1), torch.ones(23))


def test_crops_are_differentiable() -> None:
    x = picture(12, 12).requires_grad_()
    assert torch.autograd.gradcheck(Crop(0.1, 0.1, 0.9, 0.8, 5, 6), (x,))


RED = torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1)  # pixels 255, 0, 127.5


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (Pixels(), [1.0, 0.0, 0.5]),
        (Pixels(order="bgr"), [0.5, 0.0, 1.0]),
        (Pixels(std=(1 / 255,)), [255.0, 0.0, 127.5]),
        (Pixels((0.5,), (0.5,)), [1.0, -1.0, 0.0]),
        (Pixels((127 / 255,), (128 / 255,)), [1.0, -127 / 128, 0.5 / 128]),
        (Pixels((0.5,), (0.5,), "grey"), [2 * (0.299 + 0.114 / 2) - 1]),
        (Pixels(std=(256 / 255,), order="grey"), [(0.299 + 0.114 / 2) * 255 / 256]),
        (Pixels((0.1, 0.2, 0.3), (0.5, 1, 2), "bgr"), [0.8, -0.2, 0.35]),
    ],
)
def test_pixels(pixels: Pixels, expected: list[float]) -> None:
    torch.testing.assert_close(pixels(RED).flatten(), torch.tensor(expected))
