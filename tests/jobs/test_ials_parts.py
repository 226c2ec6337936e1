"""Parts of `reproduce ials` that need no network: its choices, its step sizes, its sentences."""

from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

import schemas
from jobs.reproduce.ials_plan import IalsSpec, Plan
from jobs.reproduce.ials_strips import close_two
from jobs.reproduce.ials_study import families, verdict
from jobs.reproduce.step_size import StepSize, of_trial
from jobs.small import write_small


def test_a_gpu_is_asked_for_all_of_table_1():
    plan = Plan(IalsSpec(out="out", flags=("--device", "cuda")))
    assert (len(plan.pairs), plan.rows, plan.others, plan.steps, plan.paper_steps) == (12, 100, 300, 20, True)
    asked = plan.dt("smile:old", StepSize(0.2, 20), "dt").asked
    assert len(asked.cells) == 25
    assert (asked.rows, asked.step_size, asked.steps) == (100, 0.2, 20)
    assert plan.pictured == ("male:smile", "old:eyeglasses")
    plan = Plan(IalsSpec(out="out", flags=("--device=cpu",)))
    assert (plan.pairs, plan.rows, plan.steps, plan.paper_steps) == (plan.pictured, 60, 10, False)
    assert len(plan.dt("smile:old", StepSize(0.2, 10), "dt").asked.cells) == 4
    assert Plan(IalsSpec(out="out", pairs=("smile:old", "old:smile", "male:old"))).pictured == (
        "smile:old",
        "old:smile",
    )


def test_faces_that_are_never_transformed_count_as_those_that_need_most(tmp_path):
    strengths = [0.0, *[float(k) for k in range(1, 10)], 10.0, 10.0]
    stops = ["reached"] * 10 + ["not reached within 10"] * 2
    schema = schemas.edits((2,))
    rows = [
        {"index": index, "request": 0, "step": step, "strength": step * strength, "stop": stop, "space": "w",
         "latent": [0.0, 0.0], "generator": "g"}
        for index, (strength, stop) in enumerate(zip(strengths, stops, strict=True)) for step in (0, 1)
    ]  # fmt: skip
    write_small(str(tmp_path / "edits"), schema, pa.Table.from_pylist(rows, schema.arrow), {"verb": "edit"})
    assert of_trial(str(tmp_path), 9, 5) == StepSize(1.8, 5, 9.0, 9, 0)
    assert of_trial(str(tmp_path), 10, 5) == StepSize(1.8, 5, 9.0, 10, 1)
    all_ = of_trial(str(tmp_path), 64, 5)
    assert all_ == StepSize(2.0, 5, 10.0, 11, 2)
    assert str(all_) == (
        "5 steps of 2, chosen on 11 other faces, 2 of which were not transformed by a strength of 10; fewer than 90% "
        "ever are, so that the steps end there"
    )
    assert "ever are" not in str(of_trial(str(tmp_path), 10, 5))


def test_two_faces_are_as_close_as_can_be():
    assert close_two([1, 4, 7, 8, 12]) == range(7, 9)
    assert close_two([1, 2, 6, 7]) == range(6, 8)  # of one micro-batch
    assert close_two([9, 3]) == range(3, 10)
    assert close_two([5]) == range(5, 6)


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([], "neither confirmed nor refuted here"),
        (["better", "better"], "is so here, in all 2 comparisons"),
        (["better", "not decided"], "is so here in 1 of 2 comparisons; the others are not decided"),
        (["not decided", "not decided"], "is not decided here: each of 2"),
        (["worse", "not decided"], "is not so here: in 1 of 2"),
        (["worse", "better"], "depends here on cell and pair: so in 1, not so in 1, not decided in 0"),
    ],
)
def test_the_sentence_says_what_came_out(verdicts, words):
    rows = [
        {"lambda1": 1.0, "lambda2": 0.0, "family": "judge", "ranked": True, "verdict": verdict} for verdict in verdicts
    ]
    away = [
        {"lambda1": 0.5, "lambda2": 0.0, "family": "judge", "ranked": True, "verdict": "worse"},
        {"lambda1": 1.0, "lambda2": 1.0, "family": "judge", "ranked": True, "verdict": ""},
        {"lambda1": 1.0, "lambda2": 0.0, "family": "faces", "ranked": True, "verdict": "worse"},
        {"lambda1": 1.0, "lambda2": 0.0, "family": "judge", "ranked": False, "verdict": "worse"},
    ]
    assert words in verdict(pd.DataFrame(rows + away), "judge")


def test_where_gradients_mislead_is_said():
    def seen(name, tiny, judge):
        """A run of two cells: p of each family after the last of two steps."""
        rows = [
            {"lambda1": cell[0], "lambda2": cell[1], "family": family, "step": step, "p_low": 0.0, "p_high": 1.0,
             "p": p if step == 2 else 0.1, "q": 0.5, "q_low": 0.0, "q_high": 1.0}
            for family, ps in (("tiny", tiny), ("tiny-judge", judge))
            for cell, p in zip(((1.0, 1.0), (0.0, 0.0)), ps, strict=True) for step in (1, 2)
        ]  # fmt: skip
        asked = SimpleNamespace(judge="tiny-judge", classifiers="tiny", cells=((1.0, 1.0), (0.0, 0.0)))
        return SimpleNamespace(name=name, asked=asked, curves=pd.DataFrame(rows))

    section = families([seen("misled", (0.9, 1.0), (0.85, 0.6)), seen("true", (0.9, 0.7), (0.85, 0.7))])
    _, misled, true = section.sentences
    assert misled == (
        "misled: at (1, 1) tiny sees +5 points of the faces changed beside tiny-judge, and +40 points at (0, 0), where "
        "it sees the most."
    )
    assert true == "true: at (1, 1) tiny sees +5 points of the faces changed beside tiny-judge, and in no cell more."
    grid = section.parts[0].frame
    assert grid.loc["(0, 0)", "p by tiny-judge"] == "0.60 (0.00 to 1.00)"
    assert grid.loc["(0, 0)", "difference of p"] == pytest.approx(0.4)
    lonely = seen("alone", (0.8, 0.8), (0.8, 0.8))
    lonely.curves = lonely.curves[lonely.curves["family"] == "tiny-judge"]
    section = families([lonely])
    assert section.sentences[1:] == ["alone: no face starts in the source class as both see it."]
    assert section.parts == []
