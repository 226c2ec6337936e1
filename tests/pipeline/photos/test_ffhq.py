"""FFHQ's alignment against the formula of its paper in complex numbers, and sampling that we did not write."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from skimage import data

from pipeline.photos import ffhq

EYES = (
    (176 + 101j, 180 + 97j, 187 + 97j, 192 + 101j, 187 + 104j, 180 + 104j),
    (236 + 101j, 241 + 97j, 248 + 97j, 254 + 102j, 248 + 104j, 241 + 104j),
)
"""As complex numbers: not those of the portrait, but so that the square lies on it."""


@pytest.fixture(scope="module")
def portrait():
    """NASA's public-domain portrait of Eileen Collins, 512 x 512."""
    return data.astronaut()


def points(turn: float = 0.0, scale: float = 1.0, shift: complex = 0j) -> np.ndarray:
    """68 points of which those that the alignment looks at are a face's, turned and scaled around its middle."""
    places = np.full(68, 215 + 130j)
    places[36:42], places[42:48] = EYES
    places[48], places[54] = 193 + 165j, 240 + 166j
    middle = 215 + 125j
    moved = (places - middle) * scale * np.exp(1j * turn) + middle + shift
    return np.stack([moved.real, moved.imag], axis=1)


def paper(places: np.ndarray) -> np.ndarray:
    """x' = e1 - e0, y' = (e0 + e1) / 2 - (m0 + m1) / 2, c = (e0 + e1) / 2 - 0.1 y', s = max(4 |x'|, 3.6 |y'|),
    x = normalise(x' - rot90(y')), y = rot90(x): a square of side s around c (Karras et al. 2018, appendix C)."""
    z = places[:, 0] + 1j * places[:, 1]
    right, left, mouth = z[36:42].mean(), z[42:48].mean(), (z[48] + z[54]) / 2
    across, up = left - right, (right + left) / 2 - mouth
    side = max(4 * abs(across), 3.6 * abs(up))
    along = across + 1j * up
    x = along / abs(along) * side / 2
    centre = (right + left) / 2 - 0.1 * up
    corners = [centre - x - 1j * x, centre - x + 1j * x, centre + x + 1j * x, centre + x - 1j * x]
    return np.array([(one.real, one.imag) for one in corners])


@pytest.mark.parametrize("turn", [0.0, 0.5, -2.0, np.pi])
@pytest.mark.parametrize("scale", [0.2, 1.0, 7.0])
def test_the_square_is_that_of_the_paper(turn, scale):
    its = points(turn, scale, 30 - 12j)
    np.testing.assert_allclose(ffhq.quad_of(its), paper(its), atol=1e-9)


def test_it_turns_and_grows_with_the_face():
    square = ffhq.quad_of(points())
    assert ffhq.side_of(ffhq.quad_of(points(0.7, 3.0))) == pytest.approx(3 * ffhq.side_of(square))
    assert ffhq.roll_of(ffhq.quad_of(points(0.5))) - ffhq.roll_of(square) == pytest.approx(np.degrees(0.5))


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.square(one.astype(float) - other).mean()))


def sampled(photo: np.ndarray, quad: np.ndarray, size: int, times: int) -> np.ndarray:
    """The square by SciPy's bilinear sampling, `times` x `times` samples to a pixel, and their mean."""
    steps = (np.arange(size * times) + 0.5) / (size * times)
    across, down = quad[3] - quad[0], quad[1] - quad[0]
    places = quad[0] + steps[:, None, None] * down + steps[None, :, None] * across
    fine = np.stack(
        [map_coordinates(photo[..., c].astype(float), places[..., ::-1].transpose(2, 0, 1), order=1) for c in range(3)],
        axis=2,
    )
    return fine.reshape(size, times, size, times, 3).mean(axis=(1, 3))


@pytest.mark.parametrize(("turn", "scale"), [(0.0, 0.6), (0.4, 0.6), (-0.9, 0.5)])
def test_the_picture_is_the_square_of_the_photo(portrait, turn, scale):
    quad = ffhq.quad_of(points(turn, scale))
    assert ffhq.covered(portrait.shape[:2], quad) == 1
    found = ffhq.aligned(portrait, quad, size=128)
    assert psnr(found, sampled(portrait, quad, 128, 4)) > 40


def test_a_large_face_is_reduced_before_it_is_sampled(portrait):
    quad = ffhq.quad_of(points(0.2, 0.6))
    small = ffhq.aligned(portrait, quad, size=32)
    assert ffhq.side_of(quad) > 4 * 32
    assert psnr(small, sampled(portrait, quad, 32, 8)) > 28


def test_beyond_the_border_lies_the_reflection_blurred_and_far_out_the_median(portrait):
    quad = ffhq.quad_of(points(0.0, 1.5))
    assert 0.5 < ffhq.covered(portrait.shape[:2], quad) < 0.95
    found = ffhq.aligned(portrait, quad, size=128)
    side, first = ffhq.side_of(quad), quad[0]
    inside = np.ceil((0.06 * side - first[1]) / side * 128).astype(int)
    wanted = sampled(portrait, quad, 128, 4)
    assert psnr(found[inside + 4 : 120, 8:120], wanted[inside + 4 : 120, 8:120]) > 38
    assert np.abs(np.diff(found[:4].astype(int), axis=1)).mean() < 3
    assert found[:4].std() < portrait[:100].std()


def test_what_is_covered_is_counted():
    square = np.array([(0.0, 0.0), (0.0, 10.0), (10.0, 10.0), (10.0, 0.0)]) - 0.5
    assert ffhq.covered((10, 10), square) == 1
    assert ffhq.covered((10, 5), square) == 0.5
    assert ffhq.covered((10, 10), square + 5) == 0.25
    assert ffhq.covered((10, 10), square + 100) == 0


def test_a_photo_of_one_pixel_has_a_picture():
    square = np.array([(0.0, 0.0), (0.0, 40.0), (40.0, 40.0), (40.0, 0.0)]) - 20
    found = ffhq.aligned(np.full((1, 1, 3), 77, np.uint8), square, size=16)
    assert (found == 77).all()
