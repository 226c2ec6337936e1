"""Before hours of computing a study refuses faces and artifacts that do not go with what it edits."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from studies import RUN, centre

from jobs.__main__ import main
from jobs.reproduce.ials import IalsSpec
from jobs.reproduce.id_style import IdStyleSpec
from jobs.reproduce.interfacegan import InterfaceganSpec
from jobs.reproduce.latent_transformer import measure_all
from jobs.reproduce.latent_transformer_flags import WHAT, LatentTransformerSpec
from jobs.reproduce.learned_from import labels_of, latents_of, said
from jobs.reproduce.style_intervention import StyleInterventionSpec
from pipeline.card import Card, TrainedCodes
from pipeline.errors import SpecError
from pipeline.stages.models import read_artifact

SEED = 3
TINY = {"generator": "stylegan2-tiny", "classifiers": "tiny", "judge": "tiny-judge"}
ASKED = TINY | {"attributes": ("smile",), "sequence": "smile:1", "metrics": ("identity",)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As a study leaves it: faces, directions, and an artifact."""
    out = tmp_path_factory.mktemp("study")
    tables = ["--latents", f"{out}/faces/latents", "--labels", f"{out}/faces/labels", "--attributes", "smile"]
    with pytest.MonkeyPatch.context() as patch:
        centre(patch)
        made = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--rows", "60", "--seed", str(SEED)]
        assert main(["dataset", *made, *RUN, "--out", f"{out}/faces"]) == 0
    assert main(["directions", "fit", *tables, "--local", "--out", f"{out}/fit-w"]) == 0
    words = ["--epochs", "1", "--classifier-epochs", "1", "--threads", "1", "--local", "--out", f"{out}/trained"]
    assert main(["train", WHAT, *tables, *words]) == 0
    return out


def asked(out: Path, **flags: object) -> LatentTransformerSpec:
    return LatentTransformerSpec.model_validate({**ASKED, "out": str(out / "new"), "seed": SEED, **flags})


@pytest.mark.parametrize("seed", [SEED - 1, SEED - 2])
def test_faces_that_directions_were_fitted_on_are_not_edited(folder, seed):
    with pytest.raises(SpecError, match=f"--from: its faces are of seed 3, .* to be edited: pass --seed {SEED}"):
        asked(folder, from_=str(folder), seed=seed).check()
    asked(folder, from_=str(folder)).check()


@pytest.mark.parametrize("seed", [SEED - 1, SEED - 2])
def test_faces_that_an_artifact_has_learned_from_are_not_edited(folder, seed):
    artifact = f"{folder}/trained/artifact"
    with pytest.raises(SpecError, match=f"--artifact: its faces are of seed 3, .*: pass --seed {SEED}"):
        asked(folder, artifact=artifact, seed=seed).check()
    asked(folder, artifact=artifact).check()


def test_what_an_artifact_has_learned_from_is_found_or_said_to_be_unknown(folder):
    artifact = f"{folder}/trained/artifact"
    card = read_artifact(artifact, WHAT).card
    assert latents_of(artifact, card) == f"{folder}/faces/latents"
    assert said(artifact, card) == ""
    named = card.model_copy(update={"command": f"stylemill train {WHAT} --latents={folder}/faces/latents"})
    assert latents_of("/elsewhere/artifact", named) == f"{folder}/faces/latents"
    other = card.model_copy(update={"inputs": {"latents": "0" * 64}})
    assert latents_of(artifact, other) is None
    assert "may be among those edited" in said(artifact, other)


def test_the_labels_are_of_the_family_that_edits(folder):
    with pytest.raises(SpecError, match="--from: its faces are labelled by tiny; pass --classifiers tiny"):
        asked(folder, from_=str(folder), classifiers="tiny-judge", judge="tiny").check()


def test_an_artifact_is_not_measured_by_the_family_that_it_learned_from(folder):
    artifact = f"{folder}/trained/artifact"
    with pytest.raises(SpecError, match="learned from labels of tiny: pass another --judge"):
        asked(folder, artifact=artifact, classifiers="tiny-judge", judge="tiny").check()
    card = read_artifact(artifact, WHAT).card
    assert labels_of(artifact, card) == f"{folder}/faces/labels"


def test_a_direction_that_is_not_there_is_said_with_the_flags_that_ask_for_it(folder):
    with pytest.raises(SpecError, match="no direction of old: change --attributes and --sequence, or fit one there"):
        asked(folder, from_=str(folder), sequence="smile:1,old:1").check()


def test_an_artifact_of_another_generator_or_space_is_refused(folder):
    spec, card = asked(folder), read_artifact(f"{folder}/trained/artifact", WHAT).card
    spec.check_artifact("x", card)
    for told, message in (
        ({"generator_fingerprint": "0" * 64, "generator": "another"}, "latents of another generator, another"),
        (
            {"codes": TrainedCodes(space="w+", norm_mean=1, norm_min=1, norm_max=1)},
            "edits w\\+, and this study edits w",
        ),
    ):
        with pytest.raises(SpecError, match=message):
            spec.check_artifact("x", Card.model_validate({**card.model_dump(), **told}))


@pytest.mark.parametrize(
    "study", [IalsSpec, IdStyleSpec, InterfaceganSpec, LatentTransformerSpec, StyleInterventionSpec]
)
def test_the_judge_is_another_family_than_the_one_that_edits(study):
    with pytest.raises(ValidationError, match="--judge faces is the family that edits: measure with another one"):
        study.model_validate({"out": "x", "classifiers": "faces", "judge": "faces"})


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"rows": 9, "others": 45}, "--others 45: the threshold of identity needs 46 faces or more"),
        ({"sequence": "bangs:1,grey_hair:1"}, "tiny-judge sees none of it: ask for one of "),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(flags, message):
    with pytest.raises(ValidationError, match=message):
        asked(Path("x"), **flags)


def test_other_metrics_are_measured_in_a_folder_of_their_own():
    """So that one more can be asked for in the same --out, which keeps all edits."""
    single = {"smile": {"one": [("x/smile-one-up", True)]}}
    first, both, same = (
        measure_all(asked(Path("x"), metrics=metrics), single, [])
        for metrics in (("identity",), ("identity_dlib", "identity"), ("identity", "identity_dlib"))
    )
    assert first.out != both.out
    assert both == same
