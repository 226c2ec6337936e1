"""The dataset card: Hugging Face's own readers take it, and it names every network with its terms."""

import json
import shutil

import datasets
import pytest
from exports import export, lines
from huggingface_hub import DatasetCard
from tiny_jobs import rows

from jobs.__main__ import main
from pipeline.models import zoo

NETWORKS = ("mobilestylegan-ffhq", "faceres", "dlib-resnet")


@pytest.fixture
def recorded(faces, tmp_path):
    """The faces, as if these networks had made them."""
    copy = shutil.copytree(faces, tmp_path / "recorded")
    said = {"weights": [zoo.CATALOGUE[name].terms for name in NETWORKS], "command": "stylemill dataset X"}
    for name in ("spec.json", "summary.json"):
        file = copy / ".stylemill" / "dataset" / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **said}))
    return copy


def test_pictures_are_loaded_as_the_card_says(faces, tmp_path):
    scores = [row["smile"] for row in rows(faces, "labels")]
    for format in ("files", "webdataset"):
        out = tmp_path / format
        assert export(faces, out, format=format) == 0
        found = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
        first = found[0]
        assert (first.get("image") or first["jpg"]).size == (32, 32)
        assert [row.get("smile", row.get("json", {}).get("smile")) for row in found] == pytest.approx(scores)


def test_files_of_several_pictures_are_loaded_as_their_lines(edited, tmp_path):
    assert export(edited, tmp_path / "out", format="gif") == 0
    found = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert found["file_name"][:] == [line["file_name"] for line in lines(tmp_path / "out")]


def test_tables_are_loaded_as_the_card_says(faces, tmp_path):
    copy = shutil.copytree(faces, tmp_path / "faces")
    assert main(["export", str(copy), "--format", "card", "--out", str(copy), "--dry-run"]) == 0
    assert not (copy / "README.md").exists()
    assert main(["export", str(copy), "--format", "card", "--out", str(copy)]) == 0
    for name in ("images", "labels", "latents"):
        found = datasets.load_dataset(str(copy), name, split="train", cache_dir=str(tmp_path / "cache"))
        assert found["index"][:] == list(range(20))
    assert "image" in datasets.load_dataset(str(copy), split="train", cache_dir=str(tmp_path / "cache")).features
    assert main(["export", str(copy), "--format", "card", "--out", str(copy)]) == 0  # ours is written over
    assert main(["verify", str(copy)]) == 0


def test_the_card_names_the_networks_their_terms_and_how_the_data_were_made(recorded, tmp_path):
    assert export(recorded, tmp_path / "out", "--where", "index < 7") == 0
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert (card.data.license, card.data.license_name) == ("other", "research-and-education-only")
    assert card.data.size_categories == ["n<1K"]
    for name in NETWORKS:
        terms = zoo.CATALOGUE[name].terms
        [line] = [line for line in card.text.splitlines() if line.startswith(f"| {name} |")]
        assert all(terms[fact] in line for fact in ("source", "licence", "citation", "noncommercial"))
    assert "For research and education only, not for commercial use" in card.text
    assert "7 pictures of 7 generated faces" in card.text
    assert "`stylemill dataset X`" in card.text
    assert f"`stylemill export {recorded} '--where=index < 7' --format=files`" in card.text
    assert "seed 1, psi 0.7" in card.text
    assert "20 planned, 20 published, 0 rejected, 0 failed" in card.text


def test_each_column_of_the_lines_is_explained(edited, tmp_path):
    assert export(edited, tmp_path / "out") == 0
    text = (tmp_path / "out" / "README.md").read_text()
    explained = {line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.count(" | ") == 2}
    assert {*lines(tmp_path / "out")[0]} <= explained
    assert "| – |" not in text


def test_terms_that_are_not_recorded_are_not_made_up(faces, tmp_path):
    copy = shutil.copytree(faces / "images", tmp_path / "alone" / "images").parent
    assert export(copy, tmp_path / "out") == 0
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.license_name == "not-recorded"
    assert "on which terms they may be used is not known" in card.text


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["--where", "index < 3"], "a card is of whole tables", 2),
        (["--columns", "3"], "a card is of whole tables", 2),
        ([], "README.md is not a dataset card of stylemill", 4),
    ],
)
def test_a_card_that_cannot_be_is_one_line(words, message, code, faces, tmp_path, refused):
    (tmp_path / "README.md").write_text("mine")
    refused(main(["export", str(faces), "--format", "card", "--out", str(tmp_path), *words]), message, code)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_directory_without_tables_has_no_card(tmp_path, refused):
    refused(main(["export", str(tmp_path), "--format", "card", "--out", str(tmp_path)]), "holds no table", 1)
