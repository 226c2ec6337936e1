"""Pages of folders that are poor, unfinished, damaged, far away or very small."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
import synthetic_folder
from page_reader import Page

from pipeline import report
from pipeline.errors import StoreError
from pipeline.report import gather, page, pictures


def test_without_pictures_each_face_is_its_number(tmp_path: Path) -> None:
    document = Page.of(report.write(synthetic_folder.make(str(tmp_path), tables=["latents", "labels"])))
    assert not document.all("img")
    assert len(document.all("span", "index")) == page.RANDOM_FACES + 3 * page.STRIP_FACES * 5
    assert "is above 0. No pictures were kept, so each face is shown as its number." in document.text


def test_latents_alone_make_a_page_of_faces_without_scores(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), tables=["latents", "images"], job_records=False)
    document = Page.of(report.write(folder))
    assert len(document.all("img")) == page.RANDOM_FACES
    assert "Attributes" not in [h.text for h in document.all("h2")]
    assert document.one("p", "origin").text == "little, psi 0.7, seed 7"
    assert document.facts()["psi"] == "0.7"
    assert "not recorded beside them" in document.text


def test_latents_without_pictures_or_labels_have_provenance_alone(tmp_path: Path) -> None:
    document = Page.of(report.write(synthetic_folder.make(str(tmp_path), tables=["latents"])))
    assert "Only latents are here" in document.text
    assert not document.all("figure")
    assert document.facts()["Fingerprint"] == synthetic_folder.DIGEST


def test_an_unsealed_folder_shows_the_rows_so_far_and_says_so(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), sealed=False, shards=1, job_records=False)
    synthetic_folder.document(folder, "spec", synthetic_folder.SPEC)
    document = Page.of(report.write(folder))
    assert document.one("p", "state").has("warning")
    assert "Not sealed: latents, labels, images." in document.text
    assert document.facts()["rows here"] == "16"
    assert document.facts()["published"] == "not recorded"
    assert {index for index, _ in document.faces()} == set(range(16))


def test_a_shard_whose_pictures_are_not_published_yet_is_shown_without(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), sealed=False)
    next(Path(folder, "images").glob("part-00001-*")).unlink()
    shown = {index for index, _ in Page.of(report.write(folder)).faces()}
    assert shown
    assert not shown & set(range(16, 32))


def test_a_picture_that_does_not_decode_leaves_the_others(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = pictures.read

    def damaged(images, wanted):
        yield from ((index, b"not a picture" if index == 3 else content) for index, content in read(images, wanted))

    monkeypatch.setattr(pictures, "read", damaged)
    shown = {index for index, _ in Page.of(report.write(folder)).faces()}
    assert 3 not in shown
    assert len(shown) > 30


def test_one_attribute_and_one_row(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), rows=1, attributes=["smile"])
    document = Page.of(report.write(folder))
    assert [index for index, _ in document.faces()] == [0, 0, 0, 0]
    assert {cell.text for cell in document.all("td") if cell.has("same") or cell.has("missing")} == {"1", "–"}
    assert not [cell for cell in document.all("td") if cell.has("plus") or cell.has("minus")]
    assert "standard deviation none" in document.text


def test_a_folder_whose_rows_were_all_rejected(tmp_path: Path) -> None:
    gathered = gather.gather(synthetic_folder.make(str(tmp_path)))
    empty = replace(gathered, labels=gathered.labels.iloc[:0])
    document = Page(page.render(empty, page.choose(empty, 0), {}))
    assert "No row has been published here." in document.text
    assert not document.all("figure")


def test_rows_without_a_finite_score_are_counted_apart(tmp_path: Path) -> None:
    gathered = gather.gather(synthetic_folder.make(str(tmp_path)))
    labels = gathered.labels.copy()
    labels.loc[[0, 1], "smile"] = np.nan
    labels.loc[2, "smile"] = np.inf
    labels["male"] = np.nan
    broken = replace(gathered, labels=labels)
    choice = page.choose(broken, 0)
    assert not {0, 1, 2} & {*choice.strips["smile"].lowest, *choice.strips["smile"].highest}
    assert choice.strips["male"].nearest == ()
    document = Page(page.render(broken, choice, {}))
    assert "of 37); mean" in document.text
    assert "3 without a finite score" in document.text
    assert "none above 0 (0 of 0); mean none" in document.text


@pytest.mark.parametrize(
    "content", [b"{", b"[1, 2]", b'"words"', b'{"spec": 3, "weights": [1], "versions": []}', b"{}"]
)
def test_damaged_or_poor_books_are_said_and_never_stop_the_page(tmp_path: Path, content: bytes) -> None:
    folder = synthetic_folder.make(str(tmp_path), job_records=False)
    synthetic_folder.document(folder, "spec", content)
    synthetic_folder.document(folder, "summary", content)
    document = Page.of(report.write(folder))
    assert document.facts()["Fingerprint"] == "not recorded"
    if not content.startswith(b"{") or content == b"{":
        notes = [e.text for e in document.all("p", "state")][1:]
        assert len(notes) == 2
        assert all("JSON" in note and ".stylemill/dataset/" in note for note in notes)


def test_another_protocol_gives_the_same_page(tmp_path: Path) -> None:
    local = Path(report.write(synthetic_folder.make(str(tmp_path / "report-of-memory")))).read_bytes()
    url = report.write(synthetic_folder.make("memory://report-of-memory"))
    assert url == "memory://report-of-memory/report.html"
    assert fsspec.filesystem("memory").cat_file("/report-of-memory/report.html") == local


def test_a_folder_without_tables_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no table of labels, latents, edits or directions"):
        report.write(str(tmp_path))
    assert not Path(tmp_path, "report.html").exists()


def test_many_attributes_keep_the_page_small(tmp_path: Path) -> None:
    names = [f"attribute_{k:02d}" for k in range(40)]
    folder = synthetic_folder.make(str(tmp_path), rows=60, attributes=names, side=32)
    assert Path(report.write(folder)).stat().st_size < 6_000_000


def test_a_run_that_did_not_end_well_is_said_at_the_top(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), sealed=False, shards=2)
    summary = {
        **synthetic_folder.SUMMARY,
        "exit_code": 1,
        "published": 32,
        "failed": 8,
        "not_run": 4,
        "errors": {"2": "shard 2: the disk is full"},
    }
    synthetic_folder.document(folder, "summary", summary)
    document = Page.of(report.write(folder))
    said = [(e.has("warning"), e.text) for e in document.all("p", "state")]
    assert said[1] == (True, "The last run of dataset ended with exit code 1, some tasks failed")
    assert document.facts()["not run"] == "4"
    assert document.facts()["Shard 2"] == "shard 2: the disk is full"


def test_while_the_first_run_goes_on_the_spec_says_what_is_planned_and_by_which_weights(tmp_path: Path) -> None:
    folder = synthetic_folder.make(str(tmp_path), sealed=False, shards=1, job_records=False)
    spec = {**synthetic_folder.SPEC, "planned": 42, "weights": synthetic_folder.SUMMARY["weights"]}
    synthetic_folder.document(folder, "spec", spec)
    document = Page.of(report.write(folder))
    assert document.facts()["planned"] == "42"
    assert document.facts()["published"] == "not recorded"
    assert len(document.all("span", "tag")) == 2


def test_a_run_that_found_nothing_to_do_boasts_no_speed(folder: str) -> None:
    idle = {**synthetic_folder.SUMMARY, "seconds": 0.01, "rows_per_second": 0.0, "counters": {}}
    synthetic_folder.document(folder, "summary", idle)
    facts = Page.of(report.write(folder)).facts()
    assert "last run" not in facts
    assert "rows per second" not in facts


def test_pages_are_made_without_torch() -> None:
    program = """
import importlib, pkgutil, sys
import pipeline.report
for found in pkgutil.walk_packages(pipeline.report.__path__, "pipeline.report."):
    importlib.import_module(found.name)
    assert "torch" not in sys.modules, found.name
"""
    root = Path(report.__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False)
    assert not ran.returncode, ran.stderr
