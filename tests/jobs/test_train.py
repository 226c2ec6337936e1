"""`stylemill train` and what is made of its artifact: what is said, resumed, kept on the card, refused."""

import json
import pickle
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from edits import edit, edits, sample, trained
from planted import FACTS, plant, write_labels

from jobs.__main__ import main
from pipeline.editors.latent_transformer.training import LatentTransformerTraining
from pipeline.stages import kept_artifacts
from pipeline.stages import train as stage
from pipeline.stages.models import read_artifact
from pipeline.tables import Artifact, ArtifactFiles, Table
from tests.traps import Trap

WHAT = "latent-transformer"
SHORT = ("--epochs", "2", "--classifier-epochs", "2", "--threads", "1", "--local")
STEPS = 2 * (540 // 64) + 2 * (540 // 16)


def train(flat, out, *words) -> int:
    given = ["--latents", f"{flat}/latents", "--labels", f"{flat}/labels", "--out", str(out)]
    return main(["train", WHAT, *given, *SHORT, *words])


@pytest.fixture(scope="module")
def whole(flat, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert train(flat[0], out) == 0
    return out


def files(out) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(out, "artifact").glob("[!.]*"))}


def said(capsys) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_the_lines_count_steps_and_end_with_the_figures(flat, tmp_path, capsys):
    assert train(flat[0], tmp_path, "--dry-run") == 0
    assert f"{STEPS} steps: 0 done, {STEPS} to run (never started)" in capsys.readouterr().err
    assert train(flat[0], tmp_path) == 0
    told = said(capsys)
    assert f"Done {STEPS} steps = {STEPS} done + 0 failed | " in told
    assert "smile: classifier accuracy 0." in told
    assert "; linear accuracy " in told
    assert "shards" not in told
    assert train(flat[0], tmp_path) == 0
    assert f"{STEPS} steps: all done" in capsys.readouterr().err
    assert main(["status", str(tmp_path)]) == 0
    assert f"{STEPS} planned" in capsys.readouterr().out


def test_few_rows_are_learned_from_in_as_many_steps_as_the_paper_has(flat, tmp_path, capsys):
    """540 rows are 33 steps an epoch, of which 189 are nearest to 6,250; 8 of the classifier, of which 80 are 640."""
    given = ["--latents", f"{flat[0]}/latents", "--labels", f"{flat[0]}/labels", "--out", str(tmp_path)]
    assert main(["train", WHAT, *given, "--local", "--dry-run"]) == 0
    assert f" {189 * 33 + 80 * 8:,} steps: 0 done" in capsys.readouterr().err


def test_the_card_says_what_it_is_and_the_curve_how_it_came_to_be(flat, whole):
    card = Artifact(f"{whole}/artifact").card()
    assert (card.what, card.attributes) == (WHAT, ("smile", "male", "old"))
    tables = {name: Table.open(f"{flat[0]}/{name}") for name in ("latents", "labels")}
    assert card.inputs == {name: table.digest for name, table in tables.items()}
    assert {kind: [(its.url, its.digest) for its in several] for kind, several in card.tables.items()} == {
        name: [(table.url, table.digest)] for name, table in tables.items()
    }
    assert card.generator_fingerprint == FACTS["resolved"]["generator_digest"]
    norms = np.linalg.norm(np.stack(tables["latents"].read()["w"].to_numpy(zero_copy_only=False)), axis=1)
    assert card.codes.space == "w"
    assert card.codes.norm_min == pytest.approx(norms.min(), rel=1e-6)
    assert card.codes.norm_max == pytest.approx(norms.max(), rel=1e-6)
    assert "Yao et al." in card.citation
    assert card.licences == {}
    assert card.command.startswith(f"stylemill train {WHAT} --")
    assert {"--out=DIR", f"--latents={flat[0]}/latents"} <= set(shlex.split(card.command))
    assert set(card.meanings) >= {name.rsplit(".", 1)[1] for name in card.metrics}
    figures = {name.rsplit(".", 1)[1] for name in card.metrics}
    assert figures == {"accuracy", "precision", "recall", "f1", "reached", "kept", "distance"}
    assert len(card.metrics) == 3 * (4 + 4 + 3)
    curve = json.loads(files(whole)["curve.json"])
    assert [point["step"] for point in curve][-1] == STEPS
    assert {point["phase"] for point in curve} == {"classifier", "transformers"}
    assert {"attribute", "classification", "phase", "reached", "reconstruction", "step"} == set(curve[-1])
    assert set(card.meanings) >= curve[-1].keys() - {"step", "phase"}


class Stopped(BaseException):
    """As if the process were killed."""


@pytest.mark.parametrize("stops", [(1,), (16, 17, 50), (STEPS,)])
def test_killed_at_any_step_the_same_command_ends_with_the_same_bytes(
    flat, whole, tmp_path, monkeypatch, capsys, stops
):
    advance, metrics, left = LatentTransformerTraining.advance, LatentTransformerTraining.metrics, list(stops)

    def dying(self, steps):
        if left and self.step >= left[0]:
            left.pop(0)
            raise Stopped
        return advance(self, steps)

    def dying_at_the_end(self):
        if left:
            left.pop(0)
            raise Stopped
        return metrics(self)

    monkeypatch.setattr(LatentTransformerTraining, "advance", dying)
    monkeypatch.setattr(LatentTransformerTraining, "metrics", dying_at_the_end)
    monkeypatch.setattr(stage, "KEPT_SECONDS", 1e9 if stops == (STEPS,) else 0.0)
    for stop in stops:
        with pytest.raises(Stopped):
            train(flat[0], tmp_path)
        capsys.readouterr()
        assert train(flat[0], tmp_path, "--dry-run") == 0
        assert f" done, {STEPS - stop} to run (begun, not finished)" in said(capsys)
    assert train(flat[0], tmp_path) == 0
    assert files(tmp_path) == files(whole)
    assert not list(Path(tmp_path, ".stylemill/train/checkpoints").glob("*"))


def test_a_training_that_diverges_says_at_which_step(flat, tmp_path, capsys):
    assert train(flat[0], tmp_path, "--learning-rate", "1e30") == 1
    assert "Fail the training after 1 attempts: the training went wrong at step" in (told := said(capsys))
    assert "is not finite; try a smaller learning rate" in told
    assert f"Stop {STEPS} steps = 0 done + {STEPS} failed" in told


def test_weights_that_the_last_step_made_infinite_are_no_artifact(flat, tmp_path, capsys):
    """The loss of a step is computed before its update."""
    words = ("--epochs", "1", "--batch-size", "540", "--learning-rate", "1e38")
    assert train(flat[0], tmp_path, *words) == 1
    assert f"the training went wrong at step {2 * (540 // 64) + 1}: transformer" in (told := said(capsys))
    assert "is not finite; try a smaller learning rate" in told
    assert not Artifact(f"{tmp_path}/artifact").has_files()


def test_a_column_may_have_a_dot(flat, tmp_path, capsys):
    named = pd.DataFrame({"index": range(600), "hair.long": np.arange(600) % 2, "beard": np.arange(600) // 300})
    named.to_csv(tmp_path / "own.csv", index=False)
    assert train(flat[0], tmp_path, "--labels", f"{tmp_path}/own.csv") == 0
    assert "hair.long: classifier accuracy 0." in said(capsys)
    assert main(["report", str(tmp_path)]) == 0
    assert "hair.long" in (tmp_path / "report.html").read_text()


def test_equal_trainings_are_one_artifact_whatever_their_command_lines(flat, whole, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["stylemill", "train", "in", "other", "words"])
    assert train(flat[0], tmp_path, "--seed", "0", "--batch-size", "16") == 0
    ours, theirs = (Artifact(f"{out}/artifact") for out in (tmp_path, whole))
    assert ours.card() == theirs.card()
    assert ours.digest == theirs.digest


def test_the_plan_for_a_cluster_of_gpus_needs_none_here(flat, tmp_path, capsys):
    words = ("--latents", f"{flat[0]}/latents", "--labels", f"{flat[0]}/labels", "--out", str(tmp_path))
    how = ("--device", "cuda", "--address", "ray://elsewhere:10001", "--dry-run")
    assert main(["train", WHAT, *words, *SHORT[:4], *how]) == 0
    assert f"{STEPS} steps: 0 done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--attributes", "smile,beard"), "no labels of 'beard'; the tables have smile, male, old"),
        (("--attributes", "smile,smile"), "attribute 'smile' is named twice"),
        (("--where", "smile > 0"), "every row has smile: there is nothing to learn it from"),
        (("--index", "0:3"), "rows are too few to train on"),
        (("--rows-per-shard", "8"), "leave out --rows-per-shard"),
        (("--estimate",), "--dry-run shows its steps"),
        (("--precision", "bf16"), "--backend and --precision are of a generator, and no face is made here"),
        (("--labels", "{other}"), "lacks 300 rows (300, 301, 302, ...) of the other tables"),
        (("--labels", "{inf}"), "1 of 600 scores of male are not finite: label these rows again, or choose"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(flat, tmp_path, refused, words, message):
    noise = np.random.default_rng(1).standard_normal((600, 3))
    write_labels(tmp_path / "other", range(300), noise[:300])
    named = pd.DataFrame({"index": range(600), **dict(zip(("male", "old", "hat"), noise.T, strict=True))})
    named.replace({"male": {noise[5, 0]: np.inf}}).to_csv(tmp_path / "inf.csv", index=False)
    given = [word.format(other=tmp_path / "other", inf=tmp_path / "inf.csv") for word in words]
    refused(train(flat[0], tmp_path / "out", *given), message, out=tmp_path / "out/artifact")


def test_the_card_has_the_licences_of_those_who_made_the_labels(flat, tmp_path):
    made = Table.open(f"{flat[0]}/labels").read(columns=["smile", "male"])
    scores = np.stack([made[name].to_numpy() for name in ("smile", "male")], axis=1)
    facts = {**FACTS, "weights": [{"name": "a-classifier", "licence": "research only", "source": "somewhere"}]}
    write_labels(tmp_path / "labels", range(600), scores, ("smile", "male"), facts)
    assert train(flat[0], tmp_path / "out", "--labels", f"{tmp_path}/labels") == 0
    assert Artifact(f"{tmp_path}/out/artifact").card().licences == {"a-classifier": "research only"}


def test_no_such_training(refused):
    refused(main(["train", "latent"]), "there is no training 'latent'; the trainings are latent-transformer")


def test_edits_by_an_artifact_without_one_name_the_commands_that_make_it(latents, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(kept_artifacts, "FOLDER", tmp_path / "none")
    words = ["edit", WHAT, "--latents", str(latents), "--attribute", "old", "--target", "1", "--out", str(tmp_path)]
    refused(main(words), "dataset --rows 10000 --out out/faces && stylemill train latent-transformer --latents out/")


def changed_card(folder, **changes) -> str:
    """The artifact with another card."""
    shutil.copytree(trained(WHAT), folder / "changed")
    path = folder / "changed/card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return str(folder / "changed")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": ["male"]}, "was not trained for old: it was for male"),
        (
            {"codes": {"space": "w+", "norm_mean": 1, "norm_min": 1, "norm_max": 2}},
            "on codes in w+: leave out --space w",
        ),
        (lambda folder: cut(folder / "model.safetensors"), "is not the file that its card names"),
        (lambda folder: (folder / "card.json").write_text("{"), "is not the card of an artifact"),
    ],
)
def test_an_artifact_that_does_not_fit_or_is_damaged_is_one_line(latents, tmp_path, capsys, refused, change, message):
    artifact = changed_card(tmp_path, **(change if isinstance(change, dict) else {}))
    if not isinstance(change, dict):
        change(Path(artifact))
    capsys.readouterr()
    words = (WHAT, "--attribute", "old", "--space", "w", "--target", "1", "--artifact", artifact)
    refused(edit(latents, None, tmp_path / "out", *words), message, out=tmp_path / "out/edits")


def artifact_of(url, content: bytes) -> str:
    """With the card of the trained one, and another model."""
    about = read_artifact(trained(WHAT), WHAT).card.model_copy(update={"files": {}})
    Artifact(str(url)).publish(ArtifactFiles({"model.safetensors": content}, about))
    return str(url)


def test_a_model_that_lacks_a_tensor_or_is_a_pickle_is_one_line(latents, tmp_path, capsys):
    found = read_artifact(trained(WHAT), WHAT).tensors
    some = {name: value for name, value in found.items() if name != "transformer.old.bias_2"}
    lacking = artifact_of(tmp_path / "lacking", safetensors.torch.save(some))
    trap = artifact_of(tmp_path / "trap", pickle.dumps(Trap(tmp_path / "written")))
    for artifact, message in (
        (lacking, "the artifact lacks transformer.old.bias_2: train it again"),
        (trap, "not a whole safetensors file"),
    ):
        words = (WHAT, "--attribute", "old", "--target", "1", "--artifact", artifact)
        capsys.readouterr()
        assert edit(latents, None, tmp_path / "out", *words) == 2
        assert message in said(capsys)
    assert not (tmp_path / "written").exists()
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_an_artifact_in_half_precision_moves_almost_as_far(latents, tmp_path):
    half = {name: value.half() for name, value in read_artifact(trained(WHAT), WHAT).tensors.items()}
    artifact = artifact_of(tmp_path / "half", safetensors.torch.save(half))
    latent = []
    for name in (artifact, trained(WHAT)):
        words = (WHAT, "--attribute", "old", "--target", "1", "--artifact", name)
        assert edit(latents, None, tmp_path / f"out-{len(latent)}", *words) == 0
        latent.append(np.array([row["latent"] for row in edits(tmp_path / f"out-{len(latent)}")]))
    np.testing.assert_allclose(latent[0], latent[1], atol=2e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"transformer.old.weight_1": torch.zeros(512, 16)},
            "the artifact is for codes of (16,) numbers, these have (512,)",
        ),
        ({"classifier.0.weight": torch.zeros(512, 16)}, "in the artifact do not take codes of (512,): train it again"),
        (
            {"transformer.male.bias_2": torch.full((512,), np.nan)},
            "transformer.male.bias_2 of the artifact is not finite",
        ),
    ],
)
def test_tensors_that_cannot_be_used_are_refused_before_the_job_begins(
    latents, tmp_path, capsys, refused, change, message
):
    tensors = {**read_artifact(trained(WHAT), WHAT).tensors, **change}
    words = (WHAT, "--attribute", "old", "--target", "1", "--dry-run", "--artifact")
    artifact = artifact_of(tmp_path / "changed", safetensors.torch.save(tensors))
    capsys.readouterr()
    refused(edit(latents, None, tmp_path / "out", *words, artifact), message, out=tmp_path / "out")


def test_what_the_card_does_not_say_is_noted(latents, tmp_path, capsys):
    artifact = changed_card(tmp_path, generator_fingerprint=None, codes=None)
    assert (
        edit(latents, None, tmp_path / "out", WHAT, "--attribute", "old", "--target", "1", "--artifact", artifact) == 0
    )
    assert "does not say for which generator it was trained" in (told := said(capsys))
    assert "does not say on which latents it was trained" in told


def test_the_request_has_the_target_that_was_asked_for(latents, tmp_path):
    assert edit(latents, None, tmp_path, WHAT, "--attribute", "old", "--target", "0", "--alpha", "2") == 0
    [request] = Table.open(f"{tmp_path}/requests").read().to_pylist()
    assert (request["target"], request["strengths"]) == ("0", [-2.0])
    assert {row["strength"] for row in edits(tmp_path)} == {0.0, -2.0}


def test_codes_of_other_norms_than_it_saw_are_warned_of(tmp_path, capsys):
    words = (WHAT, "--attribute", "old", "--target", "flip")
    assert edit(sample(tmp_path / "same", 8, 8), None, tmp_path / "a", *words) == 0
    assert "Warn" not in capsys.readouterr().err
    assert edit(sample(tmp_path / "mean", 8, 8, "--psi", "0.01"), None, tmp_path / "b", *words) == 0
    assert "Warn" in (told := said(capsys))
    assert "8 of the first 8 here lie outside" in told


def test_it_edits_to_the_side_that_is_asked_and_is_measured_and_shown(latents, tmp_path, capsys):
    rows, move = {}, {}
    for target in ("1", "0", "flip"):
        words = (WHAT, "--attribute", "old", "--target", target, "--alpha", "2", "--keep", "all")
        words += ("--scores", "both", "--images", "png", "--size", "32") if target == "flip" else ()
        assert edit(latents, None, tmp_path / target, *words) == 0
        rows[target] = edits(tmp_path / target)
        latent = np.array([row["latent"] for row in rows[target]]).reshape(22, 2, 512)
        move[target] = latent[:, 1] - latent[:, 0]
    np.testing.assert_allclose(move["1"], -move["0"], atol=1e-5)
    side = np.array([row["strength"] for row in rows["flip"]]).reshape(22, 2)[:, 1] / 2
    assert set(side) <= {-1.0, 1.0}
    np.testing.assert_allclose(move["flip"], side[:, None] * move["1"], atol=1e-5)
    how = ["--families", "tiny-judge", "--measured", "old", "--batch-size", "4", "--threads", "1", "--local"]
    assert main(["measure", "--edits", f"{tmp_path}/flip/edits", *how, "--out", f"{tmp_path}/measured"]) == 0
    assert main(["report", f"{tmp_path}/flip"]) == 0
    assert WHAT in (tmp_path / "flip/report.html").read_text()


def test_all_attributes_are_preserved_and_those_that_are_asked_for_are_changed(flat, whole, tmp_path, capsys):
    """T of an attribute is the same whether others get one too."""
    own = pd.DataFrame({"index": range(600), "hat": 1.0})
    own.to_csv(tmp_path / "hat.csv", index=False)
    labels = f"{flat[0]}/labels,{tmp_path}/hat.csv"
    assert train(flat[0], tmp_path / "out", "--attributes", "male", "--labels", labels) == 0
    assert "Note hat: all rows are on one side of the boundary" in said(capsys)
    assert Artifact(f"{tmp_path}/out/artifact").card().attributes == ("male",)
    found, every = (read_artifact(f"{out}/artifact", WHAT).tensors for out in (tmp_path / "out", whole))
    assert {name.split(".")[1] for name in found if name.startswith("transformer.")} == {"male"}
    assert {name for name in found if name.startswith("classifier.")} < every.keys()
    assert "classifier.out.old.weight" in found
    for name, value in found.items():
        torch.testing.assert_close(value, every[name], rtol=0, atol=1e-5)
    assert train(flat[0], tmp_path / "no", "--attributes", "hat", "--labels", labels) == 2
    assert "every row has hat: there is nothing to learn it from" in said(capsys)


def test_in_w_plus_one_network_takes_every_row(tmp_path):
    tensors = read_artifact(trained(WHAT, "w+"), WHAT).tensors
    assert tensors["transformer.old.weight_1"].shape == (512, 512)
    assert tensors["classifier.0.weight"].shape[1] > 512
    words = (WHAT, "--attribute", "old", "--space", "w+", "--target", "1")
    assert edit(sample(tmp_path, 4, 4), None, tmp_path / "out", *words) == 0
    assert {row["space"] for row in edits(tmp_path / "out")} == {"w+"}


def test_as_released_each_row_has_a_layer_of_its_own_and_the_edit_names_the_rows_to_move(tmp_path, capsys, refused):
    latents = sample(tmp_path, 24, 24)
    side = pd.DataFrame({"index": range(24), "hat": np.arange(24) % 2, "beard": np.arange(24) // 12})
    side.to_csv(tmp_path / "own.csv", index=False)
    given = ["train", WHAT, "--latents", latents, "--labels", f"{tmp_path}/own.csv", *SHORT, "--as-released"]
    assert main([*given, "--space", "w+", "--out", f"{tmp_path}/lt"]) == 0
    layers = read_artifact(f"{tmp_path}/lt/artifact", WHAT).tensors["transformer.hat.layers"].shape[0]
    words = (WHAT, "--artifact", f"{tmp_path}/lt/artifact", "--attribute", "hat", "--target", "1", "--layers", "0-2")
    assert edit(latents, None, tmp_path / "out", *words) == 0
    moved = np.array([row["latent"] for row in edits(tmp_path / "out")]).reshape(24, 2, layers, 512)
    apart = np.abs(moved[:, 1] - moved[:, 0]).max(axis=(0, 2))
    assert (apart[:3] > 0).all()
    assert (apart[3:] == 0).all()
    capsys.readouterr()
    refused(edit(latents, None, tmp_path / "o", *words[:-1], "0-99"), "has the rows of w+ 0 to")
    refused(main([*given, "--out", f"{tmp_path}/w"]), "pass --space w+")
    words = (WHAT, "--artifact", trained(WHAT), "--attribute", "old", "--target", "1", "--layers", "0-2")
    capsys.readouterr()
    refused(edit(latents, None, tmp_path / "o", *words), "--layers are rows of w+, these edits are in w: leave them")


def test_a_row_of_labels_more_than_of_latents_is_no_silent_join(tmp_path, refused):
    plant(tmp_path / "small", 100)
    plant(tmp_path / "large", 200)
    labels = f"{tmp_path}/large/labels"
    refused(train(tmp_path / "small", tmp_path / "out", "--labels", labels), "lacks 100 rows")
