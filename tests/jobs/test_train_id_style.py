"""`stylemill train id-style` on the tiny networks, and edits by what it makes."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from edits import edit, edits, sample

import schemas
from jobs.__main__ import main
from jobs.train import SPECS, plan_train
from jobs.train import plan as planning
from pipeline.editors.gradients import score_of
from pipeline.editors.id_style import config as id_style
from pipeline.editors.id_style.flags import MEANINGS, WEIGHTS
from pipeline.editors.id_style.networks import IDStyle
from pipeline.editors.id_style.training import IDStyleTraining
from pipeline.engine.job import Job
from pipeline.models.classifiers import identity
from pipeline.stages import train as stage
from pipeline.stages.models import read_artifact
from pipeline.stages.train import seconds_of_a_step
from pipeline.tables import Artifact, Table

NAMES, JUDGED = ("smile", "old"), {"judged", "alike"}
SHORT = ("--steps", "4", "--crossovers", "2", "--held-out", "2", "--start-move", "3", "--threads", "1", "--local")
TINY = ("--classifiers", "tiny", "--judge", "tiny-judge")


class PixelsAreTheFace(torch.nn.Module):
    fingerprint = "pixels"

    def forward(self, x_N3HW):
        return torch.nn.functional.normalize(x_N3HW[:, :, ::4, ::4].flatten(1), dim=1)


@pytest.fixture(autouse=True, scope="module")
def picture_identity():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "load", lambda device="cpu": PixelsAreTheFace())
        yield


def train(faces, out, *words) -> int:
    given = ["--latents", f"{faces}/latents", "--labels", f"{faces}/labels", *TINY, "--judge-every", "2"]
    return main(["train", "id-style", *given, "--attributes", ",".join(NAMES), *SHORT, "--out", str(out), *words])


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert train(made, out) == 0
    return out


def files(out) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(out, "artifact").glob("[!.]*"))}


def test_the_card_and_the_curve_say_what_was_trained(made, whole):
    card = Artifact(f"{whole}/artifact").card()
    assert (card.what, card.attributes, card.generator) == ("id-style", NAMES, "stylegan2-tiny")
    assert set(card.metrics) == {f"edit.{name}.{what}" for name in NAMES for what in ("reached", "likeness")}
    curve = json.loads(files(whole)["curve.json"])
    assert [point["step"] for point in curve] == [1, 2, 3, 4]
    assert [set(point) - {"step", "phase", *WEIGHTS} for point in curve] == [set(), JUDGED, set(), JUDGED]
    assert set(card.meanings) == set(MEANINGS)
    assert main(["report", str(whole)]) == 0
    page = (whole / "report.html").read_text()
    assert all(MEANINGS[name].split(":")[0] in page for name in (*WEIGHTS, *JUDGED))
    resolved = json.loads(Path(whole, ".stylemill/train/spec.json").read_text())["resolved"]
    assert resolved["identity_digest"] == "pixels"
    assert len(resolved["classifiers_digest"]) == len(resolved["judge_digest"]) == 64
    assert not any("judge" in name for name in card.licences)


def test_the_judge_decides_nothing(made, whole, tmp_path):
    assert train(made, tmp_path, "--judge-every", "0") == 0
    assert files(tmp_path)["model.safetensors"] == files(whole)["model.safetensors"]
    assert all(set(point) == {"step", "phase", *WEIGHTS} for point in json.loads(files(tmp_path)["curve.json"]))
    assert "judge_digest" not in json.loads(Path(tmp_path, ".stylemill/train/spec.json").read_text())["resolved"]


def test_what_no_judge_scores_is_not_judged(made, tmp_path, refused, capsys):
    pd.DataFrame({"index": range(20), "hat": np.arange(20) % 2, "old": np.arange(20) // 10}).to_csv(
        tmp_path / "own.csv"
    )
    own = ["--labels", f"{tmp_path}/own.csv", "--start", "random", "--attributes"]
    refused(train(made, tmp_path / "out", *own, "hat"), "--judge tiny-judge scores none of hat", out=tmp_path / "out")
    capsys.readouterr()
    assert train(made, tmp_path / "out", *own, "hat,old", "--steps", "2") == 0
    assert "unjudged: tiny-judge does not score hat" in capsys.readouterr().err
    assert set(json.loads(files(tmp_path / "out")["curve.json"])[-1]) > JUDGED


class Stopped(BaseException):
    """As if the process were killed."""


def test_killed_on_the_way_the_same_command_ends_with_the_same_bytes(made, whole, tmp_path, monkeypatch):
    advance, left = IDStyleTraining.advance, [1, 3]

    def dying(self, steps):
        if left and self.step >= left[0]:
            left.pop(0)
            raise Stopped
        return advance(self, steps)

    monkeypatch.setattr(IDStyleTraining, "advance", dying)
    monkeypatch.setattr(stage, "KEPT_SECONDS", 0.0)
    for _ in range(2):
        with pytest.raises(Stopped):
            train(made, tmp_path)
    assert train(made, tmp_path) == 0
    assert files(tmp_path) == files(whole)


def test_a_budget_is_turned_into_steps_once(made, tmp_path, monkeypatch, capsys):
    timed = []
    monkeypatch.setattr(planning, "seconds_of_a_step", lambda stage: timed.append(stage.threads) or 20.0)
    short = [word for word in SHORT if word not in ("--steps", "4")]
    given = ["--latents", f"{made}/latents", "--labels", f"{made}/labels", *TINY, *short]
    words = ["train", "id-style", *given, "--attributes", "old", "--out", str(tmp_path), "--budget"]
    assert main([*words, "1"]) == 0
    assert "3 steps in 1 minutes, since a step takes 20 s here" in capsys.readouterr().err
    assert main([*words, "1"]) == 0
    assert "3 steps: all done" in capsys.readouterr().err
    assert timed == [1]
    stored = json.loads(Path(tmp_path, ".stylemill/train/spec.json").read_text())["spec"]
    assert (stored["steps"], stored["budget"]) == (3, 1.0)
    assert main([*words, "2"]) == 4
    assert "budget: 1.0 there, 2.0 asked" in capsys.readouterr().err
    assert main([*words, "1e6", "--replace", "--dry-run"]) == 0
    capsys.readouterr()
    many = [word for word in words if word != "--local"]
    assert main([*many, "1", "--workers", "9", "--replace", "--dry-run"]) == 0
    assert "6 steps in 1 minutes, since a step takes 10 s here" in capsys.readouterr().err  # it has two parts
    monkeypatch.setattr(planning, "seconds_of_a_step", lambda stage: 0.01)
    capsys.readouterr()
    assert main([*words, "1e6", "--replace", "--dry-run"]) == 2
    assert "--budget is enough for 6,000,000,000 steps, and 10,000,000 are the most" in capsys.readouterr().err
    assert main([*words, "1", "--steps", "9"]) == 2
    assert "--budget decides the steps" in capsys.readouterr().err


def test_how_long_a_step_takes(made, whole, tmp_path):
    job = planned(made, tmp_path)
    assert 0 < seconds_of_a_step(job.stage) < 60
    assert job.spec["judge_every"] == round(2 / 3 / 0.03 / 2)


def planned(made, out, **asked) -> Job:
    given = {"latents": [f"{made}/latents"], "labels": [f"{made}/labels"], "classifiers": "tiny", "attributes": ["old"]}
    how = {"judge": "tiny-judge", "held_out": 2, "local": True, "threads": 1, "out": str(out)}
    return plan_train(SPECS["id-style"].model_validate({**given, **how, **asked}))[0]


def test_what_the_judge_saw_last_stays_in_the_line(made, tmp_path):
    job = planned(made, tmp_path, steps=5, judge_every=2)
    lines = [progress.said for progress in job.stage.open().run(job.tasks[0])]
    shown = [re.search(r", judged (\S+), alike (\S+)", line) for line in lines[:5]]
    assert [found is not None for found in shown] == [False, True, True, True, True]
    assert shown[1].groups() == shown[2].groups()
    assert "sparsity" in lines[2]


def test_another_classifier_or_weight_is_another_training(made, whole, capsys):
    assert train(made, whole, "--lambda-id", "1") == 4
    assert "lambda_id: 5.0 there, 1.0 asked" in capsys.readouterr().err
    assert train(made, whole) == 0
    assert "4 steps: all done" in capsys.readouterr().err


def test_what_was_trained_edits_several_attributes_at_once(made, whole, tmp_path, capsys):
    words = ["id-style", "--artifact", f"{whole}/artifact", "--attribute", "smile,smile+old", "--scores", "faces"]
    assert edit(f"{made}/latents", None, tmp_path, *words, "--scored", "smile,old") == 0
    rows = edits(tmp_path)
    assert {row["space"] for row in rows} == {"w+"}
    assert [row["attribute"] for row in Table.open(f"{tmp_path}/requests").read().to_pylist()] == ["smile", "smile+old"]
    network = IDStyle.of_tensors(read_artifact(f"{whole}/artifact", "id-style").tensors)
    place = network.attributes.index("smile")
    w_NW = schemas.to_numpy(Table.open(f"{made}/latents").read()["w"])
    for row in [row for row in rows if row["request"] == 0 and row["step"] == 1][:3]:
        ws_1LW = torch.from_numpy(w_NW[row["index"]].copy()).expand(1, network.layers, -1)
        expected = ws_1LW + network(ws_1LW)[:, place]
        np.testing.assert_allclose(np.array(row["latent"]), expected[0], atol=1e-5)
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 0
    measured = ["measure", "--edits", f"{tmp_path}/edits", "--families", "tiny", "--out", f"{tmp_path}/m"]
    assert main([*measured, "--measured", "smile,old", "--local"]) == 0


def test_latents_whose_layers_differ_are_edited_by_default(made, whole, tmp_path, capsys, refused):
    """It is trained on crossovers, which are in w+, of latents in w."""
    card = Artifact(f"{whole}/artifact").card()
    w_NW = schemas.to_numpy(Table.open(f"{made}/latents").read()["w"])
    network = IDStyle.of_tensors(read_artifact(f"{whole}/artifact", "id-style").tensors)
    assert card.codes.space == "w+"
    assert card.codes.norm_max == pytest.approx(np.linalg.norm(w_NW, axis=1).max() * network.layers**0.5)
    cut = sample(tmp_path / "cut", 6, 8, "--cutoff", "3")
    words = ["id-style", "--artifact", f"{whole}/artifact", "--attribute", "smile", "--target", "0"]
    assert edit(cut, None, tmp_path / "edited", *words) == 0
    ws_NLW = torch.from_numpy(schemas.to_numpy(Table.open(cut).read()["ws"]).copy())
    assert not torch.equal(ws_NLW[:, 0], ws_NLW[:, -1])
    place = network.attributes.index("smile")
    for row in [row for row in edits(tmp_path / "edited") if row["step"] == 1]:
        ws_1LW = ws_NLW[row["index"]][None]
        np.testing.assert_allclose(np.array(row["latent"]), (ws_1LW - network(ws_1LW)[:, place])[0], atol=1e-5)
    capsys.readouterr()
    assert edit(f"{made}/latents", None, tmp_path / "alike", *words) == 0
    assert "Warn" not in capsys.readouterr().err
    code = edit(f"{made}/latents", None, tmp_path / "out", *words, "--space", "w")
    refused(code, "was trained on codes in w+: leave out --space w", out=tmp_path / "out")


def test_without_crossovers_it_is_trained_in_the_space_of_the_latents(made, tmp_path):
    assert train(made, tmp_path, "--crossovers", "0", "--steps", "1") == 0
    assert Artifact(f"{tmp_path}/artifact").card().codes.space == "w"


def test_the_form_of_the_public_code_is_trained_and_edits_its_layers(made, tmp_path):
    assert train(made, tmp_path, "--as-released") == 0
    tensors = read_artifact(f"{tmp_path}/artifact", "id-style").tensors
    assert {"norm.weight", "masks.smile"} < set(tensors)
    assert "--as-released" in Artifact(f"{tmp_path}/artifact").card().command
    words = ["id-style", "--artifact", f"{tmp_path}/artifact", "--attribute", "smile"]
    assert edit(f"{made}/latents", None, tmp_path / "edited", *words) == 0
    codes = {row["step"]: np.array(row["latent"]) for row in edits(tmp_path / "edited") if row["index"] == 0}
    assert np.flatnonzero((codes[1] != codes[0]).any(axis=1)).tolist() == [4, 5]


def test_flip_goes_by_the_classifiers(made, whole, tmp_path, monkeypatch):
    """The scores of the small networks, which are all above 0, are shifted so that half of the faces are old."""
    middle = float(np.median(Table.open(f"{made}/labels").read()["old"]))
    monkeypatch.setattr(id_style, "score_of", lambda name, seen: score_of(name, seen) - middle)
    words = ["id-style", "--artifact", f"{whole}/artifact", "--attribute", "old", "--target", "flip", "--top-k", "5"]
    assert edit(f"{made}/latents", None, tmp_path, *words, "--scores", "faces", "--scored", "old") == 0
    rows = edits(tmp_path)
    sides = {row["index"]: -1.0 if row["old"] > middle else 1.0 for row in rows if row["step"] == 0}
    assert set(sides.values()) == {-1.0, 1.0}
    assert all(row["strength"] == sides[row["index"]] for row in rows if row["step"] == 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classifiers", "tiny-judge", "--judge", "tiny"], "only measures and has no gradients"),
        (["--as-released", "--attributes", "yaw"], "for male, eyeglasses, old, smile alone: leave out yaw"),
        (["--held-out", "19"], "20 rows, 19 of them held out, are too few"),
        (["--judge", "tiny"], "--judge tiny is what is learned from: name another family, or pass --judge-every 0"),
        (["--judge", "nobody"], "nobody"),
        (["--steps", "0"], "--steps 0: input should be greater than 0"),
        (["--budget", "0"], "--budget 0.0: input should be greater than 0"),
        (["--space", "w+", "--attributes", "old,beard"], "beard"),
        (["--held-out", "12"], "smile: these rows give no linear SVM to start from (0.2 of 8 rows is 1 a class, 2 is"),
    ],
)
def test_what_cannot_be_trained_is_one_line(made, tmp_path, refused, words, message):
    refused(train(made, tmp_path / "out", *words), message, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("smile+male", "was not trained for male: it was for smile, old"),
        ("old+", "'old+' has an attribute without a name"),
        ("smile+smile", "--attribute smile+smile: smile is named twice"),
        ("smile+old,old+smile", "old+smile is named twice"),
        ("smile+old --target flip", "a face is flipped in one attribute at a time"),
    ],
)
def test_attributes_that_cannot_be_edited_are_refused(made, whole, tmp_path, refused, words, message):
    asked = ["id-style", "--artifact", f"{whole}/artifact", "--attribute", *words.split()]
    refused(edit(f"{made}/latents", None, tmp_path / "out", *asked), message, out=tmp_path / "out")
