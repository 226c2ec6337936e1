import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pipeline.models.generators.haar import haar_inverse, haar_sums

sizes = st.integers(1, 5)


def bands(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_pixel_of_each_band() -> None:
    signs = {0: [[1, 1], [1, 1]], 1: [[1, 1], [-1, -1]], 2: [[1, -1], [1, -1]], 3: [[1, -1], [-1, 1]]}
    for band, expected in signs.items():
        x = torch.zeros(1, 1, 1, 4)
        x[..., band] = 2
        assert haar_inverse(x)[0, :, :, 0].tolist() == expected


@given(seed=st.integers(0, 99), rows=sizes, height=sizes, width=sizes, channels=sizes)
def test_orthonormal_and_the_mean_of_a_quad_is_half_its_low_band(
    seed: int, rows: int, height: int, width: int, channels: int
) -> None:
    x = bands(seed, rows, height, width, 4 * channels)
    y = haar_inverse(x)
    assert y.shape == (rows, 2 * height, 2 * width, channels)
    torch.testing.assert_close(y.square().sum(), x.square().sum())
    means = functional.avg_pool2d(y.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    torch.testing.assert_close(means, x[..., :channels] / 2)


def test_with_and_without_gradients_the_bits_are_the_same() -> None:
    x = bands(1, 2, 4, 6, 4 * 8).float()
    kept = x.clone()
    with torch.no_grad():
        assert torch.equal(haar_inverse(x), haar_sums(x * 0.5))
        overwriting = haar_inverse(x)
    assert torch.equal(x, kept)
    assert torch.equal(overwriting, haar_inverse(x.requires_grad_()))


def test_it_is_the_transposed_convolution_with_haar_taps() -> None:
    x = bands(0, 2, 3, 5, 4 * 6)
    low, high = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64) / 2**0.5
    taps = torch.stack([torch.outer(v, h) for h in (low, high) for v in (low, high)])  # LL, LH, HL, HH
    grouped = x.unflatten(-1, (4, 6)).permute(0, 4, 3, 1, 2).flatten(1, 2)  # the four bands of a channel together
    expected = functional.conv_transpose2d(grouped, taps[:, None].repeat(6, 1, 1, 1), stride=2, groups=6)
    torch.testing.assert_close(haar_inverse(x), expected.permute(0, 2, 3, 1))
