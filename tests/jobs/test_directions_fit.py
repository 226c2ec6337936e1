"""Directions fitted by the command line: planted ones are found, and what cannot be fitted is one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import ATTRIBUTES, WIDTH, directions, write_labels

import schemas
from jobs.__main__ import main
from pipeline.directions.choose import MARGIN
from pipeline.directions.classes import by_rank
from pipeline.directions.method import FitInputs
from pipeline.directions.svm import fit_as_released, fit_direction
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.tables import Table


def fit(where, out, *words: str) -> int:
    words = ("--latents", f"{where}/latents", "--labels", f"{where}/labels", "--out", str(out), *words)
    return main(["directions", "fit", "--local", *words])


GIVEN = ("--C", "1", "--fraction", "0.5")


def test_planted_directions_are_found(flat, tmp_path):
    where, wanted = flat
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


def test_c_and_fraction_are_chosen_from_the_grid_that_is_kept(flat, tmp_path):
    where, wanted = flat
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


def test_all_rows_by_a_threshold(flat, tmp_path):
    where, wanted = flat
    assert fit(where, tmp_path, "--attributes", "old", "--threshold", "-0.5", "--C", "1") == 0
    [row] = directions(tmp_path)
    assert row["fraction"] == []
    assert row["vector"] @ wanted[2] > 0.99
    assert abs(row["intercept"]) < 0.1  # the scores are -0.5 where the planted distance is 0


def test_ridge_finds_them_with_all_rows(flat, tmp_path, capsys):
    where, wanted = flat
    assert fit(where, tmp_path, "--method", "ridge", "--alpha", "10") == 0
    said = capsys.readouterr().err
    for row, vector in zip(directions(tmp_path), wanted, strict=True):
        assert row["vector"] @ vector > 0.99
        assert (row["method"], row["C"], row["fraction"], row["rows"]) == ("ridge", [], [], [600])
        assert row["accuracy_validation"][0] > 0.9
        assert f"{row['attribute']:<5}  validation {100 * row['accuracy_validation'][0]:.0f} %" in said
    assert not Path(tmp_path, "grids").exists()
    assert main(["report", str(tmp_path)]) == 0
    assert stored(tmp_path)["alpha"] == 10


def test_what_is_stored_of_a_fit_that_was_given_everything_is_as_it_was(flat, tmp_path):
    """The spec of version 0.1, by which finished jobs are known."""
    where, _ = flat
    asked = {"C": 1.0, "fraction": 0.5, "margin": 0.05, "threshold": None, "class_weight": None, "as_released": False}
    assert fit(where, tmp_path / "given", *GIVEN) == 0
    assert {name: stored(tmp_path / "given")[name] for name in asked} == asked
    assert "alpha" not in stored(tmp_path / "given")
    assert fit(where, tmp_path / "chosen") == 0
    assert {name: stored(tmp_path / "chosen")[name] for name in asked} == {
        **asked, "C": "chosen", "fraction": 0.2, "margin": MARGIN
    }  # fmt: skip


def stored(out) -> dict:
    return json.loads(Path(out, ".stylemill/directions/spec.json").read_text())["spec"]


def test_as_released_is_the_public_codes_fit(flat, tmp_path):
    where, _ = flat
    assert fit(where, tmp_path, "--attributes", "old", "--as-released", "--seed", "4") == 0
    [row] = directions(tmp_path)
    codes = Codes("w", torch.from_numpy(schemas.to_numpy(Table.open(f"{where}/latents").read()["w"]).copy()))
    scores = schemas.to_numpy(Table.open(f"{where}/labels").read()["old"])
    wanted = fit_as_released(FitInputs(codes, scores, "old", 4))
    np.testing.assert_array_equal(np.float32(row["vector"]), wanted.vector)
    assert (row["C"], row["fraction"], row["intercept"]) == ([1.0], [0.02], 0.0)


@pytest.mark.parametrize("words", [("z",), ("w+", "--per-layer"), ("s",)])
def test_every_space_is_fitted_on_its_own_codes(eighty, tmp_path, words):
    space, per_layer = words[0], len(words) > 1
    assert fit(eighty, tmp_path, "--attributes", "old", "--space", *words, "--C", "0.01", "--fraction", "0.4") == 0
    [row] = directions(tmp_path)
    generator = generators.load("stylegan2-tiny", backend="eager")
    rows = Table.open(f"{eighty}/latents").read()
    w_NW = torch.from_numpy(schemas.to_numpy(rows["w"]).copy())
    ws_NLW = w_NW[:, None].repeat(1, generator.num_ws, 1)
    codes = {
        "z": lambda: torch.from_numpy(standard_normal(1, range(80), generator.z_dim)),
        "w+": lambda: ws_NLW,
        "s": lambda: generator.styles(ws_NLW),
    }[space]()
    scores = schemas.to_numpy(Table.open(f"{eighty}/labels").read()["old"])
    wanted = fit_direction(Codes(space, codes), scores, "old", by_rank(scores, 0.4), 0.01, per_layer)
    found = np.float32(row["vector"]).reshape(row["shape"])
    assert found.shape == wanted.vector.shape
    assert row["space"] == space
    assert float((found * wanted.vector).sum()) > 0.9999
    assert abs(row["intercept"] - wanted.intercept) < 1e-3
    assert row["generator"] == generator.fingerprint


# -- labels of several tables, and of other rows ----------------------------------------------------------------------


def test_labels_of_several_tables_are_joined_on_index(flat, tmp_path):
    where, wanted = flat
    w_NW = schemas.to_numpy(Table.open(f"{where}/latents").read()["w"])
    write_labels(tmp_path / "more", range(600), (w_NW @ wanted[1])[:, None], ("glow",))
    labels = f"{where}/labels,{tmp_path}/more"
    words = ["--latents", f"{where}/latents", "--labels", labels, "--out", str(tmp_path / "out"), "--local", *GIVEN]
    assert main(["directions", "fit", *words]) == 0
    found = {row["attribute"]: row["vector"] for row in directions(tmp_path / "out")}
    assert list(found) == [*ATTRIBUTES, "glow"]
    assert np.dot(found["glow"], wanted[1]) > 0.99


def test_rejected_rows_are_left_out_and_said(eighty, tmp_path, capsys, monkeypatch):
    from pipeline.models.faces import FaceScorer

    bad = schemas.to_numpy(Table.open(f"{eighty}/latents").read()["w"])[[5, 70]]
    real = FaceScorer.look

    def broken(self, codes):
        columns = real(self, codes)
        for w in bad:
            columns["old"][(codes.values.numpy() == w).all(axis=1)] = np.nan
        return columns

    monkeypatch.setattr(FaceScorer, "look", broken)
    words = ["--classifiers", "tiny-judge", "--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
    assert main(["label", "--latents", f"{eighty}/latents", "--out", str(tmp_path), *words]) == 0
    capsys.readouterr()
    asked = ["--latents", f"{eighty}/latents", "--labels", f"{tmp_path}/labels", "--out", str(tmp_path / "fit")]
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
        (fewer, "", "labels lacks 2 rows (7, 11) of the other tables, and they were not rejected"),
        (of_other_rows, "", "no row is in every table"),
        (of_other_faces, "", "labels of other faces than"),
        (of_other_latents, "", "labels of other latents"),
        (of_one_class, "", "smile: all 600 scores are 1: there is one class only"),
        (None, "--attributes hat", "no labels of 'hat'; the tables have smile, male, old"),
        (None, "--attributes old,male,old", "attribute 'old' is named twice"),
        (None, "--fraction 0.001", "smile: 0.001 of 600 rows is 0 a class, 2 is the least"),
        (None, "--threshold 99", "smile: the threshold 99 leaves 0 rows above and 600 below"),
        (None, "--space z", "does not say which generator it was sampled with: pass --generator"),
        (None, "--rows-per-shard 2", "leave out --rows-per-shard"),
        (None, "--method sefa", "--method sefa takes no --labels"),
        (None, "--per-layer", "--per-layer goes with --space w+"),
        (None, "--as-released --C 1", "--as-released decides it: leave out --C"),
        (None, "--components 3", "--method svm takes no --components"),
        (None, "--alpha 3", "--method svm takes no --alpha"),
        (None, "--method ridge --C 3", "--method ridge takes no --C"),
        (None, "--method ridge --threshold 99", "smile: the threshold 99 leaves 0 rows above and 600 below"),
        (None, "--codes x.npy", "give --latents and --labels, or --codes"),
        (None, "--labels nowhere", "nowhere is not a table"),
        (None, "--threshold 0 --class-weight balanced --fraction 0.2", "--class-weight"),
        (None, "--threshold 0 --class-weight balanced --as-released", "--as-released"),
        (None, "--class-weight balanced", "class weights go with a threshold, or with scores of yes and no"),
        (None, "--device cuda", "--method svm is fitted on the CPU"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(flat, tmp_path, refused, labels, words, message):
    more, code = [*(labels(tmp_path) if labels else []), *words.split()], 1 if "not a table" in message else 2
    refused(fit(flat[0], tmp_path / "out", *more), message, code, out=tmp_path / "out")


# -- arrays in place of tables ----------------------------------------------------------------------------------------


@pytest.fixture
def arrays(flat, tmp_path):
    where, wanted = flat
    np.save(tmp_path / "codes.npy", schemas.to_numpy(Table.open(f"{where}/latents").read()["w"]))
    np.save(tmp_path / "scores.npy", schemas.to_numpy(Table.open(f"{where}/labels").read()["old"])[:, None])
    return tmp_path, wanted[2]


def fit_arrays(where, *words: str, codes: str = "codes.npy", scores: str = "scores.npy") -> int:
    given = ["--codes", str(where / codes), "--scores", str(where / scores), "--attribute", "old"]
    return main(["directions", "fit", "--local", *given, "--out", str(where / "out"), *words])


def test_arrays_give_what_tables_give(flat, arrays, tmp_path):
    where, wanted = arrays
    assert fit_arrays(where, *GIVEN) == 0
    [row] = directions(where / "out")
    assert fit(flat[0], tmp_path / "tables", "--attributes", "old", *GIVEN) == 0
    [same] = directions(tmp_path / "tables")
    assert row["vector"] == same["vector"]
    assert np.dot(row["vector"], wanted) > 0.99
    assert (row["generator"], row["classifier"]) == ("", "")


@pytest.mark.parametrize(
    ("codes", "scores", "words", "message"),
    [
        (lambda w: w[:90], lambda y: y[:90], "--as-released", "old: 0.02 of 90 rows is 1 a class, 2 is the least"),
        (lambda w: w[:7], lambda y: y[:7], "", "old: 7 rows are too few to choose from"),
        (
            lambda w: w,
            lambda y: np.where(np.arange(600)[:, None] == 33, np.nan, y),
            "",
            "old: the score of row 33 is nan",
        ),
        (lambda w: np.where(np.arange(600)[:, None] == 21, np.inf, w), lambda y: y, "", "code of row 21 is not finite"),
        (lambda w: w, lambda y: y[:-1], "", "give a score for each code"),
        (lambda w: w[:, None], lambda y: y, "", "codes in w have the shape (rows, width), these have (600, 1, 16)"),
        (lambda w: w, lambda y: np.hstack([y, y]), "", "one score for each row is (N,) or (N, 1)"),
        (lambda w: w, lambda y: y > 0, "--fraction 0.3", "--fraction: old is yes or no"),
        (
            lambda w: w,
            lambda y: np.arange(600) < 3,
            "--threshold 0.5",
            "leaves 3 rows above and 597 below, 4 of each is",
        ),
        (lambda w: w, lambda y: y, "--attribute a|b", "'a|b' cannot name a direction"),
        (lambda w: w, lambda y: y, "--attribute a#1", "'a#1' cannot name a direction"),
    ],
)
def test_arrays_that_cannot_be_fitted_are_one_line(arrays, refused, codes, scores, words, message):
    where, _ = arrays
    for name, change in (("codes.npy", codes), ("scores.npy", scores)):
        np.save(where / name, change(np.load(where / name)))
    refused(fit_arrays(where, *words.split()), message, out=where / "out")


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


# -- without labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["ganspace", "sefa"])
def test_components_are_named_by_what_they_move(eighty, tmp_path, method):
    words = ["--latents", f"{eighty}/latents", "--method", method, "--components", "3", "--measure-rows", "6"]
    words += ["--classifiers", "tiny", "--backend", "eager", "--threads", "1", "--batch-size", "4", "--local"]
    assert main(["directions", "fit", *words, "--out", str(tmp_path)]) == 0
    found, effects = directions(tmp_path), Table.open(f"{tmp_path}/effects").read().to_pandas()
    w_NW = schemas.to_numpy(Table.open(f"{eighty}/latents").read()["w"]).astype(np.float64)
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
