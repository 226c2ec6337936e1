"""`stylemill edit style-intervention`: two tables of directions, edits in s, and what was solved for."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edits import HOW, edit, edits, planted, sample

import schemas
from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.editors.kept import KeptTable
from pipeline.editors.style_intervention.coefficients import coefficients as table_of
from pipeline.models import generators
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.kept_rows import schema_of
from pipeline.tables import Table

ROWS, WIDTH = 6, 320
FLAGS = ("style-intervention", "--attribute", "old", "--steps", "2", "--always")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    out = tmp_path_factory.mktemp("inputs")
    latents = sample(out / "sampled", ROWS, 4)
    for space in ("w", "z", "s"):
        planted(out / space, (space,))
    planted(out / "w_age", ("w",), names=("age",))
    planted(out / "z_male", ("z",), names=("male",))
    planted(out / "s_old", ("s",), names=("old",))
    planted(out / "s_young", ("s",), names=("young",))
    normals = [replace(one, method="svm-l1-normal") for one in planted(out / "unused", ("s",), names=("old",))]
    write_small_table(f"{out}/normals", schemas.directions(), to_rows(normals), {"verb": "planted"})
    return latents, out


@pytest.fixture(scope="module")
def intervened(inputs, tmp_path_factory):
    latents, tables = inputs
    out = tmp_path_factory.mktemp("edited")
    words = ("--scores", "both", "--images", "png", "--size", "32")
    assert edit(latents, f"{tables}/w,{tables}/s", out, *FLAGS, *words) == 0
    return out


def coefficients(out):
    return Table.open(f"{out}/coefficients").read()


def test_edits_are_in_s_and_the_coefficients_are_kept(intervened, capsys):
    generator = generators.load("stylegan2-tiny", backend="eager")
    rows = edits(intervened)
    assert [(row["index"], row["step"]) for row in rows] == [(index, step) for index in range(ROWS) for step in (0, 1)]
    assert {row["space"] for row in rows} == {"s"}
    assert {len(row["latent"]) for row in rows} == {WIDTH}
    assert {row["stop"] for row in rows} == {"done"}
    found = coefficients(intervened)
    assert found["index"].to_pylist() == list(range(ROWS))
    assert set(found["attribute"].to_pylist()) == {"old"}
    lam = schemas.to_numpy(found["coefficients"])
    assert lam.shape == (ROWS, WIDTH)
    assert 0 <= lam.min() < lam.max() <= 1
    assert {len(one) for one in found["errors"].to_pylist()} == {1 + len(generator.style_layers)}
    [request] = Table.open(f"{intervened}/requests").read().to_pylist()
    assert dict(zip(request["options"], request["option_values"], strict=True)) == {"move": 3.0, "length": 0.25}
    asked = json.loads(Path(intervened, ".stylemill/edit/spec.json").read_text())["spec"]
    assert (asked["space"], asked["read_in"]) == ("s", "w")
    assert main(["verify", str(intervened)]) == 0


def test_they_are_measured_and_shown(intervened, tmp_path):
    how = ["--families", "tiny-judge", "--measured", "old,smile", *HOW]
    assert main(["measure", "--edits", f"{intervened}/edits", *how, "--out", str(tmp_path)]) == 0
    assert Table.open(f"{tmp_path}/measured").read()["attribute"].to_pylist()
    assert main(["report", str(intervened)]) == 0
    assert "style-intervention" in (intervened / "report.html").read_text()


def test_sources_are_kept_so_that_it_can_be_measured(inputs, tmp_path):
    latents, tables = inputs
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *FLAGS, "--index", "0:1") == 0
    assert [row["step"] for row in edits(tmp_path)] == [0, 1]


def test_strengths_are_steps_with_the_solution_fixed(inputs, intervened, tmp_path):
    latents, tables = inputs
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *FLAGS, "--strengths=0,1,2", "--scores", "judge") == 0
    rows = edits(tmp_path)
    assert [row["strength"] for row in rows[:4]] == [0, 0, 1, 2]
    lam = schemas.to_numpy(coefficients(tmp_path)["coefficients"])
    np.testing.assert_array_equal(lam, schemas.to_numpy(coefficients(intervened)["coefficients"]))
    source, edited = (np.array(edits(intervened)[step]["latent"]) for step in (0, 1))
    np.testing.assert_array_equal(rows[2]["latent"], edited)
    np.testing.assert_array_equal(rows[0]["latent"], source)


def test_faces_at_their_target_stay_and_have_no_coefficients(inputs, tmp_path):
    latents, tables = inputs
    words = ("style-intervention", "--attribute", "old", "--steps", "1", "--scores", "faces", "--scored", "old")
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *words) == 0
    rows = edits(tmp_path)
    there = [row["index"] for row in rows if row["step"] == 0 and row["old"] > 0]
    assert [row["index"] for row in rows if row["stop"] == "reached"] == there
    found = coefficients(tmp_path).to_pylist()
    assert there
    assert [one["index"] for one in found if not one["solved"]] == there
    assert [one["index"] for one in found if not one["errors"]] == there


def test_coefficients_of_one_face_or_their_mean_are_shared(inputs, intervened, tmp_path):
    latents, tables = inputs
    words = ("style-intervention", "--attribute", "old", "--always")
    lam = schemas.to_numpy(coefficients(intervened)["coefficients"])
    found = {}
    for name, mark in (("one", "#2"), ("mean", "")):
        how = (*words, "--shared-coefficients", f"{intervened}/coefficients{mark}")
        assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / name, *how) == 0
        assert not (tmp_path / name / "coefficients").exists()
        found[name] = edits(tmp_path / name)
    own = edits(intervened)
    np.testing.assert_allclose(found["one"][5]["latent"], own[5]["latent"], atol=1e-5)
    moved = {name: np.array(rows[3]["latent"]) - rows[2]["latent"] for name, rows in found.items()}
    by_n_less_by_z = (moved["one"] - moved["mean"]) / np.where(lam[2] == lam.mean(axis=0), 1, lam[2] - lam.mean(axis=0))
    wanted = moved["one"] + (lam[1] - lam[2]) * by_n_less_by_z
    there = np.abs(lam[2] - lam.mean(axis=0)) > 0.05
    np.testing.assert_allclose((np.array(own[3]["latent"]) - own[2]["latent"])[there], wanted[there], atol=1e-3)


@pytest.mark.slow
def test_what_is_shared_decides_the_job_and_not_where_it_lies(inputs, intervened, tmp_path, capsys):
    latents, tables = inputs
    shutil.copytree(intervened / "coefficients", tmp_path / "copy")
    words = ("style-intervention", "--attribute", "old", "--always", "--index", "0:2", "--shared-coefficients")
    for given, code in ((f"{intervened}/coefficients#2", 0), (f"{tmp_path}/copy#2", 0), (f"{tmp_path}/copy#3", 4)):
        assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / "out", *words, given) == code
    assert "shared_coefficients_digest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words", "message"),
    [
        ("coefficients#77", (), "nothing was solved for old of face 77"),
        ("coefficients", ("--attribute", "eyeglasses"), "there is no row of eyeglasses, only of old"),
        ("edits", (), "is a table of edits, not of coefficients"),
        ("coefficients", ("--steps", "3"), "--steps: with --shared-coefficients nothing is solved for"),
    ],
)
def test_coefficients_that_cannot_be_shared(inputs, intervened, tmp_path, capsys, given, words, message):
    latents, tables = inputs
    how = ("style-intervention", "--always", "--attribute", "old", *words)
    if "--attribute" in words:
        how = ("style-intervention", "--always", *words)
    given = f"{intervened}/{given}"
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / "out", *how, "--shared-coefficients", given) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/edits").exists()


@pytest.mark.slow
def test_coefficients_of_another_generator_are_not_shared(inputs, intervened, tmp_path, capsys):
    latents, tables = inputs
    theirs = tmp_path / "coefficients"
    shutil.copytree(intervened / "coefficients", theirs)
    manifest = theirs / ".stylemill/manifest.json"
    about = json.loads(manifest.read_text())
    about["facts"]["resolved"]["generator_digest"] = "ab" * 32
    manifest.write_text(json.dumps(about))
    words = ("style-intervention", "--attribute", "old", "--always", "--shared-coefficients", str(theirs))
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / "out", *words) == 2
    assert "(abababababab), and not of this stylegan2-tiny" in " ".join(capsys.readouterr().err.split())
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / "out", *words, "--force") == 0
    narrow = KeptTable("coefficients", {**table_of(9).columns})
    rows = {"index": [0], "request": [0], "attribute": ["old"], "solved": [True], "errors": [[]]}
    rows["coefficients"] = np.zeros((1, 9), np.float32)
    facts = {"resolved": {}, "spec": {}}
    write_small_table(f"{tmp_path}/narrow", schema_of(narrow), schema_of(narrow).rows(rows), facts)
    words = (*words[:-1], f"{tmp_path}/narrow", "--force")
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path / "narrowed", *words) == 2
    assert "is of a generator with other layers" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_pictures_after_layers_are_steps_and_strips(inputs, intervened, tmp_path):
    latents, tables = inputs
    words = ("--after-layers", "0,3,7", "--index", "0:2", "--images", "png", "--size", "32", "--scores", "faces")
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *FLAGS, *words) == 0
    rows = edits(tmp_path)
    assert [(row["index"], row["step"]) for row in rows] == [(index, step) for index in (0, 1) for step in range(5)]
    np.testing.assert_allclose(rows[4]["latent"], edits(intervened)[1]["latent"], atol=1e-4)
    assert main(["report", str(tmp_path)]) == 0
    assert "step 3" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("given", "words", "message"),
    [
        ("w", (), "has no direction of old in s: fit one with stylemill directions fit --space s --penalty l1"),
        ("s", (), "has only directions in s: name a table of z, w or w+ too"),
        ("w,z,s", (), "has directions in w and z: choose one with --space"),
        ("w,s,s_old", (), "several directions of old in s: give one table of directions in s"),
        ("w,normals", (), "the normal of a sparse hyperplane, which is no move: give DIR/directions of that fit"),
        ("w,s", ("--attribute", "yaw"), "yaw"),
        ("w,s", ("--preserve", "smile"), "leave out --preserve"),
        ("w,s", ("--classifiers", "tiny-judge"), "the family tiny-judge has no face parser"),
    ],
)
def test_what_does_not_go_together(inputs, tmp_path, capsys, given, words, message):
    latents, tables = inputs
    table = ",".join(f"{tables}/{space}" for space in given.split(","))
    assert edit(latents, table, tmp_path / "out", *FLAGS, *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/edits").exists()


def test_the_sparse_direction_may_have_another_name_and_point_the_other_way(inputs, tmp_path, capsys):
    latents, tables = inputs
    words = ("style-intervention", "--attribute", "age", "--steps", "1", "--always", "--index", "0:4")
    for name in ("old", "young"):
        given = f"{tables}/w_age,{tables}/z_male,{tables}/s_{name}"  # z has nothing of age: w it is
        assert edit(latents, given, tmp_path / name, *words, "--strengths=0,1") == 0
        assert "the direction of " + name + " in s is not sparse" in " ".join(capsys.readouterr().err.split())
        [request] = Table.open(f"{tmp_path}/{name}/requests").read().to_pylist()
        assert request["attribute"] == "age"
    moves = []
    for name in ("old", "young"):
        rows = edits(tmp_path / name)
        lam = schemas.to_numpy(coefficients(tmp_path / name)["coefficients"])[0]
        assert [row["strength"] for row in rows[:3]] == [0, 0, 1]
        moves.append((np.array(rows[2]["latent"]) - rows[1]["latent"]) / np.where(lam > 0, lam, 1))
    there = (np.abs(moves[0]) > 1e-2) & (np.abs(moves[1]) > 1e-2)
    assert there.sum() > 100
    np.testing.assert_allclose(moves[0][there], -moves[1][there], rtol=1e-2)  # the tables have the same numbers


def test_faces_that_stay_are_told_by_reason(inputs, tmp_path, capsys):
    latents, tables = inputs
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *FLAGS[:-1]) == 0
    stayed = [row for row in edits(tmp_path) if row["step"] == 0]
    assert {row["stop"] for row in stayed} == {"reached"}
    said = f"Note  old: {len(stayed)} of {ROWS} rows stay as they are: {len(stayed)} reached"
    assert said in " ".join(capsys.readouterr().err.replace("Note  ", "Note__").split()).replace("Note__", "Note  ")


def test_directions_of_z_and_of_another_generator(inputs, tmp_path, capsys):
    latents, tables = inputs
    assert edit(latents, f"{tables}/w,{tables}/z,{tables}/s", tmp_path, *FLAGS, "--space", "z", "--index", "0:2") == 0
    assert {row["space"] for row in edits(tmp_path)} == {"s"}
    capsys.readouterr()
    planted(tmp_path / "theirs", ("s",), generator="ab" * 32)
    assert edit(latents, f"{tables}/w,{tmp_path}/theirs", tmp_path / "out", *FLAGS) == 2
    assert "abababababab" in capsys.readouterr().err
