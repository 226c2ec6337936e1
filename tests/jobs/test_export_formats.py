"""Each format of `stylemill export`, read back by libraries that we did not write."""

import io
import json
import tarfile
from pathlib import Path

import datasets
import numpy as np
import pytest
from edits import edits
from exports import bytes_of, export, lines
from PIL import Image, ImageSequence
from tiny_jobs import rows

from jobs.__main__ import main
from pipeline.exports import FORMATS

ALONG = [1, 2, 0, 3, 4]
"""Steps of strengths -2, -1, 1, 2, from the least to the greatest; the source is step 0."""


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def frames_of(edited, index: int, request: int) -> list[np.ndarray]:
    """The pictures of an edit, there and back."""
    pictures = {
        row["step"]: np.asarray(opened(row["image"]["bytes"]))
        for row in rows(edited, "edit_images")
        if (row["index"], row["request"]) == (index, request)
    }
    return [pictures[step] for step in [*ALONG, *ALONG[-2:0:-1]]]


def error(frames: list[np.ndarray], wanted: list[np.ndarray]) -> float:
    """Root of the mean square of the difference of their pixels."""
    return float(np.sqrt(np.mean(np.square(np.float64(frames) - np.float64(wanted)))))


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_continues_and_is_verified(name, edited, tmp_path, capsys):
    if FORMATS[name].needs:
        pytest.importorskip(FORMATS[name].needs[0])
    asked = "old" if FORMATS[name].several else "%"
    shards = ["--rows-per-shard", "4", "--where", f"attribute like '{asked}'"]
    assert export(edited, tmp_path / "whole", *shards, format=name) == 0
    assert export(edited, tmp_path / "some", *shards, "--limit", "1", format=name) == 0
    assert export(edited, tmp_path / "some", *shards, format=name) == 0
    whole, some = (
        {path.name: path.read_bytes() for path in (tmp_path / out / FORMATS[name].folder).iterdir()}
        for out in ("whole", "some")
    )
    assert whole == some
    assert (tmp_path / "whole" / "metadata.csv").read_bytes() == (tmp_path / "some" / "metadata.csv").read_bytes()
    assert main(["verify", str(tmp_path / "some")]) == 0
    keys = [tuple(int(line[name]) for name in ("index", "request", "step")) for line in lines(tmp_path / "some")]
    there = [(row["index"], row["request"], row["step"]) for row in edits(edited)]
    assert keys == [key for key in there if key[1] == 0 or not FORMATS[name].several]


def test_tars_hold_the_bytes_and_their_labels(faces, tmp_path):
    assert export(faces, tmp_path, "--rows-per-shard", "8", format="webdataset") == 0
    tars = sorted((tmp_path / "shards").iterdir())
    assert [tar.name for tar in tars] == ["000000.tar", "000001.tar", "000002.tar"]
    found = {}
    for path in tars:
        with tarfile.open(path) as tar:
            found |= {member.name: tar.extractfile(member).read() for member in tar}
    assert [found[line["member"]] for line in lines(tmp_path)] == bytes_of(faces)
    labels = [json.loads(found[Path(line["member"]).stem + ".json"]) for line in lines(tmp_path)]
    assert labels == rows(faces, "labels")


def test_hugging_face_reads_the_tars(faces, tmp_path):
    assert export(faces, tmp_path / "out", "--rows-per-shard", "8", format="webdataset") == 0
    files = {"data_files": {"train": f"{tmp_path}/out/shards/*.tar"}, "split": "train"}
    found = list(datasets.load_dataset("webdataset", **files, streaming=True))
    assert [row["__key__"] for row in found] == [f"{index:09d}" for index in range(20)]
    assert [row["json"]["smile"] for row in found] == pytest.approx([row["smile"] for row in rows(faces, "labels")])
    np.testing.assert_array_equal(np.asarray(found[7]["jpg"]), np.asarray(opened(bytes_of(faces)[7])))


def test_a_sheet_has_the_faces_in_rows(faces, tmp_path):
    assert export(faces, tmp_path, "--columns", "3", "--size", "32", format="sheet") == 0
    sheets = [tmp_path / "sheets" / f"{first:09d}.jpg" for first in (0, 9, 18)]
    assert sorted((tmp_path / "sheets").iterdir()) == sheets
    assert [line["file_name"] for line in lines(tmp_path)][8:10] == ["sheets/000000000.jpg", "sheets/000000009.jpg"]
    sheet = np.asarray(Image.open(sheets[1]))
    content, gap, line = bytes_of(faces), 8, 5
    for place in range(9):
        row, column = divmod(place, 3)
        top, left = gap + row * (32 + line + gap), gap + column * (32 + gap)
        assert error([sheet[top : top + 32, left : left + 32]], [np.asarray(opened(content[9 + place]))]) < 12


def test_a_sheet_of_edits_has_a_row_for_each(edited, tmp_path):
    assert export(edited, tmp_path, "--size", "32", "--where", "request = 1 and step < 4", format="sheet") == 0
    [path] = (tmp_path / "sheets").iterdir()
    assert path.name == "000000002-01-00.jpg"
    sheet = np.asarray(Image.open(path))
    wanted = [frame for step, frame in zip(ALONG, frames_of(edited, 4, 1), strict=False) if step < 4]
    top = 8 + 2 * (32 + 5 + 8)
    found = [sheet[top : top + 32, left : left + 32] for left in range(8, 8 + 4 * 40, 40)]
    assert error(found, wanted) < 12


@pytest.mark.parametrize("name", ["gif", "webp"])
def test_an_animation_goes_along_the_strengths_and_back(name, edited, tmp_path):
    assert export(edited, tmp_path, "--seconds", "1.2", format=name) == 0
    assert len(list((tmp_path / "morphs").iterdir())) == 12
    with Image.open(tmp_path / "morphs" / f"000000005-01.{name}") as image:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            durations.append(image.info["duration"])
        assert image.info["loop"] == 0
    assert error(frames, frames_of(edited, 5, 1)) < 12
    assert durations == [300] * 8


def test_a_film_goes_along_the_strengths_and_back(edited, tmp_path):
    av = pytest.importorskip("av")
    assert export(edited, tmp_path, "--size", "65", "--index", "5", format="mp4") == 0
    with av.open(tmp_path / "morphs" / "000000005-01.mp4") as film:
        [stream] = film.streams
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 64, 64)
        decoded = list(film.decode(video=0))
    assert [frame.time for frame in decoded] == pytest.approx([0.5 * place for place in range(8)])
    wanted = [np.asarray(Image.fromarray(frame).resize((65, 65), 1))[:64, :64] for frame in frames_of(edited, 5, 1)]
    assert error([frame.to_ndarray(format="rgb24") for frame in decoded], wanted) < 12


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["files", "--columns", "3"], "--columns: --format files does not take this flag"),
        (["sheet", "--seconds", "3"], "--seconds: --format sheet does not take this flag"),
        (["gif"], "--format gif shows edits, and "),
    ],
)
def test_flags_of_other_formats_are_one_line(words, message, faces, tmp_path, refused):
    name, *flags = words
    refused(export(faces, tmp_path / "out", *flags, format=name), message, out=tmp_path / "out")


def test_a_missing_package_is_named_with_its_extra(edited, tmp_path, monkeypatch, refused):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = "--format mp4 needs av: pip install -e '.[video]'"
    refused(export(edited, tmp_path / "out", format="mp4"), said, out=tmp_path / "out")


def test_pictures_of_directions_are_a_row_for_each_face(faces, directions, tmp_path):
    words = ["--latents", f"{faces}/latents", "--directions", str(directions), "--faces", "2", "--size", "32"]
    run = ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--local"]
    assert main(["directions", "strips", *words, *run, "--out", str(tmp_path / "strips")]) == 0
    words = ["--where", "deviations > 0", "--labels", f"{faces}/labels"]
    assert export(tmp_path / "strips", tmp_path / "out", *words, format="files") == 0
    found, labels = lines(tmp_path / "out"), rows(faces, "labels")
    smiles = [labels[int(line["face"])]["smile"] for line in found]
    assert [float(line["source_smile"]) for line in found] == pytest.approx(smiles)
    assert found[0]["file_name"].startswith("pictures/000000000-00-")
    assert {float(line["deviations"]) > 0 for line in found} == {True}
    assert export(tmp_path / "strips", tmp_path / "sheets", format="sheet") == 0
