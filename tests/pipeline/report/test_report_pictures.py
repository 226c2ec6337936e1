"""Reading a few pictures out of many, and making them small."""

import base64
import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import synthetic_folder
from PIL import Image

from pipeline.report import pictures
from pipeline.tables import Table


@pytest.fixture
def read_groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The row groups whose pictures were read, in order."""
    seen: list[int] = []
    original = pq.ParquetFile.read_row_groups

    def spy(self, row_groups, columns=None, **options):
        if "image" in columns:
            seen.extend(row_groups)
        return original(self, row_groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", spy)
    return seen


@pytest.mark.parametrize("sealed", [True, False])
def test_only_the_row_groups_of_wanted_rows_are_read(tmp_path: Path, read_groups: list[int], sealed: bool) -> None:
    synthetic_folder.make(
        str(tmp_path), rows=900, rows_per_shard=450, tables=["images"], sealed=sealed, side=8, job_records=False
    )
    table = Table.open(str(tmp_path / "images"))
    found = dict(pictures.read(table, {5, 17, 320, 455, 5000}))
    assert set(found) == {5, 17, 320, 455}
    assert read_groups == [0, 3, 0]
    for index, content in found.items():
        assert content == synthetic_folder.picture(index, 8)


def test_near_rows_are_read_together_and_far_ones_apart() -> None:
    assert pictures.near([3, 50, 102, 103, 900]) == [range(3, 103), range(103, 104), range(900, 901)]
    assert pictures.near([]) == []


def noise(index: int, side: int) -> bytes:
    """The picture that compresses worst."""
    pixels = np.random.default_rng(index).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def side_of(uri: str) -> int:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).width


def test_few_pictures_are_kept_large() -> None:
    (uri,) = pictures.thumbnails([(1, noise(1, 512))], {1: 2}).values()
    assert side_of(uri) == pictures.SIDES[0]


def test_all_shrink_alike_until_they_keep_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BUDGET_BYTES", 200_000)
    uris = pictures.thumbnails([(index, noise(index, 400)) for index in range(4)], dict.fromkeys(range(4), 3))
    assert sum(3 * len(uri) for uri in uris.values()) <= 200_000
    assert len({side_of(uri) for uri in uris.values()}) == 1


def test_how_often_a_picture_is_shown_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "BUDGET_BYTES", 400_000)
    once, often = (pictures.thumbnails([(0, noise(0, 400))], {0: times})[0] for times in (1, 30))
    assert side_of(often) < side_of(once)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_pictures_of_every_mode_become_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    image = Image.new(mode, (40, 40))
    image.save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    assert pictures.thumbnails([(0, buffer.getvalue())], {0: 1})[0].startswith("data:image/webp;base64,")


def test_what_is_no_picture_is_left_out() -> None:
    whole = synthetic_folder.picture(1)
    assert set(
        pictures.thumbnails([(0, b""), (1, whole), (2, whole[:60]), (3, b"GIF89a")], dict.fromkeys(range(4), 1))
    ) == {1}
