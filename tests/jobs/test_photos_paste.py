"""`stylemill photos paste`: what lands where, what stays, and which files come out."""

import io
from pathlib import Path

import numpy as np
import pytest
from discs import discs, photo
from edits import planted
from inverted import plant_inverted
from PIL import ExifTags, Image

from jobs.__main__ import main
from pipeline.tables import Table

ALIGN = ("--networks", "tiny", "--size", "32", "--min-sharpness", "0", "--min-size", "20", "--local")


def edited(folder: Path, *words: str, source: str = "in") -> None:
    """Photos in folder/in: aligned, with codes, and their edits."""
    assert main(["photos", "align", f"{folder}/{source}", *ALIGN, "--out", f"{folder}/aligned"]) == 0
    plant_inverted(f"{folder}/aligned", f"{folder}/inverted")
    planted(f"{folder}/directions", ("s",), names=("old", "smile"))
    where = ["--latents", f"{folder}/inverted/latents", "--directions", f"{folder}/directions"]
    asked = words or ("--attribute", "old", "--strengths", "40", "--keep", "last")
    how = ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--local"]
    assert main(["edit", "interfacegan", *where, *asked, *how, "--out", f"{folder}/edits"]) == 0


def paste(folder: Path, out: str, *words: str, source: str = "in") -> int:
    where = [word for name in ("aligned", "inverted", "edits") for word in (f"--{name}", f"{folder}/{name}")]
    how = ["--networks", "tiny", "--local", "--out", f"{folder}/{out}"]
    return main(["photos", "paste", f"{folder}/{source}", *where, *how, *words])


def rows(url) -> list[dict]:
    return Table.open(str(url)).read().to_pylist()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Five photos with seven faces, pasted."""
    folder = tmp_path_factory.mktemp("made")
    discs(folder / "in")
    edited(folder)
    assert paste(folder, "out") == 0
    return folder


def test_each_photo_is_a_file_with_all_its_faces(made):
    found = rows(made / "out/pasted")
    assert [row["file"] for row in found] == [
        f"photos/{index:09d}-{stem}-old.png" for index, stem in enumerate((0, 2, 4, 1, 3))
    ]
    assert [row["faces"] for row in found] == [[0], [0], [0], [0, 1], [0, 1]]
    assert {path.name for path in (made / "out/photos").iterdir()} == {Path(row["file"]).name for row in found}
    assert main(["verify", str(made / "out")]) == 0


def test_no_pixel_outside_the_squares_of_the_faces_is_changed(made):
    squares = rows(made / "aligned/faces")
    for row in rows(made / "out/pasted"):
        before, after = (
            np.asarray(Image.open(path)).astype(int)
            for path in (made / "in" / row["source"], made / "out" / row["file"])
        )
        inside = np.zeros(before.shape[:2], bool)
        for face in squares:
            if face["index"] == row["index"]:
                low, high = np.floor(np.min(face["quad"], 0)).astype(int), np.ceil(np.max(face["quad"], 0)).astype(int)
                inside[max(low[1], 0) : high[1] + 1, max(low[0], 0) : high[0] + 1] = True
        changed = (before != after).any(axis=2)
        assert changed.any()
        assert not (changed & ~inside).any()


def test_verify_sees_a_file_that_is_gone(made, tmp_path, capsys):
    file = made / "out" / rows(made / "out/pasted")[0]["file"]
    content = file.read_bytes()
    file.unlink()
    assert main(["verify", str(made / "out")]) == 1
    assert "is missing" in capsys.readouterr().err
    assert paste(made, "out") == 0
    assert file.read_bytes() == content


def test_a_dry_run_tells_how_long_it_takes(made, capsys):
    assert paste(made, "foreseen", "--dry-run") == 0
    told = capsys.readouterr().err
    assert "7 faces of 5 photos; requests: 1" in told
    assert "hours of one worker" in told
    assert not (made / "foreseen").exists()


def with_facts(exif=None, **how) -> bytes:
    file = io.BytesIO()
    about = exif or Image.Exif()
    about[ExifTags.Base.Artist] = "someone"
    about.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    photo((70, 80, 30)).save(file, exif=about, **how)
    return file.getvalue()


def test_formats_exif_and_what_cannot_be_written(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a b.jpg").write_bytes(with_facts(format="JPEG", quality=95))
    (folder / "größe.webp").write_bytes(with_facts(format="WEBP", lossless=True))
    transparent = photo((70, 80, 30)).convert("RGBA")
    transparent.putpixel((0, 0), (0, 0, 0, 0))
    transparent.save(folder / "seen through.png")
    edited(tmp_path)
    assert paste(tmp_path, "out") == 0
    found = rows(tmp_path / "out/pasted")
    assert [(row["format"], Path(row["file"]).name) for row in found] == [
        ("JPEG", "000000000-a_b-old.jpg"),
        ("WEBP", "000000001-größe-old.webp"),
        ("PNG", "000000002-seen_through-old.png"),
    ]
    images = [Image.open(tmp_path / "out" / row["file"]) for row in found]
    assert [image.format for image in images] == ["JPEG", "WEBP", "PNG"]
    assert [image.getexif().get(ExifTags.Base.Artist) for image in images] == ["someone", "someone", None]
    assert not any(image.getexif().get_ifd(ExifTags.IFD.GPSInfo) for image in images)
    assert images[2].getpixel((0, 0))[3] == 0
    assert paste(tmp_path, "as-jpeg", "--format", "jpeg", "--exif", "keep") == 0
    [reject] = rows(tmp_path / "as-jpeg/rejects/photos-paste")
    assert (reject["index"], reject["reason"]) == (2, "format not supported")
    assert "transparent" in reject["detail"]
    first = Image.open(tmp_path / "as-jpeg" / rows(tmp_path / "as-jpeg/pasted")[0]["file"])
    assert first.getexif().get_ifd(ExifTags.IFD.GPSInfo)


def test_several_requests_are_files_of_their_own_and_a_step_is_chosen(tmp_path, capsys):
    discs(tmp_path / "in", 1)
    edited(tmp_path, "--attribute", "old,smile", "--strengths=20,40", "--keep", "all")
    assert paste(tmp_path, "last") == 0
    assert [row["attribute"] for row in rows(tmp_path / "last/pasted")] == ["old", "smile"]
    files = [row["file"] for row in rows(tmp_path / "last/pasted")]
    assert files == ["photos/000000000-0-old.png", "photos/000000000-0-smile.png"]
    assert paste(tmp_path, "first", "--step", "1") == 0
    assert paste(tmp_path, "none", "--step", "0") == 0
    pictures = [[(tmp_path / out / file).read_bytes() for file in files] for out in ("last", "first", "none")]
    assert len({*map(tuple, pictures)}) == 3
    assert [row["faces"] for row in rows(tmp_path / "none/pasted")] == [[], []]
    before = np.asarray(Image.open(tmp_path / "in/album 0/0.png"))
    assert (np.asarray(Image.open(io.BytesIO(pictures[2][0]))) == before).all()


def test_what_is_not_of_each_other_is_refused(made, tmp_path, capsys):
    discs(tmp_path / "in")
    where = ["--inverted", f"{made}/inverted", "--edits", f"{made}/edits"]
    how = ["--networks", "tiny", "--local", "--out", f"{tmp_path}/out"]
    assert main(["photos", "paste", f"{tmp_path}/in", "--aligned", f"{made}/aligned", *where, *how]) == 2
    assert "made of other photos" in capsys.readouterr().err
    assert main(["photos", "align", f"{tmp_path}/in", *ALIGN, "--out", f"{tmp_path}/aligned"]) == 0
    assert main(["photos", "paste", f"{tmp_path}/in", "--aligned", f"{tmp_path}/aligned", *where, *how]) == 2
    assert "is not of the faces of" in capsys.readouterr().err
    plant_inverted(f"{made}/aligned", f"{tmp_path}/inverted", seed=6)
    where = ["--aligned", f"{made}/aligned", "--inverted", f"{tmp_path}/inverted", "--edits", f"{made}/edits"]
    assert main(["photos", "paste", f"{made}/in", *where, *how]) == 2
    assert "edits of other latents" in capsys.readouterr().err
    assert paste(made, "early", "--step", "0") == 2
    assert "keeps no step up to 0" in capsys.readouterr().err


def test_a_photo_that_is_another_one_by_now_is_rejected_alone(tmp_path):
    discs(tmp_path / "photos", 2)
    names = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "photos").rglob("*.png"))
    (tmp_path / "in.txt").write_text("\n".join(names))
    edited(tmp_path, source="in.txt")
    photo((70, 80, 30)).save(tmp_path / names[0])
    assert paste(tmp_path, "out", source="in.txt") == 0
    assert [row["source"] for row in rows(tmp_path / "out/pasted")] == names[1:]
    [reject] = rows(tmp_path / "out/rejects/photos-paste")
    assert (reject["reason"], reject["detail"].partition(":")[0]) == ("changed since", names[0])
