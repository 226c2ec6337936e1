"""Directions fitted by the command line: planted ones are found, and what cannot be fitted is one line."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import ATTRIBUTES, WIDTH, directions, plant, write_labels, write_latents
from tiny_jobs import dataset

import schemas
from jobs.__main__ import main
from pipeline.directions.choose import MARGIN
from pipeline.directions.classes import by_rank
from pipeline.directions.svm import fit_as_released, fit_direction
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.tables import Table


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Latents and labels of 600 rows, and the directions that the labels are linear in."""
    out = tmp_path_factory.mktemp("planted")
    return out, plant(out)


def fit(faces, out, *words: str) -> int:
    words = ("--latents", f"{faces}/latents", "--labels", f"{faces}/labels", "--out", str(out), *words)
    return main(["directions", "fit", "--local", *words])


GIVEN = ("--C", "1", "--fraction", "0.5")


def test_planted_directions_are_found(faces, tmp_path):
    where, wanted = faces
    assert fit(where, tmp_path, *GIVEN) == 0
    found = directions(tmp_path)
    assert [row["attribute"] for row in found] == list(ATTRIBUTES)
    for row, vector in zip(found, wanted, strict=True):
        assert row["vector"] @ vector > 0.99
        assert abs(np.linalg.norm(row["vector"]) - 1) < 1e-6
        assert (row["method"], row["space"], row["shape"], row["C"], row["fraction"]) == (
            "svm",
            "w",
            [WIDTH],
            [1],
            [0.5],
        )
        assert row["accuracy_validation"][0] > 0.9
        assert row["generator"] == "ab" * 32
    assert not Path(tmp_path, "grids").exists()
    assert main(["verify", str(tmp_path)]) == 0


def test_c_and_fraction_are_chosen_from_the_grid_that_is_kept(faces, tmp_path):
    where, wanted = faces
    assert fit(where, tmp_path, "--attributes", "old,smile") == 0
    found, grid = directions(tmp_path), Table.open(f"{tmp_path}/grids").read().to_pandas()
    assert [row["attribute"] for row in found] == ["smile", "old"]
    for row in found:
        its = grid[grid["index"] == row["index"]]
        assert list(its["candidate"]) == list(range(len(its)))
        assert set(its["attribute"]) == {row["attribute"]}
        best = its.loc[its["agreement"].idxmax()]
        near = its[(its["fraction"] == best["fraction"]) & (its["agreement"] >= best["agreement"] - MARGIN)]
        assert (row["C"], row["fraction"]) == ([near["C"].max()], [best["fraction"]])
        assert row["vector"] @ wanted[ATTRIBUTES.index(row["attribute"])] > 0.99


def test_a_fraction_or_c_that_is_given_stays(faces, tmp_path):
    where, _ = faces
    assert fit(where, tmp_path / "a", "--attributes", "old", "--fraction", "0.1") == 0
    assert directions(tmp_path / "a")[0]["fraction"] == [0.1]
    assert fit(where, tmp_path / "b", "--attributes", "old", "--C", "0.03") == 0
    assert directions(tmp_path / "b")[0]["C"] == [0.03]


def test_all_rows_by_a_threshold(faces, tmp_path):
    where, wanted = faces
    assert fit(where, tmp_path, "--attributes", "old", "--threshold", "-0.5", "--C", "1") == 0
    [row] = directions(tmp_path)
    assert row["fraction"] == []
    assert row["vector"] @ wanted[2] > 0.99
    assert abs(row["intercept"]) < 0.1  # the scores are -0.5 where the planted distance is 0


def test_ridge_finds_them_and_no_other_method_is_another_job_by_its_flags(faces, tmp_path, capsys):
    where, wanted = faces
    assert fit(where, tmp_path / "ridge", "--method", "ridge", "--alpha", "10") == 0
    said = capsys.readouterr().err
    for row, vector in zip(directions(tmp_path / "ridge"), wanted, strict=True):
        assert row["vector"] @ vector > 0.99
        assert (row["method"], row["C"], row["fraction"], row["rows"]) == ("ridge", [], [], [600])
        assert row["accuracy_validation"][0] > 0.9
        assert f"{row['attribute']:<5}  validation {100 * row['accuracy_validation'][0]:.0f} %" in said
    assert "Warn" not in said
    assert not Path(tmp_path, "ridge/grids").exists()
    assert main(["verify", str(tmp_path / "ridge")]) == 0
    assert main(["report", str(tmp_path / "ridge")]) == 0
    assert fit(where, tmp_path / "ridge", "--method", "ridge", "--alpha", "11") == 4
    assert "alpha: 10.0 there, 11.0 asked" in capsys.readouterr().err
    assert fit(where, tmp_path / "svm", *GIVEN) == 0
    assert stored(tmp_path / "ridge")["alpha"] == 10
    assert "alpha" not in stored(tmp_path / "svm")


def test_what_is_stored_of_a_fit_that_was_given_everything_is_as_it_was(faces, tmp_path):
    """The spec of version 0.1, by which finished jobs are known."""
    where, _ = faces
    asked = {"C": 1.0, "fraction": 0.5, "margin": 0.05, "threshold": None, "class_weight": None, "as_released": False}
    assert fit(where, tmp_path / "given", *GIVEN) == 0
    assert {name: stored(tmp_path / "given")[name] for name in asked} == asked
    assert fit(where, tmp_path / "chosen") == 0
    assert {name: stored(tmp_path / "chosen")[name] for name in asked} == {
        **asked, "C": "chosen", "fraction": 0.2, "margin": MARGIN
    }  # fmt: skip


def stored(out) -> dict:
    return json.loads(Path(out, ".stylemill/directions/spec.json").read_text())["spec"]


def test_as_released_is_the_public_codes_fit(faces, tmp_path):
    where, _ = faces
    assert fit(where, tmp_path, "--attributes", "old", "--as-released", "--seed", "4") == 0
    [row] = directions(tmp_path)
    codes = Codes("w", torch.from_numpy(schemas.to_numpy(Table.open(f"{where}/latents").read()["w"]).copy()))
    scores = schemas.to_numpy(Table.open(f"{where}/labels").read()["old"])
    wanted = fit_as_released(codes, scores, "old", 4)
    np.testing.assert_array_equal(np.float32(row["vector"]), wanted.vector)
    assert (row["C"], row["fraction"], row["intercept"]) == ([1.0], [0.02], 0.0)


@pytest.fixture(scope="module")
def made_faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    assert dataset(out, "--rows", "80", "--rows-per-shard", "32") == 0
    return out


@pytest.mark.parametrize("words", [("z",), ("w+",), ("w+", "--per-layer"), ("s",)])
def test_every_space_is_fitted_on_its_own_codes(made_faces, tmp_path, words):
    space, per_layer = words[0], len(words) > 1
    assert fit(made_faces, tmp_path, "--attributes", "old", "--space", *words, "--C", "0.01", "--fraction", "0.4") == 0
    [row] = directions(tmp_path)
    generator = generators.load("stylegan2-tiny", backend="eager")
    rows = Table.open(f"{made_faces}/latents").read()
    w_NW = torch.from_numpy(schemas.to_numpy(rows["w"]).copy())
    ws_NLW = w_NW[:, None].repeat(1, generator.num_ws, 1)
    codes = {
        "z": lambda: torch.from_numpy(standard_normal(1, range(80), generator.z_dim)),
        "w+": lambda: ws_NLW,
        "s": lambda: generator.styles(ws_NLW),
    }[space]()
    scores = schemas.to_numpy(Table.open(f"{made_faces}/labels").read()["old"])
    wanted = fit_direction(Codes(space, codes), scores, "old", by_rank(scores, 0.4), 0.01, per_layer)
    found = np.float32(row["vector"]).reshape(row["shape"])
    assert found.shape == wanted.vector.shape
    assert row["space"] == space
    assert float((found * wanted.vector).sum()) > 0.9999
    assert abs(row["intercept"] - wanted.intercept) < 1e-3
    assert row["generator"] == generator.fingerprint


# -- resume, bytes ----------------------------------------------------------------------------------------------------


def test_other_labels_are_another_job(faces, tmp_path, capsys):
    where, _ = faces
    write_latents(tmp_path / "latents", range(600), schemas.to_numpy(Table.open(f"{where}/latents").read()["w"]))
    scores = np.random.default_rng(0).standard_normal((600, 3))
    write_labels(tmp_path / "labels", range(600), scores)
    assert fit(where, tmp_path / "out", *GIVEN) == 0
    assert fit(tmp_path, tmp_path / "out", *GIVEN) == 4
    assert "labels_digests" in capsys.readouterr().err


# -- labels of several tables, and of other rows ----------------------------------------------------------------------


def test_labels_of_several_tables_are_joined_on_index(faces, tmp_path):
    where, wanted = faces
    w_NW = schemas.to_numpy(Table.open(f"{where}/latents").read()["w"])
    write_labels(tmp_path / "more", range(600), (w_NW @ wanted[1])[:, None], ("glow",))
    labels = f"{where}/labels,{tmp_path}/more"
    words = ["--latents", f"{where}/latents", "--labels", labels, "--out", str(tmp_path / "out"), "--local", *GIVEN]
    assert main(["directions", "fit", *words]) == 0
    found = {row["attribute"]: row["vector"] for row in directions(tmp_path / "out")}
    assert list(found) == [*ATTRIBUTES, "glow"]
    assert np.dot(found["glow"], wanted[1]) > 0.99


def test_rejected_rows_are_left_out_and_said(made_faces, tmp_path, capsys, monkeypatch):
    from pipeline.models.faces import FaceScorer

    bad = schemas.to_numpy(Table.open(f"{made_faces}/latents").read()["w"])[[5, 70]]
    real = FaceScorer.look

    def broken(self, codes):
        columns = real(self, codes)
        for w in bad:
            columns["old"][(codes.values.numpy() == w).all(axis=1)] = np.nan
        return columns

    monkeypatch.setattr(FaceScorer, "look", broken)
    words = ["--classifiers", "tiny-judge", "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    assert main(["label", "--latents", f"{made_faces}/latents", "--out", str(tmp_path), *words]) == 0
    capsys.readouterr()
    asked = ["--latents", f"{made_faces}/latents", "--labels", f"{tmp_path}/labels", "--out", str(tmp_path / "fit")]
    assert (
        main(["directions", "fit", "--local", *asked, "--C", "0.01", "--fraction", "0.5", "--attributes", "smile"]) == 0
    )
    said = capsys.readouterr().err
    assert f"Note  {tmp_path}/labels lacks 2 rows (5, 70), rejected when it was made: left out" in said
    [row] = directions(tmp_path / "fit")
    assert row["rows"] == [54]  # 70 % of 39 of each class


def other(tmp_path, index, scores_NA, **more) -> list[str]:
    write_labels(tmp_path / "labels", index, scores_NA, **more)
    return ["--labels", f"{tmp_path}/labels"]


NOISE = np.random.default_rng(8).standard_normal((600, 3))


def fewer(tmp_path):
    return other(tmp_path, [i for i in range(600) if i not in (7, 11)], NOISE[:598])


def of_other_rows(tmp_path):
    return other(tmp_path, range(1000, 1600), NOISE)


def of_other_faces(tmp_path):
    return other(tmp_path, range(600), NOISE, facts={"verb": "dataset", "spec": {"seed": 9}})


def of_other_latents(tmp_path):
    return other(tmp_path, range(600), NOISE, facts={"verb": "label", "resolved": {"latents_digest": "cd" * 32}})


def of_one_class(tmp_path):
    return other(tmp_path, range(600), np.ones((600, 3)))


@pytest.mark.parametrize(
    ("labels", "words", "message"),
    [
        (fewer, [], "labels lacks 2 rows (7, 11) of the other tables, and they were not rejected"),
        (of_other_rows, [], "no row is in every table"),
        (of_other_faces, [], "labels of other faces than"),
        (of_other_latents, [], "labels of other latents"),
        (of_one_class, [], "smile: all 600 scores are 1: there is one class only"),
        (None, ["--attributes", "hat"], "no labels of 'hat'; the tables have smile, male, old"),
        (None, ["--attributes", "old,male,old"], "attribute 'old' is named twice"),
        (None, ["--fraction", "0.001"], "smile: 0.001 of 600 rows is 0 a class, 2 is the least"),
        (None, ["--threshold", "99"], "smile: the threshold 99 leaves 0 rows above and 600 below"),
        (None, ["--space", "z"], "does not say which generator it was sampled with: pass --generator"),
        (None, ["--rows-per-shard", "2"], "leave out --rows-per-shard"),
        (None, ["--method", "sefa"], "--method sefa takes no --labels"),
        (None, ["--per-layer"], "--per-layer goes with --space w+"),
        (None, ["--as-released", "--C", "1"], "--as-released decides it: leave out --C"),
        (None, ["--components", "3"], "--method svm takes no --components"),
        (None, ["--alpha", "3"], "--method svm takes no --alpha"),
        (None, ["--method", "ridge", "--C", "3"], "--method ridge takes no --C"),
        (None, ["--method", "ridge", "--threshold", "99"], "smile: the threshold 99 leaves 0 rows above and 600 below"),
        (None, ["--codes", "x.npy"], "give --latents and --labels, or --codes"),
        (None, ["--labels", "nowhere"], "nowhere is not a table"),
        (None, ["--device", "cuda"], "--method svm is fitted on the CPU"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(faces, tmp_path, capsys, labels, words, message):
    where, _ = faces
    more = [*(labels(tmp_path) if labels else []), *words]
    code = fit(where, tmp_path / "out", *more)
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert code == (1 if "not a table" in message else 2)
    assert not (tmp_path / "out").exists()


# -- arrays in place of tables ----------------------------------------------------------------------------------------


@pytest.fixture
def arrays(faces, tmp_path):
    where, wanted = faces
    np.save(tmp_path / "codes.npy", schemas.to_numpy(Table.open(f"{where}/latents").read()["w"]))
    np.save(tmp_path / "scores.npy", schemas.to_numpy(Table.open(f"{where}/labels").read()["old"])[:, None])
    return tmp_path, wanted[2]


def fit_arrays(where, *words: str, codes: str = "codes.npy", scores: str = "scores.npy") -> int:
    given = ["--codes", str(where / codes), "--scores", str(where / scores), "--attribute", "old"]
    return main(["directions", "fit", "--local", *given, "--out", str(where / "out"), *words])


def test_arrays_give_what_tables_give(faces, arrays, tmp_path):
    where, wanted = arrays
    assert fit_arrays(where, *GIVEN) == 0
    [row] = directions(where / "out")
    assert fit(faces[0], tmp_path / "tables", "--attributes", "old", *GIVEN) == 0
    [same] = directions(tmp_path / "tables")
    assert row["vector"] == same["vector"]
    assert np.dot(row["vector"], wanted) > 0.99
    assert (row["generator"], row["classifier"]) == ("", "")


def test_labels_of_yes_and_no_are_parted_by_a_threshold(arrays, capsys):
    """Few are yes. C is chosen on these classes too; the threshold lies between the two values, given or not."""
    where, wanted = arrays
    codes = np.load(where / "codes.npy")
    np.save(where / "scores.npy", codes @ wanted > 1.0)
    assert fit_arrays(where) == 0
    assert "old is yes or no" in capsys.readouterr().err
    [told] = directions(where / "out")
    assert fit_arrays(where, "--threshold", "0.5", "--replace") == 0
    assert "yes or no" not in capsys.readouterr().err
    assert directions(where / "out") == [told]
    [row] = directions(where / "out")
    assert row["vector"] @ wanted > 0.98
    grid = Table.open(f"{where}/out/grids").read().to_pandas()
    assert set(grid["rows_per_class"]) == {int((codes @ wanted > 1.0).sum())}
    assert row["C"][0] in set(grid["C"])


@pytest.mark.parametrize(
    ("rows", "words", "message"),
    [
        (90, ["--as-released"], "old: 0.02 of 90 rows is 1 a class, 2 is the least"),
        (7, [], "old: 7 rows are too few to choose from"),
    ],
)
def test_too_few_rows_are_said_before_anything_is_made(arrays, capsys, rows, words, message):
    where, _ = arrays
    for name in ("codes.npy", "scores.npy"):
        np.save(where / name, np.load(where / name)[:rows])
    assert fit_arrays(where, *words) == 2
    assert message in capsys.readouterr().err
    assert not (where / "out").exists()


@pytest.mark.parametrize("name", ["a, b", "a|b", "a#1"])
def test_a_name_that_could_not_be_typed_again_is_refused(arrays, capsys, name):
    where, _ = arrays
    assert fit_arrays(where, *GIVEN, "--attribute", name) == 2
    assert f"{name!r} cannot name a direction" in capsys.readouterr().err
    assert not (where / "out").exists()


def test_arrays_of_w_plus_are_shared_or_of_each_layer(arrays):
    where, wanted = arrays
    np.save(where / "codes.npy", np.load(where / "codes.npy")[:, None].repeat(3, axis=1))
    assert fit_arrays(where, "--space", "w+", *GIVEN) == 0
    assert directions(where / "out")[0]["shape"] == [WIDTH]
    assert fit_arrays(where, "--space", "w+", "--per-layer", *GIVEN, "--replace") == 0
    [row] = directions(where / "out")
    assert row["shape"] == [3, WIDTH]
    for layer in np.reshape(row["vector"], (3, WIDTH)):
        assert layer @ wanted * 3**0.5 > 0.99


class Evil:
    def __reduce__(self):
        return (Path.write_text, (Path(self.where), "written"))


def damage(where, kind):
    codes, scores = np.load(where / "codes.npy"), np.load(where / "scores.npy")
    match kind:
        case "nan score":
            scores[33] = np.nan
            np.save(where / "scores.npy", scores)
        case "nan code":
            codes[21, 3] = np.inf
            np.save(where / "codes.npy", codes)
        case "rows":
            np.save(where / "scores.npy", scores[:-1])
        case "shape":
            np.save(where / "codes.npy", codes[:, None])
        case "two":
            np.save(where / "scores.npy", np.hstack([scores, scores]))
        case "text":
            (where / "codes.npy").write_text("codes")
        case "npz":
            with (where / "codes.npy").open("wb") as file:
                np.savez(file, a=codes)
        case "gone":
            (where / "codes.npy").unlink()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nan score", "old: the score of row 33 is nan"),
        ("nan code", "codes.npy: the code of row 21 is not finite"),
        ("rows", "give one for one"),
        ("shape", "codes in w have the shape (rows, width), these have (600, 1, 16)"),
        ("two", "one score for each row is (N,) or (N, 1)"),
        ("text", "is not a .npy of numbers"),
        ("npz", "is an archive of several arrays"),
        ("gone", "there is no such file"),
    ],
)
def test_bad_arrays_are_one_line(arrays, capsys, kind, message):
    where, _ = arrays
    damage(where, kind)
    assert fit_arrays(where, *GIVEN) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (where / "out").exists()


@pytest.mark.parametrize("form", ["pickle", "npy"])
def test_a_malicious_pickle_writes_nothing(arrays, capsys, form):
    where, _ = arrays
    evil, trap = Evil(), where / "written"
    evil.where = str(trap)
    if form == "pickle":
        (where / "codes.npy").write_bytes(pickle.dumps(evil))
    else:
        np.save(where / "codes.npy", np.array([evil], dtype=object), allow_pickle=True)
    assert fit_arrays(where, *GIVEN) == 2
    said = capsys.readouterr().err.strip()
    assert "pickled objects, which reading would run" in said
    assert "\n" not in said
    assert not trap.exists()
    pickle.loads(pickle.dumps(evil))
    assert trap.exists()  # it would have


# -- without labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_are_named_by_what_they_move(made_faces, tmp_path, method):
    words = ["--latents", f"{made_faces}/latents", "--method", method, "--components", "3", "--measure-rows", "6"]
    words += ["--classifiers", "tiny", "--backend", "eager", "--threads", "1", "--batch-size", "4", "--local"]
    assert main(["directions", "fit", *words, "--out", str(tmp_path)]) == 0
    found, effects = directions(tmp_path), Table.open(f"{tmp_path}/effects").read().to_pandas()
    w_NW = schemas.to_numpy(Table.open(f"{made_faces}/latents").read()["w"]).astype(np.float64)
    generator = generators.load("stylegan2-tiny", backend="eager")
    for row in found:
        its = effects[effects["index"] == row["index"]]
        moved = its.loc[its["change"].abs().idxmax()]
        assert (row["attribute"], row["method"]) == (moved["measured"], method)
        assert moved["change"] > 0  # the vector points to where the score rises
        vector = np.array(row["vector"])
        np.testing.assert_allclose(its["deviation"], (w_NW @ vector).std(ddof=1), rtol=1e-5)
        assert set(its["rows"]) == {6}
        _check_change(generator, w_NW[:6], vector, its, row["attribute"])
    if method == "ganspace":
        _, _, axes = np.linalg.svd(w_NW - w_NW.mean(axis=0), full_matrices=False)
        for row, axis in zip(found, axes, strict=False):
            assert abs(np.dot(row["vector"], axis)) > 0.9999
    else:
        weights = (generator.styles(torch.eye(512)[:, None].repeat(1, generator.num_ws, 1)) - generator.styles(
            torch.zeros(1, generator.num_ws, 512))).double().numpy()  # fmt: skip
        top = np.linalg.svd(weights, full_matrices=False)[0][:, 0]
        assert abs(np.dot(found[0]["vector"], top)) > 0.9999


def _check_change(generator, w_MW, vector, effects, attribute):
    from pipeline.models import classifiers

    family = classifiers.load("tiny")
    step = 2 * effects["deviation"].iloc[0] * vector
    scores = [
        family.scores(generator.synthesize(Codes("w", torch.from_numpy((w_MW + sign * step).astype(np.float32)))))
        for sign in (1, -1)
    ]
    change = float((scores[0] - scores[1]).mean(dim=0)[family.attributes.index(attribute)]) / 4
    assert change == pytest.approx(effects["change"].max(), rel=1e-3, abs=1e-5)


def test_unknown_layers_are_one_line(made_faces, tmp_path, capsys):
    words = ["directions", "fit", "--latents", f"{made_faces}/latents", "--method", "sefa", "--classifiers", "tiny"]
    assert main([*words, "--local", "--layers", "0-99", "--out", str(tmp_path / "out")]) == 2
    assert "has the style layers 0 to" in capsys.readouterr().err
    assert main([*words, "--local", "--layers", "a-b", "--out", str(tmp_path / "out")]) == 2
    assert "--layers a-b: give style layers counted from 0" in capsys.readouterr().err
