"""`stylemill measure` on the tiny networks: against pandas on raw scores, several tables, faces, what is refused."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from edits import HOW, edit, planted, written_again
from pixels import PixelsAreTheFace

import schemas
from jobs.__main__ import main
from jobs.measure import rows_may_stop
from jobs.small_outputs import write_small_table
from pipeline.editors import EditRequest
from pipeline.metrics.effects import EffectBatch, Effects
from pipeline.metrics.of_faces import METRICS
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.report.edit_means import Edits
from pipeline.stages.compared import Block, Source, Sums
from pipeline.tables import Table

ROWS = 22
WORDS = "--attribute old,young --preserve eyeglasses --space w --strengths=-4,4"
JUDGED = list(DEFAULT_ATTRIBUTES)


@pytest.fixture(scope="module")
def inputs(latents, directions):
    return latents, directions


@pytest.fixture(scope="module")
def scored(inputs, tmp_path_factory):
    """Edits in w that have the judge's scores."""
    out = tmp_path_factory.mktemp("scored")
    words = [*WORDS.split(), "--scores", "judge"]
    assert edit(*inputs, out, *words) == 0
    return f"{out}/edits"


@pytest.fixture(scope="module")
def unscored(inputs, tmp_path_factory):
    """The same without scores."""
    out = tmp_path_factory.mktemp("unscored")
    assert edit(*inputs, out, *WORDS.split()) == 0
    return f"{out}/edits"


def measure(out, *tables_of_edits, words=()) -> int:
    asked = ["--edits", ",".join(tables_of_edits), "--families", "tiny-judge", "--out", str(out)]
    return main(["measure", *asked, *HOW, *words])


def measured(out) -> pd.DataFrame:
    return Table.open(f"{out}/measured").read().to_pandas()


def raw(url) -> pd.DataFrame:
    """One row for each edited face and score: before, after."""
    rows = Table.open(url).read(["index", "request", "step", *(f"judge_{name}" for name in JUDGED)]).to_pandas()
    long = rows.melt(["index", "request", "step"], var_name="measured", value_name="after")
    long["after"] = long["after"].astype(np.float64)
    before = long[long["step"] == 0].drop(columns="step").rename(columns={"after": "before"})
    both = long[long["step"] > 0].merge(before, on=["index", "request", "measured"])
    both["measured"] = both["measured"].str.removeprefix("judge_")
    both["change"] = both["after"] - both["before"]
    both["flip"] = (both["after"] > 0) != (both["before"] > 0)
    return both


def test_the_numbers_are_those_of_pandas(scored, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert measure(tmp_path, scored) == 0
    said = capsys.readouterr().out
    assert "What the edits changed" in said
    assert "old | eyeglasses" in said
    assert "…" not in said  # though the terminal is narrow
    assert max(map(len, said.splitlines())) > 60
    found = measured(tmp_path).set_index(["request", "step", "measured"]).sort_index()
    wanted = raw(scored).groupby(["request", "step", "measured"]).agg(
        mean=("change", "mean"), sd=("change", "std"), flip_rate=("flip", "mean"), count=("change", "size")
    )  # fmt: skip
    assert found.index.equals(wanted.sort_index().index)
    assert len(found) == 2 * 2 * len(JUDGED)
    for name in ("mean", "sd", "flip_rate"):
        np.testing.assert_allclose([value[0] for value in found[name]], wanted.sort_index()[name], atol=1e-12)
    assert found["count"].tolist() == [ROWS] * len(found)
    assert found.loc[(1, 2, "yaw"), "attribute"] == "young"
    assert found.loc[(1, 2, "yaw"), "strength"] == 4.0
    assert found.loc[(0, 1, "old"), "strength"] == -4.0
    assert list(found.loc[(0, 1, "old"), "conditions"]) == ["eyeglasses"]
    partials = Table.open(f"{tmp_path}/metrics").read().to_pandas()  # a group for each part
    assert partials.groupby("index").size().tolist() == [len(found)] * 3
    csv = pd.read_csv(tmp_path / "measured.csv")
    np.testing.assert_allclose(csv["mean"], [value[0] for value in measured(tmp_path)["mean"]])
    assert main(["verify", str(tmp_path)]) == 0


def test_another_judges_scores_are_not_taken(scored, tmp_path, monkeypatch):
    """The family named now is another one than the table's: faces are made anew."""
    asked = []
    real = FaceScorer.look_with_pictures

    def look(self, codes):
        asked.append(len(codes))
        return real(self, codes)

    monkeypatch.setattr(FaceScorer, "look_with_pictures", look)
    assert measure(tmp_path / "same", scored) == 0
    assert asked == []
    assert main(["measure", "--edits", scored, "--families", "tiny", "--out", str(tmp_path / "other"), *HOW]) == 0
    assert asked
    changes = [np.concatenate(list(measured(tmp_path / name)["mean"])) for name in ("same", "other")]
    assert not np.allclose(*changes)


@pytest.mark.parametrize("words", ["--space z --strengths=5", "--space w --until 9 --target 1"])
def test_faces_of_a_table_without_scores_are_scored_as_they_were(words, inputs, tmp_path):
    words = ["--index", "0:8", "--attribute", "old", *words.split()]
    assert edit(*inputs, tmp_path / "scored", *words, "--scores", "judge") == 0
    assert edit(*inputs, tmp_path / "plain", *words) == 0
    for name in ("scored", "plain"):
        assert measure(tmp_path / f"of-{name}", f"{tmp_path}/{name}/edits") == 0
    a, b = (measured(tmp_path / f"of-{name}") for name in ("scored", "plain"))
    np.testing.assert_allclose(np.concatenate(list(a["mean"])), np.concatenate(list(b["mean"])), atol=1e-5)
    assert np.abs(np.concatenate(list(a["mean"]))).max() > 1e-3
    assert set(a["strength"]) == ({9.0} if "--until" in words else {5.0})


def test_several_tables_are_kept_apart(scored, inputs, tmp_path):
    assert edit(*inputs, tmp_path / "z", "--attribute", "old", "--space", "z", "--strengths=5") == 0
    z = f"{tmp_path}/z/edits"
    assert measure(tmp_path / "both", z, scored) == 0
    assert measure(tmp_path / "one", scored) == 0
    both, one = measured(tmp_path / "both"), measured(tmp_path / "one")
    assert list(dict.fromkeys(both["edits"])) == [z, scored]
    its = both[both["edits"] == scored].reset_index(drop=True).drop(columns="index")
    pd.testing.assert_frame_equal(its, one.drop(columns="index"))


@pytest.mark.usefixtures("picture_identity")
def test_identity_is_the_cosine_to_the_source(scored, tmp_path, capsys):
    assert measure(tmp_path, scored, words=["--identity"]) == 0
    assert "identity" in capsys.readouterr().out
    found = measured(tmp_path)
    found = found[found["metric"] == "identity"].set_index(["request", "step"])
    assert len(found) == 4
    generator = generators.load("stylegan2-tiny", backend="eager")
    rows = Table.open(scored).read(["request", "step", "latent"]).to_pandas()

    def faces(request, step):
        its = rows[(rows["request"] == request) & (rows["step"] == step)]
        return PixelsAreTheFace()(generator.synthesize(Codes("w", torch.tensor(np.stack(its["latent"])))))

    for key, row in found.iterrows():
        cosine = (faces(key[0], 0) * faces(*key)).sum(1).double().numpy()
        assert abs(row["mean"][0] - cosine.mean()) < 1e-5
        assert abs(row["sd"][0] - cosine.std(ddof=1)) < 1e-5
        assert row["q05"][0] <= row["median"][0] <= row["q95"][0]
    assert main(["verify", str(tmp_path)]) == 0


@pytest.mark.weights
@pytest.mark.slow
def test_the_real_network_of_identity_sees_the_same_face_as_itself(inputs, tmp_path):
    assert edit(*inputs, tmp_path / "e", "--attribute", "old", "--space", "w", "--strengths=0,30") == 0
    assert measure(tmp_path / "m", f"{tmp_path}/e/edits", words=["--identity", "--measured", "old"]) == 0
    found = measured(tmp_path / "m")
    found = found[found["metric"] == "identity"].set_index("step")
    assert found.loc[1, "mean"][0] > 1 - 1e-5
    assert found.loc[2, "mean"][0] < 0.999


def test_a_face_that_is_not_finite_is_named(unscored, tmp_path, capsys, monkeypatch):
    real = classifiers.family.Family.raw

    def raw(self, *about):
        found = real(self, *about)
        found["smile"][2] = torch.nan
        return found

    monkeypatch.setattr(classifiers.family.Family, "raw", raw)
    assert measure(tmp_path, unscored) == 1
    said = capsys.readouterr().err
    assert "row 2, request 0, step 0: judge_smile is not finite" in said


def test_what_cannot_be_is_one_line_and_2(inputs, scored, tmp_path, refused, capsys):
    out = tmp_path / "out"
    ends = (
        "--attribute old --space w --strengths=1 --keep last",
        "ials --attribute old --lambda1 0 --steps 1 --space w",
    )
    for place, words in enumerate(ends):
        assert edit(*inputs, tmp_path / f"last{place}", "--index", "0:4", *words.split()) == 0
        capsys.readouterr()
        refused(measure(out, f"{tmp_path}/last{place}/edits"), "keeps no step 0, the source to compare with: edit with")
    for names, words, message, code in (
        ([inputs[0]], [], "is a table of latents, not of edits", 2),
        ([scored, scored], [], "names a table twice", 2),
        ([scored], ["--measured", "freckles"], "unknown attribute 'freckles'", 2),
        ([f"{tmp_path}/nothing"], [], "is not a table", 1),
    ):
        refused(measure(out, *names, words=words), message, code, out=out)


@pytest.mark.parametrize(
    ("spec", "may"),
    [
        ({"rows_may_stop": True, "steps": 3}, True),
        ({"rows_may_stop": False, "steps": 3}, False),
        ({"editor": "ials", "steps": 20}, True),  # of a table made before it was stored
        ({"editor": "interfacegan", "strengths": [1.0]}, False),
    ],
)
def test_whether_rows_may_stop_is_in_the_stored_spec(spec, may):
    assert rows_may_stop(spec) is may


def test_edits_with_requests_of_version_1_are_measured_as_before(scored, tmp_path):
    directory = tmp_path / "edited"
    shutil.copytree(Path(scored).parent, directory)
    old = schemas.requests(with_options=False)
    rows = (
        Table.open(f"{directory}/requests").read().select(old.arrow.names).replace_schema_metadata(old.arrow.metadata)
    )
    facts = {"verb": "edit", "spec": {"edits": Table.open(scored).require_sealed()["fingerprint"]}, "resolved": {}}
    write_small_table(f"{directory}/requests", old, rows, facts)
    for name, edits in (("new", scored), ("old", f"{directory}/edits")):
        assert measure(tmp_path / name, edits) == 0
    new, found = (measured(tmp_path / name).drop(columns="edits") for name in ("new", "old"))
    assert found.astype(str).equals(new.astype(str))
    asked = Edits.read(str(directory)).asked  # what the page names edits by
    assert [asked[row["index"]]["attribute"] for row in rows.to_pylist()] == rows["attribute"].to_pylist()


def test_rows_that_end_before_others_stand_still(inputs, tmp_path):
    """IALS with --until: each row's steps are as many as it takes; so that no step is of the stubborn faces alone.

    All are old to the tiny network, and so they go down.
    """
    asked = ["ials", "--attribute", "old", "--lambda1", "0", "--until", "0.5", "--target", "flip"]
    how = ["--steps", "5", "--step-size", "1", "--keep", "3", "--space", "w", "--scores", "judge"]
    assert edit(*inputs, tmp_path / "edited", *asked, *how) == 0
    assert measure(tmp_path / "out", f"{tmp_path}/edited/edits", words=["--measured", "old,male"]) == 0
    rows = Table.open(f"{tmp_path}/edited/edits").read().to_pandas()
    assert rows.groupby("index")["step"].max().nunique() > 1
    found = measured(tmp_path / "out")
    assert found.loc[found["measured"] == "old", "strength"].tolist() == [-3, -5]
    found = found.set_index(["step", "measured"])
    for step in (3, 5):
        before, after = rows.groupby("index").first(), rows[rows["step"] <= step].groupby("index").last()
        for name in ("old", "male"):
            change = (after[f"judge_{name}"] - before[f"judge_{name}"]).to_numpy(np.float64)
            assert found.loc[(step, name), "mean"][0] == pytest.approx(change.mean(), abs=1e-6)
            assert found.loc[(step, name), "count"] == ROWS
    assert set(Table.open(f"{tmp_path}/out/metrics").read()["count"].to_pylist()) == {8.0, 6.0}  # of each part, all


@pytest.mark.parametrize("kept", [None, (1, 2)])
def test_rows_that_flip_are_counted_by_the_way_they_go(kept):
    """Four rows, two steps; rows 1 and 3 go down, row 2 does not move; the changes of all of them would cancel."""
    strength = np.array([[0, 1, 2], [0, -1, -2], [0, 0, 0], [0, -1, -2]], dtype=float)
    old = 10.0 * np.arange(4)[:, None] + strength
    keys = {"index": np.repeat(np.arange(4), 3), "request": np.zeros(12, int), "step": np.tile(np.arange(3), 4)}
    table = pa.table({**keys, "strength": strength.ravel(), "judge_old": old.ravel()})
    wish = EditRequest("old", (), "flip", (1.0, 2.0))
    source = Source("edits", None, 1, "w", {0: wish}, None, None, True, kept)
    block, sums, columns = Block(source, table, 0, 4), Sums(Effects()), {}
    for request, step in block.steps:
        its = block.places(request, step)
        before, after = (block.scores(block.places(0, one), ["old"])["old"] for one in (0, step))
        block.put(EffectBatch(before, after), its, columns, "old")
    for group, edited in block.groups():
        sums.add((*group, "old"), columns["old"], edited)
    found = sums.groups()
    assert list(found) == [(0, step, side, "old") for step in (1, 2) for side in (1, -1)]
    ended = {group: Effects().finish(numbers) for group, numbers in found.items()}
    assert [ended[0, 2, side, "old"]["count"] for side in (1, -1)] == [2, 2]
    assert [ended[0, 2, side, "old"]["mean"] for side in (1, -1)] == [1.0, -2.0]
    assert [wish.strength(2, side) for side in (1, -1)] == [2.0, -2.0]


def test_rows_that_flip_to_the_boundary_are_not_put_together(inputs, tmp_path, capsys):
    """--until 0: both sides are asked for the same score. Old faces go down, and faces that are not young go up."""
    out = tmp_path / "edited"
    words = ["--attribute", "old,young", "--until", "0", "--target", "flip", "--bound", "4", "--scores", "judge"]
    assert edit(*inputs, out, *words, "--space", "w") == 0
    rows = Table.open(f"{out}/edits").read().to_pandas()
    rows.loc[(rows["index"] % 2 == 0) & (rows["step"] > 0), "strength"] *= -1  # half of the faces as if the other way
    written_again(out, rows)
    assert measure(tmp_path / "out", f"{out}/edits", words=["--measured", "old"]) == 0
    found = measured(tmp_path / "out")
    assert found["side"].tolist() == [1, -1] * 2
    assert found["strength"].tolist() == [0.0] * 4
    assert found["count"].tolist() == [ROWS // 2] * 4
    change = rows.groupby(["request", "index"])["judge_old"].agg(lambda scores: scores.iloc[-1] - scores.iloc[0])
    down = rows.groupby(["request", "index"])["strength"].last() < 0
    for place, (request, side) in enumerate([(0, False), (0, True), (1, False), (1, True)]):
        expected = change[request][down[request] == side].mean()
        assert found["mean"].iloc[place][0] == pytest.approx(expected, abs=1e-6)
    assert "+0, down" in capsys.readouterr().out


def faces_of(url):
    """Pictures (N, 3, H, W) in [0, 1] of a table of edits in w, by request and step."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    rows = Table.open(url).read(["request", "step", "latent"]).to_pandas()
    return {
        key: (generator.synthesize(Codes("w", torch.tensor(np.stack(its["latent"])))) / 2 + 0.5).clamp(0, 1).numpy()
        for key, its in rows.groupby(["request", "step"])
    }


def test_pictures_are_compared_with_their_sources(scored, tmp_path, capsys):
    assert measure(tmp_path, scored, words=["--metrics", "pictures"]) == 0
    assert "mse_outside" in capsys.readouterr().out
    found = measured(tmp_path)
    assert set(found["metric"]) == {"effects", "pictures"}
    found = found[found["metric"] == "pictures"].set_index(["request", "step", "measured"])
    faces = faces_of(scored)
    for request, step in ((0, 1), (0, 2), (1, 1), (1, 2)):
        errors = ((faces[request, step].astype(np.float64) - faces[request, 0]) ** 2).mean(axis=(1, 2, 3))
        assert found.loc[(request, step, "mse"), "mean"][0] == pytest.approx(errors.mean(), rel=1e-4)
        assert found.loc[(request, step, "mse"), "sd"][0] == pytest.approx(errors.std(ddof=1), rel=1e-4)
        assert found.loc[(request, step, "mse"), "count"] == ROWS
        assert -1 <= found.loc[(request, step, "ssim"), "mean"][0] < 1
        inside, outside = (found.loc[(request, step, f"mse_{side}"), "count"] for side in ("inside", "outside"))
        assert 0 < max(inside, outside) <= ROWS
        assert (request, step, "mse_inside_landmarks") not in found.index  # landmarks do not show age
    partials = Table.open(f"{tmp_path}/metrics_pictures").read().to_pandas()
    assert partials.groupby("index").size().tolist() == [4 * 6] * 3
    assert main(["verify", str(tmp_path)]) == 0


def test_faces_that_were_not_edited_are_among_the_scores_alone(inputs, tmp_path):
    """They would bring the error down, of an editor that leaves faces as they are where others do not."""
    asked = ["ials", "--attribute", "old", "--lambda1", "0", "--target", "0", "--steps", "2", "--step-size", "1"]
    assert edit(*inputs, tmp_path / "e", *asked, "--keep", "all", "--space", "w", "--until", "9") == 0
    rows = Table.open(f"{tmp_path}/e/edits").read().to_pandas()
    stayed = (rows["index"] % 3 == 0) | (rows["index"] < 8)  # all of the first part, and some of each other
    written_again(tmp_path / "e", rows[~stayed | (rows["step"] == 0)])
    edited = ROWS - rows.loc[stayed, "index"].nunique()
    assert measure(tmp_path / "m", f"{tmp_path}/e/edits", words=["--metrics", "pictures", "--measured", "old"]) == 0
    found = measured(tmp_path / "m").set_index(["step", "measured"])
    assert found["count"].to_dict() | {(2, "old"): ROWS, (2, "mse"): edited} == found["count"].to_dict()
    faces = faces_of(f"{tmp_path}/e/edits")
    there = rows.loc[rows["step"] == 0, "index"].isin(rows.loc[~stayed, "index"]).to_numpy()
    errors = ((faces[0, 2].astype(np.float64) - faces[0, 0][there]) ** 2).mean(axis=(1, 2, 3))
    assert len(errors) == edited
    assert found.loc[(2, "mse"), "mean"][0] == pytest.approx(errors.mean(), rel=1e-4)
    assert main(["verify", str(tmp_path / "m")]) == 0


def test_faces_that_had_reached_their_score_are_not_among_the_pictures(inputs, tmp_path):
    """All are old to the tiny judge; those of interfacegan have a step, of strength 0."""
    words = ["--attribute", "old", "--space", "w", "--until", "0", "--target", "1", "--index", "0:8"]
    assert edit(*inputs, tmp_path / "e", *words) == 0
    rows = Table.open(f"{tmp_path}/e/edits").read().to_pandas()
    edited = int((rows.loc[rows["step"] == 1, "strength"] != 0).sum())
    assert edited < 8
    assert measure(tmp_path / "m", f"{tmp_path}/e/edits", words=["--metrics", "pictures", "--measured", "old"]) == 0
    found = measured(tmp_path / "m").set_index("measured")["count"].to_dict()
    assert found["old"] == 8
    assert found["mse"] == edited
    assert main(["verify", str(tmp_path / "m")]) == 0


def test_an_edit_along_years_has_no_region(latents, tmp_path):
    planted(tmp_path / "d", ("w",), names=("age_years",))
    words = ["--attribute", "age_years", "--space", "w", "--strengths=4", "--index", "0:4"]
    assert edit(latents, tmp_path / "d", tmp_path / "e", *words) == 0
    assert measure(tmp_path / "m", f"{tmp_path}/e/edits", words=["--metrics", "pictures", "--measured", "old"]) == 0
    assert set(measured(tmp_path / "m")["measured"]) == {"old", "mse", "ssim"}


def test_faces_that_did_not_move_have_no_error(inputs, tmp_path):
    assert edit(*inputs, tmp_path / "e", "--attribute", "old", "--space", "w", "--strengths=0,9", "--index", "0:6") == 0
    assert measure(tmp_path / "m", f"{tmp_path}/e/edits", words=["--metrics", "pictures", "--measured", "old"]) == 0
    found = measured(tmp_path / "m").set_index(["step", "measured"])
    for name, same in (("mse", 0.0), ("ssim", 1.0)):
        assert found.loc[(1, name), "mean"][0] == found.loc[(1, name), "mean_low"][0] == same
        assert found.loc[(2, name), "mean"][0] != same


@pytest.mark.usefixtures("picture_identity")
def test_faces_are_made_once_for_all_metrics(scored, tmp_path, monkeypatch):
    """And the source of both requests, which is one face, once for both; numbers do not go by their neighbours."""
    made = []
    real = FaceScorer.look_with_pictures
    monkeypatch.setattr(FaceScorer, "look_with_pictures", lambda self, codes: (made.append(1), real(self, codes))[1])
    assert measure(tmp_path / "all", scored, words=["--metrics", "pictures,identity"]) == 0
    assert len(made) == 6 * (1 + 2 * 2)  # micro-batches; the source, two steps of two requests
    assert measure(tmp_path / "one", scored, words=["--identity"]) == 0
    both, one = (Table.open(f"{tmp_path}/{name}/metrics_identity").read() for name in ("all", "one"))
    assert both.equals(one)
    facts = [Table.open(f"{tmp_path}/{name}/measured").require_sealed()["fingerprint"] for name in ("all", "one")]
    assert facts[0] != facts[1]


@pytest.mark.slow
@pytest.mark.usefixtures("picture_identity")
def test_identity_has_two_names_and_one_fingerprint(scored, tmp_path, capsys):
    assert measure(tmp_path, scored, words=["--identity"]) == 0
    capsys.readouterr()
    assert measure(tmp_path, scored, words=["--metrics", "identity"]) == 0
    assert "all done" in capsys.readouterr().err


def test_an_unknown_metric_is_one_line_and_2(scored, tmp_path, refused):
    names = ", ".join(metric.name for metric in METRICS if not metric.always)
    refused(
        measure(tmp_path / "o", scored, words=["--metrics", "beauty"]), f"unknown metric 'beauty': choose from {names}"
    )


def test_another_network_than_at_the_start_is_refused(scored, tmp_path):
    from dataclasses import replace

    from jobs.flags import parse
    from jobs.measure import MeasureSpec, plan_measure
    from pipeline.errors import ModelFileError

    words = ["--edits", scored, "--families", "tiny-judge", "--metrics", "pictures", "--out", str(tmp_path), *HOW]
    stage = plan_measure(parse(MeasureSpec, words))[0].stage
    other = tuple(replace(one, fingerprint="0" * 64) for one in stage.measured_by)
    with pytest.raises(ModelFileError, match=r"the network of effects has the fingerprint|the network of pictures has"):
        replace(stage, measured_by=other).open()


RED = -0.6


class SomeFaces:
    """In place of dlib: the embedding is the picture; it finds no face in those that are not red enough."""

    fingerprint = "some"

    def __call__(self, x_N3HW):
        found = x_N3HW.clamp(-1, 1).mean(dim=(2, 3)).double().numpy()
        found[found[:, 0] < RED] = np.nan
        return found


def test_faces_that_dlib_does_not_find_are_counted(scored, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.metrics.identity_dlib.DlibIdentity", SomeFaces)
    assert measure(tmp_path, scored, words=["--metrics", "identity_dlib"]) == 0
    assert "identity_dlib_no_face" in capsys.readouterr().out
    found = measured(tmp_path)
    found = found[found["metric"] == "identity_dlib"].set_index(["request", "step", "measured"])
    faces = {key: SomeFaces()(torch.from_numpy(one) * 2 - 1) for key, one in faces_of(scored).items()}
    lost = 0
    for request, step in ((0, 1), (0, 2), (1, 1), (1, 2)):
        distances = np.linalg.norm(faces[request, step] - faces[request, 0], axis=1)
        there = distances[~np.isnan(distances)]
        distance, no_face = (found.loc[(request, step, name)] for name in ("", "identity_dlib_no_face"))
        assert (distance["count"], no_face["count"]) == (len(there), ROWS)
        assert no_face["mean"][0] == pytest.approx(1 - len(there) / ROWS)
        assert list(distance["mean"]) == pytest.approx([there.mean()] if len(there) else [], rel=1e-4)
        lost += ROWS - len(there)

    assert 0 < lost < 4 * ROWS


def test_without_dlib_one_line_says_what_to_install(scored, tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    refused(measure(tmp_path / "o", scored, words=["--metrics", "identity_dlib"]), "pip install 'stylemill[identity]'")


@pytest.mark.slow
@pytest.mark.weights
def test_every_metric_on_two_real_faces(tmp_path):
    """The same picture again, then another: all networks open, and each number says that there is no change first."""
    latents = tmp_path / "l"
    how = ["--batch-size", "2", "--threads", "1", "--backend", "eager", "--local"]
    assert main(["sample", "--rows", "2", "--seed", "5", *how, "--out", str(latents)]) == 0
    planted(tmp_path / "d", ("w",), generators.load("mobilestylegan-ffhq", backend="eager").fingerprint, ["smile"])
    words = ["--attribute", "smile", "--space", "w", "--strengths=0,4", "--classifiers", "tiny", *how]
    where = ["--latents", f"{latents}/latents", "--directions", str(tmp_path / "d"), "--out", str(tmp_path / "e")]
    assert main(["edit", "interfacegan", *where, *words]) == 0
    metrics = ",".join(metric.name for metric in METRICS if not metric.always)
    asked = ["--edits", f"{tmp_path}/e/edits", "--metrics", metrics, "--measured", "smile", "--out", f"{tmp_path}/m"]
    assert main(["measure", *asked, *how]) == 0
    found = measured(tmp_path / "m").set_index(["metric", "measured", "step"])
    assert (found["count"] == 2).all()
    for metric, number, same in (
        ("identity", "", 1), ("pictures", "mse", 0), ("pictures", "mse_outside", 0), ("pictures", "ssim", 1),
        ("pictures", "ssim_inside_landmarks", 1), ("perceptual", "", 0), ("identity_dlib", "", 0),
    ):  # fmt: skip
        still, moved = (found.loc[(metric, number, step), "mean"][0] for step in (1, 2))
        assert still == pytest.approx(same, abs=1e-5), (metric, number)
        assert abs(moved - same) > 1e-4, (metric, number)
    assert found.loc[("identity_dlib", "identity_dlib_no_face", 2), "mean"][0] == 0


@pytest.mark.usefixtures("picture_identity")
def test_the_page_of_measured_edits(scored, unscored, tmp_path, capsys, refused):
    assert measure(tmp_path, scored, unscored, words=["--metrics", "identity,pictures", "--measured", "old,yaw"]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path), "--title", "Changes"]) == 0
    assert capsys.readouterr().out.split() == [f"{tmp_path}/report.html"]
    page, text = Path(tmp_path, "report.html").read_text(), Path(tmp_path, "report.md").read_text()
    assert page.count("<svg") == 2 * 2 * 4  # tables, requests; scores, identity, MSE and SSIM over the strength
    found = measured(tmp_path)
    assert len(found) == 2 * 2 * 2 * (2 + 1 + 6)
    of_mse = found[found["measured"] == "mse"].iloc[0]
    for words in ("Changes", scored, unscored, "old | eyeglasses", "pictures mse", f"{of_mse['mean'][0]:.4g}"):
        assert words in page, words
    assert "mse_outside" in text
    (tmp_path / "measured/.stylemill/manifest.json").unlink()
    refused(main(["report", str(tmp_path)]), "is not complete", 1)
