"""Numbers of faces at equal success, and the claims that are made of them."""

import numpy as np
import pandas as pd
import pytest

import schemas
from pipeline.errors import StoreError
from pipeline.metrics.of_faces import NUMBERS
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED
from pipeline.report.style_intervention import sections
from pipeline.report.style_intervention.paper import CONDITIONAL, EDITED, IN_W, IN_Z, OURS, TABLE_1, TABLE_2
from pipeline.report.style_intervention.result import Result, of_faces
from pipeline.tables import Table

FACES = 12
WAYS = (IN_Z, IN_W, CONDITIONAL)


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


def result(slopes, attribute="smile", reach=6.0, ends=None) -> Result:
    own = steps(slopes[-1], noise=0.1)
    own = own[own.index.get_level_values("step") <= 2].assign(strength=lambda rows: [0.0, 0.5, 1.0] * FACES)
    ends = pd.Series("done", range(FACES)) if ends is None else ends
    others = {way: steps(k, reach) for way, k in zip(WAYS, slopes, strict=False)}
    return Result(attribute, ends, {**others, OURS: own}, NUMBERS)


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
    assert claim.paper == f"{0.003 - 0.015:+.3g}"
    assert claim.ours == pytest.approx(2 * own - 0.4, abs=0.02)
    assert claim.low <= claim.ours <= claim.high
    [claim] = sections.best([result((0.3, 0.2, 0.4, own))], "ssim", "stays similar", EDITED)
    assert claim.verdict == verdict
    assert claim.ours == pytest.approx(0.4 - 2 * own, abs=0.02)
    assert sections.best([result((0.3, 0.2, 0.4, own), "old")], "ssim", "no", ("smile",)) == []


def test_a_distance_is_better_the_smaller_and_a_number_that_was_not_measured_decides_nothing():
    found = result((0.3, 0.2, 0.4, 0.1))
    for rows in found.steps.values():
        rows["identity_dlib"] = rows["mse"]
    [claim] = sections.best([found], "identity_dlib", "kept", EDITED)
    assert (claim.verdict, claim.paper) == (HOLDS, "+2.16 (similarity, of 100)")
    assert claim.ours == pytest.approx(-0.2, abs=0.02)
    [claim] = sections.best([found], "identity", "kept", EDITED)
    assert (claim.verdict, np.isnan(claim.ours)) == (NOT_DECIDED, True)
    assert set(sections.table_of([found], "identity", "cosine").frame.loc["Smile (0 faces)"]) == {"–"}


def test_how_often_the_attribute_appears_is_of_faces_that_lack_it():
    found = result((0.3, 0.2, 0.4, 0.1))
    grid, [claim] = sections.as_often([found], dict.fromkeys(WAYS, 4), IN_Z)
    assert grid.frame.loc["Smile", OURS].startswith("100 (")
    assert (claim.ours, claim.verdict) == (0.0, HOLDS)
    _, [claim] = sections.as_often([result((0.3, 0.2, 0.4, 0.1))], dict.fromkeys(WAYS, 1), IN_Z)
    assert (claim.ours, claim.verdict) == (1.0, HOLDS)  # one step leaves the score at 0, the boundary
    found.steps[OURS].loc[(slice(None), 2), "score"] = -0.5
    _, [claim] = sections.as_often([Result("smile", found.ends, found.steps, NUMBERS)], dict.fromkeys(WAYS, 4), IN_Z)
    assert (claim.ours, claim.verdict) == (-1.0, FAILS)


def test_the_page_says_how_many_faces_each_way_brought_as_far():
    found = result((0.3, 0.2, 0.4, 0.1), reach=1.5)
    found.steps[OURS].loc[(slice(0, 2), 2), "score"] = -1.5
    *_, faces = sections.equal_success([Result("smile", found.ends, found.steps, NUMBERS)], {"mse": "errors"}).parts
    assert faces.frame.loc["Smile"].tolist() == [12, 12, 9, 3, 3, 3]  # three sources were as far before


def test_tables_have_the_papers_numbers_below_ours():
    grid = sections.table_of([result((0.3, 0.2, 0.4, 0.1))], "mse", "errors")
    assert grid.frame.loc["Smile (12 faces)", IN_Z] == "0.6000"
    assert grid.frame.loc["Smile, paper"].tolist() == ["0.016", "0.016", "0.015", "0.003"]
    assert TABLE_2["identity"].loc["old"].max() == 89.73  # InterFaceGAN's, not theirs
    assert TABLE_1.loc["old", "sparsity"] == 98.14


def partials(url, edits, counts) -> None:
    """A table of partial numbers, a row for each part of two tables of edits."""
    schema = schemas.metrics(("count", "mean", "m2"))
    rows = {
        "index": list(range(len(counts))), "group": [0] * len(counts), "metric": ["pictures"] * len(counts),
        "edits": edits, "request": [0] * len(counts), "step": [1] * len(counts), "attribute": ["old"] * len(counts),
        "conditions": [[]] * len(counts), "side": [1] * len(counts), "strength": [1.0] * len(counts),
        "measured": ["mse"] * len(counts), "count": counts, "mean": [0.1 * k for k in range(len(counts))],
        "m2": [0.0] * len(counts),
    }  # fmt: skip
    table = Table.create(f"{url}/metrics_pictures", schema, rows=len(counts), rows_per_shard=len(counts))
    table.seal([table.publish(0, schema.rows(rows))], {})


def edits_of(url, faces) -> str:
    """A table of edits with a part for each face."""
    schema = schemas.edits((2,))
    table = Table(url, schema)
    records = [
        table.publish(
            part,
            schema.rows(
                {
                    "index": [face], "request": [0], "step": [0], "strength": [0.0], "stop": ["done"], "space": ["w"],
                    "latent": np.zeros((1, 2), np.float32), "generator": ["g"],
                }
            ),
            shards=len(faces),
        )
        for part, face in enumerate(faces)
    ]  # fmt: skip
    table.seal(records, {})
    return url


def test_a_part_of_one_face_has_its_number(tmp_path):
    urls = [edits_of(f"{tmp_path}/{name}", faces) for name, faces in (("a", (4, 9)), ("b", (2,)))]
    partials(tmp_path, [urls[0], urls[0], urls[1]], [1.0, 1.0, 1.0])
    found = of_faces(str(tmp_path), urls, ["metrics_pictures"])
    assert found["face"].tolist() == [4, 9, 2]
    assert found["name"].tolist() == ["mse"] * 3
    assert found["value"].tolist() == [0.0, 0.1, 0.2]


def test_a_part_of_several_faces_has_none(tmp_path):
    url = edits_of(f"{tmp_path}/a", (4, 9))
    partials(tmp_path, [url, url], [1.0, 2.0])
    with pytest.raises(StoreError, match="holds several faces: edit with shards of one"):
        of_faces(str(tmp_path), [url], ["metrics_pictures"])
