"""Pages of sliders: which picture stands where, what is said of it, and how large a page is."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import SpecError
from pipeline.exports.format import Picture
from pipeline.exports.slider import FACES, Slider, check, format
from pipeline.exports.slider.faces import face_of, scores


def content(seed=0, side=96, kind="PNG") -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def picture(face, step, strength, method="linear", table=0, picture=b"", **facts) -> Picture:
    more = {"index": face, "step": step, "strength": strength, "stop": "done", "attribute": "old", "method": method}
    return Picture((face, table, 0, step), picture, {**more, **facts})


def edit(face, strengths, method="linear", table=0, **more) -> list[Picture]:
    return [picture(face, step, one, method, table, **more) for step, one in enumerate([0.0, *strengths])]


def pages(pictures, **flags) -> dict[str, str]:
    return {file.name: file.content.decode() for file in Slider(**flags).files(pictures, 0)}


def shown(face, share) -> dict[str, float]:
    """By method the strength of the picture at a share of the slider."""
    found = {}
    for line in face.lines:
        place = line.shown(share)
        found[line.method] = line.steps[place - 1].picture.facts["strength"] if place else 0.0
    return found


# -- which picture stands where ---------------------------------------------------------------------------------------


def test_methods_move_along_the_share_of_their_own_steps():
    face = face_of([*edit(3, [1.0, 2.0, 4.0, 8.0]), *edit(3, [0.1, 0.2], "trained", 1)])
    assert face.shares == [0, 0.25, 0.5, 0.75, 1]
    found = [tuple(shown(face, share).values()) for share in face.shares]
    assert found == [(0, 0), (1.0, 0), (2.0, 0.1), (4.0, 0.1), (8.0, 0.2)]  # of two as near, the nearer to the source
    assert face.said(0.5) == "50 %: linear +2.00, trained +0.10"


def test_the_source_is_in_the_middle_of_edits_to_both_sides():
    face = face_of([*edit(3, [-2.0, -1.0, 1.0, 2.0]), *edit(3, [5.0], "trained", 1)])
    assert face.shares == [-1, -0.5, 0, 0.5, 1]
    assert [shown(face, share)["linear"] for share in face.shares] == [-2, -1, 0, 1, 2]
    assert [shown(face, share)["trained"] for share in face.shares] == [0, 0, 0, 0, 5]
    assert not face.away


def test_edits_away_from_the_attribute_begin_with_the_source():
    face = face_of(edit(3, [0.0, -1.0, -2.0]))
    assert face.away
    assert [shown(face, share)["linear"] for share in face.shares] == [0, 0, -1, -2]
    assert [line.shown(1 / 3) for line in face.lines] == [1]  # a step of strength 0 is not the source


def test_a_face_that_a_method_left_as_it_is_has_its_source_there():
    face = face_of([*edit(3, [1.0, 2.0]), *edit(3, [], "trained", 1)])
    assert [shown(face, share)["trained"] for share in face.shares] == [0, 0, 0]
    assert [line.method for line in face.lines] == ["linear", "trained"]


def test_scores_of_both_families_stand_beside_each_other_the_edited_attribute_first():
    row = picture(1, 1, 2.0, smile=0.25, old=-1.5, judge_old=0.125, judge_male=float("nan"), source_old=9.0)
    assert scores(row) == [("old", "\N{MINUS SIGN}1.50", "+0.12"), ("smile", "+0.25", None), ("male", None, None)]


# -- the page ---------------------------------------------------------------------------------------------------------


def test_a_page_has_sixteen_faces_and_each_picture_once():
    kept = {(face, step): content(100 * face + step, 8) for face in range(FACES + 2) for step in range(3)}
    pictures = [picture(face, step, float(step), picture=one) for (face, step), one in kept.items()]
    found = pages(pictures)
    assert [*found] == ["000000000.html", "000000016.html"]
    for page, faces in zip(found.values(), (range(16), range(16, 18)), strict=True):
        uris = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
        assert [base64.b64decode(uri) for uri in uris] == [kept[face, step] for face in faces for step in range(3)]
        assert page.count('<section class="face"') == len(faces)
    [first, _] = Slider().files(pictures, 0)
    assert sorted(first.pictures) == list(range(48))


def test_sixteen_faces_by_five_methods_at_nine_steps_keep_within_twelve_megabytes():
    one = content(0, 60)  # noise does not get smaller: as many bytes as of a face of 256 px
    scored = {f"{family}{name}": 0.1 for family in ("", "judge_") for name in ("old", "smile", "male", "eyeglasses")}
    pictures = [row for face in range(16) for table in range(5)
                for row in edit(face, range(1, 10), f"method-{table}", table, picture=one, **scored)]  # fmt: skip
    [page] = pages(pictures).values()
    assert page.count("data:image/png") == 16 * (1 + 5 * 9)
    assert len(one) > 10_500
    assert len(page.encode()) < 12_000_000


def test_pictures_are_made_smaller_where_the_page_would_be_too_large(monkeypatch):
    pictures = edit(0, [1.0, 2.0], picture=content(side=256))
    [whole] = pages(pictures).values()
    assert "256 px, as they were kept" in whole
    monkeypatch.setattr(format, "PAGE_BYTES", 150_000)
    [page] = pages(pictures).values()
    assert len(page.encode()) <= 150_000
    found = re.search(r"(\d+) px, WebP of quality (\d+), reduced from 256 px as they were kept", page)
    uris = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    sides = {Image.open(io.BytesIO(base64.b64decode(uri))).size for uri in uris}
    assert (len(uris), sides) == (3, {(int(found[1]), int(found[1]))})
    assert sum(map(len, uris)) > 40_000  # no smaller than it takes


def test_a_size_is_kept_and_only_the_quality_gives_way(monkeypatch):
    pictures = edit(0, [1.0], picture=content(side=64))
    [page] = pages(pictures, size=48).values()
    assert "48 px, WebP of quality 85, from 64 px, as asked" in page
    monkeypatch.setattr(format, "PAGE_BYTES", len(page.encode()) - 100)
    assert "48 px, WebP of quality 75" in next(iter(pages(pictures, size=48).values()))


def test_what_no_page_can_hold_is_told_before_and_where_it_shows(monkeypatch):
    check([46] * 40, None)
    with pytest.raises(SpecError, match=r"16 faces with 32,000 pictures would be larger than 12 MB: leave out methods"):
        check([2000] * 40, None)
    with pytest.raises(SpecError, match=r"736 pictures at --size 1024 would be larger"):
        check([46] * 16, 1024)
    monkeypatch.setattr(format, "PAGE_BYTES", 40_000)
    with pytest.raises(SpecError, match=r"a slider of 1 faces with 9 pictures would be larger than 0\.04 MB"):
        pages(edit(0, range(1, 9), picture=content(side=128)))
