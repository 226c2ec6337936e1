"""`stylemill edit style-intervention`: two tables of directions, edits in s, and what was solved for."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edits import HOW, edit, edits, planted, sample

import schemas
from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.models import generators
from pipeline.stages.direction_rows import to_rows
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
    words = ("--scores", "both", "--images", "png", "--size", "32", "--keep", "all")
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
    assert dict(zip(request["options"], request["option_values"], strict=True)) == {"move": 3.0, "length": 1.0}
    asked = json.loads(Path(intervened, ".stylemill/edit/spec.json").read_text())["spec"]
    assert (asked["space"], asked["read_in"]) == ("s", "w")
    assert main(["verify", str(intervened)]) == 0


def test_they_are_measured_and_shown(intervened, tmp_path):
    how = ["--families", "tiny-judge", "--measured", "old,smile", *HOW]
    assert main(["measure", "--edits", f"{intervened}/edits", *how, "--out", str(tmp_path)]) == 0
    assert Table.open(f"{tmp_path}/measured").read()["attribute"].to_pylist()
    assert main(["report", str(intervened)]) == 0
    assert "style-intervention" in (intervened / "report.html").read_text()


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
    assert edit(latents, f"{tables}/w,{tables}/s", tmp_path, *words, "--keep", "all") == 0
    rows = edits(tmp_path)
    there = [row["index"] for row in rows if row["step"] == 0 and row["old"] > 0]
    assert [row["index"] for row in rows if row["stop"] == "reached"] == there
    found = coefficients(tmp_path).to_pylist()
    assert there
    assert [one["index"] for one in found if not one["solved"]] == there
    assert [one["index"] for one in found if not one["errors"]] == there


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
