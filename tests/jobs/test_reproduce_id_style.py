"""`stylemill reproduce id-style` on the tiny networks: every step, the page, and its numbers made again."""

import html
import json
import math
import shlex
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pixels import PixelsAreTheFace, load_pixels
from studies import MODELS, RUN, centre

import schemas
from jobs.__main__ import main
from jobs.reproduce import id_style, id_style_edits
from jobs.reproduce.id_style import IdStyleSpec
from jobs.reproduce.id_style_training import PARTS, face_edits
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.report.id_style.paper import LINEAR, NAMES, NON_LINEAR, OURS, TABLE_1, TABLE_3
from pipeline.report.id_style.top_k import Setting
from pipeline.report.toggles import Strengths
from pipeline.stages.models import read_artifact
from pipeline.tables import Table

pytestmark = pytest.mark.slow
WORDS = [*MODELS, "--labelled", "400", "--rows", "6", "--steps", "3", "--metrics", "pictures,identity", *RUN]
"""Without dlib, which finds no face in noise."""
FEW = (Setting(2, 20.0), Setting(150), Setting(None))
STRENGTHS = {
    OURS: Strengths((0.5, 1.0), 1.0), LINEAR: Strengths((1.5, 3.0, 6.0), 3.0), NON_LINEAR: Strengths((1.25,), 1.25),
}  # fmt: skip
ROWS = 6


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        centre(patch)
        patch.setattr(identity, "load", load_pixels)
        for module in (id_style, id_style_edits):
            patch.setattr(module, "SETTINGS", FEW)
        for method, strengths in STRENGTHS.items():
            patch.setitem(id_style_edits.STRENGTHS, method, strengths)
        yield


@pytest.fixture(scope="module")
def out(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    assert main(["reproduce", "id-style", *WORDS, "--out", str(out)]) == 0
    return out


def frame(out, *names) -> pd.DataFrame:
    """A table; latents as arrays (W,) or (L, W)."""
    table = Table.open(str(Path(out, *names))).read()
    found = table.to_pandas()
    return found.assign(latent=list(schemas.to_numpy(table["latent"]))) if "latent" in found else found


def seen(latents: list[np.ndarray]) -> tuple[pd.DataFrame, torch.Tensor]:
    """The judge's scores of codes in w or w+, and the faces as the network of identity knows them."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    values = torch.tensor(np.stack(latents))
    space = "w" if values.dim() == 2 else "w+"
    with torch.no_grad():
        x_N3HW = generator.synthesize(Codes(space, values))
        scores_NA = classifiers.load("tiny-judge", tuple(NAMES)).scores(x_N3HW).numpy()
    return pd.DataFrame(scores_NA, columns=list(NAMES)), PixelsAreTheFace()(x_N3HW)


def edited(out, folder: str) -> pd.DataFrame:
    """Rows of edits behind the source, with attribute, whether the judge sees it before and after, and the cosine."""
    requests = frame(out, folder, "requests")["attribute"]
    rows = frame(out, folder, "edits").merge(
        frame(out, folder, "edits").query("step == 0")[["index", "request", "latent"]],
        on=["index", "request"], suffixes=("", "_before"),
    ).query("step > 0").reset_index(drop=True)  # fmt: skip
    rows["attribute"] = [requests[request] for request in rows["request"]]
    (before, first), (after, second) = (seen(rows[name].tolist()) for name in ("latent_before", "latent"))
    rows["before"], rows["after"] = (
        [scores[name][place] > 0 for place, name in enumerate(rows["attribute"])] for scores in (before, after)
    )
    rows["cosine"] = (first * second).sum(dim=1).numpy()
    return rows


def test_it_has_every_part_and_says_first_how_short_the_training_was(page):
    for heading in (
        "Faces: one attribute at a time (Fig. 5)", "Faces: several attributes at once (Fig. 6)", "The paper's claims",
        "Identity, content and accuracy (Table 1)", "Identity at equal accuracy", "Size and time (Table 2)",
        "Ablation (Table 3)", "Angles between the directions (Fig. 4)", "How many entries (Fig. 9)",
    ):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page
    lead = page.index("The training edited 6 faces, 0.00075 % of the paper's 800,000")
    assert lead < page.index("<h2>")
    assert f">{TABLE_1['mACC']['InterFaceGAN in W']:.2f}</td>" in page
    assert "FID is left out" in page
    for words in ("nothing is done", "± ", "ISF-GAN in W, paper", "G + Gl + A + S"):
        assert words in page


def test_table_1_is_that_of_the_edits(out, text):
    """Made once more from the latents."""
    both = pd.concat([edited(out, "ours-up").assign(side=1), edited(out, "ours-down").assign(side=-1)])
    linear = edited(out, "linear")
    linear = linear.assign(side=np.sign(linear["strength"]))
    assert len(both) == len(linear) == ROWS * 8
    section = text.split("## Identity, content and accuracy (Table 1)")[1].split("\n## ")[0]
    tables = [part for part in section.split("\n\n") if part.startswith("|")]
    for name, rows in ((f"{OURS}, intensity 1", both), (f"{LINEAR} in W, ±3", linear)):
        wanted = rows["side"] > 0
        there, toggle = rows["after"] == wanted, rows["before"] != wanted
        assert toggle.mean() == 0.5
        for (pictures, accuracies), some in ((tables[:2], there | True), (tables[2:], toggle)):
            found = {}
            for table in (pictures, accuracies):
                lines = table.splitlines()
                row = next(line for line in lines if line.startswith(f"| {name} |"))
                found |= {
                    head.strip(): cell.strip()
                    for head, cell in zip(lines[0].split("|")[1:-1], row.split("|")[1:-1], strict=True)
                }
            assert float(found["mACC"].split(" (")[0]) == pytest.approx(100 * there[some].mean(), abs=0.06)
            assert float(found["FRS ↑"].split(" ±")[0]) == pytest.approx(rows["cosine"][some].mean(), abs=6e-4)
            gender = some & (rows["attribute"] == "male")
            by_face = there[gender].groupby(rows["index"][gender]).mean()
            assert float(found["Gender"].split(" (")[0]) == pytest.approx(100 * by_face.mean(), abs=0.06)
    nothing = [next(line for line in table.splitlines() if line.startswith("| nothing is done")) for table in tables]
    assert nothing[0].count("1.000 ± 0.000") == 2  # SSIM and FRS
    assert nothing[1].count(" 50.0 |") == 5
    assert nothing[3].count(" 0.0 |") == 5


def test_another_method_edits_as_far_as_the_page_reads(out):
    """Both sides at its usual strength; toggles at the others."""
    assert set(edited(out, "linear")["strength"]) == {-3.0, 3.0}
    found = pd.concat(edited(out, folder.name) for folder in out.glob("linear-*-*"))
    assert len(found) == ROWS * len(NAMES) * 2
    assert (found.groupby(["index", "attribute"])["strength"].agg(lambda its: set(its.abs())) == {1.5, 6.0}).all()
    assert (np.sign(found["strength"]) == np.where(found["before"], -1, 1)).all()


def test_angles_are_those_of_the_trained_directions(out, text):
    tensors = read_artifact(f"{out}/trained/artifact", "id-style").tensors
    found = {}
    for one, other in combinations(NAMES, 2):
        first, second = (tensors[f"direction.{name}"].double() for name in (one, other))
        found[one, other] = math.degrees(math.acos(float(first @ second / first.norm() / second.norm())))
    row = next(line for line in text.splitlines() if line.startswith("| Gender | 0.0 |"))
    cells = [float(cell) for cell in row.split("|")[3:-1]]
    np.testing.assert_allclose(cells, [found["male", name] for name in ("eyeglasses", "old", "smile")], atol=0.06)
    furthest = max(found.values(), key=lambda angle: abs(angle - 90))
    claim = next(line for line in text.splitlines() if "of 6 angles that furthest from 90" in line)
    assert float(claim.split("|")[3]) == pytest.approx(furthest, abs=0.06)
    assert ("| holds |" in claim) == all(80 <= angle <= 97 for angle in found.values())


def test_settings_are_toggles_alone_and_the_last_is_of_table_1(out, text):
    few = edited(out, "top-2-by-20")
    assert len(few) == ROWS * 4
    assert (np.sign(few["strength"]) == np.where(few["before"], -1, 1)).all()
    moved = np.stack((few["latent"] - few["latent_before"]).tolist())
    assert (np.count_nonzero(moved, axis=2) == 2).all()
    accuracy = (few["after"] != few["before"]).mean()
    line = next(line for line in text.splitlines() if line.startswith("| k = 2, intensity 20 |"))
    assert float(line.split("|")[2].split("(")[0]) == pytest.approx(100 * accuracy, abs=0.06)
    whole = pd.concat([edited(out, "ours-up").query("not before"), edited(out, "ours-down").query("before")])
    line = next(line for line in text.splitlines() if line.startswith("| k = all, intensity 1 |"))
    assert float(line.split("|")[2].split("(")[0]) == pytest.approx(
        100 * (whole["after"] != whole["before"]).mean(), abs=0.06
    )


def test_without_ablations_there_is_their_command_and_no_verdict(text):
    section = text.split("## Ablation (Table 3)")[1].split("\n## ")[0]
    assert "--ablations=2000" in section
    assert f"{len(PARTS)} trainings that take about " in section
    assert "Fewer edits succeed where a part is left out" not in text


def test_the_same_command_makes_nothing_anew(small, out, page, capsys):
    assert main(["reproduce", "id-style", *WORDS, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ") > 10
    assert html.unescape(Path(out, "report.html").read_text()) == page


def test_what_was_trained_can_be_given_with_another_method_and_parts_left_out(small, out, tmp_path):
    words = ["--latents", f"{out}/faces/latents", "--labels", f"{out}/faces/labels", "--attributes", ",".join(NAMES)]
    words += ["--epochs", "1", "--classifier-epochs", "1", "--threads", "1", "--local", "--out", f"{out}/transformer"]
    assert main(["train", "latent-transformer", *words]) == 0
    given = ["--artifact", f"{out}/trained/artifact", "--from", str(out), "--ablations", "2"]
    given += ["--latent-transformer", f"{out}/transformer/artifact"]
    words = [word for word in WORDS if word not in ("--steps", "3")]
    assert main(["reproduce", "id-style", *words, *given, "--out", str(tmp_path)]) == 0
    assert not (tmp_path / "trained").exists()
    assert not (tmp_path / "faces").exists()
    text = (tmp_path / "report.md").read_text()
    section = text.split("## Ablation (Table 3)")[1].split("\n## ")[0]
    assert "with 4 edited faces" in section
    assert text.count(f"| {NON_LINEAR}, alpha ±1.25 |") == 4
    assert f"At equal accuracy identity is kept better than by {NON_LINEAR}" in text
    for name in PARTS:
        assert sum(line.startswith(f"| {name}") for line in text.splitlines()) >= 1
    assert text.count("mACC as a share, less that of the whole (6 faces)") == len(PARTS) - 1


def test_face_edits_of_a_kept_artifact_which_has_no_curve():
    assert face_edits("kept:id-style.mobilestylegan-ffhq") == 2 * 2591


def test_face_edits_of_an_artifact_and_of_a_copy_without_its_manifest(out, tmp_path):
    assert face_edits(f"{out}/trained/artifact") == 3 * 2
    command = shlex.split(read_artifact(f"{out}/trained/artifact", "id-style").card.command)
    assert command[:3] == ["stylemill", "train", "id-style"]  # not that of the study
    assert {"--steps=3", "--classifiers=tiny"} <= set(command)
    copy = tmp_path / "copy"
    shutil.copytree(out / "trained" / "artifact", copy, ignore=shutil.ignore_patterns(".*"))
    card = json.loads((copy / "card.json").read_text())
    assert face_edits(str(copy)) == 3 * 2
    for settings, edits in (({"batch_size": 4, "edits_of_a_row": "all"}, 3 * 4 * 4), ({}, None)):
        (copy / "card.json").write_text(json.dumps({**card, "settings": {**settings}}))
        assert face_edits(str(copy)) == edits
    assert list(PARTS) == list(TABLE_3.index)


def test_an_artifact_says_what_was_left_out(small, out, tmp_path):
    given = ["--latents", f"{out}/faces/latents", "--labels", f"{out}/faces/labels", *MODELS[2:]]
    words = ["--attributes", "smile", "--steps", "1", "--without", "mixer", "--lambda-nb", "0.5", "--threads", "1"]
    assert main(["train", "id-style", *given, *words, "--local", "--out", str(tmp_path)]) == 0
    command = shlex.split(read_artifact(f"{tmp_path}/artifact", "id-style").card.command)
    assert {"--without=mixer", "--lambda-nb=0.5"} <= set(command)


def test_each_face_is_looked_at_once_to_know_its_sides(small, out, tmp_path, monkeypatch):
    """As the dry run counts it."""
    looks, see = [], FaceScorer._see

    def counted(self, codes, *args, **flags):
        looks.append(len(codes))
        return see(self, codes, *args, **flags)

    monkeypatch.setattr(FaceScorer, "_see", counted)
    words = ["--latents", f"{out}/others/latents", "--artifact", f"{out}/trained/artifact", "--target", "flip"]
    words += ["--attribute", ",".join(NAMES), "--classifiers", "tiny-judge", "--batch-size", "1"]
    words += ["--rows-per-shard", "1", "--local", "--threads", "1", "--backend", "eager"]
    assert main(["edit", "id-style", *words, "--out", str(tmp_path)]) == 0
    assert sum(looks) <= ROWS + 1  # one when the networks are opened


def test_a_dry_run_counts_the_passes(small, tmp_path, capsys):
    words = ["reproduce", "id-style", *WORDS, "--out", str(tmp_path / "none"), "--dry-run"]
    assert main(words) == 0
    assert not (tmp_path / "none").exists()
    edits = ROWS * (2 * 5 + (1 + 8) + 4 * (1 + 2) + (2 + 1) * 6) + 3 * 9 * 2 + 2 * 8
    said = capsys.readouterr().err
    assert f"{400 + ROWS + edits + 3 * 4:,} forward, {3 * 2} backward" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metrics", "pictures"], "--metrics needs identity or identity_dlib"),
        (["--metrics", "identity,freckles"], "unknown metric 'freckles'"),
        (["--judge", "tiny"], "--judge tiny is the family that edits: measure with another one"),
        (["--budget", "3"], "--budget decides the steps: leave out --steps"),
        (["--artifact", "out/x"], "--artifact is trained already: leave out --steps and --budget"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(words, message, tmp_path, capsys):
    assert main(["reproduce", "id-style", *WORDS, *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_artifact_of_other_attributes_is_refused(small, tmp_path, out, capsys):
    given = ["--latents", f"{out}/faces/latents", "--labels", f"{out}/faces/labels", *MODELS[2:]]
    words = ["train", "id-style", *given, "--attributes", "smile", "--steps", "1", "--threads", "1", "--local"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    words = [word for word in WORDS if word not in ("--steps", "3")]
    words += ["--artifact", str(tmp_path / "one" / "artifact"), "--out", str(tmp_path / "out")]
    assert main(["reproduce", "id-style", *words]) == 2
    assert "was not trained for male, eyeglasses, old, which the paper edits" in capsys.readouterr().err


def test_faces_that_edits_are_learned_from_are_not_edited(small, tmp_path, out, capsys):
    """The others are of the next seed."""
    words = [word for word in WORDS if word not in ("--steps", "3")]
    artifact = ["--artifact", f"{out}/trained/artifact"]
    for given in (["--from", str(out)], artifact):
        said = ["reproduce", "id-style", *words, *given, "--out", str(tmp_path / "out"), "--dry-run"]
        assert main([*said, "--seed", "0"]) == 2
        error = capsys.readouterr().err
        assert f"{given[0]}: its faces are of seed 1, which at --seed 0 is a seed of the faces to be edited" in error
        assert main([*said, "--seed", "1"]) == 0


def test_what_an_artifact_was_trained_by_and_for_is_looked_at(small, tmp_path, out, capsys):
    words = [word for word in WORDS if word not in ("--steps", "3", *MODELS)] + MODELS[:2]
    words += ["--artifact", f"{out}/trained/artifact", "--out", str(tmp_path / "out"), "--dry-run"]
    assert main(["reproduce", "id-style", *words, "--classifiers", "tiny-judge", "--judge", "tiny"]) == 2
    assert "--artifact: it has learned from labels of tiny: pass another --judge" in capsys.readouterr().err
    own = tmp_path / "own"
    shutil.copytree(out / "trained" / "artifact", own, ignore=shutil.ignore_patterns(".*"))
    card = json.loads((own / "card.json").read_text())
    (own / "card.json").write_text(json.dumps({**card, "inputs": {}, "tables": {}}))  # of which labels is not known
    words[words.index("--artifact") + 1] = str(own)
    assert main(["reproduce", "id-style", *words, "--classifiers", "tiny-judge", "--judge", "tiny"]) == 2
    assert "it was trained by the family tiny: pass another --judge" in capsys.readouterr().err
    copy = tmp_path / "copy"
    shutil.copytree(out / "trained" / "artifact", copy, ignore=shutil.ignore_patterns(".*"))
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps({**card, "generator_fingerprint": "0" * 64}))
    words[words.index("--artifact") + 1] = str(copy)
    assert main(["reproduce", "id-style", *words, *MODELS[2:]]) == 2
    assert f"{copy} was trained on latents of another generator" in capsys.readouterr().err


def test_the_default_number_of_faces():
    spec = IdStyleSpec(out="out/x")
    assert (spec.each, spec.taken) == ((24, 4500) if not spec.on_gpu else (200, 100_000))
    assert json.dumps(spec.model_dump())
