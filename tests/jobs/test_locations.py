"""Flags that name places: an empty one, a slash too few or too many is refused before anything is written."""

import pytest
from tiny_jobs import TINY, dataset

from jobs.__main__ import main
from jobs.command_line import METAVARS
from jobs.flags import parse
from jobs.label import LabelSpec
from jobs.locations import FIELDS, PLACES
from jobs.measure import MeasureSpec
from jobs.status import StatusSpec

WRONG = {"": "empty path (was a variable unset?)", "s3:/bucket": "write s3://bucket", "s3://b//x": "write s3://b/x"}
COMMANDS = {
    "out": [
        ["dataset", *TINY, "--rows", "8", "--out", "{}"],
        ["sample", "--out={}"],
        ["label", "--latents", "x", "--out", "{}"],
        ["edit", "ials", "--latents", "x", "--attribute", "smile", "--out", "{}"],
        ["measure", "--edits", "x", "--out", "{}"],
        ["directions", "fit", "--latents", "x", "--labels", "y", "--out", "{}"],
        ["directions", "import", "--format", "e4e", "x.pt", "--out", "{}"],
        ["directions", "export", "--format", "e4e", "--directions", "x", "--out", "{}"],
        ["directions", "compare", "--directions", "x", "--out", "{}"],
        ["reproduce", "interfacegan", "--out", "{}"],
        ["demo", "--out", "{}"],
        ["status", "{}"],
        ["verify", "{}"],
        ["report", "{}"],
    ],
    "latents": [["label", "--latents", "{}", "--out", "o"], ["dt", "--latents", "{}", "--labels", "y", "--out", "o"]],
    "labels": [["directions", "compare", "--directions", "x", "--labels", "{}", "--out", "o"]],
    "directions": [["edit", "ials", "--latents", "x", "--directions", "{}", "--attribute", "smile", "--out", "o"]],
    "edits": [["measure", "--edits", "{}", "--out", "o"]],
    "codes": [["directions", "fit", "--codes", "{}", "--scores", "s.npy", "--attribute", "a", "--out", "o"]],
    "scores": [["directions", "fit", "--codes", "c.npy", "--scores", "{}", "--attribute", "a", "--out", "o"]],
    "files": [["directions", "import", "--format", "e4e", "{}", "--out", "o"]],
    "from_": [["reproduce", "ials", "--from", "{}", "--out", "o"]],
    "working_dir": [["submit", "--address", "http://h:1", "--working-dir", "{}", "--", "sample", "--out", "/o"]],
}


@pytest.mark.parametrize(
    "words", [words for each in COMMANDS.values() for words in each], ids=lambda words: " ".join(words[:3])
)
@pytest.mark.parametrize("url", WRONG)
def test_a_place_that_cannot_be_meant_is_refused(tmp_path, monkeypatch, capsys, words, url):
    monkeypatch.chdir(tmp_path)
    try:
        code = main([word.replace("{}", url) for word in words])
    except SystemExit as left:
        code = left.code
    said = capsys.readouterr().err
    assert code == 2, said
    assert list(tmp_path.iterdir()) == []
    lists = url == "" and any(word.startswith(("--latents", "--edits")) for word in words) and "o" in words
    assert WRONG[url] in said or lists, said


@pytest.mark.parametrize("words", [["--latents", "a/latents,"], ["--latents", "x", "--attributes", "smile,,old"]])
def test_an_empty_word_beside_a_comma_is_refused(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    assert main(["label", "--out", "o", *words]) == 2
    assert "was a variable unset?" in capsys.readouterr().err


def test_relative_paths_are_taken_from_here_but_for_what_this_process_alone_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--latents", "a/latents,s3://b/latents", "--labels", "l", "--calibration", "c.json", "--out", "o"]
    spec = parse(LabelSpec, words)
    assert spec.latents == (f"{tmp_path}/a/latents", "s3://b/latents")
    assert (spec.labels, spec.calibration) == ((f"{tmp_path}/l",), f"{tmp_path}/c.json")
    assert spec.out == f"{tmp_path}/o"
    assert parse(MeasureSpec, ["--edits", "e", "--out", "o"]).edits == ("e",)
    assert parse(StatusSpec, ["o"]).out == "o"


def test_workers_have_no_memory_in_common(capsys):
    words = [word for word in TINY if word != "--local"]
    assert main(["dataset", *words, "--rows", "8", "--out", "memory://gone"]) == 2
    assert "workers do not see the memory of this process" in capsys.readouterr().err


def test_memory_that_ends_with_the_process_is_noted(capsys):
    assert dataset("memory://places/set", "--rows", "4") == 0
    assert "Note  memory://places/set is in the memory of this process" in capsys.readouterr().err


def test_every_flag_that_takes_a_place_is_looked_at():
    shown = {name for name, metavar in METAVARS.items() if metavar.startswith(PLACES)}
    assert shown <= {*FIELDS}
