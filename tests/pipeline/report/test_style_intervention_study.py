"""Numbers of faces at equal success, and the claims that are made of them."""

import numpy as np
import pandas as pd
import pytest

from pipeline.metrics.equal_success import MET
from pipeline.metrics.of_faces import NUMBERS
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED
from pipeline.report.style_intervention import sections
from pipeline.report.style_intervention.paper import CONDITIONAL, EDITED, IN_W, IN_Z, OURS, TABLE_1, TABLE_2
from pipeline.report.style_intervention.result import Result

FACES = 12
METHODS = (IN_Z, IN_W, CONDITIONAL)


def steps(slope, reach=3.0, noise=0.0) -> pd.DataFrame:
    """Edits whose judge's score rises by 1 a step up to `reach`, and whose MSE by `slope` with it."""
    rng = np.random.default_rng(5)
    rows = []
    for face in range(FACES):
        own = slope * (1 + noise * rng.normal())
        for step in range(7):
            score = min(-1.0 + step, -1.0 + reach)
            rows.append((face, step, float(step), score, own * step, 1 - own * step))
    return pd.DataFrame(rows, columns=["face", "step", "strength", "score", "mse", "ssim"]).set_index(["face", "step"])


def met(rows: pd.DataFrame, reached: float = 1.0) -> pd.DataFrame:
    """Of each face where its score is so, of those that come so far."""
    found = rows[rows["score"] == reached].droplevel("step")
    return found[~found.index.duplicated()]


def result(slopes, attribute="smile", reach=6.0, ends=None) -> Result:
    own = steps(slopes[-1], noise=0.1)
    own = own[own.index.get_level_values("step") <= 2].assign(strength=lambda rows: [0.0, 0.5, 1.0] * FACES)
    ends = pd.Series("done", range(FACES)) if ends is None else ends
    others = {method: steps(k, reach) for method, k in zip(METHODS, slopes, strict=False)}
    return Result(
        attribute, ends, {**others, OURS: own}, NUMBERS, {method: met(rows) for method, rows in others.items()}
    )


def test_the_edit_is_the_step_of_strength_1_and_others_are_taken_where_they_reach_its_score():
    found = result((0.3, 0.2, 0.4, 0.1))
    assert found.own == 2
    assert found.reached.tolist() == [1.0] * FACES
    at = found.at_equal_success("mse")
    assert at[IN_Z].tolist() == pytest.approx([0.6] * FACES)
    assert at[IN_W].tolist() == pytest.approx([0.4] * FACES)
    assert result((0.3, 0.2, 0.4, 0.1), reach=1.5).at_equal_success("mse")[IN_Z].isna().all()


def test_faces_that_were_not_solved_for_or_that_a_way_lacks_are_left_out():
    ends = pd.Series("done", range(FACES))
    ends[3] = "reached"
    found = result((0.3, 0.2, 0.4, 0.1), ends=ends)
    assert found.faces == [face for face in range(FACES) if face != 3]
    found.steps[IN_W].drop(index=5, level="face", inplace=True)
    assert Result("smile", ends, found.steps, NUMBERS).faces == [face for face in range(FACES) if face not in (3, 5)]


@pytest.mark.parametrize(
    ("own", "verdict", "closest"), [(0.1, HOLDS, IN_W), (0.3, FAILS, IN_W), (0.205, NOT_DECIDED, IN_W)]
)
def test_it_is_best_where_it_is_better_than_each_other_way(own, verdict, closest):
    [claim] = sections.best([result((0.3, 0.2, 0.4, own))], "mse", "changes least", EDITED)
    assert claim.verdict == verdict
    assert closest in claim.what
    assert claim.paper == "−0.012"  # 0.003 of theirs and 0.015 of the best other
    assert claim.ours == pytest.approx(2 * own - 0.4, abs=0.02)
    assert claim.low <= claim.ours <= claim.high
    [claim] = sections.best([result((0.3, 0.2, 0.4, own))], "ssim", "stays similar", EDITED)
    assert claim.verdict == verdict
    assert claim.ours == pytest.approx(0.4 - 2 * own, abs=0.02)
    assert sections.best([result((0.3, 0.2, 0.4, own), "old")], "ssim", "no", ("smile",)) == []


def test_a_distance_is_better_the_smaller_and_a_number_that_was_not_measured_decides_nothing():
    found = result((0.3, 0.2, 0.4, 0.1))
    for rows in (*found.steps.values(), *found.met.values()):
        rows["identity_dlib"] = rows["mse"]
    [claim] = sections.best([found], "identity_dlib", "kept", EDITED)
    assert (claim.verdict, claim.paper) == (HOLDS, "+2.16 (similarity, of 100)")
    assert claim.ours == pytest.approx(-0.2, abs=0.02)
    [claim] = sections.best([found], "identity", "kept", EDITED)
    assert (claim.verdict, np.isnan(claim.ours)) == (NOT_DECIDED, True)
    assert set(sections.table_of([found], "identity", "cosine").frame.loc["Smile (0 faces)"]) == {"–"}


@pytest.mark.parametrize("name", ["mse", "ssim"])
def test_a_way_that_is_the_same_edit_leaves_it_undecided(name):
    """Its score is met, up to what is left; both numbers grow with the square of the strength."""
    found = result((0.3, 0.2, 0.4, 0.1))
    own = found.at_equal_success(name)[OURS]
    for method, sign in ((IN_Z, 1), (IN_W, -1), (CONDITIONAL, 0)):
        left = (1 + sign * 4 * MET) ** 2  # to one side, where the score rises a quarter as fast
        found.met[method][name] = own * left if name == "mse" else 1 - (1 - own) * left
    [claim] = sections.best([found], name, "changes least", EDITED)
    assert claim.verdict == NOT_DECIDED
    for method in METHODS:  # a tenth is seen
        found.met[method][name] = own * 1.1 if name == "mse" else 1 - (1 - own) * 1.1
    assert sections.best([found], name, "changes least", EDITED)[0].verdict == HOLDS


def test_the_interval_told_is_that_of_the_way_that_decides():
    found = result((0.3, 0.2, 0.4, 0.1))
    own = found.at_equal_success("mse")[OURS]
    found.met[IN_Z]["mse"] = own + 0.05  # worse, and sure
    found.met[IN_W]["mse"] = own + 0.1 + np.resize([0.5, -0.5], FACES)  # farther off, and not sure
    found.met[CONDITIONAL]["mse"] = own + 0.2
    [claim] = sections.best([found], "mse", "changes least", EDITED)
    assert (claim.verdict, claim.low < 0 < claim.high) == (NOT_DECIDED, True)
    assert IN_W in claim.what
    found.met[CONDITIONAL]["mse"] = own - 0.01
    [claim] = sections.best([found], "mse", "changes least", EDITED)
    assert (claim.verdict, claim.ours) == (FAILS, pytest.approx(0.01))
    assert claim.low > 0


def test_claims_are_of_the_faces_of_the_table():
    found = result((0.3, 0.2, 0.4, 0.1))
    found.met[IN_W].drop(index=[0, 1, 2], inplace=True)
    [claim] = sections.best([found], "mse", "changes least", EDITED)
    assert "(9 faces)" in claim.what
    assert "Smile (9 faces)" in sections.table_of([found], "mse", "errors").frame.index
    found.met[IN_W].drop(index=range(3, 8), inplace=True)
    assert sections.best([found], "mse", "changes least", EDITED)[0].verdict == NOT_DECIDED  # four are too few


def seen(first, second) -> Result:
    """Of faces in which the judge sees the attribute after the move, and after the intervention."""
    found = {}
    for method, hits in ((IN_Z, first), (IN_W, first), (CONDITIONAL, first), (OURS, second)):
        rows = [(face, step, step, step * (2.0 * hit) - 1) for face, hit in enumerate(hits) for step in (0, 1)]
        frame = pd.DataFrame(rows, columns=["face", "step", "strength", "score"]).astype({"strength": float})
        found[method] = frame.set_index(["face", "step"])
    return Result("smile", pd.Series("done", range(len(first))), found, NUMBERS)


@pytest.mark.parametrize(
    ("both", "move", "ours", "none", "verdict"),
    [
        (10, 0, 0, 0, NOT_DECIDED),  # a shortfall of a quarter may be there
        (40, 0, 0, 0, HOLDS),
        (2, 0, 8, 0, HOLDS),
        (0, 10, 0, 0, FAILS),
        (850, 50, 0, 100, HOLDS),  # in fewer, and by less than a tenth of the faces
        (600, 200, 0, 200, FAILS),
        (0, 0, 0, 0, NOT_DECIDED),
    ],
)
def test_it_is_as_often_where_a_tenth_fewer_can_be_told_apart(both, move, ours, none, verdict):
    first = [True] * (both + move) + [False] * (ours + none)
    second = [True] * both + [False] * move + [True] * ours + [False] * none
    if not first:
        first = second = [True] * 3
        found = seen(first, second)
        for rows in found.steps.values():
            rows.loc[(slice(None), 0), "score"] = 1.0  # seen in every source
    else:
        found = seen(first, second)
    grid, [claim] = sections.as_often([found], dict.fromkeys(METHODS, 1), IN_Z)
    assert claim.verdict == verdict
    if both + move + ours + none:
        assert claim.ours == pytest.approx((ours - move) / len(first))
        assert claim.low <= claim.ours <= claim.high
        assert grid.frame.loc["Smile", OURS].startswith(f"{100 * np.mean(second):.0f} (")


def test_faces_that_were_not_raised_are_left_out_and_the_page_says_how_many_each_way_brought_as_far():
    found = result((0.3, 0.2, 0.4, 0.1), reach=1.5)
    found.steps[OURS].loc[(slice(0, 2), 2), "score"] = -1.5
    assert list(found.raised) == list(range(3, FACES))
    assert list(found.at_equal_success("mse").index) == list(range(3, FACES))
    *_, faces = sections.equal_success([found], {"mse": "errors"}).parts
    assert faces.frame.loc["Smile"].tolist() == [12, 12, 9, 0, 0, 0]
    found = result((0.3, 0.2, 0.4, 0.1))
    found.met[IN_W].drop(index=[4, 5], inplace=True)
    *_, faces = sections.equal_success([found], {"mse": "errors"}).parts
    assert faces.frame.loc["Smile"].tolist() == [12, 12, 12, 12, 10, 12]


FALLS = np.linspace(1, 0.2, 5)


@pytest.mark.parametrize(
    ("mean_T", "faces", "verdict"),
    [
        (FALLS, 8, HOLDS),
        (FALLS, 5, NOT_DECIDED),  # too few
        (np.ones(5), 8, NOT_DECIDED),  # flat
        (np.zeros(5), 8, NOT_DECIDED),  # the mask is all of the picture
        (FALLS + np.array([0, 0, 0.5, 0, 0]), 8, FAILS),
        (np.linspace(1, 1.2, 24), 8, FAILS),  # no rise is above 0.9 %
        (np.concatenate([[1.3], np.linspace(1, 1.2, 24)]), 8, FAILS),  # lower at the end
    ],
)
def test_the_error_drops_where_it_is_lower_at_the_end_and_does_not_rise(monkeypatch, mean_T, faces, verdict):
    errors = mean_T * np.random.default_rng(2).uniform(0.5, 2, (faces, 1))
    monkeypatch.setattr(sections, "read_coefficients", lambda folder: list(errors))
    _, [claim] = sections.layers({"smile": "folder"}, [])
    assert claim.verdict == verdict
    if mean_T.any():
        assert claim.ours == pytest.approx(np.diff(mean_T).clip(min=0).sum() / mean_T[0], abs=1e-9)
        assert f"the last is {100 * mean_T[-1] / mean_T[0]:.0f} % of the first" in claim.what


def test_tables_have_the_papers_numbers_below_ours():
    grid = sections.table_of([result((0.3, 0.2, 0.4, 0.1))], "mse", "errors")
    assert grid.frame.loc["Smile (12 faces)", IN_Z] == "0.6000"
    assert grid.frame.loc["Smile, paper"].tolist() == ["0.016", "0.016", "0.015", "0.003"]
    assert TABLE_2["identity"].loc["old"].max() == 89.73  # InterFaceGAN's, not theirs
    assert TABLE_1.loc["old", "sparsity"] == 98.14
