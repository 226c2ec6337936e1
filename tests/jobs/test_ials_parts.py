"""Parts of `reproduce ials` that need no network: its choices, its step sizes, its sentences."""

import re

import numpy as np
import pyarrow as pa
import pytest

import schemas
from jobs.__main__ import main
from jobs.flags import command_of
from jobs.reproduce.cost import say_ahead, say_time_left
from jobs.reproduce.ials import IalsSpec, ahead, cost
from jobs.reproduce.step_size import StepSize, of_trial
from jobs.small_outputs import write_small_table
from pipeline.engine.job_records import JobRecords
from pipeline.engine.outcome import Outcome
from pipeline.errors import SpecError
from pipeline.metrics.step_size import length
from pipeline.report import wording
from pipeline.report.dt.strips import CELLS

TINY = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", "--device", "cpu"]


def test_a_dry_run_says_passes_and_hours_and_makes_nothing(tmp_path, capsys):
    out = tmp_path / "none"
    assert main(["reproduce", "ials", *TINY, "--rows", "8", "--labelled", "400", "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().err
    numbers = re.search(r"Study ([\d,]+) passes through the generator: ([\d,]+) forward, ([\d,]+) backward", said)
    whole, forward, backward = (int(number.replace(",", "")) for number in numbers.groups())
    assert forward + backward == whole
    passes = cost(IalsSpec(out=str(out), rows=8, labelled=400, device="cpu", relabel=True))
    assert (passes.forward, passes.backward) == (forward, backward)
    say_ahead(passes)
    assert (
        f"Study {forward:,} passes forward, {backward:,} backward, most of them scored by the judge too"
        in capsys.readouterr().err
    )
    assert " on this machine in one process, at " in said
    assert not out.exists()


def test_a_calibration_reaches_the_steps_that_score(tmp_path):
    spec = IalsSpec(out=str(tmp_path), calibration=str(tmp_path / "calibration.json"), device="cpu")
    asked = spec.dt(("old", "smile"), StepSize(0.3, 10), "own")
    assert asked.calibration == spec.calibration == spec.scoring["calibration"]
    assert f"--calibration={spec.calibration}" in command_of(asked)
    assert "calibration" not in spec.machine


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pairs", "old:freckles"], "unknown attribute 'freckles'"),
        (["--pairs", "old"], "old is not a pair"),
        (["--pairs", "old:old"], "cannot both change and stay unchanged"),
        (["--pairs", "old:smile,old:smile"], "--pairs names a pair twice"),
        (["--pairs", "yaw:smile"], "without --from directions are fitted of"),
        (["--lambdas", "1:1,0:0"], "include both"),
        (["--lambdas", "1:1,0.75:0", "--grid", "0.25"], "one of the two"),
        (["--lambdas", "1:2"], "1:2 is not a pair of lambdas"),
        (["--pictured", "smile:old"], "--pictured smile:old"),
        (["--judge", "tiny"], "is the family that edits"),
        (["--from", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(words, message, tmp_path, capsys):
    assert main(["reproduce", "ials", *TINY, *words, "--out", str(tmp_path / "out")]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_hours_of_a_gpu_that_is_not_here_are_not_guessed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["reproduce", "ials", "--device", "cuda", "--out", str(tmp_path / "none"), "--dry-run"]) == 0
    assert "hours unknown: this machine has no GPU" in capsys.readouterr().err


def test_a_gpu_is_asked_for_all_of_table_1():
    spec = IalsSpec(out="out", device="cuda")
    assert (len(spec.edited), spec.each, spec.looked_at(spec.primals), spec.taken) == (12, 100, 500, 20)
    assert spec.tried_of(spec.edited) == 256
    runs = spec.runs(("smile", "old"), StepSize(0.2, 20))
    assert [asked.rows for asked in runs.values()] == [100, 100, 32, 32]
    asked = runs["own"]
    assert (len(asked.cells), asked.step_size, asked.steps) == (25, 0.2, 20)
    assert (len(runs["paper"].cells), runs["paper"].step_size) == (25, 0.1)
    assert spec.shown == (("male", "smile"), ("old", "eyeglasses"))
    spec = IalsSpec(out="out", device="cpu")
    assert (spec.edited, spec.each, spec.taken) == (spec.shown, 60, 10)
    assert (spec.looked_at(spec.primals), spec.tried_of(spec.edited)) == (180, 192)
    assert len(spec.runs(("smile", "old"), StepSize(0.2, 10))["own"].cells) == 4
    few = spec.runs(("male", "smile"), StepSize(0.2, 10))["paper"]
    assert (few.cells, few.rows, few.step_size, few.steps) == (((1.0, 1.0), (0.75, 0.0)), 32, 0.1, 20)
    whole = IalsSpec(out="out", device="cpu", paper_steps=True).runs(("male", "smile"), StepSize(0.2, 10))["paper"]
    assert (len(whole.cells), whole.rows) == (4, 60)
    assert whole.out != few.out
    assert IalsSpec(out="out", pairs=("smile:old", "old:smile", "male:old")).shown == (
        ("smile", "old"),
        ("old", "smile"),
    )


def searched(url, strengths, beyond=0):
    """Edits with --until of as many faces, of which the last were not transformed."""
    schema = schemas.edits((2,))
    stops = ["reached"] * (len(strengths) - beyond) + ["not reached within 10"] * beyond
    rows = [
        {"index": index, "request": 0, "step": step, "strength": step * strength, "stop": stop, "space": "w",
         "latent": [0.0, 0.0], "generator": "g"}
        for index, (strength, stop) in enumerate(zip(strengths, stops, strict=True)) for step in (0, 1)
    ]  # fmt: skip
    write_small_table(str(url / "edits"), schema, pa.Table.from_pylist(rows, schema.arrow), {"verb": "edit"})
    return str(url)


def test_faces_that_are_never_transformed_count_as_those_that_need_most(tmp_path):
    one = searched(tmp_path / "one", [*map(float, range(1, 10)), 10.0], beyond=1)
    assert of_trial(one, 10, 5) == StepSize(1.8, 5, 9.0, 10, 1)
    assert "ever are" not in str(of_trial(one, 10, 5))
    two = of_trial(searched(tmp_path / "two", [*map(float, range(1, 10)), 10.0, 10.0], beyond=2), 11, 5)
    assert two == StepSize(2.0, 5, 10.0, 11, 2)
    assert str(two) == (
        "5 steps of 2, chosen on 11 other faces, 2 of which were not transformed by a strength of 10; fewer than 90% "
        "ever are, so that the steps end there"
    )


def test_steps_are_not_rounded_to_fall_short(tmp_path):
    size = of_trial(searched(tmp_path, [1.0, 3.125, 3.125, 3.125]), 4, 20)
    assert size.length == 0.1563  # 0.15625 is nearer to 0.1562, which goes 3.124 far
    assert length(3.0, 20) == 0.15
    assert length(9.9999, 10) == 1.0
    for reach in (0.3, 1.23456, 7.7777, 10.0):
        for steps in (3, 7, 10, 20):
            assert reach <= steps * length(reach, steps) <= reach * 1.002


def test_a_step_size_is_chosen_on_as_many_faces_as_asked(tmp_path):
    url = searched(tmp_path, [1.0, 2.0, 3.0])
    with pytest.raises(SpecError, match="of 4 faces to choose a step size on 1 were rejected"):
        of_trial(url, 4, 5)
    with pytest.raises(SpecError, match="are transformed to begin with"):
        of_trial(searched(tmp_path / "all", [0.0, 0.0]), 2, 5)


def test_the_time_to_come_is_that_of_all_faces_that_do(tmp_path, capsys):
    labelled = tmp_path / "others-judged"
    schema = schemas.labels(["smile"])
    rows = schema.rows({"index": np.arange(20), "smile": 0.5, "age_years": 30.0, "yaw_degrees": 0.0})
    write_small_table(str(labelled / "labels"), schema, rows, {})
    spec = IalsSpec(out="out", device="cpu", pairs=("male:smile",), steps=2, rows=4, gradient_faces=64)
    capsys.readouterr()
    say_time_left(ahead(spec), str(labelled))
    assert capsys.readouterr().err == ""
    job_records = JobRecords(str(labelled), "label")
    job_records.create_spec({})
    for shard, seconds in enumerate((1.0, 3.0)):
        job_records.record(Outcome(shard, counters={"seconds": seconds}))
    job_records.flush()
    faces = 64 * 11 + 3 * 64 + 64  # step sizes, the faces they are chosen on, means of gradients
    faces += 4 * 4 * 3 + 2 * 4 * 21 + 4 * 3 + 2 * 4 * 3 + 2 * (len(CELLS) + 1) * 3
    back = 64 * 2 + 4 * 2 * (0 + 1 + 2 + 2) + 4 * 20 * 2 + 4 * 2 + 4 * 2 * 2
    back += 2 * (2 * sum((first < 1) + (second < 1) for first, second in CELLS) + 2)
    say_time_left(ahead(spec), str(labelled))
    said = capsys.readouterr().err
    assert f"about {wording.duration((faces + 1.4 * back) * 0.2)} of computing left, or less: making and" in said
    assert "each of 20 faces took 0.2 s" in said
