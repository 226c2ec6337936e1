"""The finder with its real networks on a real face: NASA's public-domain portrait in scikit-image."""

import numpy as np
import pytest
from PIL import Image
from skimage import data

from pipeline.photos import ffhq
from pipeline.photos.faces import load
from pipeline.photos.quality import Gate, quality_of

pytestmark = pytest.mark.weights
MARKS = [(slice(36, 42), (203, 102)), (slice(42, 48), (246, 103)), (48, (204, 140)), (54, (244, 141))]
"""Middles of the eyes and corners of the mouth, read off the enlarged portrait by eye, in pixels."""
NEAR = 4.0
"""Pixels; the eyes are 43 apart."""


@pytest.fixture(scope="module")
def find():
    return load()


def test_its_one_face_is_found_where_it_is(find):
    """Its badges, and the flag behind it, are none."""
    (face,) = find(data.astronaut())
    for rows, place in MARKS:
        assert np.hypot(*(face.points[rows].reshape(-1, 2).mean(0) - place)) < NEAR
    assert Gate().why_not(face, quality_of(Image.fromarray(data.astronaut()), face)) == ""


def test_a_cat_and_a_cup_of_coffee_have_no_face(find):
    assert find(data.chelsea()) == []
    assert find(data.coffee()) == []


@pytest.mark.parametrize("degrees", [-30, 30])
def test_turned_and_small_it_is_found_with_the_same_square(find, degrees):
    """Its square, 164 pixels a side, is 8 % of the photo's longer side; turned around the portrait's middle."""
    (upright,) = find(data.astronaut())
    portrait = Image.fromarray(data.astronaut())
    photo = Image.new("RGB", (2000, 1500), (120, 130, 125))
    photo.paste(portrait.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(120, 130, 125)), (900, 400))
    turn = np.radians(-degrees)
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    wanted = (upright.quad_42 + 0.5 - 256) @ linear.T + 256 + (900, 400) - 0.5
    (face,) = find(np.asarray(photo))
    assert np.hypot(*(face.quad_42 - wanted).T).mean() < 0.04 * ffhq.side_of(wanted)
