"""Parts of `reproduce ials` that need no network: its choices, its step sizes, its sentences."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import schemas
from jobs.__main__ import main
from jobs.reproduce.claims import FAILS, HOLDS, NOT_DECIDED, Claim, claims_section, decided, of_difference
from jobs.reproduce.cost import say_ahead, say_time_left
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.dt_sections import ablation, areas_section, beside_paper, families, pair_sections, plateau_claims
from jobs.reproduce.dt_strips import CELLS, Pictures
from jobs.reproduce.faces import copy_rows
from jobs.reproduce.ials import IalsSpec, ahead, cost
from jobs.reproduce.step_size import StepSize, _enough, of_trial
from jobs.small import write_small
from pipeline.engine.books import Books
from pipeline.engine.outcome import Outcome
from pipeline.errors import SpecError
from pipeline.metrics import Difference
from pipeline.report import wording
from pipeline.tables import Table


def test_a_dry_run_says_passes_and_hours_and_makes_nothing(tmp_path, capsys):
    out = tmp_path / "none"
    words = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", "--device", "cpu"]
    assert main(["reproduce", "ials", *words, "--rows", "8", "--labelled", "400", "--out", str(out), "--dry-run"]) == 0
    said = capsys.readouterr().err
    numbers = re.search(r"Study ([\d,]+) passes through the generator: ([\d,]+) forward, ([\d,]+) backward", said)
    whole, forward, backward = (int(number.replace(",", "")) for number in numbers.groups())
    assert forward + backward == whole
    passes = cost(IalsSpec(out=str(out), rows=8, labelled=400, device="cpu"))
    assert (passes.forward, passes.backward) == (forward, backward)
    say_ahead(passes)
    assert (
        f"Study {forward:,} faces forward, {backward:,} backward, most of which are judged" in capsys.readouterr().err
    )
    assert " on this machine in one process, at " in said
    assert not out.exists()


def test_hours_of_a_gpu_that_is_not_here_are_not_guessed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["reproduce", "ials", "--device", "cuda", "--out", str(tmp_path / "none"), "--dry-run"]) == 0
    assert "hours unknown: this machine has no such GPU" in capsys.readouterr().err


def test_a_gpu_is_asked_for_all_of_table_1():
    spec = IalsSpec(out="out", device="cuda")
    assert (len(spec.edited), spec.each, spec.looked_at(spec.primals), spec.taken) == (12, 100, 500, 20)
    assert spec.tried_of(spec.edited) == 256
    runs = spec.runs(("smile", "old"), StepSize(0.2, 20))
    assert [run.asked.rows for run in runs.values()] == [100, 100, 32, 32]
    asked = runs["own"].asked
    assert (len(asked.cells), asked.step_size, asked.steps) == (25, 0.2, 20)
    assert (len(runs["paper"].asked.cells), runs["paper"].asked.step_size) == (25, 0.1)
    assert spec.shown == (("male", "smile"), ("old", "eyeglasses"))
    spec = IalsSpec(out="out", device="cpu")
    assert (spec.edited, spec.each, spec.taken) == (spec.shown, 60, 10)
    assert (spec.looked_at(spec.primals), spec.tried_of(spec.edited)) == (180, 192)
    assert len(spec.runs(("smile", "old"), StepSize(0.2, 10))["own"].asked.cells) == 4
    few = spec.runs(("male", "smile"), StepSize(0.2, 10))["paper"].asked
    assert (few.cells, few.rows, few.step_size, few.steps) == (((1.0, 1.0), (0.75, 0.0)), 32, 0.1, 20)
    whole = (
        IalsSpec(out="out", device="cpu", paper_steps=True).runs(("male", "smile"), StepSize(0.2, 10))["paper"].asked
    )
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
    asked = SimpleNamespace(judge="tiny-judge", classifiers="tiny", cells=cells, rows=8, steps=20, step_size=0.1)
    curves = frame.assign(step=1)
    return SimpleNamespace(
        name=name, pair=tuple(name.split("|")), asked=asked, areas=frame, curves=curves, measured=[],
        is_measured=bool(len(frame)), of=lambda *what: DtRun.of(None, *what),
    )  # fmt: skip


def test_a_pair_of_which_no_face_is_left_is_said_and_passed_over():
    lost = run_of([])
    assert plateau_claims("worse", lost) == []
    (section,) = pair_sections([lost])
    assert section.heading == "male, leaving smile alone"
    assert section.sentences == ["male|smile: no face is left that could be measured."]
    section = areas_section("Claim", [lost], "So.")
    assert (section.heading, section.sentences) == ("Claim", ["No row could be measured.", "So."])
    assert section.parts[-1].frame.loc["male|smile", "p of (1, 1)"] is None
    assert families([lost]).parts == []
    assert beside_paper([lost]).sentences == ["No cell of that table could be measured."]
    strips = Pictures("nowhere", lost, lost).section()
    assert strips.sentences == ["No face could be measured, and so none is shown."]
    section, claims = ablation(
        [(lost, lost)], [(0.75, 0.0)], ("anew", "kept"), False, "Heading", "claim", "worse", "So."
    )
    assert (section.sentences, section.parts, claims) == (["So."], [], [])
    assert claims_section([]).parts == []


def test_how_far_steps_got_is_said_of_every_cell():
    cells = ((1.0, 1.0), (0.75, 0.0), (1.0, 0.0))
    run = run_of([area(cell, p_max=p) for cell, p in zip(cells, (0.96875, 0.5, 1.0), strict=True)], cells=cells)
    run.measured = list(range(32))
    small = run_of([area(cells[0], p_max=0.25), area(cells[1], p_max=0.125)], "old|smile")
    frame = areas_section("Claim", [run, small], "So.").parts[-1].frame
    assert frame.loc["male|smile"].tolist() == [20, 0.1, 32, 0.96875, 0.5, 1.0]
    assert frame.loc["old|smile"].tolist()[:5] == [20, 0.1, 0, 0.25, 0.125]
    assert np.isnan(frame.loc["old|smile", "p of (1, 0)"])  # a cell that was not asked of it


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


def test_what_a_study_takes_is_told_before(monkeypatch):
    monkeypatch.setattr(IalsSpec, "check", lambda spec: None)  # there is no such folder
    spec = IalsSpec(out="out", device="cpu", from_="faces", gradient_faces=64)
    own = 2 * 4 * 60 * 11
    paper, kept, gradient = 2 * 2 * 32 * 21, 2 * 32 * 11, 2 * 2 * 32 * 11
    strips = 2 * 2 * (len(CELLS) + 1) * 11
    others = 180 + 192 + 2 * 64 * 11 + 64
    assert cost(spec).forward == own + paper + kept + gradient + strips + others
    back = 2 * 60 * 10 * (0 + 1 + 2 + 2) + 2 * 32 * 20 * 2 + 2 * 32 * 2 + 2 * 32 * 10 * 2
    back += 2 * 2 * (10 * sum((first < 1) + (second < 1) for first, second in CELLS) + 2)
    assert cost(spec).backward == back + 64 * 4


def test_the_time_to_come_is_that_of_all_faces_that_do(tmp_path, capsys):
    labelled = tmp_path / "others-judged"
    schema = schemas.labels(["smile"])
    rows = schema.rows({"index": np.arange(20), "smile": 0.5, "age_years": 30.0, "yaw_degrees": 0.0})
    write_small(str(labelled / "labels"), schema, rows, {})
    spec = IalsSpec(out="out", device="cpu", pairs=("male:smile",), steps=2, rows=4, gradient_faces=64)
    capsys.readouterr()
    say_time_left(ahead(spec), str(labelled))
    assert capsys.readouterr().err == ""
    books = Books(str(labelled), "label")
    books.create_spec({})
    for shard, seconds in enumerate((1.0, 3.0)):
        books.record(Outcome(shard, counters={"seconds": seconds}))
    books.flush()
    faces = 64 * 11 + 3 * 64 + 64  # step sizes, the faces they are chosen on, means of gradients
    faces += 4 * 4 * 3 + 2 * 4 * 21 + 4 * 3 + 2 * 4 * 3 + 2 * (len(CELLS) + 1) * 3
    back = 64 * 2 + 4 * 2 * (0 + 1 + 2 + 2) + 4 * 20 * 2 + 4 * 2 + 4 * 2 * 2
    back += 2 * (2 * sum((first < 1) + (second < 1) for first, second in CELLS) + 2)
    say_time_left(ahead(spec), str(labelled))
    said = capsys.readouterr().err
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
    ("low", "high", "positive", "verdict"),
    [
        (0.1, 0.2, True, HOLDS), (0.1, 0.2, False, FAILS), (-0.2, -0.1, False, HOLDS), (-0.2, -0.1, True, FAILS),
        (-0.1, 0.1, True, NOT_DECIDED), (0.0, 0.1, True, NOT_DECIDED), (np.nan, np.nan, True, NOT_DECIDED),
    ],
)  # fmt: skip
def test_a_claim_is_decided_by_its_interval(low, high, positive, verdict):
    assert decided(low, high, positive) == verdict


def test_a_claim_of_a_difference_has_the_verdict_of_the_bootstrap():
    def told(low, high, better, left_out=0):
        return of_difference("a", "b", "c", Difference(0.1, 0.1, low, high, 100, left_out), better).verdict

    assert (told(0.1, 0.2, True), told(0.1, 0.2, False)) == (HOLDS, FAILS)
    assert (told(-0.2, -0.1, True), told(-0.2, -0.1, False)) == (FAILS, HOLDS)
    assert told(-0.1, 0.2, True) == told(0.1, 0.2, True, left_out=3) == NOT_DECIDED


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["better", "better"], "is worse: so here in 2 of 2."),
        (["better", "not decided"], "is worse: so here in 1 of 2 (1 not decided)."),
        (["not decided", "not decided"], "is worse: so here in 0 of 2 (2 not decided)."),
        (["worse", "not decided"], "is worse: so here in 0 of 2 (1 not so here, 1 not decided)."),
        (["worse", "better"], "is worse: so here in 1 of 2 (1 not so here)."),
    ],
)
def test_the_sentence_says_what_came_out(verdicts, words):
    rows = [area((1.0, 0.0), verdict, kappa=0.6) for verdict in verdicts]
    away = [area((0.5, 0.0), "worse"), area((1.0, 1.0), ""), area((1.0, 0.0), "worse", family="tiny")]
    claims = plateau_claims("is worse", run_of(rows + away))
    section = claims_section(claims)
    assert section.sentences == [words]
    frame = section.parts[0].frame
    assert frame["verdict"].tolist() == [{"better": HOLDS, "worse": FAILS}.get(one, one) for one in verdicts]
    assert set(frame["paper"]) == {"+0.034"}
    assert set(frame["95 %"]) == {"\N{MINUS SIGN}0.100 to +0.100"}


def test_a_pair_on_which_the_families_do_not_agree_does_not_count():
    for kappa in (0.59, np.nan):
        (claim,) = plateau_claims("is worse", run_of([area((1.0, 0.0), "better", kappa=kappa)]))
        assert claim.verdict == "not counted: kappa below 0.6"
    section = claims_section([claim, Claim("of another", "what", "more", np.nan, np.nan, np.nan, NOT_DECIDED)])
    assert section.sentences[0] == f"is worse: so here in 0 of 1 (1 {claim.verdict})."
    assert section.parts[0].frame.loc["what"].tolist() == ["more", "–", "", NOT_DECIDED]


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
        return SimpleNamespace(
            name=name, asked=asked, curves=pd.DataFrame(rows), of=lambda *what: DtRun.of(None, *what)
        )

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
