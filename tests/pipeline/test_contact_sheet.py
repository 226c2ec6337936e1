"""The helper that lays pictures out on one."""

import pytest
from PIL import Image

from pipeline.contact_sheet import contact_sheet
from pipeline.errors import SpecError

RED, BLUE = (200, 30, 30), (30, 30, 200)


def test_pictures_lie_in_rows_in_their_order() -> None:
    images = [Image.new("RGB", (50, 50), colour) for colour in (RED, BLUE, BLUE, RED)]
    sheet = contact_sheet(images, 3, side=40, gap=10)
    assert sheet.size == (160, 110)
    assert [sheet.getpixel((30 + 50 * k, 30)) for k in range(3)] == [RED, BLUE, BLUE]
    assert sheet.getpixel((30, 80)) == RED


def test_captions_are_drawn_below_and_change_no_picture() -> None:
    images = [Image.new("RGB", (50, 50), RED)]
    plain, captioned = contact_sheet(images, 1), contact_sheet(images, 1, ["smile +1.2"])
    assert captioned.width == plain.width
    assert captioned.height > plain.height
    assert captioned.crop((8, 8, 168, 168)).tobytes() == plain.crop((8, 8, 168, 168)).tobytes()
    assert len(captioned.crop((8, 170, 168, captioned.height)).getcolors() or []) > 1


def test_a_picture_that_is_not_square_gives_its_middle() -> None:
    image = Image.new("RGB", (90, 30), BLUE)
    image.paste(RED, (30, 0, 60, 30))
    assert contact_sheet([image], 1, side=30, gap=0).getcolors() == [(900, RED)]


@pytest.mark.parametrize(("pictures", "columns", "captions"), [(0, 2, None), (2, 0, None), (2, 2, ["one"])])
def test_what_cannot_be_laid_out_is_refused(pictures: int, columns: int, captions: list[str] | None) -> None:
    with pytest.raises(SpecError, match="picture"):
        contact_sheet([Image.new("RGB", (8, 8))] * pictures, columns, captions)
