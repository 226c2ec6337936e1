"""What several runs of `stylemill dt` say together, from made-up results: sections, claims and strips."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics import Difference
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, Claim, claims_section, decided, of_difference
from pipeline.report.dt import strips
from pipeline.report.dt.paper import KEPT
from pipeline.report.dt.result import PairResult
from pipeline.report.dt.sections import pair_section
from pipeline.report.dt.strips import Strips
from pipeline.report.dt.study import ablation, areas_section, beside_paper, families, plateau_claims
from schemas.dt_curves import SHARES


def area(cell, verdict="not decided", **more):
    """A row of `dt_auc` by the judge."""
    numbers = {"p_max": 0.5, "rows": 8, "common": 0.5, "auc_common": 0.9, "difference": 0.0, "difference_low": -0.1}
    return {"primal": "male", "condition": "smile", "lambda1": cell[0], "lambda2": cell[1], "family": "tiny-judge",
            "difference_high": 0.1, "kappa": 0.9, "ranked": True, "verdict": verdict, **numbers, **more}  # fmt: skip


def result_of(areas, name="male|smile", cells=((1.0, 1.0), (0.75, 0.0)), rows=0, curves=()):
    """A result of these areas and curves, and of so many rows that start in the source class."""
    asked = {"judge": "tiny-judge", "classifiers": "tiny", "lambdas": cells, "target": "1", "steps": 20}
    scores = np.full((len(cells), rows, 2, 4), -1.0, dtype=np.float32)
    frames = (
        pd.DataFrame(curves, columns=["family", "lambda1", "lambda2", "step", *SHARES]),
        pd.DataFrame(areas, columns=list(area((1.0, 1.0)))),
    )
    return PairResult(tuple(name.split("|")), {**asked, "step_size": 0.1}, *frames, np.arange(rows), scores)


def test_a_pair_of_which_no_face_is_left_is_said_and_passed_over():
    lost = result_of([])
    assert plateau_claims("worse", lost) == []
    section = pair_section(lost)
    assert section.heading == "male, with smile preserved"
    assert section.sentences == ["male|smile: no face could be measured."]
    section = areas_section("Claim", [lost], "So.")
    assert (section.heading, section.sentences) == ("Claim", ["No row could be measured.", "So."])
    assert section.parts[-1].frame.loc["male|smile", "p of (1, 1)"] is None
    assert families([lost]).parts == []
    assert beside_paper([lost]).sentences == ["No cell of this table could be measured."]
    shown = Strips("nowhere", lost, lost).section()
    assert shown.sentences == ["No face could be measured, so none is shown."]
    section, claims = ablation([(lost, lost)], [(0.75, 0.0)], KEPT)
    assert (section.sentences, section.parts, claims) == ([KEPT.lead], [], [])
    assert claims_section([]).parts == []


def test_how_far_steps_got_is_said_of_every_cell():
    cells = ((1.0, 1.0), (0.75, 0.0), (1.0, 0.0))
    ours = [area(cell, p_max=p) for cell, p in zip(cells, (0.96875, 0.5, 1.0), strict=True)]
    run = result_of(ours, cells=cells, rows=32)
    small = result_of([area(cells[0], p_max=0.25), area(cells[1], p_max=0.125)], "old|smile")
    frame = areas_section("Claim", [run, small], "So.").parts[-1].frame
    assert frame.loc["male|smile"].tolist() == [20, 0.1, 32, 0.96875, 0.5, 1.0]
    assert frame.loc["old|smile"].tolist()[:5] == [20, 0.1, 0, 0.25, 0.125]
    assert np.isnan(frame.loc["old|smile", "p of (1, 0)"])  # a cell that was not asked of it


def test_our_areas_stand_beside_those_of_the_same_cells():
    cells = ((1.0, 1.0), (0.75, 0.0), (0.5, 0.1))
    first = result_of([area(cell, auc_common=value) for cell, value in zip(cells, (0.8, 0.9, 0.7), strict=True)])
    shown = [
        area(cell, auc_common=value, ranked=False, primal="old")
        for cell, value in zip(cells, (0.2, 0.1, 0.3), strict=True)
    ]
    section = beside_paper([first, result_of(shown, "old|smile")])
    assert "2 of the paper's 25 cells were measured: our means over 1 ranked pair and" in section.sentences[0]
    frame = section.parts[0].frame
    assert list(frame.index) == ["(0.75, 0)", "(1, 1)"]
    assert frame.loc["(0.75, 0)"].tolist() == pytest.approx([0.9, 0.1, 0.9025, 0.9025 - 0.8662])
    assert frame.loc["(1, 1)"].tolist() == pytest.approx([0.8, 0, 0.8662, 0])
    section = beside_paper([result_of(shown, "old|smile")])
    assert "means over 1 pair, none of them ranked, and" in section.sentences[0]
    assert section.parts[0].frame.loc["(0.75, 0)", "here"] == pytest.approx(0.1)
    none = [area(cell, common=0.0, auc_common=np.nan, ranked=False, primal="smile") for cell in cells]
    section = beside_paper([result_of(none, "smile|old"), result_of(shown, "old|smile")])
    assert "means over 1 pair, none of them ranked, and" in section.sentences[0]
    assert section.parts[0].frame.loc["(0.75, 0)", "here"] == pytest.approx(0.1)
    assert beside_paper([result_of(none, "smile|old")]).sentences == ["No cell of this table could be measured."]


class Measured7(PairResult):
    """Whose only row, of latent 7, is measured whatever its scores are."""

    measured = (7,)


def test_pictures_are_compared_with_what_was_counted(monkeypatch):
    def told(counted, pictured):
        scores = np.zeros((1, 1, 2, 4), dtype=np.float32)
        scores[0, 0, :, 2] = counted
        asked = {"judge": "tiny-judge", "classifiers": "tiny", "lambdas": [[0.75, 0.0]]}
        result = Measured7(("male", "smile"), asked, pd.DataFrame(), pd.DataFrame(), np.array([7]), scores)
        frame = pd.DataFrame({"index": [0, 0], "step": [0, 1], "judge_male": pictured, "judge_smile": [0.0, 0.0]})
        monkeypatch.setattr(strips, "pictured", lambda url, scores: frame)
        return Strips("nowhere", result, result).as_counted()

    assert told([0.5, 1.0], [0.5, 1.0]).endswith("scores agree with those of the curves to 0.001.")
    assert told([0.5, 1.0], [0.5, 1.25]).endswith("scores differ from those of the curves by up to 0.25.")
    for one, other in (([0.5, np.nan], [0.5, 1.0]), ([0.5, 1.0], [np.nan, 1.0])):
        assert told(one, other).endswith("some scores of the curves are missing, so that they cannot be compared.")


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
        (["better", "better"], "is worse: holds in 2 of 2."),
        (["better", "not decided"], "is worse: holds in 1 of 2 (1 not decided)."),
        (["not decided", "not decided"], "is worse: holds in 0 of 2 (2 not decided)."),
        (["worse", "not decided"], "is worse: holds in 0 of 2 (1 does not hold, 1 not decided)."),
        (["worse", "better"], "is worse: holds in 1 of 2 (1 does not hold)."),
    ],
)
def test_the_sentence_says_what_came_out(verdicts, words):
    rows = [area((1.0, 0.0), verdict, kappa=0.6) for verdict in verdicts]
    away = [area((0.5, 0.0), "worse"), area((1.0, 1.0), ""), area((1.0, 0.0), "worse", family="tiny")]
    claims = plateau_claims("is worse", result_of(rows + away))
    section = claims_section(claims)
    assert section.sentences == [words]
    frame = section.parts[0].frame
    assert frame["verdict"].tolist() == [{"better": HOLDS, "worse": FAILS}.get(one, one) for one in verdicts]
    assert set(frame["paper"]) == {"+0.034"}
    assert set(frame["95 %"]) == {"\N{MINUS SIGN}0.100 to +0.100"}


def test_a_pair_on_which_the_families_do_not_agree_does_not_count():
    for kappa in (0.59, np.nan):
        (claim,) = plateau_claims("is worse", result_of([area((1.0, 0.0), "better", kappa=kappa)]))
        assert claim.verdict == "not counted: kappa below 0.6"
    section = claims_section([claim, Claim("of another", "what", "more", np.nan, np.nan, np.nan, NOT_DECIDED)])
    assert section.sentences[0] == f"is worse: holds in 0 of 1 (1 {claim.verdict})."
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
        return result_of([], f"{name}|smile", ((1.0, 1.0), (0.0, 0.0)), curves=rows)

    section = families([seen("misled", (0.9, 1.0), (0.85, 0.6)), seen("true", (0.9, 0.7), (0.85, 0.7))])
    _, misled, true = section.sentences
    assert misled == (
        "misled|smile: p by tiny minus p by tiny-judge is +5 points at (1, 1), and +40 points at (0, 0), the largest "
        "difference."
    )
    assert true == misled.split(", and ")[0].replace("misled", "true") + ", and not larger in any other cell."
    grid = section.parts[0].frame
    assert grid.loc["(0, 0)", "p by tiny-judge"] == "0.60 (0.00 to 1.00)"
    assert grid.loc["(0, 0)", "difference of p"] == pytest.approx(0.4)
    lonely = seen("alone", (0.8, 0.8), (0.8, 0.8))
    lonely = replace(lonely, curves=lonely.curves[lonely.curves["family"] == "tiny-judge"])
    section = families([lonely])
    assert section.sentences[1:] == ["alone|smile: no face starts in the source class by both families."]
    assert section.parts == []
