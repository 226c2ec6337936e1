"""`stylemill photos align`: every source, every bad file, and what the tables say, by a finder of magenta discs."""

import io
import json
import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from discs import discs, photo
from PIL import Image

from jobs.__main__ import main
from pipeline.stages import photo_sources
from pipeline.tables import Table

HOW = ("--networks", "tiny", "--size", "32", "--min-sharpness", "0", "--min-size", "20", "--local")


def align(photos, out, *words: str) -> int:
    return main(["photos", "align", str(photos), *HOW, *words, "--out", str(out)])


def rows(out, name: str) -> list[dict]:
    return Table.open(f"{out}/{name}").read().to_pylist()


def rejected(out) -> dict[str, str]:
    """Reason by the name of the photo."""
    return {row["detail"].split(": ")[0]: row["reason"] for row in rows(out, "rejects/photos-align")}


def png(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


ONE = photo((70, 80, 30))


# -- what comes out ---------------------------------------------------------------------------------------------------


def test_faces_photos_and_pictures_fit_together(tmp_path):
    discs(tmp_path / "in")
    assert align(tmp_path / "in", tmp_path / "out") == 0
    photos, faces, images = (rows(tmp_path / "out", name) for name in ("photos", "faces", "images"))
    assert [row["source"] for row in photos] == [
        "album 0/0.png", "album 0/2.png", "album 0/4.png", "album 1/1.png", "album 1/3.png",
    ]  # fmt: skip
    assert [row["kept"] for row in photos] == [1, 1, 1, 2, 2]
    keys = [(row["index"], row["face_number"]) for row in faces]
    assert keys == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1)]
    assert [(row["index"], row["face_number"]) for row in images] == keys
    for face, image in zip(faces, images, strict=True):
        aligned = Image.open(io.BytesIO(image["image"]["bytes"]))
        assert aligned.size == (32, 32)
        assert aligned.getpixel((16, 18)) == (255, 0, 255)
        corner = np.array(face["quad"])
        assert np.hypot(*(corner[3] - corner[0])) == pytest.approx(face["size"], rel=1e-5)
    assert main(["verify", str(tmp_path / "out")]) == 0


def test_an_aligned_picture_goes_out_as_a_file_and_onto_a_page(tmp_path):
    discs(tmp_path / "in")
    assert align(tmp_path / "in", tmp_path / "out") == 0
    assert main(["report", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<img ") == 7
    assert "people who agreed" in page
    assert (
        main(["export", str(tmp_path / "out"), "--format", "files", "--local", "--out", str(tmp_path / "files")]) == 0
    )
    names = {path.name for path in (tmp_path / "files").rglob("*.png")}
    card = (tmp_path / "files" / "README.md").read_text()
    assert "7 pictures of faces in 5 photographs" in card
    assert "photographs of people" in card
    assert "synthetic" not in card
    assert names == {f"{i:09d}-{n:02d}.png" for i, n in ((0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1))}


@pytest.mark.parametrize(("faces", "kept"), [("all", 3), ("largest", 1), ("2", 2)])
def test_as_many_faces_are_kept_as_asked(faces, kept, tmp_path):
    (tmp_path / "in").mkdir()
    photo((40, 40, 20), (110, 50, 35), (170, 110, 15)).save(tmp_path / "in" / "a.png")
    assert align(tmp_path / "in", tmp_path / "out", "--faces", faces) == 0
    assert [row["left_out"] for row in rows(tmp_path / "out", "faces")].count("") == kept
    assert len(rows(tmp_path / "out", "images")) == kept
    assert rows(tmp_path / "out", "photos")[0]["faces"] == 3


def test_a_photo_is_turned_as_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    turned = ONE.transpose(Image.Transpose.ROTATE_90)
    (tmp_path / "in" / "a.png").write_bytes(png(turned, exif=exif))
    assert align(tmp_path / "in", tmp_path / "out") == 0
    (row,) = rows(tmp_path / "out", "photos")
    assert (row["orientation"], row["width"], row["height"]) == (6, 200, 150)
    (face,) = rows(tmp_path / "out", "faces")
    assert [round(face[edge]) for edge in ("left", "top", "right", "bottom")] == [40, 50, 101, 111]


# -- bad files --------------------------------------------------------------------------------------------------------


def test_no_bad_file_stops_the_others(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    good = png(ONE)
    files = {
        "a good one.png": good,
        "empty.jpg": b"",
        "text.jpg": b"these are the holidays",
        "half.png": good[: len(good) // 2],
        "nobody.png": png(photo()),
        "small.png": png(photo((50, 50, 4))),
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "large.png": png(Image.new("L", (2100, 1000))),
        "notes.xml": b"<no photo/>",
        ".hidden.png": good,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    assert align(folder, tmp_path / "out", "--max-megapixels", "2") == 0
    assert [row["source"] for row in rows(tmp_path / "out", "photos")] == ["a good one.png"]
    assert rejected(tmp_path / "out") == {
        "empty.jpg": "empty file",
        "text.jpg": "not a picture",
        "half.png": "damaged picture",
        "nobody.png": "no face",
        "small.png": "too small",
        "phone.heic": "format not supported",
        "large.png": "too many pixels",
    }
    summary = json.loads((tmp_path / "out/.stylemill/photos-align/summary.json").read_text())
    assert (summary["planned"], summary["published"], summary["rejected"]) == (8, 1, 7)


ODD = (
    b"a b.png",
    b"c#d%20e?.png",
    b"line\nbreak.png",
    "gr\u00fcn.png".encode(),
    b"\xff\xfe.png",
    b"x::y.png",
    b"[z].png",
)


def test_odd_names_are_read_and_written_in_words(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ODD:
        (folder / os.fsdecode(name)).write_bytes(png(ONE))
    assert align(folder, tmp_path / "out") == 0
    found = {row["source"] for row in rows(tmp_path / "out", "photos")}
    assert found == {name.decode(errors="backslashreplace") for name in ODD}
    assert "\\xff\\xfe.png" in found


def test_a_file_that_went_after_it_was_listed_is_rejected(tmp_path):
    discs(tmp_path / "in", 3)
    listing = photo_sources.list_photos(str(tmp_path / "in"))
    (tmp_path / "in" / "album 0" / "0.png").unlink()
    (tmp_path / "in" / "album 0" / "2.png").write_bytes(b"another one")
    found = list(photo_sources.SOURCES[listing.kind].read(listing, [0, 1, 2]))
    assert [getattr(one, "reason", "read") for one in found] == ["not there", "changed since", "read"]


# -- sources ----------------------------------------------------------------------------------------------------------

PICTURES = [png(photo((70, 80, 20 + 5 * number))) for number in range(4)]


def as_folder(path):
    path.mkdir()
    for number, content in enumerate(PICTURES):
        (path / f"{number}.png").write_bytes(content)
    return path


def as_tar(path):
    """Two shards with texts between, as WebDataset has them."""
    path.mkdir()
    for shard in range(2):
        with tarfile.open(path / f"{shard:03d}.tar", "w") as archive:
            for number in (2 * shard, 2 * shard + 1):
                for name, content in ((f"{number}.png", PICTURES[number]), (f"{number}.json", b"{}")):
                    about = tarfile.TarInfo(name)
                    about.size = len(content)
                    archive.addfile(about, io.BytesIO(content))
    return path


def as_parquet(path):
    """As Hugging Face's `datasets` writes images; row groups of three rows."""
    pictures = [{"bytes": content, "path": f"{number}.png"} for number, content in enumerate(PICTURES)]
    pq.write_table(pa.table({"label": [1, 2, 3, 4], "image": pictures}), path, row_group_size=3)
    return path


def as_binary(path):
    pq.write_table(pa.table({"jpg": pa.array(PICTURES, pa.binary())}), path)
    return path


def as_list(path):
    """Beside the pictures, by relative, absolute and URL names."""
    folder = as_folder(path.with_suffix(""))
    names = [f"{folder.name}/0.png", folder / "1.png", f"file://{folder}/2.png", folder / "3.png"]
    path.write_text("\n".join(map(str, names)) + "\n\n")
    return path


MADE = {"folder": as_folder, "tar": as_tar, "a.parquet": as_parquet, "b.parquet": as_binary, "list.txt": as_list}


@pytest.mark.parametrize("name", MADE)
def test_every_source_gives_the_same_faces(name, tmp_path):
    assert align(MADE[name](tmp_path / name), tmp_path / "out", "--rows-per-shard", "3") == 0
    found = [row["image"]["bytes"] for row in rows(tmp_path / "out", "images")]
    assert align(as_folder(tmp_path / "plain"), tmp_path / "plain-out") == 0
    assert found == [row["image"]["bytes"] for row in rows(tmp_path / "plain-out", "images")]
    assert len({row["sha256"] for row in rows(tmp_path / "out", "photos")}) == 4


def test_any_rows_of_a_source_are_read_in_order(tmp_path):
    for name, make in MADE.items():
        listing = photo_sources.list_photos(str(make(tmp_path / name)))
        read = photo_sources.SOURCES[listing.kind].read
        for wanted in ([0, 1, 2, 3], [1, 3], [2], []):
            assert list(read(listing, wanted)) == [PICTURES[row] for row in wanted], name


def test_a_bucket_is_a_folder():
    import fsspec

    fs = fsspec.filesystem("memory")
    for number, content in enumerate(PICTURES):
        fs.pipe_file(f"/photos-of-a-test/deep/{number}.png", content)
    listing = photo_sources.list_photos("memory://photos-of-a-test")
    assert [place.name for place in listing.between(0, 4)] == [f"deep/{number}.png" for number in range(4)]
    assert list(photo_sources.SOURCES["folder"].read(listing, [1, 2])) == PICTURES[1:3]
    before = listing.digest
    assert photo_sources.list_photos("memory://photos-of-a-test").digest == before
    fs.pipe_file("/photos-of-a-test/deep/9.png", PICTURES[0])
    assert photo_sources.list_photos("memory://photos-of-a-test").digest != before


def test_a_missing_line_of_a_list_is_rejected_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    (tmp_path / "list.txt").write_text("a.png\nnot-there.png\nhttp://127.0.0.1:9/nothing.png\n")
    assert align(tmp_path / "list.txt", tmp_path / "out") == 0
    assert rejected(tmp_path / "out") == {
        "not-there.png": "not there",
        "http://127.0.0.1:9/nothing.png": "not readable",
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "no such file, and no directory with files"),
        (lambda path: (path.mkdir(), (path / "a.xml").write_text("x")), "no photo among its 1 files"),
        (lambda path: (path.mkdir(), (path / "a.tar").write_bytes(b"no tar" * 200)), "not a whole tar file"),
        (lambda path: (path.mkdir(), (path / "a.parquet").write_bytes(b"no table")), "not a whole Parquet file"),
        (lambda path: (path.mkdir(), pq.write_table(pa.table({"x": [1]}), path / "a.parquet")), "it has none"),
        (lambda path: (path.mkdir(), (path / "a.tar").write_bytes(b"\0" * 10240)), "without a photo in it"),
    ],
    ids=["nothing", "no photo", "no tar", "no Parquet file", "no pictures", "empty tar"],
)
def test_what_is_no_source_is_told_in_one_line(make, said, tmp_path, capsys):
    make(tmp_path / "in")
    assert align(tmp_path / "in", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_of_several_columns_one_is_named(tmp_path, capsys):
    two = pa.table({"before": pa.array(PICTURES, pa.binary()), "after": pa.array(PICTURES[::-1], pa.binary())})
    pq.write_table(two, tmp_path / "two.parquet")
    assert align(tmp_path / "two.parquet", tmp_path / "out") == 2
    assert "name one with --column" in capsys.readouterr().err
    assert align(tmp_path / "two.parquet", tmp_path / "out", "--column", "after") == 0
    assert align(tmp_path / "two.parquet", tmp_path / "out", "--column", "x") == 2


# -- going on ---------------------------------------------------------------------------------------------------------


def test_photos_that_changed_since_the_start_are_noticed(tmp_path, capsys):
    discs(tmp_path / "in")
    assert align(tmp_path / "in", tmp_path / "out", "--limit", "1", "--rows-per-shard", "2") == 0
    (tmp_path / "in" / "new.png").write_bytes(png(ONE))
    assert align(tmp_path / "in", tmp_path / "out", "--rows-per-shard", "2") == 4
    assert "5 photos then, 6 now" in capsys.readouterr().err
    (tmp_path / "in" / "new.png").unlink()
    assert align(tmp_path / "in", tmp_path / "out", "--rows-per-shard", "2") == 0
    os.utime(tmp_path / "in" / "album 0" / "0.png", (1, 1))
    assert align(tmp_path / "in", tmp_path / "out", "--rows-per-shard", "2") == 4
    assert "another name, size or time" in capsys.readouterr().err


def test_a_rejected_photo_is_tried_again_when_asked(tmp_path, monkeypatch):
    from pipeline.photos.faces import FaceFinder

    discs(tmp_path / "in")
    find = FaceFinder.__call__

    def poor(self, pixels):
        if pixels[80, 140].tolist() == [255, 0, 255]:
            raise ValueError("a defect that one photo meets")
        return find(self, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(FaceFinder, "__call__", poor)
        assert align(tmp_path / "in", tmp_path / "out") == 0
    reasons = {row["reason"] for row in rows(tmp_path / "out", "rejects/photos-align")}
    assert reasons == {"raised"}
    assert len(rows(tmp_path / "out", "photos")) < 5
    assert align(tmp_path / "in", tmp_path / "out", "--retry-rejected") == 0
    assert [row["index"] for row in rows(tmp_path / "out", "photos")] == [0, 1, 2, 3, 4]
    assert len(rows(tmp_path / "out", "images")) == 7


def test_a_dry_run_tells_how_many_faces_and_hours(tmp_path, capsys):
    discs(tmp_path / "in")
    assert align(tmp_path / "in", tmp_path / "out", "--dry-run") == 0
    told = capsys.readouterr().err
    assert "5 photos" in told
    assert "7 faces: about 7 in all" in told
    assert "hours of one worker" in told
    assert not (tmp_path / "out").exists()
