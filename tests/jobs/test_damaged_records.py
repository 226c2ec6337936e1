"""JobRecords that are empty, cut off or of another shape: one line that names the file, and removing it is safe."""

import shutil
from pathlib import Path

import pytest
from tiny_jobs import dataset, tables

from jobs.__main__ import main
from pipeline.engine.plan import HALF_RETRIED

WORDS = ("--rows", "20", "--rows-per-shard", "8", "--images", "png")
BOOKS = Path(".stylemill/dataset")


@pytest.fixture
def out(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "set"))


def one_line(capsys) -> str:
    said = capsys.readouterr().err.strip().splitlines()
    assert not any("Traceback" in line for line in said)
    return said[-1]


def assert_nothing_is_lost(out: Path, made: Path, capsys) -> None:
    """The same command, and no shard is made again."""
    assert dataset(out, *WORDS) == 0
    assert "3 shards, 20 rows: all done" in capsys.readouterr().err
    assert tables(out) == tables(made)
    assert main(["status", str(out), "--check"]) == 0
    assert main(["verify", str(out)]) == 0


SAFE = "delete it, which is safe"


@pytest.mark.parametrize(
    ("verb", "name", "content", "message"),
    [
        ("status", "spec.json", "{", SAFE),
        ("dataset", "spec.json", "{}", SAFE),
        ("status", "summary.json", "{", SAFE),
        ("status", "suspects.json", '{"one": "damaged"}', ""),
        ("dataset", "lease.json", "{}", "make sure that none is, delete that file"),
    ],
)
def test_a_file_of_the_books(out, made, capsys, verb, name, content, message):
    file = out / BOOKS / name
    file.write_text(content)
    assert (dataset(out, *WORDS) if verb == "dataset" else main([verb, str(out)])) == 1
    said = one_line(capsys)
    assert str(file) in said
    assert message in said
    file.unlink()
    assert_nothing_is_lost(out, made, capsys)


@pytest.mark.parametrize(
    "content",
    ["{", '{"shard": 1, "parts": {}, "counters": {"seconds": "x"}}'],
)
def test_outcomes(out, made, capsys, content):
    (file,) = (out / BOOKS / "outcomes").glob("*.jsonl")
    file.write_text(file.read_text() + content)
    assert main(["status", str(out)]) == 1
    said = one_line(capsys)
    assert f"{file} line 4 is not an outcome" in said
    assert SAFE in said
    file.unlink()
    assert_nothing_is_lost(out, made, capsys)


@pytest.mark.parametrize("suspects", ["{}", f'{{"1": "{HALF_RETRIED}"}}'])
def test_an_outcome_without_its_parts_has_them_made_again(out, made, capsys, suspects):
    (file,) = (out / BOOKS / "outcomes").glob("*.jsonl")
    file.write_text(file.read_text() + '{"shard": 1, "parts": {}, "rejects": {}}\n')
    (out / BOOKS / "suspects.json").write_text(suspects)
    assert main(["status", str(out)]) == 0
    assert dataset(out, *WORDS) == 0
    assert "2 done, 1 to run" in capsys.readouterr().err
    assert_nothing_is_lost(out, made, capsys)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("outcomes", "000001-000000 (copy).jsonl"),
        ("attempts", "a-b.jsonl"),
    ],
)
def test_a_foreign_file(out, made, capsys, folder, name):
    (out / BOOKS / folder / name).write_bytes(b"\xff not ours")
    part = out / "labels/part-00001-of-00003.parquet"
    part.unlink()
    assert dataset(out, *WORDS) == 0
    assert main(["status", str(out), "--check"]) == 0
    assert (out / BOOKS / folder / name).exists()
    assert_nothing_is_lost(out, made, capsys)


def test_owner(out, made, capsys):
    file = out / "labels/.stylemill/owner.json"
    whole = file.read_bytes()
    file.write_text("{")
    assert dataset(out, *WORDS) == 1
    said = one_line(capsys)
    assert str(file) in said
    assert 'write {"verb": VERB, "fingerprint": F} into it' in said
    file.write_bytes(whole)
    assert_nothing_is_lost(out, made, capsys)


@pytest.mark.parametrize("content", ['{"parts": [3]}', '{"versions": {"stylemill": "99.0"}}'])
def test_manifest(out, made, capsys, content):
    file = out / "labels/.stylemill/manifest.json"
    file.write_text(content)
    assert main(["verify", str(out)]) == 1
    said = capsys.readouterr().err
    assert ".stylemill/manifest.json" in said
    assert "delete it, the parts stay" in said
    assert ("99.0 wrote it" in said) == ("99.0" in content)
    assert main(["directions", "fit", "--latents", f"{out}/latents", "--labels", f"{out}/labels", "--out", "x"]) != 0
    assert str(file) in one_line(capsys)
    file.unlink()
    assert_nothing_is_lost(out, made, capsys)


def test_an_empty_manifest_is_none(out, capsys):
    (out / "labels/.stylemill/manifest.json").write_bytes(b"")
    assert main(["status", str(out), "--check"]) == 1
    assert "no: the same command seals" in capsys.readouterr().out
