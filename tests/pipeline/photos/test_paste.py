"""An edit pasted into its photo: what is untouched, where it lands, and its colours."""

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import SpecError
from pipeline.photos import paste as pasting
from pipeline.photos.paste import face_mask, paste

HEIGHT, WIDTH, SIDE = 300, 400, 128


def colours(x, y):
    """Of a smooth photo at pixels (x, y): (..., 3) in [0, 1]."""
    return np.stack([0.5 + 0.4 * np.sin(x / 31), 0.5 + 0.4 * np.cos(y / 37), 0.5 + 0.3 * np.sin((x + y) / 53)], -1)


def photo(kind=np.uint8):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.round(colours(x, y) * np.iinfo(kind).max).astype(kind)


def turned(degrees, side=160.0, middle=(210.0, 140.0)):
    """A square quad."""
    turn = np.deg2rad(degrees)
    x = side / 2 * np.array([np.cos(turn), np.sin(turn)])
    y = np.array([-x[1], x[0]])
    return np.array(middle) + np.stack([-x - y, -x + y, x + y, x - y])


def aligned(quad, side=SIDE):
    """The smooth photo at the places of an aligned picture, (3, S, S)."""
    at = (np.arange(side) + 0.5) / side
    v, u = np.meshgrid(at, at, indexing="ij")
    places = quad[0] + u[..., None] * (quad[3] - quad[0]) + v[..., None] * (quad[1] - quad[0])
    return torch.from_numpy(colours(places[..., 0], places[..., 1])).float().movedim(2, 0)


def disc(radius=0.35, side=SIDE):
    at = (torch.arange(side) + 0.5) / side - 0.5
    return face_mask(((at[:, None] ** 2 + at[None] ** 2).sqrt() < radius)[None])


@pytest.mark.parametrize("degrees", [0, 17, -35, 180])
@pytest.mark.parametrize("side", [60.0, 160.0, 260.0])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_an_edit_that_changes_nothing_changes_nothing(degrees, side, kind):
    before, after, quad = photo(kind), photo(kind), turned(degrees, side)
    paste(after, quad, aligned(quad), aligned(quad), aligned(quad), disc())
    apart = np.abs(after.astype(float) - before) / np.iinfo(kind).max
    assert apart.max() < 0.02
    assert apart.mean() < 0.001


def test_only_pixels_of_the_mask_are_touched():
    before, after, quad = photo(), photo(), turned(20)
    pasted = paste(after, quad, aligned(quad), aligned(quad), 1 - aligned(quad), disc())
    changed = (after != before).any(axis=2)
    there = np.zeros((HEIGHT, WIDTH), bool)
    there[pasted.rows, pasted.columns] = pasted.shares_BV > 0
    assert not (changed & ~there).any()
    assert changed.sum() > 0.5 * there.sum()


def test_the_edit_lands_where_a_library_puts_it():
    """Pillow's affine transform of the edit, where the mask is 1."""
    after, quad = photo(), turned(25)
    edit = 1 - aligned(quad)
    pasted = paste(after, quad, edit, edit, edit, disc())
    sides = np.linalg.inv(np.stack([quad[3] - quad[0], quad[1] - quad[0]])) * SIDE
    start = -(quad[0] + 0.5) @ sides
    values = (edit.movedim(0, 2).numpy() * 255).round().astype(np.uint8)
    affine = (sides[0, 0], sides[1, 0], start[0], sides[0, 1], sides[1, 1], start[1])
    theirs = Image.fromarray(values).transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
    )
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[pasted.rows, pasted.columns] = pasted.shares_BV == 1
    assert inside.sum() > 5000
    np.testing.assert_allclose(after[inside].astype(int), np.asarray(theirs)[inside].astype(int), atol=2)


def test_an_inversion_of_other_colours_is_made_good_and_a_change_stays():
    quad = turned(10)
    tinted = (aligned(quad) + torch.tensor([0.1, -0.05, 0.0])[:, None, None]).clamp(0, 1)
    before, after = photo(), photo()
    paste(after, quad, aligned(quad), tinted, tinted, disc())
    assert np.abs(after.astype(float) - before).max() < 5  # the tint alone is 25
    spotted = aligned(quad).clone()
    spotted[:, 60:68, 60:68] = 1.0
    after = photo()
    paste(after, quad, aligned(quad), aligned(quad), spotted, disc())
    middle = after[140, 210].astype(int)
    assert (middle > 250).all()
    darker = aligned(quad) - 0.1
    after = photo()
    paste(after, quad, aligned(quad), aligned(quad), darker, disc())
    assert abs(before[140, 210].astype(int) - after[140, 210] - 25).max() <= 2


def test_strips_are_as_the_whole(monkeypatch):
    quad, whole, strips = turned(33), photo(), photo()
    paste(whole, quad, aligned(quad), aligned(quad), 1 - aligned(quad), disc())
    monkeypatch.setattr(pasting, "AT_ONCE", 3000)
    paste(strips, quad, aligned(quad), aligned(quad), 1 - aligned(quad), disc())
    assert np.abs(whole.astype(int) - strips).max() <= 1


def test_a_face_over_the_edge_of_the_photo_and_a_grey_photo():
    quad = turned(15, 200, (20.0, 290.0))
    after = photo()
    paste(after, quad, aligned(quad), aligned(quad), 1 - aligned(quad), disc())
    assert (after[290, 20] != photo()[290, 20]).any()
    grey = photo().mean(axis=2, keepdims=True).round().astype(np.uint8)
    quad = turned(15)
    level = torch.full((3, SIDE, SIDE), 0.25)
    paste(grey, quad, level, level, level, disc())
    assert abs(int(grey[140, 210, 0]) - 64) <= 1


def test_a_mask_is_soft_covers_both_and_ends_before_the_border():
    two = torch.zeros(2, 256, 256)
    two[0, 100:150, 100:150], two[1, 140:200, 140:200] = 1, 1
    mask = face_mask(two)
    assert (mask[102:148, 102:148] > 0.6).all()
    assert (mask[142:198, 142:198] > 0.6).all()
    assert float(mask[120, 230]) == 0
    soft = mask[125, 60:125]
    assert (soft.diff() >= 0).all()
    assert 0 < float(soft.diff().max()) < 0.2
    everywhere = face_mask(torch.ones(1, 256, 256))
    assert float(everywhere[0].max()) < 0.01
    assert float(everywhere[128, 128]) == 1


def test_what_cannot_be_pasted_is_said():
    quad, picture, mask = turned(0), aligned(turned(0)), disc()
    for given, corners, said in (
        (photo().astype(np.float32), quad, "uint8 or uint16"),
        (photo()[..., 0], quad, "height, width, 1 or 3"),
        (photo(), quad[:3], "four corners"),
        (photo(), quad + 1000, "outside the photo"),
        (photo(), np.zeros((4, 2)) + 50, "less than a pixel"),
    ):
        with pytest.raises(SpecError, match=said):
            paste(given, corners, picture, picture, picture, mask)
