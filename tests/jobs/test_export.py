"""`stylemill export`: other libraries read what it writes, and it says what it was not given."""

import io
import json
from pathlib import Path

import datasets
import numpy as np
import pytest
from edits import edits
from exports import bytes_of, export, lines
from PIL import Image
from tiny_jobs import rows

from jobs.__main__ import main
from pipeline.stages import pictured
from pipeline.tables import Table


def summary(out) -> dict:
    return json.loads(Path(out, ".stylemill", "export", "summary.json").read_text())


def test_pictures_are_copied_with_the_labels_of_their_faces(faces, tmp_path):
    assert export(faces, tmp_path, "--rows-per-shard", "6") == 0
    found, labels = lines(tmp_path), rows(faces, "labels")
    assert [line["file_name"] for line in found] == [f"pictures/{index:09d}.jpg" for index in range(20)]
    assert [(tmp_path / line["file_name"]).read_bytes() for line in found] == bytes_of(faces)
    for line, label in zip(found, labels, strict=True):
        assert {name: float(line[name]) for name in label} == pytest.approx(label)
    assert main(["verify", str(tmp_path)]) == 0


def test_hugging_face_reads_the_files_as_a_folder_of_images(faces, tmp_path):
    assert export(faces, tmp_path / "out") == 0
    files = {"train": [f"{tmp_path}/out/pictures/*", f"{tmp_path}/out/metadata.csv"]}
    found = datasets.load_dataset("imagefolder", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    assert found["smile"][:] == pytest.approx([row["smile"] for row in rows(faces, "labels")])
    wanted = [np.asarray(Image.open(io.BytesIO(content))) for content in bytes_of(faces)]
    np.testing.assert_array_equal([np.asarray(image) for image in found["image"]], wanted)


def test_some_pictures_are_chosen_by_their_labels(faces, tmp_path):
    labels = rows(faces, "labels")
    smile = float(np.median([row["smile"] for row in labels]))
    wanted = [row["index"] for row in labels if row["smile"] > smile and row["index"] >= 3]
    assert export(faces, tmp_path, "--index", "3:20", "--where", f"smile > {smile}") == 0
    assert [int(line["index"]) for line in lines(tmp_path)] == wanted
    assert len(list((tmp_path / "pictures").iterdir())) == len(wanted)
    assert summary(tmp_path)["published"] == len(wanted)


def test_pictures_of_edits_are_chosen_by_scores_and_requests(edited, tmp_path):
    table = edits(edited)
    judged = float(np.median([row["judge_old"] for row in table]))
    where = f"attribute = 'old' and step > 0 and judge_old > {judged}"
    wanted = [row for row in table if row["request"] == 0 and row["step"] > 0 and row["judge_old"] > judged]
    assert export(edited, tmp_path, "--where", where) == 0
    names = [f"pictures/{row['index']:09d}-00-{row['step']:02d}.png" for row in wanted]
    assert [line["file_name"] for line in lines(tmp_path)] == names
    assert [float(line["strength"]) for line in lines(tmp_path)] == [row["strength"] for row in wanted]
    assert {(line["attribute"], line["target"]) for line in lines(tmp_path)} == {("old", "1")}
    content = {tuple(row[n] for n in ("index", "request", "step")): row["image"] for row in rows(edited, "edit_images")}
    for name, row in zip(names, wanted, strict=True):
        assert (tmp_path / name).read_bytes() == content[row["index"], 0, row["step"]]["bytes"]


def test_edits_are_chosen_by_what_their_sources_were(faces, edited, tmp_path):
    labels = {row["index"]: row["smile"] for row in rows(faces, "labels")}
    words = ["--labels", f"{faces}/labels", "--top", "9", "source_smile"]
    assert export(edited, tmp_path, *words) == 0
    wanted = max((index for index in labels if 2 <= index < 8), key=labels.__getitem__)
    assert {int(line["index"]) for line in lines(tmp_path)} == {wanted}
    assert [float(line["source_smile"]) for line in lines(tmp_path)] == pytest.approx([labels[wanted]] * 9)


def test_few_pictures_of_many_are_read_in_small_ranges(edited, tmp_path, monkeypatch):
    read, spans = Table.read, []

    def noted(table, columns=None, shards=None, indices=None):
        spans.extend([len(indices)] if indices is not None else [])
        return read(table, columns, shards, indices)

    monkeypatch.setattr(pictured, "TOGETHER", 2)
    monkeypatch.setattr(Table, "read", noted)
    assert export(edited, tmp_path, "--where", "index in (2, 3, 6, 7) and step <> 2") == 0
    assert max(spans) == 2
    monkeypatch.undo()
    content = {tuple(row[n] for n in ("index", "request", "step")): row["image"] for row in rows(edited, "edit_images")}
    keys = [tuple(int(line[name]) for name in ("index", "request", "step")) for line in lines(tmp_path)]
    assert keys == [key for key in content if key[0] in (2, 3, 6, 7) and key[2] != 2]
    files = [(tmp_path / line["file_name"]).read_bytes() for line in lines(tmp_path)]
    assert files == [content[key]["bytes"] for key in keys]


def damaged(faces, out) -> int:
    """The pictures of faces, of which one is none; its index."""
    table = Table.open(f"{faces}/images")
    found = table.read().to_pylist()
    found[9]["image"]["bytes"] = b"no picture"
    made = Table.create(f"{out}/images", table.schema, rows=20, rows_per_shard=20)
    columns = {name: [row[name] for row in found] for name in ("index", "image")}
    made.seal([made.publish(0, table.schema.rows(columns))], {}, "f" * 64)
    return found[9]["index"]


def test_a_face_whose_picture_cannot_be_read_is_rejected(faces, tmp_path, capsys):
    index = damaged(faces, tmp_path)
    assert export(tmp_path, tmp_path / "out") == 0
    assert "20 rows = 19 published + 1 rejected (1 undecodable) + 0 failed" in capsys.readouterr().err
    assert [row["index"] for row in rows(tmp_path / "out", "rejects/export")] == [index]
    assert str(index) not in [line["index"] for line in lines(tmp_path / "out")]
    assert export(tmp_path, tmp_path / "out", "--max-rejects", "0") == 3


def test_files_that_are_missing_or_changed_are_found_and_written_again(faces, tmp_path, capsys):
    assert export(faces, tmp_path, "--rows-per-shard", "8") == 0
    one, other = tmp_path / "pictures" / "000000003.jpg", tmp_path / "pictures" / "000000019.jpg"
    before = one.read_bytes(), other.read_bytes()
    one.unlink()
    other.write_bytes(b"x" * len(before[1]))
    assert main(["verify", str(tmp_path), "--fast"]) == 1
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "pictures/000000003.jpg is missing" in said
    assert "pictures/000000019.jpg is not what was written" in said
    assert export(faces, tmp_path, "--rows-per-shard", "8") == 0
    assert "2 to run (2 found damaged by verify)" in capsys.readouterr().err
    assert (one.read_bytes(), other.read_bytes()) == before
    assert main(["verify", str(tmp_path)]) == 0


def test_another_choice_is_refused_and_replaced_with_all_its_files(faces, tmp_path, capsys):
    assert export(faces, tmp_path) == 0
    assert export(faces, tmp_path, "--index", "0:5") == 4
    assert "chosen" in capsys.readouterr().err
    assert export(faces, tmp_path, "--index", "0:5", "--replace") == 0
    assert len(list((tmp_path / "pictures").iterdir())) == len(lines(tmp_path)) == 5


def test_files_that_no_export_made_are_never_touched(faces, tmp_path, refused):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "mine.jpg").write_bytes(b"mine")
    for words in ((), ("--replace",)):
        assert export(faces, tmp_path, *words) == 4
    assert (tmp_path / "pictures" / "mine.jpg").read_bytes() == b"mine"


def test_a_url_is_read_and_written(faces):
    out = "memory://exported/here"
    assert export(f"file://{faces}", out, "--index", "4") == 0
    [name] = [row["file"] for row in rows(out, "exported")]
    import fsspec

    assert fsspec.filesystem("memory").cat(f"/exported/here/{name}") == bytes_of(faces)[4]


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["{faces}", "--where", "smil > 0"], "the columns are index, smile, male, old, eyeglasses, yaw, age_years", 2),
        (["{edited}", "--where", "judge_oldd > 0"], "judge_yaw, attribute, target, conditions", 2),
        (["{faces}", "--where", "smile > 1e9"], "no row of the 20", 2),
        (["{faces}", "--labels", "{faces}/images"], "is a table of images, not of labels", 2),
        (["{faces}", "--format", "zip"], "choose from files, webdataset, sheet, gif, webp, mp4, slider, card", 2),
        (["{faces}/labels"], "is a table of labels, without pictures", 2),
        (["{directions}"], "without pictures: `stylemill directions export` writes directions as files", 2),
        (["{faces}/nowhere"], "holds no table; check the path", 2),
        (["{sampled}"], "has the tables latents, and none with pictures", 2),
        (["{faces}", "--device", "cpu"], "no network is used", 2),
        (["{faces}", "--retry-rejected"], "a picture that cannot be read stays so", 2),
    ],
)
def test_what_cannot_be_is_one_line(words, message, code, faces, edited, directions, latents, tmp_path, refused):
    given = {"faces": faces, "edited": edited, "directions": directions, "sampled": Path(latents).parent}
    pictures, *more = [word.format(**given) for word in words]
    kind = [] if "--format" in more else ["--format", "files"]
    refused(main(["export", pictures, *kind, *more, "--local", "--out", str(tmp_path / "out")]), message, code)
    assert not (tmp_path / "out").exists()


def test_two_tables_of_pictures_are_told_apart(faces, edited, tmp_path, refused):
    both = tmp_path / "both"
    both.mkdir()
    (both / "images").symlink_to(faces / "images")
    (both / "edit_images").symlink_to(edited / "edit_images")
    refused(export(both, tmp_path / "out"), "has several tables with pictures: name one of")
    assert export(both / "images", tmp_path / "out", "--index", "0") == 0
