"""Tiles, suppression, frames and what the finder makes of them, with networks that the tests know the answer of."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from pipeline.models.classifiers.landmarks import CROP
from pipeline.photos import detect, faces, ffhq, tiny
from pipeline.photos.faces import FaceFinder
from pipeline.photos.frame import Frame
from pipeline.photos.quality import BLURRED, CUT, NOT_AMONG, SMALL, TURNED, UNSURE, Gate, Quality, quality_of

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("size", [(320, 240), (3000, 2000), (300, 4000), (17, 9), (1, 1)])
@pytest.mark.parametrize("zoom", [1.0, 2.0, 3.5])
def test_tiles_cover_the_photo_and_say_where_they_are(size, zoom):
    ramp = np.zeros((size[1], size[0], 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.linspace(0, 255, size[0])[None], np.linspace(0, 255, size[1])[:, None]
    seen = np.zeros((size[1], size[0]), bool)
    for first, scale, tile in detect.tiles(Image.fromarray(ramp), zoom):
        assert tile.size == (detect.WIDTH, detect.HEIGHT)
        stop = np.minimum(first + np.array(tile.size) / scale, size)
        rows, columns = (slice(int(a), int(np.ceil(b))) for a, b in zip(first[::-1], stop[::-1], strict=True))
        seen[rows, columns] = True
        if min(size) > 100:
            middle = ((stop - first) * scale / 2).astype(int)
            at = first + (middle + 0.5) / scale
            wanted = ramp[int(at[1]), int(at[0]), :2].astype(int)
            assert np.abs(np.array(tile.getpixel(tuple(middle.tolist())))[:2] - wanted).max() <= 3
    assert seen.all()


def area(box: np.ndarray) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def common(one: np.ndarray, two: np.ndarray) -> float:
    return area(np.concatenate([np.maximum(one[:2], two[:2]), np.minimum(one[2:], two[2:])]))


def brute(boxes: np.ndarray, scores: np.ndarray) -> list[float]:
    """Take the surest that is left, drop all on it, again; then drop what lies in a larger one that is as sure."""
    left, kept = sorted(range(len(boxes)), key=lambda one: -scores[one]), []
    while left:
        best = boxes[left[0]]
        kept.append(left.pop(0))
        shared = {i: common(best, boxes[i]) for i in left}
        left = [i for i in left if shared[i] <= 0.4 * (area(best) + area(boxes[i]) - shared[i])]
    return [
        scores[i]
        for i in kept
        if not any(
            area(boxes[j]) > area(boxes[i])
            and common(boxes[i], boxes[j]) > 0.7 * area(boxes[i])
            and scores[j] >= 0.9 * scores[i]
            for j in kept
        )
    ]


def test_of_boxes_on_each_other_the_surest_stays():
    corners = RANDOM.uniform(0, 100, (60, 2))
    boxes = np.concatenate([corners, corners + RANDOM.uniform(10, 50, (60, 2))], axis=1)
    scores = RANDOM.random(60)
    found, its = detect.suppressed(boxes, scores)
    assert 1 < len(found) < 60
    assert its.tolist() == brute(boxes, scores)
    order = RANDOM.permutation(60)
    np.testing.assert_array_equal(
        detect.suppressed(boxes[order], np.ones(60))[0], detect.suppressed(boxes, np.ones(60))[0]
    )


class Discs:
    """A detector's network of the tests' own: boxes of magenta in what it is given, as fractions."""

    def __call__(self, x_13HW: torch.Tensor) -> dict[str, torch.Tensor]:
        pixels = (x_13HW[0].permute(1, 2, 0).numpy() * 128 + 127).round().clip(0, 255).astype(np.uint8)
        boxes, scores = tiny.detect(Image.fromarray(pixels))
        size = np.tile([detect.WIDTH, detect.HEIGHT], 2)
        both = np.stack([1 - scores, scores], axis=1)
        return {"boxes": torch.from_numpy(boxes / size)[None], "scores": torch.from_numpy(both)[None]}


def detector() -> detect.Detector:
    made = detect.Detector.__new__(detect.Detector)
    made.network, made.device = Discs(), torch.device("cpu")
    made.pixels = lambda x: (x * 127.5 + 127.5 - 127) / 128
    return made


def photo(size: tuple[int, int], discs: list[tuple[float, float, float]]) -> Image.Image:
    image = Image.new("RGB", size, (20, 90, 40))
    for x, y, radius in discs:
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=tiny.COLOUR)
    return image


def test_every_face_of_a_crowd_is_found_once_at_its_place():
    """8 x 5 faces, small and large, in tiles that cut some of them."""
    discs = [(120.0 + 225 * x, 120.0 + 240 * y, 30.0 + 9 * ((x + y) % 4)) for x in range(8) for y in range(5)]
    boxes, scores = detector()(photo((1800, 1300), discs))
    assert len(boxes) == len(scores) == len(discs)
    wanted = np.array([(x - r, y - r, x + r, y + r) for x, y, r in discs])
    for box in boxes:
        assert np.abs(wanted - box).max(axis=1).min() < 8


def test_a_face_larger_than_a_tile_is_found_once():
    boxes, _ = detector()(photo((1200, 900), [(600, 450, 420)]))
    np.testing.assert_allclose(boxes, [(180, 30, 1020, 870)], atol=8)


def test_a_photo_without_a_face_has_none():
    boxes, scores = detector()(photo((800, 600), []))
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


# -- frames and points ------------------------------------------------------------------------------------------------

CORNERS = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)])


def test_a_frame_shows_its_part_of_the_photo():
    pixels = RANDOM.integers(0, 255, (6, 8, 3), np.uint8).repeat(40, 0).repeat(40, 1)
    image = Image.fromarray(pixels)
    whole = Frame.of_box(0, 0, 320, 240).picture(image, 64)
    middles = [5, 16, 26, 37, 48, 58]  # of the patches, 10.67 rows high and 8 columns wide
    np.testing.assert_array_equal(np.asarray(whole)[middles, 4::8], pixels[20::40, 20::40])
    quad = Frame.of_box(40, 80, 200, 240).to_photo(CORNERS)
    turned = np.roll(quad, 1, axis=0)  # what was at the bottom right is at the top right: turned by a quarter
    upright, by_quad = (np.asarray(Frame.of_quad(one).picture(image, 80)) for one in (quad, turned))
    np.testing.assert_allclose(np.rot90(upright), by_quad, atol=1)


class Sees:
    """A detector that sees these boxes, and is as sure of a square as the disc in its middle is magenta."""

    def __init__(self, boxes: np.ndarray, sure: float | None = None) -> None:
        self.boxes, self.sure = boxes, tiny.Discs().sure if sure is None else lambda square: sure

    def __call__(self, image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
        return self.boxes, np.ones(len(self.boxes))


class Known:
    """Landmarks that look for four colours in what they are shown, wherever these are and however it is turned."""

    def __call__(self, x_13HW: torch.Tensor) -> torch.Tensor:
        pixels = (x_13HW[0].permute(1, 2, 0).numpy() + 1) / 2
        size = pixels.shape[0]
        places = np.full((68, 2), 0.5)
        for colour, rows in MARKS.items():
            near = np.abs(pixels - np.array(colour) / 255).max(axis=2) < 0.3
            y, x = np.nonzero(near)
            if len(x):
                places[rows] = (np.array([x.mean(), y.mean()]) + 0.5) / size
        return torch.from_numpy(places)[None]


MARKS = {(255, 0, 0): slice(36, 42), (0, 255, 0): slice(42, 48), (0, 0, 255): [48], (255, 255, 0): [54]}
"""Right eye, left eye, corners of the mouth."""
FACE = {(255, 0, 0): (-40, -30), (0, 255, 0): (40, -30), (0, 0, 255): (-28, 50), (255, 255, 0): (28, 50)}


@pytest.mark.parametrize("degrees", [0, 30, -30, 75])
def test_the_square_follows_a_turned_face(degrees):
    middle, turn = np.array([300.0, 260.0]), np.radians(degrees)
    image = Image.new("RGB", (640, 480))
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = np.zeros((68, 2))
    for colour, place in FACE.items():
        at = linear @ place + middle
        ImageDraw.Draw(image).ellipse((*(at - 9), *(at + 9)), fill=colour)
        points[MARKS[colour]] = at
    box = np.array([[*(middle - 75), *(middle + 85)]])
    finder = FaceFinder(Sees(box, 0.9), Known(), {"known": "1"}, torch.device("cpu"))
    (face,) = finder(np.asarray(image))
    assert np.abs(face.quad_42 - ffhq.quad_of(points)).max() < 0.015 * face.side
    assert abs(ffhq.roll_of(face.quad_42) - degrees) < 1


def test_the_detectors_box_is_what_the_landmarks_see_first():
    frame = faces._around(np.array([100.0, 50.0, 160.0, 140.0]))
    seen = frame.to_photo(np.array([(CROP.left, CROP.top), (CROP.right, CROP.bottom)])) + 0.5
    np.testing.assert_allclose(seen, [(100, 50), (160, 140)])


def test_boxes_on_one_face_are_one_face_and_boxes_of_nothing_none():
    image = photo((400, 300), [(100, 100, 40), (300, 150, 40)])
    boxes = np.array([(60, 60, 140, 140), (64, 58, 138, 150), (260, 110, 340, 190), (180, 20, 250, 90)], dtype=float)
    finder = FaceFinder(Sees(boxes), tiny.points, {}, torch.device("cpu"))
    middles = sorted(face.quad_42.mean(0).round().tolist() for face in finder(np.asarray(image)))
    assert len(middles) == 2
    np.testing.assert_allclose(middles, [(100, 100), (300, 150)], atol=10)
    together = FaceFinder(Sees(boxes, 0.9), lambda x: torch.full((1, 68, 2), 0.5), {}, torch.device("cpu"))
    assert together(np.asarray(image)) == []


def test_the_detector_is_sure_of_a_face_where_aligned_faces_are():
    assert detector().sure(photo((240, 240), [(121, 129, 85)])) > 0.9
    assert detector().sure(photo((240, 240), [(40, 40, 30)])) == 0
    assert detector().sure(photo((240, 240), [])) == 0


# -- the gate ---------------------------------------------------------------------------------------------------------


def face_of(side: float = 200.0, score: float = 0.9, yaw: float = 0.0) -> faces.Face:
    quad = np.array([(0.0, 0.0), (0.0, side), (side, side), (side, 0.0)])
    return faces.Face(np.array([0.0, 0.0, side, side]), score, np.full((68, 2), side / 2), quad, yaw)


GOOD = Quality(sharpness=500.0, inside=1.0)


@pytest.mark.parametrize(
    ("face", "quality", "reason"),
    [
        (face_of(), GOOD, ""),
        (face_of(side=127), GOOD, SMALL),
        (face_of(score=0.69), GOOD, UNSURE),
        (face_of(yaw=-61), GOOD, TURNED),
        (face_of(), Quality(19.0, 1.0), BLURRED),
        (face_of(), Quality(500.0, 0.5), CUT),
    ],
)
def test_a_face_is_left_out_for_its_reason(face, quality, reason):
    assert Gate().why_not(face, quality) == reason


def test_the_largest_good_faces_are_kept():
    seen = [(face_of(400), Quality(1.0, 1.0)), (face_of(300), GOOD), (face_of(200), GOOD)]
    assert Gate().chosen(seen, None) == [BLURRED, "", ""]
    assert Gate().chosen(seen, 1) == [BLURRED, "", NOT_AMONG]


def test_a_blurred_face_is_less_sharp_and_a_cut_one_less_inside():
    pixels = RANDOM.integers(0, 255, (50, 50, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    image = Image.fromarray(pixels)
    small = image.resize((40, 40), Image.Resampling.BOX).resize((400, 400), Image.Resampling.BICUBIC)
    face = face_of(300)
    assert quality_of(small, face).sharpness < 0.2 * quality_of(image, face).sharpness
    half = np.tile([(-50.0, 100.0), (50.0, 100.0)], (34, 1))
    cut = faces.Face(face.box, 0.9, half, face.quad_42, 0.0)
    assert quality_of(image, cut).inside == 0.5
