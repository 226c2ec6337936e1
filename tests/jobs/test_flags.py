"""Specs from flags and YAML: what is wrong is said in one line, with the flag's name."""

import re
from pathlib import Path

import pytest
from test_readme import ELSEWHERE, SPECS, kind_of

from jobs.command_line import flag_of
from jobs.dataset import DatasetSpec
from jobs.edit.spec import SPECS as EDIT_SPECS
from jobs.flags import command_of, parse
from jobs.label import LabelSpec
from jobs.sample import SampleSpec
from jobs.submit import SubmitSpec
from jobs.verify import VerifySpec
from pipeline.errors import SpecError

ROOT = Path(__file__).parents[2]


def dataset(*words: str) -> DatasetSpec:
    return parse(DatasetSpec, words)


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
        (["--rows", str(2**62 + 1)], f"--rows {2**62 + 1}: input should be less than or equal to {2**62}"),
        (["--range", f"0:{2**62 + 1}"], f"and at most {2**62}"),
        (["--psi", "nan"], "--psi nan: input should be a finite number"),
        (["--seed", "-1"], "--seed -1: input should be greater than or equal to 0"),
        (["--attributes", ","], "--attributes"),
        (["--gpus-per-worker", "1.5"], "--gpus-per-worker 1.5: give a whole number of GPUs, or a fraction of one"),
        (["--gpus-per-worker", "nan"], "--gpus-per-worker nan: input should be a finite number"),
        (["--seed", "99999999999999999999999"], "--seed 99999999999999999999999: "),
        (["--rows-per-shard", str(2**63)], f"--rows-per-shard {2**63}: give a number up to {2**63 - 1}"),
        (["--threads", "1025"], "--threads 1025: input should be less than or equal to 1024"),
        (["--task-timeout", "1e30"], "--task-timeout 1e+30: input should be less than or equal to 10000000"),
        (["--psi", "1e300"], "--psi 1e+300: give a number up to 3.4e+38"),
        (["--range", f"0:{2**63}"], f"--range 0:{2**63}: give FIRST:STOP"),
        (["--range", "5:5"], "--range 5:5: give FIRST:STOP with STOP above FIRST"),
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
    assert parse(EDIT_SPECS["interfacegan"], [*words, *rest]).strengths == (-3.0, -1.0)
    assert parse(EDIT_SPECS["interfacegan"], [*rest, "--strengths", "-3"]).strengths == (-3.0,)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (DatasetSpec, ["--out", "a b", "--psi", "-0.5", "--attributes", "old,smile", "--local", "--range", "3:1000"]),
        (LabelSpec, ["--latents", "l,m", "--out", "x", "--top", "10", "0-age_years", "--where", "a = 'b c'"]),
        (SubmitSpec, ["--env", "A=1,2", "--env", "B", "--no-wait"]),
        (VerifySpec, ["a b", "--fast"]),
        (
            EDIT_SPECS["interfacegan"],
            ["--latents", "l", "--directions", "d", "--attribute", "old", "--strengths", "-3,1e-7", "--out", "x"],
        ),
    ],
)
def test_odd_values_come_back_from_the_command_line_that_is_written(kind, words):
    spec = parse(kind, words)
    size = len(kind.VERB.split())
    assert parse(kind, command_of(spec)[size:]) == spec


@pytest.mark.parametrize("words", [[], ["--out", "x", "--rws", "3"], ["--out", "x", "--images", "gif"]])
def test_wrong_flags_end_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as raised:
        dataset(*words)
    assert raised.value.code == 2


@pytest.mark.parametrize("verb", [*SPECS, *ELSEWHERE])
def test_a_help_names_its_values_and_says_no_default_that_is_none(verb, capsys):
    with pytest.raises(SystemExit):
        parse(kind_of(verb), ["--help"])
    shown = capsys.readouterr().out
    assert not re.search(r"default: (None|False|''|\))|\bSTR\b|\(\)", shown), shown
    assert "--spec FILE" in shown
    assert "Example: stylemill" in shown
    assert not [name for name in kind_of(verb).NOT_TAKEN if f"{flag_of(name)} " in shown]


@pytest.mark.parametrize(
    ("verb", "names"),
    [("train latent-transformer", "rows_per_shard estimate backend precision"), ("measure", "rows_per_shard")],
)
def test_a_flag_that_does_not_apply_is_refused_in_one_line(verb, names):
    assert sorted(kind_of(verb).NOT_TAKEN) == sorted(names.split())
    [example] = re.findall(rf"Example: stylemill {verb} (.*)", kind_of(verb).__doc__)
    with pytest.raises(SpecError, match="leave out --rows-per-shard"):
        parse(kind_of(verb), [*example.split(), "--rows-per-shard", "8"])


def test_flags_of_the_run_and_of_ray_stand_in_boxes_of_their_own(capsys):
    with pytest.raises(SystemExit):
        dataset("--help")
    own, run, ray = re.split(r"(?:run|Ray) options", capsys.readouterr().out)
    assert all(flag in own for flag in ("--out DIR", "--rows", "--psi", "--spec FILE"))
    assert all(flag in run for flag in ("--dry-run", "--threads", "--batch-size", "--replace"))
    assert all(flag in ray for flag in ("--workers", "--address", "--local", "--task-timeout"))


def test_a_positional_is_named_and_bounds_are_said(capsys):
    for verb, words in (
        ("status", "DIR"),
        ("directions import", "FILE..."),
        ("reproduce interfacegan", "at least 400"),
    ):
        with pytest.raises(SystemExit):
            parse(kind_of(verb), ["--help"])
        assert words in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["1", "7", "39"])
def test_a_help_comes_to_its_end_in_a_terminal_of_few_columns(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit, match="0"):
        parse(SampleSpec, ["--help"])
    assert "--rows-per-shard" in capsys.readouterr().out
