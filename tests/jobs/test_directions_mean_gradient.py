"""`directions fit --method mean-gradient`: the definition in float64, whatever the shards, and what cannot be."""

from pathlib import Path

import numpy as np
import pytest
import torch
from planted import directions, write_labels
from tiny_jobs import dataset, rows

import schemas
from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table
from tests.pipeline.editors import faces64

ATTRIBUTES = ("smile", "male", "old")
ROWS = 10
TINY = ("--classifiers", "tiny", "--backend", "eager", "--threads", "1", "--batch-size", "4")
MIDDLE = {"smile": 0.7, "male": -1.0, "old": 0.8}
"""Between the scores of the tiny faces, which are all of one class."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """10 rows in shards of 8: the last micro-batch has two."""
    out = tmp_path_factory.mktemp("faces")
    assert dataset(out, "--rows", str(ROWS), "--rows-per-shard", "8", "--seed", "5") == 0
    return out


def fit(faces, out, *words: str, local: bool = True) -> int:
    given = ["--latents", f"{faces}/latents", "--attributes", ",".join(ATTRIBUTES), "--out", str(out)]
    first = ["directions", "fit", "--method", "mean-gradient", *(["--local"] if local else [])]
    return main([*first, *given, *TINY, *words])


def codes(faces, space) -> Codes:
    """All rows, in float64."""
    w_NW = torch.from_numpy(schemas.to_numpy(Table.open(f"{faces}/latents").read()["w"]).copy()).double()
    ws_NLW = w_NW[:, None].repeat(1, faces64.generator().num_ws, 1)
    return {
        "w": lambda: Codes("w", w_NW),
        "w+": lambda: Codes("w+", ws_NLW),
        "s": lambda: Codes("s", faces64.generator().styles(ws_NLW).detach()),
    }[space]()


def by_definition(codes, attribute, shared=False, opposite=False, middle=0.0):
    """The vector, how many rows, the distances along it and the scores: a face at a time."""
    units, scores = [], []
    for row in codes.values:
        x = row.clone().requires_grad_()
        score = faces64.scores(Codes(codes.space, x[None]))[attribute][0] - middle
        (gradient,) = torch.autograd.grad(score, x)
        gradient = gradient.sum(dim=0) if shared else gradient
        scores.append(float(score.detach()))
        if not (opposite and scores[-1] >= 0):
            units.append(gradient / gradient.norm())
    vector = torch.stack(units).mean(dim=0)
    vector = vector / vector.norm()
    x_ND = codes.values.mean(dim=1) if shared else codes.values
    return vector.numpy(), len(units), (x_ND.flatten(1) @ vector.flatten()).numpy(), np.array(scores)


@pytest.mark.parametrize(
    ("words", "shared"), [(("w",), False), (("w+",), True), (("w+", "--per-layer"), False), (("s",), False)]
)
def test_it_is_the_mean_of_the_gradients_of_each_face(faces, tmp_path, words, shared):
    assert fit(faces, tmp_path, "--space", *words) == 0
    found = read_directions(Table.open(f"{tmp_path}/directions"))
    assert [direction.attribute for direction in found] == list(ATTRIBUTES)
    x = codes(faces, words[0])
    for direction in found:
        vector, count, along, scores = by_definition(x, direction.attribute, shared)
        assert direction.vector.shape == vector.shape
        np.testing.assert_allclose(direction.vector, vector, rtol=0, atol=1e-5)
        slope, level = np.polyfit(along, scores, 1)
        assert direction.intercept == pytest.approx(level / slope, rel=1e-3)
        assert (direction.method, direction.space, direction.rows) == ("mean-gradient", words[0], count)
        assert direction.generator == generators.load("stylegan2-tiny", backend="eager").fingerprint
        assert direction.classifier
        assert direction.accuracies == {}
    assert main(["verify", str(tmp_path)]) == 0


@pytest.fixture
def centred(monkeypatch):
    """Scores with faces of both classes."""
    real = FaceScorer.__call__

    def scores(self, codes):
        return {name: score - MIDDLE[name] for name, score in real(self, codes).items()}

    monkeypatch.setattr(FaceScorer, "__call__", scores)


def test_opposite_averages_over_faces_without_the_attribute(faces, tmp_path, centred):
    assert fit(faces, tmp_path / "some", "--opposite") == 0
    assert fit(faces, tmp_path / "all") == 0
    x = codes(faces, "w")
    pairs = zip(directions(tmp_path / "some"), directions(tmp_path / "all"), strict=True)
    for row, whole in pairs:
        name = row["attribute"]
        vector, count, along, scores = by_definition(x, name, opposite=True, middle=MIDDLE[name])
        assert 0 < count < ROWS
        assert (row["rows"], whole["rows"]) == ([count], [ROWS])
        np.testing.assert_allclose(row["vector"], vector, rtol=0, atol=1e-5)
        assert np.abs(np.subtract(whole["vector"], vector)).max() > 1e-3
        slope, level = np.polyfit(along, scores, 1)  # the boundary is found with all faces
        assert row["intercept"] == pytest.approx(level / slope, rel=1e-3, abs=1e-4)


def test_an_attribute_without_faces_to_average_is_said_and_the_others_are_made(faces, tmp_path, capsys):
    """Of the tiny faces all are male's other side, and none smile's."""
    for _ in range(2):
        assert fit(faces, tmp_path, "--opposite") == 1
        assert "no direction of smile, old" in capsys.readouterr().err
        assert [row["attribute"] for row in directions(tmp_path)] == ["male"]


def test_one_face_has_a_direction_but_no_boundary(faces, tmp_path, capsys):
    assert fit(faces, tmp_path, "--rows", "1") == 2
    said = capsys.readouterr().err
    assert "the score of old does not rise along its mean gradient from one to another of 1 rows" in said
    assert not (tmp_path / "directions").exists()
    assert len(rows(tmp_path, "gradients")) == 3


def test_rows_takes_the_first(faces, tmp_path, capsys):
    assert fit(faces, tmp_path, "--rows", "6", "--attributes", "old") == 0
    assert "      old  6 rows" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 0
    [row] = directions(tmp_path)
    first = Codes("w", codes(faces, "w").values[:6])
    np.testing.assert_allclose(row["vector"], by_definition(first, "old")[0], rtol=0, atol=1e-5)
    assert row["rows"] == [6]
    assert len(list(Path(tmp_path, "gradients").glob("*.parquet"))) == 1


# -- labels -----------------------------------------------------------------------------------------------------------


def labelled(faces, where) -> np.ndarray:
    """Labels of both classes beside the latents: they are not those that the gradients are of."""
    scores_NA = np.random.default_rng(2).standard_normal((ROWS, 3))
    facts = {"verb": "label", "resolved": {"latents_digest": Table.open(f"{faces}/latents").digest}}
    write_labels(where / "labels", range(ROWS), scores_NA, facts=facts)
    return scores_NA


def test_labels_give_accuracies_and_move_nothing_else(faces, tmp_path, capsys):
    scores_NA = labelled(faces, tmp_path)
    assert fit(faces, tmp_path / "out", "--rows", "8") == 0
    bare = directions(tmp_path / "out")
    capsys.readouterr()
    assert fit(faces, tmp_path / "out", "--rows", "8", "--labels", f"{tmp_path}/labels") == 0
    assert "all done" in capsys.readouterr().err
    w_NW = codes(faces, "w").values.numpy()
    for place, (row, before) in enumerate(zip(directions(tmp_path / "out"), bare, strict=True)):
        assert (row["vector"], row["intercept"]) == (before["vector"], before["intercept"])
        positive = w_NW @ np.array(row["vector"]) + row["intercept"] > 0
        assert row["accuracy_all"] == [(positive == (scores_NA[:, place] >= 0)).mean()]  # of all rows
        assert (before["accuracy_all"], row["accuracy_train"]) == ([], [])


# -- resume, workers, bytes -------------------------------------------------------------------------------------------


# -- rows that are not finite -----------------------------------------------------------------------------------------


def test_a_face_whose_gradient_is_not_finite_is_set_aside_and_can_be_taken_up_again(faces, tmp_path, monkeypatch):
    from pipeline.stages import mean_gradient as stage

    real, bad = stage.score_gradients, schemas.to_numpy(Table.open(f"{faces}/latents").read()["w"])[[5, 7]]

    def broken(faces, codes, wanted, **about):
        scores, gradients = real(faces, codes, wanted, **about)
        for w in bad:
            gradients[(codes.values.numpy() == w).all(axis=1), 2] = torch.nan
        return scores, gradients

    with monkeypatch.context() as patched:
        patched.setattr(stage, "score_gradients", broken)
        assert fit(faces, tmp_path / "out") == 0
    aside = rows(tmp_path / "out", "rejects/directions")
    assert [(row["index"], row["reason"]) for row in aside] == [(5, "not finite"), (7, "not finite")]
    assert aside[0]["detail"] == "gradient of old, slope of old"
    kept = Codes("w", codes(faces, "w").values[[i for i in range(ROWS) if i not in (5, 7)]])
    for row in directions(tmp_path / "out"):
        np.testing.assert_allclose(row["vector"], by_definition(kept, row["attribute"])[0], rtol=0, atol=1e-5)
        assert row["rows"] == [ROWS - 2]
    assert {row["index"] for row in rows(tmp_path / "out", "gradients") if row["count"]} == {6, 9}
    assert fit(faces, tmp_path / "out", "--retry-rejected") == 0
    assert fit(faces, tmp_path / "whole") == 0
    for row, whole in zip(directions(tmp_path / "out"), directions(tmp_path / "whole"), strict=True):
        np.testing.assert_allclose(row["vector"], whole["vector"], rtol=0, atol=1e-7)
        assert row["rows"] == whole["rows"] == [ROWS]


def test_latents_of_w_plus_have_a_direction_of_their_own(tmp_path, capsys):
    """With --cutoff rows of a latent differ: there is no w, and the gradients of all layers add up."""
    ws = tmp_path / "ws"
    assert dataset(ws, "--rows", "8", "--rows-per-shard", "4", "--seed", "5", "--cutoff", "4") == 0
    assert fit(ws, tmp_path / "out") == 2
    assert "has no w: choose the space w+ or s" in capsys.readouterr().err
    assert fit(ws, tmp_path / "out", "--space", "w+", "--attributes", "old") == 0
    [row] = directions(tmp_path / "out")
    ws_NLW = torch.from_numpy(schemas.to_numpy(Table.open(f"{ws}/latents").read()["ws"]).copy()).double()
    expected = by_definition(Codes("w+", ws_NLW), "old", shared=True)[0]
    np.testing.assert_allclose(row["vector"], expected, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_fitted_directions_are_replaced_only_where_asked(faces, tmp_path, capsys):
    svm = ["directions", "fit", "--local", "--latents", f"{faces}/latents", "--labels", f"{faces}/labels"]
    assert main([*svm, "--C", "0.01", "--fraction", "0.5", "--attributes", "old", "--out", str(tmp_path)]) == 0
    few = ("--attributes", "old", "--rows", "2")
    assert fit(faces, tmp_path, *few) == 4
    assert "was made from another spec" in capsys.readouterr().err
    assert [row["method"] for row in directions(tmp_path)] == ["svm"]
    assert fit(faces, tmp_path, *few, "--replace") == 0
    assert [row["method"] for row in directions(tmp_path)] == ["mean-gradient"]


# -- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--space z", "finds directions of w, w+ and s"),
        ("--classifiers tiny-judge", "--classifiers tiny-judge only measures and has no gradients"),
        ("--attributes freckles", "unknown attribute 'freckles'"),
        ("--attributes old,old", "attribute 'old' is named twice"),
        ("--per-layer", "--per-layer goes with --space w+"),
        ("--C 1", "--method mean-gradient takes no --C"),
        ("--threshold 0.5", "--method mean-gradient takes no --threshold"),
        ("--components 3", "--method mean-gradient takes no --components"),
        ("--as-released", "the public code's is --opposite"),
        ("--rows-per-shard 8", "a shard is a part of the latents"),
        ("--codes x.npy", "give --latents and --labels, or --codes"),
        ("--method svm --opposite", "--method svm takes no --opposite"),
        ("--method ganspace --rows 4", "--method ganspace takes no --rows"),
        ("--labels {faces}/labels --attributes old,beard", "unknown attribute 'beard'"),
    ],
)
def test_what_cannot_be_is_one_line(faces, tmp_path, refused, words, message):
    words = words.format(faces=faces).split()
    refused(fit(faces, tmp_path / "out", *words), message, out=tmp_path / "out")
