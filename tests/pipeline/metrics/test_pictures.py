"""MSE and SSIM of pictures: against float64 transcriptions of the papers, and inside and outside of regions."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from pipeline.errors import SpecError
from pipeline.metrics import pictures
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.pictures import RADIUS, SIGMA, Changes, Pictures, mean_where, squared_error, ssim, union
from pipeline.models.classifiers import face_regions
from pipeline.models.classifiers.attributes import BY_NAME
from pipeline.models.classifiers.face_regions import hull, open_regions
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.classifiers.regions import DILATION

PIXELS = 32


def noise(rows: int, seed: int, pixels: int = PIXELS) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 3, pixels, pixels), dtype=np.float32)


def wang(x_HW: np.ndarray, y_HW: np.ndarray) -> float:
    """SSIM of one channel, equations 13 to 17 of Wang et al. 2004, in float64."""
    taps = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    taps /= taps.sum()

    def windowed(values: np.ndarray) -> np.ndarray:
        whole = correlate1d(correlate1d(values, taps, axis=0), taps, axis=1)
        return whole[RADIUS:-RADIUS, RADIUS:-RADIUS]

    x_HW, y_HW = x_HW.astype(np.float64), y_HW.astype(np.float64)
    mean_x, mean_y = windowed(x_HW), windowed(y_HW)
    var_x, var_y = windowed(x_HW**2) - mean_x**2, windowed(y_HW**2) - mean_y**2
    cov = windowed(x_HW * y_HW) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_x * mean_y + c1) * (2 * cov + c2)
    return float((top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))).mean())


def test_mse_and_ssim_are_those_of_their_papers():
    x, y = noise(2, 1), noise(2, 2)
    y[1] = 0.9 * x[1] + 0.1 * y[1]
    found = ssim(x, y).mean(axis=(1, 2))
    wanted = [np.mean([wang(x[row, c], y[row, c]) for c in range(3)]) for row in range(2)]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    assert found[1] > 0.9
    assert found[0] < 0.3
    errors = [((x[row].astype(np.float64) - y[row]) ** 2).mean() for row in range(2)]
    np.testing.assert_allclose(squared_error(x, y).mean(axis=(1, 2)), errors, rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_inside_and_outside_make_up_the_whole(seed, share):
    x, y = noise(1, seed), noise(1, seed + 1)
    mask = np.random.default_rng(seed).random((1, PIXELS, PIXELS)) < share
    for whole, inside in ((squared_error(x, y), mask), (ssim(x, y), mask[:, RADIUS:-RADIUS, RADIUS:-RADIUS])):
        parts = [(mean_where(whole, one)[0], one.sum()) for one in (inside, ~inside)]
        assert sum(count for _, count in parts) == whole.size
        total = sum(mean * count for mean, count in parts if count)
        assert total == pytest.approx(whole.sum(), rel=1e-9)
        assert [np.isnan(mean) for mean, _ in parts] == [count == 0 for _, count in parts]


@pytest.fixture(scope="module")
def changes():
    return Pictures().open("cpu", "tiny-judge")


def as_seen(changes: Changes, pictures: np.ndarray):
    return changes.see(Faces({}, torch.from_numpy(pictures) * 2 - 1))


def test_a_picture_beside_itself(changes):
    x = as_seen(changes, noise(3, 1))
    found = {name: values.value for name, values in changes.compare(x, x, ["smile"]).items()}
    where = ("", "_inside", "_outside", "_inside_landmarks", "_outside_landmarks")
    assert list(found) == [name + part for name in ("mse", "ssim") for part in where]
    for name, value in found.items():
        there = value[~np.isnan(value)]
        assert len(there), name
        assert (there == (0 if name.startswith("mse") else 1)).all(), name


def test_a_change_within_the_region_is_inside(changes):
    x = as_seen(changes, noise(2, 1))
    for how, mask in (("", x.regions.by_parser("smile")), ("_landmarks", x.regions.by_landmarks("smile"))):
        some = mask.any(axis=(1, 2)) & ~mask.all(axis=(1, 2))
        assert some.any()
        y = as_seen(changes, np.where(mask[:, None], 1 - noise(2, 1), noise(2, 1)))
        found = {name: values.value[some] for name, values in changes.compare(x, y, ["smile"]).items()}
        assert (found[f"mse_inside{how}"] > 0.1).all()
        np.testing.assert_allclose(found[f"mse_outside{how}"], 0, atol=1e-12)
        assert (found[f"ssim_inside{how}"] < found[f"ssim_outside{how}"]).all()


def test_what_is_given_goes_by_what_the_attribute_declares(changes):
    x, y = as_seen(changes, noise(1, 1)), as_seen(changes, noise(1, 2))
    parts = {
        "smile": {"", "_inside", "_outside", "_inside_landmarks", "_outside_landmarks"},
        "old": {"", "_inside", "_outside"},
        "yaw": {""},
        "freckles": {""},
        "age_years": {""},
        "smile,eyeglasses": {"", "_inside", "_outside", "_inside_landmarks", "_outside_landmarks"},
        "smile,old": {"", "_inside", "_outside"},
        "smile,yaw": {""},
    }
    for named, wanted in parts.items():
        found = {name.removeprefix("mse") for name in changes.compare(x, y, named.split(",")) if name.startswith("mse")}
        assert found == wanted, named


def test_the_region_of_several_attributes_is_that_of_all_of_them(changes):
    regions = as_seen(changes, noise(2, 1)).regions
    for masks in (regions.by_parser, regions.by_landmarks):
        both = union(map(masks, ["smile", "eyeglasses"]))
        np.testing.assert_array_equal(both, masks("smile") | masks("eyeglasses"))
        assert (both > masks("smile")).any()


def test_padding_is_passed_over(changes, monkeypatch):
    x, y = noise(3, 1), noise(3, 2)
    whole = changes.compare(as_seen(changes, x), as_seen(changes, y), ["smile"])
    there, taken, hulls = np.array([True, False, True]), [], []
    monkeypatch.setattr(pictures, "ssim", lambda x_N3HW, y_N3HW: (taken.append(len(x_N3HW)), ssim(x_N3HW, y_N3HW))[1])
    monkeypatch.setattr(face_regions, "hull", lambda *about: (hulls.append(1), hull(*about))[1])
    source, edited = (changes.see(Faces({}, torch.from_numpy(one) * 2 - 1, there)) for one in (x, y))
    some = changes.compare(source, edited, ["smile"])
    assert (taken, len(hulls)) == ([2], 2)
    for name, values in whole.items():
        np.testing.assert_array_equal(some[name].value, np.where(there, values.value, np.nan))


def test_without_scikit_image_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(SpecError, match="SSIM needs scikit-image, which is not installed: run `pip install"):
        Pictures().open("cpu", "tiny-judge")


class Everywhere:
    """Face parsers that see one class, or none of a region."""

    fingerprint, networks = "everywhere", ()

    def __init__(self, seen: str) -> None:
        self.seen = CLASSES.index(seen)

    def masks(self, x_N3HW):
        found = torch.zeros(len(x_N3HW), len(CLASSES), *x_N3HW.shape[2:])
        found[:, self.seen] = 1
        return found


@pytest.mark.parametrize(("seen", "empty"), [("background", "inside"), ("skin", "outside")])
def test_an_empty_region_has_no_number_and_is_not_counted(seen, empty):
    regions = open_regions("tiny-judge")
    regions.parser = Everywhere(seen)
    changes, metric = Changes(regions), Pictures()
    x, y = as_seen(changes, noise(2, 1)), as_seen(changes, noise(2, 2))
    found = changes.compare(x, y, ["old"])  # all of the person
    finished = {name: metric.finish(metric.measure(values)) for name, values in found.items()}
    other = {"inside": "outside", "outside": "inside"}[empty]
    for name in ("mse", "ssim"):
        assert finished[f"{name}_{empty}"]["count"] == 0
        assert np.isnan(finished[f"{name}_{empty}"]["mean"])
        assert finished[f"{name}_{other}"] == finished[name]
        assert finished[name]["count"] == 2


def test_pixels_are_between_0_and_1(changes):
    """A generator may go beyond [-1, 1]; what is saved and seen does not."""
    far = torch.tensor([-3.0, 3.0]).view(2, 1, 1, 1).expand(2, 3, PIXELS, PIXELS)
    black, white = changes.see(Faces({}, far)).pictures
    assert (black == 0).all()
    assert (white == 1).all()


def test_pictures_smaller_than_the_window_are_refused(changes):
    small = as_seen(changes, noise(1, 1, 8))
    with pytest.raises(SpecError, match="pictures of 8 x 8 px are smaller than the window of SSIM: it takes 11 px"):
        changes.compare(small, small, ["smile"])


def test_the_hull_of_points():
    square = hull(np.array([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75], [0.5, 0.5]]), 32, 32)
    assert square[8:25, 8:25].all()
    assert square.sum() <= 18 * 18
    assert hull(np.array([[0.5, 0.5]] * 3), 32, 32).sum() <= 4  # one pixel, if degenerate
    assert hull(np.array([[-1.0, -1.0], [2.0, -1.0], [2.0, 2.0], [-1.0, 2.0]]), 32, 32).all()


def test_a_region_by_landmarks_is_grown_as_the_parsers_is():
    regions = open_regions("tiny-judge")
    grown = regions.of(torch.zeros(1, 3, 64, 64)).by_landmarks("smile")
    points = regions.landmarks(torch.zeros(1, 3, 64, 64))[0, list(BY_NAME["smile"].points)].numpy()
    bare, radius = hull(points, 64, 64), DILATION * 64 // 512
    rows, columns = np.nonzero(bare)
    assert grown.sum() > bare.sum()
    assert grown[0][max(rows.min() - radius, 0), columns[rows.argmin()]]
    assert not grown[0][: max(rows.min() - radius, 0)].any()
