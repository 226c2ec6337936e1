"""Parts of `reproduce ials` that need no network: its choices, its step sizes, its sentences."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import schemas
from jobs.__main__ import main
from jobs.reproduce import ials_ablations
from jobs.reproduce.ials_ablations import incremental
from jobs.reproduce.ials_cost import told, told_time
from jobs.reproduce.ials_plan import IalsSpec, Plan
from jobs.reproduce.ials_rows import copy_rows
from jobs.reproduce.ials_strips import CELLS, Pictures
from jobs.reproduce.ials_study import _claim, _pairs, compared, families, reached, short, verdict
from jobs.reproduce.ials_table import beside_paper
from jobs.reproduce.step_size import StepSize, _enough, of_trial
from jobs.small import write_small
from pipeline.engine.books import Books
from pipeline.engine.outcome import Outcome
from pipeline.errors import SpecError
from pipeline.metrics import Outcomes
from pipeline.report import wording
from pipeline.tables import Table


def test_a_dry_run_says_passes_and_hours_and_makes_nothing(tmp_path, capsys):
    out = tmp_path / "none"
    words = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", "--flags=--device,cpu"]
    assert main(["reproduce", "ials", *words, "--rows", "8", "--labelled", "400", "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().err
    numbers = re.search(r"Study ([\d,]+) passes through the generator: ([\d,]+) forward, ([\d,]+) backward", said)
    whole, forward, backward = (int(number.replace(",", "")) for number in numbers.groups())
    plan = Plan(IalsSpec(out=str(out), rows=8, labelled=400, flags=("--device", "cpu")))
    assert f"{forward + backward:,}" == f"{whole:,}"
    of_each = re.match(r"([\d,]+) faces forward, ([\d,]+) backward", told(plan))
    assert of_each.groups() == (f"{forward:,}", f"{backward:,}")
    assert " on this machine in one process, at " in said
    assert not out.exists()


def test_hours_of_a_gpu_that_is_not_here_are_not_guessed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["reproduce", "ials", "--flags=--device,cuda", "--out", str(tmp_path / "none"), "--dry-run"]) == 0
    assert "hours unknown: this machine has no such GPU" in capsys.readouterr().err


def test_a_gpu_is_asked_for_all_of_table_1():
    plan = Plan(IalsSpec(out="out", flags=("--device", "cuda")))
    assert (len(plan.pairs), plan.rows, plan.others, plan.steps, plan.paper_steps) == (12, 100, 500, 20, True)
    assert (plan.trial_faces, plan.ablated) == (256, 32)
    asked = plan.dt("smile:old", StepSize(0.2, 20), "dt").asked
    assert len(asked.cells) == 25
    assert (asked.rows, asked.step_size, asked.steps) == (100, 0.2, 20)
    assert plan.pictured == ("male:smile", "old:eyeglasses")
    plan = Plan(IalsSpec(out="out", flags=("--device=cpu",)))
    assert (plan.pairs, plan.rows, plan.steps, plan.paper_steps) == (plan.pictured, 60, 10, False)
    assert (plan.others, plan.trial_faces) == (180, 192)
    assert len(plan.own("smile:old", StepSize(0.2, 10)).asked.cells) == 4
    few = plan.paper("male:smile").asked
    assert (few.cells, few.rows, few.step_size, few.steps) == (((1.0, 1.0), (0.75, 0.0)), 32, 0.1, 20)
    whole = Plan(IalsSpec(out="out", flags=("--device=cpu",), paper_steps=True)).paper("male:smile").asked
    assert (len(whole.cells), whole.rows) == (4, 60)
    assert whole.out != few.out
    assert Plan(IalsSpec(out="out", pairs=("smile:old", "old:smile", "male:old"))).pictured == (
        "smile:old",
        "old:smile",
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
    write_small(str(url / "edits"), schema, pa.Table.from_pylist(rows, schema.arrow), {"verb": "edit"})
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
    assert _enough(3.0, 20) == 0.15
    assert _enough(9.9999, 10) == 1.0
    for reach in (0.3, 1.23456, 7.7777, 10.0):
        for steps in (3, 7, 10, 20):
            assert reach <= steps * _enough(reach, steps) <= reach * 1.002


def test_a_step_size_is_chosen_on_as_many_faces_as_asked(tmp_path):
    url = searched(tmp_path, [1.0, 2.0, 3.0])
    with pytest.raises(SpecError, match="of 4 faces to choose a step size on 1 were set aside"):
        of_trial(url, 4, 5)
    with pytest.raises(SpecError, match="are transformed to begin with"):
        of_trial(searched(tmp_path / "all", [0.0, 0.0]), 2, 5)


def test_chosen_latents_are_the_same_bits(tmp_path):
    schema = schemas.latents("w", 4)
    w = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    rows = schema.rows({"index": np.arange(40), "w": w, "psi": 0.5, "seed": 7, "generator": "g"})
    facts = {"verb": "sample", "spec": {"generator": "g"}, "resolved": {"generator_digest": "d"}}
    write_small(str(tmp_path / "all"), schema, rows, facts)
    whole, chosen = Table.open(str(tmp_path / "all")), list(range(3, 40, 2))
    copy_rows(whole, chosen, str(tmp_path / "some"))
    some = Table.open(str(tmp_path / "some"))
    assert some.verify() == []
    found = some.read()
    assert found["index"].to_pylist() == list(range(19))
    assert found["key"].to_pylist() == list(map(str, chosen))
    assert schemas.to_numpy(found["w"]).tobytes() == w[chosen].tobytes()
    assert set(found["psi"].to_pylist()) == {0.5}
    assert some.require_sealed()["facts"]["resolved"] == {"generator_digest": "d", "latents_digest": whole.digest}
    written = [path.stat().st_mtime_ns for path in sorted((tmp_path / "some").glob("*.parquet"))]
    assert len(written) == 2
    copy_rows(whole, chosen, str(tmp_path / "some"))
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "some").glob("*.parquet"))] == written
    copy_rows(whole, [5], str(tmp_path / "some"))
    assert Table.open(str(tmp_path / "some")).read()["key"].to_pylist() == ["5"]


def area(cell, verdict="not decided", **more):
    """A row of `dt_auc` by the judge."""
    numbers = {"p_max": 0.5, "rows": 8, "common": 0.5, "auc_common": 0.9, "difference": 0.0, "difference_low": -0.1}
    return {"primal": "male", "condition": "smile", "lambda1": cell[0], "lambda2": cell[1], "family": "tiny-judge",
            "difference_high": 0.1, "kappa": 0.9, "ranked": True, "verdict": verdict, **numbers, **more}  # fmt: skip


def run_of(areas, name="male|smile", cells=((1.0, 1.0), (0.75, 0.0))):
    """A run of which there is no more than its areas."""
    frame = pd.DataFrame(areas, columns=list(area((1.0, 1.0))))
    asked = SimpleNamespace(judge="tiny-judge", classifiers="tiny", cells=cells, rows=8)
    curves = frame.assign(step=1)
    return SimpleNamespace(name=name, pair=tuple(name.split("|")), asked=asked, areas=frame, curves=curves, measured=[])


def test_a_pair_of_which_no_face_is_left_is_said_and_passed_over(monkeypatch):
    lost = run_of([])
    assert compared(lost) == "male|smile: no face is left that could be measured."
    assert reached(lost) == "No face is left that could be measured."
    (section,) = _pairs([lost])
    assert section.heading == "male, leaving smile alone"
    assert section.sentences == ["male|smile: no face is left that could be measured."]
    assert "no face is left" in short([lost])
    assert _claim("Claim", [lost], []).sentences[0].endswith("refuted here: no comparison could be made.")
    mixed = verdict(pd.DataFrame([area((1.0, 0.0), "worse", kappa=0.5)]), "tiny-judge")
    assert mixed.endswith("refuted here: the families agree on no pair that was compared.")
    assert families([lost]).parts == []
    assert beside_paper([lost]).sentences == ["No cell of that table could be measured."]
    (strips,) = Pictures("nowhere", lost, lost).sections()
    assert strips.sentences == ["No face could be measured, and so none is shown."]
    nothing = Outcomes(np.zeros((0, 3), dtype=bool), np.zeros((0, 3), dtype=bool))
    monkeypatch.setattr(ials_ablations, "both", lambda *runs: (nothing, nothing))
    section = incremental({"male:smile": lost}, {"male:smile": lost})
    assert section.sentences[1:] == ["male|smile: no face was measured both ways."]
    assert section.parts == []


def test_how_far_steps_got_is_said():
    cells = ((1.0, 1.0), (0.75, 0.0))
    run = run_of([area(cells[0], p_max=0.96875, rows=32), area(cells[1], p_max=0.5)])
    assert reached(run) == "(1, 1) then changes 97% of the 32 faces measured."
    small = run_of([area(cells[0], p_max=0.25), area(cells[1], p_max=0.125)], "old|smile")
    said = short([small])
    assert "go 2 far, whatever the pair, which nowhere changes 90% of the faces" in said
    assert "old|smile: (1, 1) reaches p = 0.25 and (0.75, 0) reaches p = 0.12." in said
    assert "which does not change 90% of the faces in every cell of every pair" in short([run, small])


def test_every_cell_says_whether_steps_suffice():
    cells = ((1.0, 1.0), (0.75, 0.0), (1.0, 0.0))
    far = run_of([area(cell, p_max=p) for cell, p in zip(cells, (0.5, 0.6, 1.0), strict=True)], cells=cells)
    assert "which does not change 90% of the faces in every cell of every pair." in short([far])
    near = run_of([area(cell, p_max=p) for cell, p in zip(cells, (1.0, 0.9, 0.5), strict=True)], cells=cells)
    assert "which suffices" not in short([near])
    all_ = run_of([area(cell, p_max=p) for cell, p in zip(cells, (1.0, 0.9, 0.95), strict=True)], cells=cells)
    assert "which suffices." in short([all_])


def test_our_areas_stand_beside_those_of_the_same_cells():
    cells = ((1.0, 1.0), (0.75, 0.0), (0.5, 0.1))
    first = run_of([area(cell, auc_common=value) for cell, value in zip(cells, (0.8, 0.9, 0.7), strict=True)])
    shown = [
        area(cell, auc_common=value, ranked=False, primal="old")
        for cell, value in zip(cells, (0.2, 0.1, 0.3), strict=True)
    ]
    section = beside_paper([first, run_of(shown, "old|smile")])
    assert "Of the 2 cells of its 25 that were counted, means over 1 ranked pair beside" in section.sentences[0]
    frame = section.parts[0].frame
    assert list(frame.index) == ["(0.75, 0)", "(1, 1)"]
    assert frame.loc["(0.75, 0)"].tolist() == pytest.approx([0.9, 0.1, 0.9025, 0.9025 - 0.8662])
    assert frame.loc["(1, 1)"].tolist() == pytest.approx([0.8, 0, 0.8662, 0])
    section = beside_paper([run_of(shown, "old|smile")])
    assert "means over 1 pair, none of them ranked, beside" in section.sentences[0]
    assert section.parts[0].frame.loc["(0.75, 0)", "here"] == pytest.approx(0.1)
    none = [area(cell, common=0.0, auc_common=np.nan, ranked=False, primal="smile") for cell in cells]
    section = beside_paper([run_of(none, "smile|old"), run_of(shown, "old|smile")])
    assert "means over 1 pair, none of them ranked, beside" in section.sentences[0]
    assert section.parts[0].frame.loc["(0.75, 0)", "here"] == pytest.approx(0.1)
    assert beside_paper([run_of(none, "smile|old")]).sentences == ["No cell of that table could be measured."]


def test_what_a_study_takes_is_told_before():
    spec = {"out": "out", "flags": ("--device=cpu",), "from_": "faces", "gradient_faces": 64}
    own = 2 * 4 * 60 * 11
    paper, kept, gradient = 2 * 2 * 32 * 21, 2 * 32 * 11, 2 * 2 * 32 * 11
    strips = 2 * 2 * (len(CELLS) + 1) * 11
    curves = own + paper + kept + gradient + strips
    others = 2 * 180 + 192 + 2 * 64 * 11 + 64
    said = told(Plan(IalsSpec(**spec)))
    assert said.startswith(f"{curves + others:,} faces forward, ")
    back = 2 * 60 * 10 * (0 + 1 + 2 + 2) + 2 * 32 * 20 * 2 + 2 * 32 * 2 + 2 * 32 * 10 * 2
    back += 2 * 2 * (10 * sum((first < 1) + (second < 1) for first, second in CELLS) + 2)
    assert f"{back + 64 * 4:,} backward" in said


def test_the_time_to_come_is_that_of_all_faces_that_do(tmp_path):
    labelled = tmp_path / "others-judged"
    schema = schemas.labels(["smile"])
    rows = schema.rows({"index": np.arange(20), "smile": 0.5, "age_years": 30.0, "yaw_degrees": 0.0})
    write_small(str(labelled / "labels"), schema, rows, {})
    plan = Plan(IalsSpec(out="out", flags=("--device=cpu",), pairs=("male:smile",), steps=2, rows=4, gradient_faces=64))
    assert told_time(plan, str(labelled)) == ""
    books = Books(str(labelled), "label")
    books.create_spec({})
    for shard, seconds in enumerate((1.0, 3.0)):
        books.record(Outcome(shard, counters={"seconds": seconds}))
    books.flush()
    faces = 64 * 11 + 3 * 64 + 64  # step sizes, the faces they are chosen on, means of gradients
    faces += 4 * 4 * 3 + 2 * 4 * 21 + 4 * 3 + 2 * 4 * 3 + 2 * (len(CELLS) + 1) * 3
    back = 64 * 2 + 4 * 2 * (0 + 1 + 2 + 2) + 4 * 20 * 2 + 4 * 2 + 4 * 2 * 2
    back += 2 * (2 * sum((first < 1) + (second < 1) for first, second in CELLS) + 2)
    said = told_time(plan, str(labelled))
    assert f"about {wording.duration((faces + 1.4 * back) * 0.2)} of computing or less, from the 0.2 s that" in said
    assert "each of 20 faces took" in said


def test_pictures_are_compared_with_what_was_counted():
    def told(counted, pictured):
        run = run_of([])
        index = pd.MultiIndex.from_tuples([(0.75, 0.0, 7, step) for step in (0, 1)], names=["l1", "l2", "row", "step"])
        run.scores = pd.DataFrame({"judge_primal": counted, "judge_condition": [0.0, 0.0]}, index=index)
        run.asked.cells, run.measured = ((0.75, 0.0),), [7]
        pictures = Pictures("nowhere", run, run)
        frame = pd.DataFrame({"index": [0, 0], "step": [0, 1], "judge_male": pictured, "judge_smile": [0.0, 0.0]})
        pictures._frames.update({"nowhere/edit-0.75-0": frame, "nowhere/kept": frame})
        return pictures._as_counted()

    assert told([0.5, 1.0], [0.5, 1.0]).endswith("scores are those that were, to 0.001.")
    assert told([0.5, 1.0], [0.5, 1.25]).endswith("scores differ from those that were by up to 0.25.")
    for one, other in (([0.5, np.nan], [0.5, 1.0]), ([0.5, 1.0], [np.nan, 1.0])):
        assert told(one, other).endswith("some scores are missing, so that they cannot be compared.")


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ([], "neither confirmed nor refuted here: the families agree on no pair"),
        (["better", "better"], "is so here, in all 2 comparisons"),
        (["better", "not decided"], "is so here in 1 of 2 comparisons; the others are not decided"),
        (["not decided", "not decided"], "is not decided here: each of 2"),
        (["worse", "not decided"], "is not so here: in 1 of 2"),
        (["worse", "better"], "depends here on cell and pair: so in 1, not so in 1, not decided in 0"),
    ],
)
def test_the_sentence_says_what_came_out(verdicts, words):
    rows = [
        {"lambda1": 1.0, "lambda2": 0.0, "family": "judge", "kappa": 0.6, "verdict": verdict} for verdict in verdicts
    ]
    away = [
        {"lambda1": 0.5, "lambda2": 0.0, "family": "judge", "kappa": 0.9, "verdict": "worse"},
        {"lambda1": 1.0, "lambda2": 1.0, "family": "judge", "kappa": 0.9, "verdict": ""},
        {"lambda1": 1.0, "lambda2": 0.0, "family": "faces", "kappa": 0.9, "verdict": "worse"},
        {"lambda1": 1.0, "lambda2": 0.0, "family": "judge", "kappa": 0.59, "verdict": "worse"},
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
