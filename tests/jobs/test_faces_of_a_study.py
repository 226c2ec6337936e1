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
from jobs.reproduce.learned_from import said, tables_of
from jobs.reproduce.style_intervention import StyleInterventionSpec
from pipeline.card import Card, TrainedCodes
from pipeline.errors import SpecError
from pipeline.stages.models import read_artifact
from pipeline.tables import Table

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
    """By its card, wherever it is; by one that does not tell, only in the folder of its study."""
    artifact = f"{folder}/trained/artifact"
    card = read_artifact(artifact, WHAT).card
    [latents] = card.tables["latents"]
    assert (latents.url, latents.seed) == (f"{folder}/faces/latents", SEED)
    assert latents.digest == Table.open(latents.url).digest
    assert tables_of("/elsewhere/artifact", card, "latents") == (latents,)
    assert said("/elsewhere/artifact", card) == ""
    old = card.model_copy(update={"tables": {}})
    assert tables_of(artifact, old, "latents") == (latents,)
    assert said(artifact, old) == ""
    for where, told in (("/elsewhere/artifact", old), (artifact, old.model_copy(update={"inputs": {}}))):
        assert tables_of(where, told, "latents") == ()
        assert "which may be among those edited: train it again" in said(where, told)


@pytest.mark.parametrize("tables", [True, False], ids=["card", "folder"])
def test_faces_are_refused_by_the_card_of_what_has_learned_from_them(folder, tables):
    """Where the tables are gone as well, and an old card by the tables of its study."""
    card = read_artifact(f"{folder}/trained/artifact", WHAT).card
    where = "/elsewhere/artifact" if tables else f"{folder}/trained/artifact"
    told = card if tables else card.model_copy(update={"tables": {}})
    asked(folder).check_artifact(where, told)
    with pytest.raises(SpecError, match="--artifact: its faces are of seed 3"):
        asked(folder, seed=SEED - 1).check_artifact(where, told)
    with pytest.raises(SpecError, match="learned from labels of tiny"):
        asked(folder, classifiers="tiny-judge", judge="tiny").check_artifact(where, told)


def test_the_labels_are_of_the_family_that_edits(folder):
    with pytest.raises(SpecError, match="--from: its faces are labelled by tiny; pass --classifiers tiny"):
        asked(folder, from_=str(folder), classifiers="tiny-judge", judge="tiny").check()


def test_an_artifact_is_not_measured_by_the_family_that_it_learned_from(folder):
    artifact = f"{folder}/trained/artifact"
    with pytest.raises(SpecError, match="learned from labels of tiny: pass another --judge"):
        asked(folder, artifact=artifact, classifiers="tiny-judge", judge="tiny").check()
    [labels] = read_artifact(artifact, WHAT).card.tables["labels"]
    assert (labels.url, labels.classifiers) == (f"{folder}/faces/labels", "tiny")


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
