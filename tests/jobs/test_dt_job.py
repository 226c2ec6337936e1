"""`stylemill dt` on the tiny networks: what is scored, of which rows, whatever the way; and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from edits import HOW, TINY, planted, sample
from sklearn.metrics import cohen_kappa_score
from tiny_jobs import rows, tables

from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.editors.ials import IALS
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages import dt as stage
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table
from schemas.dt_steps import SCORES
from tests.pipeline.editors.requested import same

ROWS, STEPS, SIZE = 4, 3, 4.0
CELLS = [(1.0, 1.0), (1.0, 0.0), (0.75, 0.0), (0.0, 0.0)]
PAIRS = [("male", "yaw"), ("smile", "old")]
WORDS = ["--pairs", "male:yaw,smile:old", "--rows", str(ROWS), "--steps", str(STEPS), "--step-size", str(SIZE)]
WORDS += ["--space", "w", "--rows-per-shard", "8"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """(latents, labels by the judge, directions, labels by the family that edits)."""
    out = tmp_path_factory.mktemp("inputs")
    latents = sample(out / "sampled", 40, 16)
    assert main(["label", "--latents", latents, "--classifiers", "tiny", *HOW, "--out", str(out / "own")]) == 0
    assert main(["label", "--latents", latents, "--classifiers", "tiny-judge", *HOW, "--out", str(out / "judged")]) == 0
    planted(out / "directions", ("w", "s", "z"), names=("male", "yaw", "smile", "old"))
    return latents, f"{out}/judged/labels", str(out / "directions"), f"{out}/own/labels"


def dt(inputs, out, *words) -> int:
    latents, labels, directions = inputs[:3]
    where = ["--latents", latents, "--labels", labels, "--directions", directions, "--out", str(out)]
    return main(["dt", *where, *TINY, *words])


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert dt(inputs, out, *WORDS) == 0
    return out


def steps(out) -> pd.DataFrame:
    return Table.open(f"{out}/dt_steps").read().to_pandas()


def by_hand(inputs, row, request, space="w", released=False):
    """Scores (points, 4) of one row, by the editor and each family alone."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    primal, condition = PAIRS[request // len(CELLS)]
    families = {
        prefix: classifiers.load(name, (primal, condition), measures=())
        for prefix, name in (("", "tiny"), ("judge_", "tiny-judge"))
    }

    def scores(codes):
        x = generator.synthesize(codes)
        return {
            prefix + name: family.scores(x)[:, place]
            for prefix, family in families.items()
            for place, name in enumerate(family.attributes)
        }

    levels = [one for one in read_directions(Table.open(inputs[2])) if one.space == space]
    index, codes = read_codes(Table.open(inputs[0]), space, generator)
    wanted = same(1, primal, conditions=(condition,), lambdas=CELLS[request % len(CELLS)])
    editor = IALS(levels, scores, SIZE, STEPS, as_released=released, look=True)
    trace = editor.edit(Codes(space, codes.values[index == row].clone()), wanted)
    return np.stack([trace.scores[name][0] for name in (primal, condition, f"judge_{primal}", f"judge_{condition}")], 1)


def test_an_item_is_one_request_of_one_row_scored_as_the_editor_saw_it(whole, inputs):
    found, requests = steps(whole), rows(whole, "requests")
    assert [(r["attribute"], tuple(r["conditions"]), tuple(r["lambdas"])) for r in requests] == [
        (primal, (condition,), cell) for primal, condition in PAIRS for cell in CELLS
    ]
    assert requests[0]["strengths"] == [SIZE * n for n in range(1, STEPS + 1)]
    items = len(requests) * ROWS
    assert found["index"].tolist() == np.repeat(np.arange(items), STEPS + 1).tolist()
    assert found["step"].tolist() == list(range(STEPS + 1)) * items
    np.testing.assert_allclose(found["strength"], SIZE * found["step"])
    assert set(found["stop"]) == {"done"}
    assert found["request"].tolist() == (found["index"] // ROWS).tolist()
    for item in (2, 5, 13, 27, 31):  # every cell, both pairs
        mine = found[found["index"] == item]
        expected = by_hand(inputs, mine["row"].iloc[0], mine["request"].iloc[0])
        np.testing.assert_allclose(mine[list(SCORES)], expected, atol=1e-3)
    assert found.groupby("index")["primal"].agg(np.ptp).min() > 0.01


def test_rows_are_the_first_that_the_judge_puts_on_the_other_side(whole, inputs, tmp_path):
    labels = pd.read_parquet(inputs[1])
    found = steps(whole)
    for request in range(2 * len(CELLS)):
        primal = PAIRS[request // len(CELLS)][0]
        expected = labels["index"][labels[primal] <= 0].head(ROWS).tolist()
        assert found.loc[(found["request"] == request) & (found["step"] == 0), "row"].tolist() == expected
    words = ["--pairs", "old:yaw", "--target", "0", "--first", "3", "--rows", "4", "--lambdas", "0:0", "--steps", "1"]
    assert dt(inputs, tmp_path, *words, "--space", "w") == 0
    other = steps(tmp_path)
    assert other.loc[other["step"] == 0, "row"].tolist() == labels["index"][labels["old"] > 0].tolist()[3:7]
    assert (other.loc[other["step"] == 1, "strength"] < 0).all()
    assert (other.loc[other["step"] == 0, "judge_primal"] > 0).all()


def test_the_same_command_says_again_what_came_out_and_the_page_is_its_own(whole, inputs, capsys):
    assert dt(inputs, whole, *WORDS) == 0
    assert f"male | yaw by tiny-judge: {ROWS} rows" in capsys.readouterr().out
    assert main(["report", str(whole)]) == 1
    assert "stylemill dt writes report.html itself" in capsys.readouterr().err


def test_cells_may_be_named_in_any_order_and_a_grid_is_its_cells(inputs, whole, tmp_path):
    words = ["--pairs", "smile:old", "--rows", "2", "--steps", "1", "--space", "w", "--rows-per-shard", "8"]
    assert dt(inputs, tmp_path / "a", *words, "--lambdas", "0:0,0:1,1:0,1:1") == 0
    assert dt(inputs, tmp_path / "b", *words, "--grid", "1") == 0
    assert tables(tmp_path / "a") == tables(tmp_path / "b")
    cells = [tuple(row["lambdas"]) for row in rows(tmp_path / "a", "requests")]
    assert cells == [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]


def test_the_plan_counts_the_passes(inputs, tmp_path, capsys, monkeypatch):
    """Rows fill micro-batches here, so that no pass has a slot in vain."""
    words = ["--pairs", "male:yaw,smile:old", "--rows", "4", "--steps", "3", "--space", "w", "--rows-per-shard", "8"]
    assert dt(inputs, tmp_path, *words, "--dry-run") == 0
    line = "2 pairs x 4 cells x 4 rows: 128 faces forward, 120 backward, 512 scored"
    assert line in capsys.readouterr().err
    assert not (tmp_path / "dt_steps").exists()
    forward, backward, scored = [], [], []
    monkeypatch.setattr(FaceScorer, "warm_up", lambda self, batch_size, gradients=False: None)
    look, grad = FaceScorer.__call__, torch.autograd.grad

    def counted(self, codes, attributes=None):
        seen = look(self, codes, attributes)
        forward.append(len(codes))
        scored.append(len(codes) * len(seen))
        return seen

    monkeypatch.setattr(FaceScorer, "__call__", counted)
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **b: (backward.append(len(a[1])), grad(*a, **b))[1])
    assert dt(inputs, tmp_path, *words) == 0
    assert (sum(forward), sum(backward), sum(scored)) == (128, 120, 512)


def test_a_row_that_is_set_aside_in_a_cell_is_left_out_of_all_cells(whole, inputs, tmp_path, capsys, monkeypatch):
    real, bad = stage.points, {(2, 1), (5, 0)}  # request and place of the row

    def poisoned(trace, requests, steps, judge):
        found = real(trace, requests, steps, judge)
        for slot, request in enumerate(requests):
            pair = PAIRS.index((request.attribute, *request.preserve))
            cell = CELLS.index(tuple(request.options.values()))
            if (pair * len(CELLS) + cell, places[slot]) in bad:
                found["judge_primal"][slot, 2] = np.nan
        return found

    compute = stage.DtWorker._compute
    places: list[int] = []

    def noted(self, index, slots):
        places[:] = (index % ROWS).tolist()
        return compute(self, index, slots)

    monkeypatch.setattr(stage, "points", poisoned)
    monkeypatch.setattr(stage.DtWorker, "_compute", noted)
    assert dt(inputs, tmp_path, *WORDS) == 0
    said = capsys.readouterr().err
    assert f"{8 * ROWS - 2} published + 2 rejected (2 not finite)" in said
    assert "male | yaw: 1 rows were rejected" in said
    assert sorted(row["index"] for row in rows(tmp_path, "rejects/dt")) == [2 * ROWS + 1, 5 * ROWS]
    judged = Table.open(f"{tmp_path}/dt_auc").read().to_pandas()
    judged = judged[judged["family"] == "tiny-judge"]
    assert judged["rows"].tolist() == [ROWS - 1] * 8
    bad.clear()
    assert dt(inputs, tmp_path, *WORDS, "--retry-rejected") == 0
    assert tables(tmp_path) == tables(whole)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--pairs male", "male is not a pair: give PRIMAL:CONDITION"),
        ("--pairs male:male", "male cannot both change and stay unchanged"),
        ("--pairs male:old,male:old", "male:old is named twice"),
        ("--pairs male:bangs --space w", "has no direction of 'bangs'"),
        ("--pairs male:old", "has several directions of male: choose male#0 (svm, w)"),
        ("--pairs male#0:old#3,male#4:old#3", "the directions are in s and w"),
        ("--lambdas 1:2", "1:2 is not a pair of lambdas"),
        ("--lambdas 1", "1 is not a pair of lambdas"),
        ("--lambdas 1:1,1:1.0", "1:1 is named twice"),
        ("--lambdas 1:1 --grid 0.5", "give --lambdas or --grid"),
        ("--grid 0.3", "1 must be a multiple of it"),
        ("--judge tiny", "--judge tiny is the family that edits"),
        ("--pairs male:old --space w --rows 41", "rows that start without male, and 41 are needed"),
        ("--pairs male:old --space w --first 30 --rows 11", "and 41 are needed"),
        ("--pairs male:old --space w --per-layer", "these edits are in w, pass --space w+"),
        ("--pairs male#8:old#11", "these directions are in z"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(words, message, inputs, tmp_path, refused):
    refused(dt(inputs, tmp_path / "out", *words.split()), message, out=tmp_path / "out")


def test_an_alias_has_the_sign_of_its_name(inputs, tmp_path):
    planted(tmp_path / "d", ("w",), names=("young", "yaw"))
    words = ["--pairs", "young:yaw", "--rows", "3", "--steps", "1", "--lambdas", "0:0"]
    assert dt((*inputs[:2], str(tmp_path / "d")), tmp_path / "out", *words) == 0
    labels = pd.read_parquet(inputs[1]).set_index("index")
    found = steps(tmp_path / "out")
    start = found[found["step"] == 0]
    np.testing.assert_allclose(start["judge_primal"], -labels.loc[start["row"], "old"], atol=1e-3)
    assert (start["judge_primal"] <= 0).all()


def test_labels_that_do_not_fit_are_refused(inputs, tmp_path, refused, capsys):
    latents, labels, directions, own = inputs
    out, words = tmp_path / "out", ["--pairs", "male:old", "--space", "w", "--rows", "2"]
    other, table = sample(tmp_path / "other", 8, 8, "--seed", "9"), Table.open(labels)
    facts = table.require_sealed()["facts"]
    facts = {**facts, "resolved": {**facts["resolved"], "generator_digest": "f" * 64}}
    write_small_table(str(tmp_path / "foreign"), table.schema, table.read(), facts)
    planted(tmp_path / "twins", ("w",), names=("old", "young"))
    capsys.readouterr()
    swapped = ["--classifiers", "tiny-judge", "--judge", "tiny"]
    for given, more, message in (
        ((other, labels, directions), [], "labels of other latents"),
        ((latents, own, directions), [], "was labelled by tiny, and tiny-judge is to measure"),
        ((latents, own, directions), swapped, "--classifiers tiny-judge only measures and has no gradients"),
        ((latents, f"{labels},{labels}", directions), [], "are both by tiny-judge: give one of them"),
        ((latents, latents, directions), [], "is a table of latents, not of labels"),
        ((latents, f"{tmp_path}/foreign", directions), [], "not of this stylegan2-tiny"),
        ((latents, labels, f"{tmp_path}/twins"), ["--pairs", "old:young"], "old:young: these are one attribute"),
    ):
        refused(dt(given, out, *words, *more), message, out=out)
    bare = ["dt", "--latents", latents, "--labels", labels, "--out", str(out), *TINY, *words]
    refused(main(bare), "--directions: a lambda above 0")
    refused(main([*bare, "--lambdas", "0:0", "--as-released"]), "--directions: --as-released projects out")


def test_labels_of_both_families_tell_how_well_they_agree_on_unedited_faces(inputs, tmp_path):
    latents, labels, directions, own = inputs
    judged, table = pd.read_parquet(labels), Table.open(own)
    seen = judged.copy()  # the random networks see too little alike: here the families differ in three and in five rows
    seen.loc[:2, "yaw"] *= -1
    seen.loc[20:24, "old"] *= -1
    made = pa.Table.from_pandas(seen[table.schema.arrow.names], table.schema.arrow, preserve_index=False)
    write_small_table(str(tmp_path / "own"), table.schema, made, table.require_sealed()["facts"])
    words = ["--pairs", "yaw:old,male:old", "--rows", "2", "--steps", "1", "--lambdas", "1:1", "--space", "w"]
    assert dt((latents, f"{tmp_path}/own,{labels}", directions), tmp_path / "out", *words) == 0  # in either order
    found = Table.open(f"{tmp_path}/out/dt_auc").read().to_pandas().set_index(["primal", "family"])["kappa"]
    of_each = [cohen_kappa_score(judged[name] > 0, seen[name] > 0) for name in ("yaw", "old")]
    assert 0 < min(of_each) < max(of_each) < 1
    assert found["yaw", "tiny-judge"] == pytest.approx([min(of_each)])
    assert len(found["male", "tiny-judge"]) == 0  # nobody is male to either family


def test_labels_that_come_later_remake_the_small_tables_and_no_face(inputs, tmp_path, capsys):
    latents, labels, directions, own = inputs
    words = ["--pairs", "yaw:old", "--rows", "2", "--steps", "1", "--lambdas", "1:1", "--space", "w"]
    assert dt(inputs, tmp_path, *words) == 0
    before = (tmp_path / "dt_steps/part-00000-of-00001.parquet").stat().st_mtime_ns
    capsys.readouterr()
    assert dt((latents, f"{labels},{own}", directions), tmp_path, *words) == 0
    assert "all done" in capsys.readouterr().err
    assert (tmp_path / "dt_steps/part-00000-of-00001.parquet").stat().st_mtime_ns == before
    found = Table.open(f"{tmp_path}/dt_auc").read().to_pandas()
    assert [len(kappa) for kappa in found["kappa"]] == [1] * len(found)


def test_as_released_counts_as_the_public_code_does(inputs, tmp_path, capsys):
    words = ["--pairs", "male:yaw", "--rows", "4", "--steps", "5", "--step-size", str(SIZE), "--space", "w"]
    assert dt(inputs, tmp_path, *words, "--lambdas", "1:1,0.75:0,0:0", "--as-released") == 0
    said = capsys.readouterr()
    assert "the public code edits latents of psi 0.5 in all layers, these have psi 0.7" in said.err
    points = Table.open(f"{tmp_path}/dt_curves").read().to_pandas()
    own = points[points["family"] == "tiny"]
    areas = {
        cell: np.trapezoid([1, *of_cell["q"]], [0, *of_cell["p"]])
        for cell, of_cell in own.groupby(["lambda1", "lambda2"])
    }
    ordered = sorted(areas.items(), key=lambda item: (-item[1], item[0]))
    told = ", ".join(f"({first:g}, {second:g}) {area:.4f}" for (first, second), area in ordered)
    sentence = f"male | yaw as released, by tiny, which edits: {told}."
    assert sentence in said.out
    assert sentence in (tmp_path / "report.html").read_text()
    ours = steps(tmp_path)
    expected = by_hand(inputs, ours["row"].iloc[0], 2, released=True)  # a request of (0.75, 0)
    mine = ours[(ours["request"] == 1) & (ours["row"] == ours["row"].iloc[0])]
    np.testing.assert_allclose(mine[list(SCORES)].iloc[: STEPS + 1], expected, atol=1e-3)
