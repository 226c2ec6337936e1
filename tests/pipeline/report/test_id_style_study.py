"""Tables and claims of the study of ID-Style, of faces whose numbers are known."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.of_faces import NUMBERS
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED
from pipeline.report.id_style import directions, equal_accuracy, paper, sections, top_k
from pipeline.report.id_style.paper import ENOUGH, LINEAR, NAMES, NOTHING, OURS, TABLE_3, WHOLE
from pipeline.report.id_style.result import by_face, nothing_done, said_rate, together, toggles_of, without_number
from pipeline.report.id_style.top_k import Setting
from pipeline.report.toggles import Strengths
from pipeline.report.toggles import by_face as swept_by_face

FACES = 12
IDENTITY = {"identity": NUMBERS["identity"], "identity_dlib": NUMBERS["identity_dlib"]}


def edits(what: str, strength: float, there: float, identity: float, seed: int = 0) -> pd.DataFrame:
    """Of 12 faces to both sides of each attribute; `there`: how often a toggle succeeds."""
    rng = np.random.default_rng(seed)
    rows = []
    for face in range(FACES):
        for attribute in NAMES:
            has = bool(rng.random() < 0.5)
            for side in (-1, 1):
                toggle = has != (side > 0)
                seen = not toggle or rng.random() < there
                cosine = identity - 0.02 * rng.random()
                source, score = (1.0 if has else -1.0), side * (1.0 if seen else -1.0)
                rows.append((what, face, attribute, side * strength, has, toggle, seen, 0.9, source, score, cosine,
                             1 - cosine))  # fmt: skip
    columns = ["what", "face", "attribute", "strength", "has", "toggle", "there", "kept", "source", "score", *IDENTITY]
    return pd.DataFrame(rows, columns=columns)


def test_who_does_nothing_has_half_of_all_edits_and_none_of_the_toggles():
    nothing = nothing_done(edits(OURS, 1.0, 0.9, 0.8), {"identity": 1.0, "identity_dlib": 0.0}, NOTHING)
    assert len(nothing) == FACES * 8
    assert set(by_face(nothing, "there")) == {0.5}
    assert set(by_face(nothing[nothing["toggle"]], "there")) == {0.0}
    assert set(nothing["identity"]) == {1.0}
    assert set(nothing["identity_dlib"]) == {0.0}


def test_faces_are_compared_by_the_edits_that_both_have():
    ours, linear = edits(OURS, 1.0, 0.9, 0.8), edits(LINEAR, 3.0, 0.9, 0.7)
    lacking = linear.copy()
    lacking.loc[lacking["face"].eq(0) & lacking["attribute"].eq("smile"), "identity"] = np.nan
    lacking.loc[lacking["face"].eq(1), "identity"] = np.nan
    first, second = together(ours, lacking, "identity")
    assert len(first) == len(second) == FACES - 1
    there = ours[ours["face"].eq(0) & ours["attribute"].ne("smile")]["identity"]
    assert first[0] == pytest.approx(there.mean())


@pytest.mark.parametrize(("ours", "verdict"), [(0.8, HOLDS), (0.6, FAILS)])
def test_identity_is_better_where_the_cosine_is_larger_and_the_distance_smaller(ours, verdict):
    frame = pd.concat([edits(OURS, 1.0, 0.9, ours), edits(LINEAR, 3.0, 0.9, 0.7)])
    claims = sections.better_than_linear(frame, IDENTITY)
    assert [one.verdict for one in claims] == [verdict, verdict, NOT_DECIDED]
    assert claims[0].paper == "+0.093"
    assert claims[2].paper == "+0.103"
    assert claims[0].ours == pytest.approx(-claims[1].ours)


def test_at_equal_accuracy_a_method_that_moves_less_is_no_better():
    """Both lose as much identity for as many toggles; ours is set to move half as far."""
    strengths = {OURS: Strengths((1.0, 2.0), 1.0), LINEAR: Strengths((3.0, 6.0), 6.0)}
    near, far = (0.5, 0.9), (1.0, 0.8)
    same = [edits(OURS, one, *at, seed=3) for one, at in zip((1.0, 2.0), (near, far), strict=True)]
    same += [edits(LINEAR, one, *at, seed=3) for one, at in zip((3.0, 6.0), (near, far), strict=True)]
    frame = pd.concat(same)
    found, claims = equal_accuracy.section(frame[frame["toggle"]], strengths, IDENTITY)
    assert {one.verdict for one in claims} == {NOT_DECIDED}
    assert claims[0].ours == pytest.approx(0, abs=0.005)
    usual = frame[(frame["what"] == OURS) & frame["strength"].abs().eq(1) | frame["strength"].abs().eq(6)]
    assert sections.better_than_linear(usual, IDENTITY)[0].verdict == HOLDS  # that it moves less is all there is
    grid = found.parts[0].frame
    toggles = frame[(frame["what"] == OURS) & frame["strength"].abs().eq(1) & frame["toggle"]]
    assert float(grid["accuracy %"].iloc[0]) == pytest.approx(100 * toggles["there"].mean(), abs=0.06)


def test_a_face_without_an_edit_at_some_strength_is_left_out():
    frame = pd.concat([edits(OURS, 1.0, 0.9, 0.8), edits(OURS, 2.0, 0.9, 0.8)])
    frame = frame[frame["toggle"] & ~(frame["face"].eq(3) & frame["strength"].abs().eq(2))]
    several = toggles_of(frame, (1.0, 2.0), IDENTITY)
    assert [one.attribute for one in several] == sorted(NAMES)
    swept = swept_by_face(several, "identity")
    assert swept.reached.shape == (FACES - 1, 3)
    np.testing.assert_array_equal(swept.value[:, 0], 1.0)
    at_two = frame[frame["strength"].abs().eq(2) & frame["face"].ne(3)].groupby("face")
    np.testing.assert_allclose(swept.value[:, 2], at_two["identity"].mean())
    np.testing.assert_allclose(swept.reached[:, 2], at_two["there"].mean())
    without = toggles_of(frame[frame["attribute"] != "old"], (1.0, 2.0), IDENTITY)
    assert [len(one) for one in without] == [0 if one.attribute == "old" else len(one) for one in several]


def moved(what: str, tried: tuple[float, ...], unit: float = 1.0, seed: int = 0, better: float = 1.0) -> pd.DataFrame:
    """Toggles of 24 faces by one simulated method: over the distance d, strength / unit, each score rises on a line and
    each cosine falls as exp(-(d / c)^2), with c `better` times as large."""
    rng = np.random.default_rng(seed)
    rows = []
    for face in range(24):
        for attribute in NAMES:
            side, start, gain, c = rng.choice([-1, 1]), rng.normal(0.9, 0.6), rng.normal(1.3, 0.5), rng.normal(1.8, 0.4)
            for one in tried:
                score = side * (abs(gain) * one / unit - abs(start))
                cosine = np.exp(-((one / unit / (max(0.6, c) * better)) ** 2))
                rows.append((what, face, attribute, side * one, -side * abs(start), score, cosine, 1 - cosine))
    return pd.DataFrame(rows, columns=["what", "face", "attribute", "strength", "source", "score", *IDENTITY])


GRIDS = ((0.5, 0.75, 1.0, 1.5, 2.0), (1.5, 3.0, 4.5, 6.0)), ((0.5, 1.0, 1.5, 2.0), (1.2, 2.4, 3.6, 4.8))


@pytest.mark.parametrize("grids", GRIDS)
@pytest.mark.parametrize("seed", range(5))
def test_a_method_against_itself_at_other_strengths_is_not_decided(grids, seed):
    ours, theirs = grids
    strengths = {OURS: Strengths(ours, 1.0), LINEAR: Strengths(theirs, theirs[1])}
    frame = pd.concat([moved(OURS, ours, seed=seed), moved(LINEAR, theirs, 3.0, seed=seed)])
    _, claims = equal_accuracy.section(frame, strengths, IDENTITY)
    assert {one.verdict for one in claims} == {NOT_DECIDED}
    assert {one.paper for one in claims} == {"not compared"}
    for better, verdict in ((1.5, HOLDS), (1 / 1.5, FAILS)):
        other = pd.concat([moved(OURS, ours, seed=seed, better=better), moved(LINEAR, theirs, 3.0, seed=seed)])
        assert {one.verdict for one in equal_accuracy.section(other, strengths, IDENTITY)[1]} == {verdict}


def test_toggles_that_one_method_lacks_are_left_out_of_both():
    """Otherwise faces of one method stand beside other faces of the other."""
    tried = (1.0, 2.0)
    ours, theirs = moved(OURS, tried), moved(LINEAR, tried)
    ours.loc[ours["face"].eq(3) & ours["strength"].abs().eq(2), "identity"] = np.nan
    theirs.loc[theirs["face"].eq(7) & theirs["attribute"].eq("smile"), "identity"] = np.nan
    strengths = {OURS: Strengths(tried, 1.0), LINEAR: Strengths(tried, 1.0)}
    found, claims = equal_accuracy.section(pd.concat([ours, theirs]), strengths, {"identity": IDENTITY["identity"]})
    row = found.parts[0].frame.iloc[0]
    assert (row["faces"], row["toggles"], row["left out"]) == ("23", "91", "5")
    assert claims[0].ours == 0


def test_what_reading_between_two_strengths_may_be_wrong_by():
    """With the far one alone all lies on a line from the source."""
    frame = pd.concat([moved(OURS, (1.0, 2.0)), moved(LINEAR, (3.0, 6.0), 3.0)])
    strengths = {OURS: Strengths((1.0, 2.0), 1.0), LINEAR: Strengths((3.0, 6.0), 3.0)}
    found, _ = equal_accuracy.section(frame, strengths, {"identity": IDENTITY["identity"]})
    same = moved(OURS, (1.0, 2.0)).pivot(index=["face", "attribute"], columns="strength", values="identity")
    near, far = (same[[-one, one]].mean(axis=1) for one in (1.0, 2.0))  # each toggle has one of both signs
    bent = float((near - (1 + far) / 2).mean())
    assert float(found.parts[0].frame["may be wrong by"].iloc[0]) == pytest.approx(2 * bent, abs=0.02)


def test_one_strength_alone_decides_nothing():
    frame = pd.concat([moved(OURS, (1.0,), better=2.0), moved(LINEAR, (3.0,), 3.0)])
    strengths = {OURS: Strengths((1.0,), 1.0), LINEAR: Strengths((3.0,), 3.0)}
    _, claims = equal_accuracy.section(frame, strengths, IDENTITY)
    assert {one.verdict for one in claims} == {NOT_DECIDED}


def test_a_share_of_faces_of_which_each_has_a_yes_or_a_no_has_wilsons_interval():
    assert said_rate(pd.Series(np.ones(24))) == "100.0 (86.2 to 100.0)"
    assert said_rate(pd.Series([0.5, 1.0] * 12)) == "75.0 (64.8 to 85.2)"
    assert said_rate(pd.Series(np.ones(5))) == "100.0"


def test_edits_in_which_no_face_is_found_are_counted():
    frame = pd.concat([edits(OURS, 1.0, 0.9, 0.8), edits(LINEAR, 3.0, 0.9, 0.7)])
    frame.loc[frame["what"].eq(OURS) & frame["attribute"].eq("old"), "identity_dlib"] = np.nan
    found = sections.table_1(frame, {OURS: "", LINEAR: ""}, IDENTITY)
    counted = found.parts[0].frame[sections.NO_FACE]
    assert counted[[OURS, LINEAR]].tolist() == [f"{2 * FACES} of {8 * FACES}", f"0 of {8 * FACES}"]
    assert without_number(frame[frame["what"] == OURS], "identity_dlib") == "24 of 96"
    whole = frame[frame["toggle"] & frame["what"].eq(OURS)].assign(what=str(Setting(None)))
    found, _ = top_k.section(whole, (Setting(None),), IDENTITY, 512)
    assert found.parts[1].frame["no face by dlib"].tolist() == [f"{FACES} of {4 * FACES}"]


def test_angles_and_entries_of_directions():
    e = np.eye(4)
    ours = dict(zip(NAMES, (e[0], e[1], e[0] + e[1], e[3]), strict=True))
    assert directions.angle(e[0], -2 * e[0]) == pytest.approx(180)
    assert directions.angle(e[0], e[0] + e[1]) == pytest.approx(45)
    assert directions.entries(np.array([3.0, 0.0, -4.0, 0.0])) == 2
    assert directions.entries(np.array([0.0, 0.01, -4.0, 0.0])) == 1
    assert directions.entries(np.ones(100)) == 95
    low, high = directions.by_chance(512)
    assert (90 - low, high - 90) == pytest.approx((4.96, 4.96), abs=0.01)
    _, [claim] = directions.section(ours, ours)
    assert (claim.verdict, round(claim.ours)) == (FAILS, 45)
    assert math.isnan(claim.low)
    _, [claim] = directions.section(dict(zip(NAMES, e, strict=True)), ours)
    assert claim.verdict == HOLDS
    assert f"(of the normals of {LINEAR}: 45.0)" in claim.what


@pytest.mark.parametrize(("few", "verdict"), [(0.95, HOLDS), (0.3, FAILS), (None, NOT_DECIDED)])
def test_whether_the_papers_entries_are_enough(few, verdict):
    several = [edits("all", 1.0, 0.95, 0.8, seed=one) for one in range(12)]
    whole = pd.concat([rows.assign(face=rows["face"] + FACES * one) for one, rows in enumerate(several)])
    whole = whole[whole["toggle"]].assign(what=str(Setting(None)))
    other = whole.assign(what=str(Setting(ENOUGH)))
    if few == 0.3:
        other["there"] = np.random.default_rng(1).random(len(other)) < few
    frame = whole if few is None else pd.concat([whole, other])
    settings = (Setting(2), Setting(2, 5.0), Setting(ENOUGH), Setting(None))
    found, [claim] = top_k.section(frame, settings, IDENTITY, 512)
    assert claim.verdict == verdict
    assert len(found.parts[1].frame) == len(settings)


def test_where_nothing_succeeds_no_number_of_entries_is_enough():
    rows = edits("none", 1.0, 0.0, 0.8)
    rows = rows[rows["toggle"]]
    frame = pd.concat([rows.assign(what=str(Setting(k))) for k in (ENOUGH, None)])
    _, [claim] = top_k.section(frame, (Setting(ENOUGH), Setting(None)), IDENTITY, 512)
    assert claim.verdict == NOT_DECIDED


def test_an_ablation_is_beside_the_whole():
    frame = pd.concat([edits(name, 1.0, 0.9 if name == WHOLE else 0.2, 0.8) for name in TABLE_3.index])
    found, claims = sections.table_3(frame, 4000, IDENTITY)
    assert len(claims) == len(TABLE_3) - 1
    assert {one.verdict for one in claims} == {sections.ONE_TRAINING}
    assert all(one.high < 0 for one in claims)
    assert claims[-1].paper == "−0.0816"
    assert list(found.parts[0].frame.index) == list(TABLE_3.index)


def test_the_first_line_says_how_short_the_training_was():
    assert paper.lead(9000).startswith("The training edited 9,000 faces, 1.1 % of the paper's 800,000")
    assert paper.lead(800_000).startswith("The training edited 800,000 faces, no fewer than")
    assert paper.lead(None).startswith("How many faces the training edited is not known")
