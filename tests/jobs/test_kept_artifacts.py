"""Artifacts that the repository keeps: used where none is named, by the generator's fingerprint, on every machine."""

import json

import pytest

from benchmarks import keep_artifact
from jobs.__main__ import main
from jobs.reproduce.study import step
from jobs.sample import SampleSpec
from pipeline.card import Card
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity, tiny
from pipeline.stages import kept_artifacts
from pipeline.stages.models import read_artifact
from pipeline.tables import Table
from tests.jobs.edits import TINY, sample, trained
from tests.jobs.pixels import load_pixels
from tests.jobs.studies import MODELS, RUN, centred

LATENT_TRANSFORMER = "latent-transformer"
ASKED = ["--attribute", "male", "--alphas=-1,1"]
EVERY = kept_artifacts.names("*")


def test_the_kept_artifact_is_the_default(kept, tmp_path, capsys):
    latents, words = sample(tmp_path / "faces"), ["edit", LATENT_TRANSFORMER, *ASKED, *TINY]
    assert main([*words, "--latents", latents, "--out", f"{tmp_path}/default"]) == 0
    assert f"{kept}/latent-transformer.stylegan2-tiny/card.json says how it was trained" in capsys.readouterr().err
    artifact = ["--artifact", trained(LATENT_TRANSFORMER)]
    assert main([*words, "--latents", latents, *artifact, "--out", f"{tmp_path}/named"]) == 0
    default, named = (Table.open(f"{tmp_path}/{out}/edits").read() for out in ("default", "named"))
    assert default.equals(named)


def test_another_generator_has_none(kept, tmp_path, capsys):
    card = kept / f"{LATENT_TRANSFORMER}.stylegan2-tiny" / "card.json"
    other = Card.parse(card.read_bytes(), "").model_copy(update={"generator_fingerprint": "0" * 64})
    card.write_bytes(other.encode())
    latents = sample(tmp_path / "faces")
    assert main(["edit", LATENT_TRANSFORMER, *ASKED, *TINY, "--latents", latents, "--out", f"{tmp_path}/out"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "stylemill dataset --generator stylegan2-tiny --rows 10000 --out out/faces && stylemill train" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_is_written_with_what_it_does_on_its_card(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tiny, "scales", centred)
    monkeypatch.setattr(identity, "load", load_pixels)
    words = ["--toggles", "8", "--labelled", "400", "--metrics", "identity", *MODELS, *RUN]
    code = keep_artifact.main(["--artifact", trained(LATENT_TRANSFORMER), *words, "--out", str(tmp_path)])
    (made,) = tmp_path.glob(f"{LATENT_TRANSFORMER}.*/card.json")
    card = json.loads(made.read_bytes())
    assert (code == 1) == ("demonstration" in card["metrics"]) == ("a demonstration" in capsys.readouterr().err)
    whole = read_artifact(trained(LATENT_TRANSFORMER), LATENT_TRANSFORMER)
    half = read_artifact(str(made.parent), LATENT_TRANSFORMER)
    assert {name: value.half().tolist() for name, value in whole.tensors.items()} == {
        name: value.tolist() for name, value in half.tensors.items()
    }
    assert half.card.generator_fingerprint == generators.load("stylegan2-tiny", backend="eager").fingerprint
    for method in ("kept", "interfacegan"):
        figures = {name: card["metrics"][f"{method}.male.{name}"] for name in ("toggles", "changed", "first")}
        rows = [
            row
            for way in ("up", "down")
            if (tmp_path / f"male-{method}-{way}").exists()
            for row in Table.open(f"{tmp_path}/male-{method}-{way}/edits").read().to_pylist()
        ]
        before = {row["index"]: row["judge_male"] > 0 for row in rows if row["step"] == 0}
        changed = sum((row["judge_male"] > 0) != before[row["index"]] for row in rows if row["step"] == 1)
        assert (figures["toggles"], figures["changed"]) == (len(before), changed)
        assert figures["first"] <= figures["changed"]


def test_a_step_that_fails_ends_in_a_line_with_its_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(keep_artifact, "label_faces", lambda *_: step(SampleSpec(out=str(tmp_path), generator="none")))
    words = ["--artifact", trained(LATENT_TRANSFORMER), "--metrics", "identity", *MODELS, *RUN]
    assert keep_artifact.main([*words, "--out", f"{tmp_path}/out"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("keep_artifact: the step `stylemill sample` ended with exit code 2, for the reason above")


def test_an_artifact_is_not_judged_by_what_it_was_trained_for_alone(tmp_path, capsys):
    words = ["--artifact", trained("id-style"), "--metrics", "identity", *MODELS, *RUN, "--out", str(tmp_path)]
    assert keep_artifact.main(words) == 2
    assert "the training of id-style follows the network of identity: add identity_dlib" in capsys.readouterr().err


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_each_does_what_its_card_says(name, tmp_path):
    """On the first faces of those that its figures are of."""
    what = name.partition(".")[0]
    card = read_artifact(f"{kept_artifacts.SCHEME}{name}", what).card
    metrics = card.metrics
    families = [table.classifiers for table in card.tables["labels"]]
    assert {network for family in families for network in classifiers.load(family).weights} <= set(card.licences)
    attributes = [found.split(".")[1] for found in metrics if found.startswith("kept.") and found.endswith(".first")]
    assert attributes
    faces = ["--rows", str(keep_artifact.FIRST), "--seed", "2", "--local", "--out", f"{tmp_path}/faces"]
    assert main(["sample", *faces]) == 0
    latents = ["--latents", f"{tmp_path}/faces/latents"]
    judged = ["--classifiers", "judge", "--attributes", ",".join(attributes), "--local", "--out", f"{tmp_path}/judged"]
    assert main(["label", *latents, *judged]) == 0
    for attribute in attributes:
        changed = 0
        for to, where in ((True, "<="), (False, ">")):
            flags = keep_artifact.settings(what)[to]
            words = [f"--{flag}={value[0] if isinstance(value, tuple) else value}" for flag, value in flags.items()]
            chosen = ["--labels", f"{tmp_path}/judged/labels", "--where", f"{attribute} {where} 0"]
            out = f"{tmp_path}/{attribute}-{to}"
            seen = ["--attribute", attribute, "--scores", "judge", "--scored", attribute, "--local", "--out", out]
            code = main(["edit", what, *latents, *chosen, *words, *seen])
            rows = Table.open(f"{out}/edits").read().to_pylist() if code == 0 else []
            changed += sum((row[f"judge_{attribute}"] > 0) == to for row in rows if row["step"] == 1)
        assert abs(changed - metrics[f"kept.{attribute}.first"]) <= 1  # of a face at the boundary, on another processor
