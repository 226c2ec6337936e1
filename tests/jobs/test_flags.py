"""Specs from flags and YAML: what is wrong is said in one line, with the flag's name."""

from pathlib import Path

import pytest

from jobs.dataset import DatasetSpec
from jobs.edit.spec import EditSpec
from jobs.flags import parse
from jobs.label import LabelSpec
from pipeline.errors import SpecError


def dataset(*words: str) -> DatasetSpec:
    return parse(DatasetSpec, "dataset", words)


def test_flags_and_defaults():
    spec = dataset("--out", "x", "--rows", "7", "--attributes", "old,smile", "--local")
    assert (spec.out, spec.rows, spec.attributes, spec.local, spec.psi) == (
        str(Path("x").absolute()),
        7,
        ("old", "smile"),
        True,
        0.7,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rows", "0"], "--rows 0: input should be greater than 0"),
        (["--psi", "nan"], "--psi nan: input should be a finite number"),
        (["--psi", "inf"], "--psi inf: input should be a finite number"),
        (["--seed", "-1"], "--seed -1: input should be greater than or equal to 0"),
        (["--attributes", ","], "--attributes"),
        (["--gpus-per-worker", "1.5"], "--gpus-per-worker 1.5: give a whole number of GPUs, or a fraction of one"),
        (["--gpus-per-worker", "nan"], "--gpus-per-worker nan: input should be a finite number"),
        (["--gpus-per-worker", "inf"], "--gpus-per-worker inf: input should be a finite number"),
        (["--quality", "101"], "--quality 101: input should be less than or equal to 100"),
        (["--local", "--workers", "2"], "--local is one worker in this process"),
        (["--local", "--address", "a:1"], "--local and --address exclude each other"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_flag(words, message):
    with pytest.raises(SpecError) as raised:
        dataset("--out", "x", *words)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("given", "gpus"), [("0.5", 0.5), ("1", 1.0), ("2", 2.0), ("0", 0.0)])
def test_a_worker_has_whole_gpus_or_a_share_of_one(given, gpus):
    assert dataset("--out", "x", "--gpus-per-worker", given).gpus_per_worker == gpus


@pytest.mark.parametrize("words", [["--strengths", "-3,-1"], ["--strengths=-3,-1"], ["--strengths", "-3,-.1e1"]])
def test_numbers_that_begin_with_a_minus_are_no_flag(words):
    rest = ["--latents", "l", "--directions", "d", "--attribute", "old", "--out", "x"]
    assert parse(EditSpec, "edit", [*words, *rest]).strengths == (-3.0, -1.0)
    assert parse(EditSpec, "edit", [*rest, "--strengths", "-3"]).strengths == (-3.0,)


def test_yaml_gives_defaults_and_flags_win(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("out: there\nrows: 5\nattributes: [male, yaw]\nrows-per-shard: 4\nimages: jpeg\n")
    spec = dataset("--spec", str(file), "--rows", "9")
    assert (spec.out, spec.rows, spec.attributes, spec.rows_per_shard) == (
        str(Path("there").absolute()),
        9,
        ("male", "yaw"),
        4,
    )
    assert dataset(f"--spec={file}").images == "jpeg"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: 5\nroes: 6", "unknown key 'roes'"),
        ("rows: [", "is not YAML"),
        ("- a\n- b", "must hold 'flag: value' lines"),
        ("out: x\nrows: many", "--rows many: "),
        ("out: x\nsize: 3.5", "--size 3.5: "),
    ],
)
def test_a_bad_yaml_file_is_named(tmp_path, text, message):
    file = tmp_path / "job.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as raised:
        dataset("--spec", str(file))
    assert message in str(raised.value)


def test_a_missing_yaml_file_is_named():
    with pytest.raises(SpecError, match=r"--spec nowhere.yaml: No such file"):
        dataset("--spec", "nowhere.yaml")


@pytest.mark.parametrize("words", [[], ["--out", "x", "--rws", "3"], ["--out", "x", "--images", "gif"]])
def test_wrong_flags_end_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as raised:
        dataset(*words)
    assert raised.value.code == 2


@pytest.mark.parametrize(("kind", "verb"), [(DatasetSpec, "dataset"), (LabelSpec, "label")])
def test_help_shows_an_example(kind, verb, capsys):
    with pytest.raises(SystemExit) as raised:
        parse(kind, verb, ["--help"])
    assert raised.value.code == 0
    shown = capsys.readouterr().out
    assert f"stylemill {verb} --" in shown
    assert "--rows-per-shard" in shown
