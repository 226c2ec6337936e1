"""From scores to curves and areas: against pandas on the same rows, written down once more."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from made_dt import count, drifting, job, write_steps
from sklearn.metrics import cohen_kappa_score

from pipeline.metrics import Outcomes, paired_differences
from pipeline.report.dt.paper import TABLE_1
from pipeline.report.dt.result import PairResult
from pipeline.report.dt.sections import DRAWN, said_as_released
from pipeline.tables import Table

PAIRS = [("smile", "old"), ("old", "smile"), ("male", "smile")]
CELLS = [(1.0, 1.0), (0.75, 0.0), (0.0, 0.0)]
KAPPA = (0.6, 0.83, 0.59)
ROWS, STEPS = 30, 10
ASIDE = {35, 41, 100}
"""Items: two rows of the first pair in its second cell, one of the second in its first."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    made = job(out, PAIRS, CELLS, ROWS, STEPS, kappa=KAPPA)
    scores = drifting(len(PAIRS), CELLS, ROWS, STEPS)
    by_pair = scores.reshape(len(PAIRS), -1, 4)
    by_pair[2, :, 1] += 1.2 * np.random.default_rng(1).standard_normal(by_pair.shape[1])  # they half agree on its smile
    scores[2 * 90 + 7, 0, 2] = 0.5  # a row of the last pair starts on the other side, in its first cell alone
    write_steps(made, scores, ASIDE)
    count(made)
    return out


def test_the_scores_of_all_steps_are_read_once(tmp_path, monkeypatch):
    read, batches = [], Table.batches

    def counted(table, *given, **named):
        read.append(table.url)
        return batches(table, *given, **named)

    monkeypatch.setattr(Table, "batches", counted)
    made, scores = job(tmp_path, PAIRS[:1], CELLS, 4, 3), drifting(1, CELLS, 4, 3)
    for _ in range(2):
        write_steps(made, scores)
        count(made)
        assert [url for url in read if url.endswith("dt_steps")] == [f"{tmp_path}/dt_steps"]
        Table(f"{tmp_path}/dt_steps").clear()
        scores, read = scores + 0.1, []


def table(out, name) -> pd.DataFrame:
    return Table.open(f"{out}/{name}").read().to_pandas()


def raw(out) -> pd.DataFrame:
    """One row for each face, with its pair and cell, without rows that are rejected in a cell."""
    found, requests = table(out, "dt_steps"), table(out, "requests")
    found["pair"] = [PAIRS[request // len(CELLS)] for request in found["request"]]
    lambdas = requests.set_index("index")["lambdas"]
    found["cell"] = [tuple(lambdas[request]) for request in found["request"]]
    there = found.groupby(["pair", "row"])["index"].transform("nunique") == len(CELLS)
    return found[there]


def measured(out, prefix="judge_") -> pd.DataFrame:
    """Those of `raw` that start in the source class in every cell, with what became of them, without step 0."""
    found = raw(out)
    source = found[found["step"] == 0].set_index(["pair", "cell", "row"])
    source_of = pd.MultiIndex.from_frame(found[["pair", "cell", "row"]])
    found["primal_before"] = source.loc[source_of, f"{prefix}primal"].to_numpy()
    found["condition_before"] = source.loc[source_of, f"{prefix}condition"].to_numpy()
    starts = found.groupby(["pair", "row"])["primal_before"].transform("max") <= 0
    found = found[starts & (found["step"] > 0)].copy()
    found["transformed"] = found[f"{prefix}primal"] > 0
    found["kept"] = (found[f"{prefix}condition"] > 0) == (found["condition_before"] > 0)
    return found


def curve(p, q):
    """Points of equal p are one; q is their mean."""
    points = pd.DataFrame({"p": np.maximum.accumulate([0.0, *p]), "q": [1.0, *q]})
    return points.groupby("p")["q"].mean()


def area(line, end):
    total = 0.0
    for (p0, q0), (p1, q1) in pairwise(line.items()):
        stop = min(p1, end)
        if stop > p0:
            at = q0 + (q1 - q0) * (stop - p0) / (p1 - p0)
            total += (stop - p0) * (q0 + at) / 2
    return total


@pytest.mark.parametrize(("family", "prefix"), [("judge", "judge_"), ("faces", "")])
def test_curves_are_those_of_pandas(made, family, prefix):
    wanted = measured(made, prefix).groupby(["pair", "cell", "step"])[["transformed", "kept"]].agg(["mean", "size"])
    found = table(made, "dt_curves")
    found = found[found["family"] == family]
    assert len(found) == len(wanted) == len(PAIRS) * len(CELLS) * STEPS
    assert (found["step_size"] == 0.1).all()
    keys = zip(found["primal"], found["condition"], found["lambda1"], found["lambda2"], found["step"], strict=True)
    for row, (a, b, l1, l2, step) in zip(found.to_dict("records"), keys, strict=True):
        expected = wanted.loc[((a, b), (l1, l2), step)]
        assert row["count"] == expected["transformed", "size"]
        assert row["p"] == pytest.approx(expected["transformed", "mean"], abs=1e-12)
        assert row["q"] == pytest.approx(expected["kept", "mean"], abs=1e-12)
        assert row["p_low"] < row["p"] < row["p_high"] or row["p"] in (0, 1)


def test_which_rows_count(made):
    counts = table(made, "dt_curves").query("family == 'judge'").groupby(["primal", "condition"])["count"].unique()
    assert counts[("smile", "old")].tolist() == [ROWS - 2]
    assert counts[("old", "smile")].tolist() == [ROWS - 1]
    assert counts[("male", "smile")].tolist() == [ROWS - 1]


@pytest.mark.parametrize(("family", "prefix"), [("judge", "judge_"), ("faces", "")])
def test_areas_are_those_of_pandas(made, family, prefix):
    rows = measured(made, prefix)
    found = table(made, "dt_auc")
    found = found[found["family"] == family].set_index(["primal", "condition", "lambda1", "lambda2"])
    assert len(found) == len(PAIRS) * len(CELLS)
    for pair in PAIRS:
        mine = rows[rows["pair"] == pair]
        lines, outcomes = {}, {}
        for cell, of_cell in mine.groupby("cell"):
            shares = of_cell.groupby("step")[["transformed", "kept"]].mean()
            lines[cell] = curve(shares["transformed"], shares["kept"])
            grids = (of_cell.pivot(index="row", columns="step", values=name) for name in ("transformed", "kept"))
            outcomes[cell] = Outcomes(*(grid.to_numpy(dtype=bool) for grid in grids))
        common = min(line.index[-1] for line in lines.values())
        assert common > 0.2
        differences = paired_differences({cell: outcomes[cell] for cell in CELLS}, (1.0, 1.0))
        for cell, line in lines.items():
            row, end = found.loc[(*pair, *cell)], line.index[-1]
            assert row["p_max"] == pytest.approx(end, abs=1e-12)
            assert row["common"] == pytest.approx(common, abs=1e-12)
            assert row["auc_to_p_max"] == pytest.approx(area(line, end), abs=1e-12)
            assert row["auc_normalised"] == pytest.approx([area(line, end) / end], abs=1e-12)
            assert row["auc_common"] == pytest.approx([area(line, common) / common], abs=1e-12)
            assert (row["rows"], row["steps"]) == (len(outcomes[cell].kept), STEPS)
            if cell == (1.0, 1.0):
                assert (row["verdict"], len(row["difference"])) == ("", 0)
            else:
                one = differences[cell]
                both = min(end, lines[1.0, 1.0].index[-1])
                more = (area(line, both) - area(lines[1.0, 1.0], both)) / both
                assert row["difference"] == pytest.approx([more], abs=1e-12)
                assert (row["difference_low"][0], row["difference_high"][0]) == (one.low, one.high)
                assert row["verdict"] == one.verdict
    assert set(found["verdict"]) > {"better"}


def test_kappa_of_unedited_faces_decides_what_is_ranked_and_that_of_all_faces_is_told(made):
    rows, found = raw(made), table(made, "dt_auc")
    for pair, kappa in zip(PAIRS, KAPPA, strict=True):
        mine = rows[rows["pair"] == pair]
        expected = min(cohen_kappa_score(mine[name] > 0, mine[f"judge_{name}"] > 0) for name in ("primal", "condition"))
        of_pair = found[(found["primal"] == pair[0]) & (found["condition"] == pair[1])]
        assert [value[0] for value in of_pair["kappa_edited"]] == pytest.approx([expected] * len(of_pair))
        assert [value[0] for value in of_pair["kappa"]] == [kappa] * len(of_pair)
        assert of_pair["ranked"].tolist() == [kappa >= 0.6] * len(of_pair)
        assert f"is {kappa:.2f} on unedited faces" in (made / "report.html").read_text()
    assert 0.3 < expected < 0.6
    assert found.groupby(["primal", "condition"])["ranked"].first().tolist() == [False, True, True]


def test_the_screen_says_what_is_best_and_what_is_not_ranked(made, capsys):
    count(job(made, PAIRS, CELLS, ROWS, STEPS, kappa=KAPPA))
    said = capsys.readouterr()
    found = table(made, "dt_auc")
    judged = found[(found["family"] == "judge")]
    judged = judged.assign(area=[value[0] for value in judged["auc_common"]])
    for (primal, condition), of_pair in judged.groupby(["primal", "condition"]):
        best = of_pair.loc[of_pair["area"].idxmax()]
        block = said.out.split(f"{primal} | {condition} by judge")[1].split(" by judge")[0]
        assert (f"({best['lambda1']:g}, {best['lambda2']:g}), best" in block) == best["ranked"]
        assert block.count(" best") == best["ranked"]
    assert "not ranked" in said.out
    mean = judged[judged["ranked"]].groupby(["lambda1", "lambda2"])["area"].mean().sort_values(ascending=False)
    (first, second), value = next(iter(mean.items()))
    assert (
        f"Mean over 2 ranked pairs of q over the common range (Eq. 7): ({first:g}, {second:g}) {value:.4f}" in said.out
    )
    assert "smile | old: 2 rows were rejected in a cell, and are left out of all cells" in said.err
    assert "male | smile: 1 rows start on the target's side" in said.err
    assert "Done" not in said.err  # the tables are there already


def test_the_page_has_table_1_beside_the_papers(tmp_path):
    cells = sorted(TABLE_1, key=lambda cell: (sum(share < 1 for share in cell), -cell[0], -cell[1]))
    made = job(tmp_path, PAIRS[:1], cells, ROWS, STEPS, per_shard=64)
    write_steps(made, drifting(1, cells, ROWS, STEPS))
    count(made)
    page = (tmp_path / "report.html").read_text()
    assert "The paper&#39;s Table 1" in page
    assert "0.9025</td>" in page
    found = table(tmp_path, "dt_auc")
    rows = found[found["family"] == "judge"].to_dict("records")
    for row in rows:
        assert f"{row['auc_common'][0]:.4f}</td>" in page
    best = max(rows, key=lambda row: row["auc_common"][0])
    winner = (best["lambda1"], best["lambda2"])
    assert f"({winner[0]:g}, {winner[1]:g}), best" in page
    assert page.count("<polyline") == len({*DRAWN, winner})
    kept = [row for row in rows if row["lambda1"] >= 0.75 and row["lambda2"] <= 0.75]
    better = sum(row["verdict"] == "better" for row in kept)
    assert (
        f"Of 8 such comparisons in pairs on which the families agree, {better} find the cell better than (1, 1)" in page
    )


def test_families_that_see_one_class_alone_have_no_kappa_and_are_not_ranked(tmp_path):
    made = job(tmp_path, PAIRS[:1], CELLS, ROWS, STEPS, kappa=(None,))
    scores = drifting(1, CELLS, ROWS, STEPS)
    scores[..., [1, 3]] = -1.0
    write_steps(made, scores)
    count(made)
    found = table(tmp_path, "dt_auc")
    assert (
        [len(value) for value in found["kappa"]] == [len(value) for value in found["kappa_edited"]] == [0] * len(found)
    )
    assert not found["ranked"].any()
    assert math.isclose(found["auc_common"].iloc[0][0], 1.0)


def test_as_released_a_p_that_falls_is_taken_off():
    """From (0, 1) to (0.5, 1), and back to (0.25, 0.5)."""
    curves = pd.DataFrame(
        {"family": "faces", "lambda2": 0.0, "lambda1": [0.0, 0.0, 1.0, 1.0],
         "step": [2, 1, 1, 2], "p": [0.25, 0.5, 0.5, 1.0], "q": [0.5, 1.0, 1.0, 1.0]}
    )  # fmt: skip
    asked = {"judge": "judge", "classifiers": "faces", "lambdas": [[0.0, 0.0], [1.0, 0.0]]}
    result = PairResult(("old", "male"), asked, curves, curves, np.array([0]), np.zeros((2, 1, 3, 4), np.float32))
    assert result.as_released() == {(1.0, 0.0): 1.0, (0.0, 0.0): 0.5 - 0.25 * 0.75}
    assert replace(result, asked={**asked, "classifiers": "others"}).as_released() == {}
    assert said_as_released(result, 1) == "old | male as released, by faces, which edits: (1, 0) 1.0000."
