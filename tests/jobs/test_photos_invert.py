"""`stylemill photos invert`: aligned faces become latents, by networks that compare small pictures."""

import io

import numpy as np
import pytest
import torch
from discs import discs
from edits import edit
from PIL import Image

import schemas
from jobs.__main__ import main
from pipeline.models import generators
from pipeline.stages.encoders import read_encoder
from pipeline.tables import Table

HOW = ("--generator", "stylegan2-tiny", "--networks", "tiny", "--classifiers", "tiny", "--batch-size", "4", "--local")
OPEN = ("--max-lpips", "9", "--max-identity-dlib", "9")


def invert(aligned, out, *words: str) -> int:
    return main(["photos", "invert", str(aligned), *HOW, *words, "--out", str(out)])


def rows(out, name: str) -> list[dict]:
    return Table.open(f"{out}/{name}").read().to_pylist()


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """Seven faces of five photos."""
    folder = tmp_path_factory.mktemp("aligned")
    discs(folder / "in")
    how = ("--networks", "tiny", "--size", "32", "--min-sharpness", "0", "--min-size", "20", "--local")
    assert main(["photos", "align", str(folder / "in"), *how, "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def inverted(aligned, tmp_path_factory):
    out = tmp_path_factory.mktemp("inverted")
    assert invert(aligned, out, *OPEN, "--steps", "3", "--images", "png", "--size", "32") == 0
    return out


def pixels(rows: list[dict]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])), dtype=float) / 255 for row in rows])


def test_each_aligned_face_has_a_code_its_picture_and_how_alike_they_are(aligned, inverted):
    found, faces = rows(inverted, "inversions"), rows(aligned, "images")
    assert [(row["photo"], row["face_number"]) for row in found] == [
        (row["index"], row["face_number"]) for row in faces
    ]
    assert [row["index"] for row in found] == [row["index"] for row in rows(inverted, "latents")] == list(range(7))
    error = np.square(pixels(faces) - pixels(rows(inverted, "images"))).mean(axis=(1, 2, 3))
    np.testing.assert_allclose([row["psnr"] for row in found], -10 * np.log10(error), atol=0.1)
    assert {row["steps"] for row in found} == {3}
    for row in found:
        assert row["agreement"] == pytest.approx(1 - len(list(filter(None, row["differ"].split(",")))) / 5)
    assert main(["verify", str(inverted)]) == 0


def test_a_page_shows_photos_beside_inversions_the_least_alike_first(aligned, inverted):
    assert main(["report", str(inverted)]) == 0
    page = (inverted / "inversions.html").read_text()
    assert page.count("<img ") == 14
    worst = max(rows(inverted, "inversions"), key=lambda row: row["lpips_alex"])
    assert page.index(f"photo {worst['photo']}, face {worst['face_number']}") == page.index(
        "photo ", page.index("<img ")
    )
    assert "people who agreed" in page


def test_edit_takes_the_codes(inverted, directions, tmp_path):
    assert (
        edit(f"{inverted}/latents", directions, tmp_path, "--space", "w+", "--attribute", "old", "--strengths=1") == 0
    )
    assert {row["index"] for row in rows(tmp_path, "edits")} == set(range(7))


def test_faces_unlike_their_photo_are_rejected_with_what_was_measured(aligned, inverted, tmp_path):
    whole = rows(inverted, "inversions")
    lpips = sorted(row["lpips_alex"] for row in whole)
    place = int(np.argmax(np.diff(lpips)))
    most = (lpips[place] + lpips[place + 1]) / 2
    assert invert(aligned, tmp_path, *OPEN, "--max-lpips", str(most), "--steps", "3") == 0
    assert rows(tmp_path, "inversions") == [row for row in whole if row["lpips_alex"] < most]
    rejects = rows(tmp_path, "rejects/photos-invert")
    assert {row["reason"] for row in rejects} == {"not alike"}
    assert [row["index"] for row in rejects] == [row["index"] for row in whole if row["lpips_alex"] > most]
    assert "photo " in rejects[0]["detail"]
    assert "identity_dlib" in rejects[0]["detail"]


def test_a_budget_becomes_steps_once(aligned, tmp_path, capsys):
    assert invert(aligned, tmp_path, *OPEN, "--budget", "0.001", "--limit", "1", "--rows-per-shard", "4") == 0
    assert "--budget 0.001: 10 steps of" in capsys.readouterr().err
    assert invert(aligned, tmp_path, *OPEN, "--budget", "0.001", "--rows-per-shard", "4") == 0
    assert "steps of" not in capsys.readouterr().err
    assert {row["steps"] for row in rows(tmp_path, "inversions")} == {10}


def test_codes_start_from_an_encoder_where_one_is_given(aligned, tmp_path, capsys):
    learn = ["--features", "tiny", "--rows", "24", "--held-out", "4", "--rank", "4", "--batch-size", "4", "--local"]
    assert main(["train", "encoder", *HOW[:2], *learn, "--out", str(tmp_path / "encoder")]) == 0
    given = ["--encoder", str(tmp_path / "encoder" / "artifact"), "--steps", "1", "--step-size", "1e-9", "--in-w", "0"]
    capsys.readouterr()
    assert invert(aligned, tmp_path / "out", *OPEN, *given) == 0
    assert "mean face" not in capsys.readouterr().err
    encoder = read_encoder(str(tmp_path / "encoder" / "artifact"), generators.load("stylegan2-tiny", backend="eager"))
    x_N3HW = torch.from_numpy(pixels(rows(aligned, "images"))).permute(0, 3, 1, 2).float() * 2 - 1
    codes = [row["ws"] for row in rows(tmp_path / "out", "latents")]
    torch.testing.assert_close(torch.tensor(codes), encoder.encode(x_N3HW), rtol=1e-3, atol=1e-3)
    assert invert(aligned, tmp_path / "out", *OPEN, *given[2:], "--start", "mean") == 4
    assert "start: encoder there, mean asked" in capsys.readouterr().err


def test_a_dry_run_tells_hours(aligned, tmp_path, capsys):
    assert invert(aligned, tmp_path / "out", "--steps", "3", "--dry-run") == 0
    told = capsys.readouterr().err
    assert "7 faces, 3 steps each" in told
    assert "hours of one worker" in told
    assert not (tmp_path / "out").exists()


def test_a_damaged_picture_is_rejected_alone(aligned, tmp_path):
    faces = rows(aligned, "images")[:2]
    faces[0]["image"]["bytes"] = faces[0]["image"]["bytes"][:80]
    table = Table.create(str(tmp_path / "in" / "images"), schemas.face_images(), rows=1, rows_per_shard=1)
    columns = {name: [row[name] for row in faces] for name in faces[0]}
    columns["index"], columns["face_number"] = [0, 0], [0, 1]
    table.seal([table.publish(0, schemas.face_images().rows(columns))], {})
    assert invert(tmp_path / "in", tmp_path / "out", *OPEN, "--steps", "1") == 0
    assert [row["index"] for row in rows(tmp_path / "out", "latents")] == [1]
    (reject,) = rows(tmp_path / "out", "rejects/photos-invert")
    assert (reject["index"], reject["reason"]) == (0, "damaged picture")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{aligned}", "--steps", "3", "--budget", "9"], "--budget decides the steps"),
        (["{aligned}", "--start", "encoder"], "no encoder is kept for stylegan2-tiny: stylemill train encoder"),
        (["{aligned}", "--start", "mean", "--encoder", "x"], "--start mean needs no encoder"),
        (["{aligned}/faces"], "has no table images"),
        (["{inverted}"], "is a table of images, not of faces"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words, said, aligned, inverted, tmp_path, refused):
    given = [word.format(aligned=aligned, inverted=inverted) for word in words]
    refused(main(["photos", "invert", *given, *HOW, "--out", str(tmp_path)]), said)
