"""`stylemill reproduce style-intervention` on the tiny networks: every step, the page, and its numbers made again."""

import html
import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pixels import PixelsAreTheFace
from studies import MODELS, RUN, centred, frame

from jobs.__main__ import main
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import LabelledFaces
from jobs.reproduce.intervention_edits import FOLDERS, INTERPOLATED, STRENGTHS
from jobs.reproduce.outlined import Masks
from jobs.reproduce.style_intervention import StyleInterventionSpec
from pipeline.editors.style_intervention import intervention
from pipeline.metrics.equal_success import MET
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity, tiny
from pipeline.models.classifiers.regions import dilated
from pipeline.models.codes import Codes
from pipeline.report.style_intervention.paper import IN_Z, METHODS, OURS, TABLE_2
from pipeline.tables import Table

pytestmark = pytest.mark.slow
WORDS = [*MODELS, "--labelled", "400", "--rows", "5", "--others", "64", "--attributes", "male,smile"]
WORDS += ["--sparse", "male,old,smile"]
WORDS += ["--metrics", "pictures,identity", *RUN]  # dlib finds no face in noise


MASKS: list[np.ndarray] = []
"""Of the faces that the editor solved for, with the pixels at the border."""


def recorded(mask_N1HW, pixels):
    """In place of the editor's `dilated`."""
    found = dilated(mask_N1HW, pixels)
    MASKS.extend(found[:, 0].numpy())
    return found


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervention, "dilated", recorded)
        patch.setattr(tiny, "scales", centred)
        patch.setitem(classifiers.READINGS, "tiny-judge", classifiers.READINGS["tiny"])  # both look with one reader
        patch.setattr(identity, "load", lambda device="cpu": PixelsAreTheFace())
        yield


@pytest.fixture(scope="module")
def out(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    before = set(sys.modules)
    assert main(["reproduce", "style-intervention", *WORDS, "--out", str(out)]) == 0
    assert "ray" in before or "ray" not in sys.modules  # --local among the flags is for every step
    return out


def pictures(rows: pd.DataFrame) -> np.ndarray:
    """(M, 3, 32, 32) in [0, 1], of rows of edits."""
    return ((synthesized(rows) + 1) / 2).clamp(0, 1).numpy()


def synthesized(rows: pd.DataFrame) -> torch.Tensor:
    """(M, 3, 32, 32) as the generator makes them."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    codes = torch.tensor(np.stack(rows["latent"].to_numpy()))
    if rows["space"].iloc[0] == "z":
        codes, space = generator.map(codes, 0.7), "w+"
    else:
        space = rows["space"].iloc[0]
    with torch.no_grad():
        return generator.synthesize(Codes(space, codes))


def test_it_has_every_part(page):
    for heading in (
        "Strips: Gender", "Strips: Smile", "The paper's claims", "Separability of the style space (Table 1)",
        "At equal success (Table 2)", "Inside and outside the region (ours)", "Interpolation along ds_n (Fig. 5)",
        "Layer by layer (Fig. 6)", "Maps of the channels (Fig. 2)",
    ):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page
    assert page.index("data:image/webp") < page.index("<table")
    assert f">{TABLE_2['mse'].loc['male', IN_Z]:g}</td>" in page
    for words in ("Gender, paper", "at the start", "after 1", "edit", *METHODS):
        assert words in page


def test_every_face_is_edited_in_every_way_and_lacks_the_attribute(out):
    labels = [frame(out, "others-judged", name).set_index("index") for name in ("labels", "labels_tiny")]
    for attribute in ("male", "smile"):
        lacking = [row for row in range(64) if all(one[attribute][row] <= 0 for one in labels)][:5]
        for method, folder in FOLDERS.items():
            edits = frame(out, f"{attribute}-{folder}", "edits")
            assert sorted(set(edits["index"])) == lacking
            steps = INTERPOLATED if method == OURS else STRENGTHS
            assert set(edits["step"]) == set(range(1 + len(steps)))
        conditions = frame(out, f"{attribute}-conditional", "requests")["conditions"][0]
        assert set(conditions) == {"male", "old", "smile", "eyeglasses"} - {attribute}


def judged(rows: pd.DataFrame, attribute: str) -> np.ndarray:
    """The judge's scores (M,) of rows of edits."""
    with torch.no_grad():
        return classifiers.load("tiny-judge", (attribute,)).scores(synthesized(rows))[:, 0].numpy()


def test_table_2_is_of_each_face_where_the_judge_sees_as_much(out, text):
    """Made once more from the sources and the ends of the moves."""
    for attribute, name in (("male", "Gender"), ("smile", "Smile")):
        own = frame(out, f"{attribute}-intervention", "edits").set_index(["step", "index"]).sort_index()
        edit, score = 1 + INTERPOLATED.index(1.0), f"judge_{attribute}"
        before, after = own.loc[0], own.loc[edit]
        raised = before.index[(before["stop"] == "done") & (after[score] > before[score] + 0.01)].tolist()
        assert raised
        x, y = pictures(before.loc[raised].reset_index()), pictures(after.loc[raised].reset_index())
        found = {OURS: pd.Series(np.square(y - x).mean(axis=(1, 2, 3)), raised)}
        for method, folder in FOLDERS.items():
            if method == OURS:
                continue
            numbers = json.loads(Path(out, f"{attribute}-{folder}", "at-equal-success.json").read_text())["numbers"]
            faces = [int(face) for face in numbers.get("faces strength", [])]
            rows = frame(out, f"{attribute}-{folder}", "edits").set_index(["step", "index"]).sort_index()
            last = rows.index.get_level_values("step").max()
            assert set(faces) <= set(raised)
            for face in set(raised) - set(faces):  # never brought so far
                assert (rows.xs(face, level="index")[score].iloc[1:] < after[score][face]).all()
            if not faces:
                found[method] = pd.Series(dtype=float)
                continue
            source, end = rows.loc[0].loc[faces], rows.loc[last].loc[faces]
            share = np.array(numbers["number strength"]) / end["strength"].to_numpy()
            first, moved = (np.stack(one["latent"].to_numpy()) for one in (source, end))
            latents = (first + share[:, None] * (moved - first)).astype(np.float32)
            moved = source.assign(latent=list(latents)).reset_index()
            off = np.abs(judged(moved, attribute) - after[score][faces].to_numpy())
            assert (off <= MET * (after[score] - before[score])[faces].to_numpy() + 1e-4).all()
            errors = np.square(pictures(moved) - pictures(source.reset_index()))
            found[method] = pd.Series(errors.mean(axis=(1, 2, 3)), faces)
            parts = [pd.Series(numbers[f"number mse_{part}"], map(int, numbers[f"faces mse_{part}"]))
                     for part in ("inside", "outside")]  # fmt: skip
            both = pd.concat([*parts, found[method]], axis=1).dropna()  # a face without the region has no inside
            assert len(both)
            assert (both.iloc[:, :2].min(axis=1) <= both[2] + 1e-6).all()
            assert (both[2] <= both.iloc[:, :2].max(axis=1) + 1e-6).all()
        means = pd.DataFrame(found, index=raised).dropna()
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} ({len(means)} faces) |"))
        if len(means):
            for cell, method in zip(line.split("|")[2:6], METHODS, strict=True):
                assert float(cell) == pytest.approx(means[method].mean(), abs=6e-5)


def test_each_face_is_measured_in_a_micro_batch_of_its_own(out):
    """The generator makes what is measured, and no padding."""
    made = Table.open(str(out / "measured" / "metrics_pictures")).require_sealed()["facts"]["spec"]
    assert made["batch_size"] == 1
    assert len(made["edits"]) == 2  # the moves are measured where their scores are met, not at each strength


def test_outlines_are_those_of_the_masks_of_the_editor(out):
    spec = StyleInterventionSpec(out=str(out), classifiers="tiny", judge="tiny-judge")
    rows = frame(out, "male-intervention", "coefficients")
    faces = rows["index"][rows["solved"]].tolist()
    assert faces
    masks = Masks(spec, LabelledFaces(str(out)))
    for place, face in enumerate(faces):
        mask_HW = masks.of("male", face)
        assert 0 < mask_HW.mean() < 1
        np.testing.assert_array_equal(mask_HW, MASKS[place])


def test_table_1_has_the_sparsity_of_the_normals(out, text):
    directions = frame(out, "fit-s", "directions").set_index("attribute")
    for attribute, name in (("male", "Gender"), ("old", "Age"), ("smile", "Smile")):
        zeros = np.mean(directions["vector"][attribute] == 0)
        assert f"| {name} | {100 * zeros:.2f} (" in text


def test_the_error_by_layer_is_that_which_the_editor_kept(out, text):
    rows = frame(out, "male-intervention", "coefficients")
    errors = np.stack(rows[rows["solved"]]["errors"])
    mean = errors.mean(axis=0)
    rise = np.diff(mean).clip(min=0).sum() / mean[0]
    line = next(line for line in text.splitlines() if line.startswith("| Gender: rises of the mean error"))
    assert f"({len(errors)} faces); the last is {100 * mean[-1] / mean[0]:.0f} % of the first" in line
    cells = [cell.strip() for cell in line.split("|")]
    assert float(cells[3]) == pytest.approx(rise, abs=6e-4)
    assert cells[5] == "not decided"  # five faces are too few


def test_the_same_command_makes_nothing_anew(small, out, page, capsys):
    assert main(["reproduce", "style-intervention", *WORDS, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ") > 10
    assert html.unescape(Path(out, "report.html").read_text()) == page
    steps = [shlex.split(line)[2:] for line in said.splitlines() if line.startswith("Step  stylemill ")]
    assert [words[0] for words in steps[:5]] == ["dataset", "directions", "directions", "directions", "sample"]


def test_a_dry_run_counts_the_passes(small, tmp_path, capsys):
    words = ["reproduce", "style-intervention", *WORDS, "--out", str(tmp_path / "none"), "--dry-run"]
    assert main(words) == 0
    assert not (tmp_path / "none").exists()
    layers = len(generators.load("stylegan2-tiny", backend="eager").style_layers)
    solved = (2 * 5 + 1) * np.array([round(0.8 * (layers * 6 + 1)), round(0.8 * layers * 6)])
    made = 2 * 5 * (2 * (2 + 5) + 3 * (9 + 4))
    said = capsys.readouterr().err
    assert f"{400 + 64 + made + solved[0]:,} forward, {solved[1]:,} backward" in said
    assert " s made alone and 1.4 times that for a backward pass" in said


def test_faces_that_are_not_scored_take_less():
    passes = Passes(10, 6, 4, 5) + Passes(1, 1)
    assert passes == Passes(11, 7, 4, 5)
    assert passes.seconds(2.0, 0.5) == pytest.approx((11 - 4 + 1.4 * (7 - 5)) * 2 + (4 + 1.4 * 5) * 0.5)
    assert passes.seconds(2.0) == pytest.approx((11 + 1.4 * 7) * 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attributes", "yaw"], "the paper's table is of male, old, eyeglasses, smile"),
        (["--sparse", "male,freckles"], "unknown attribute 'freckles'"),
        (["--sparse", "male,old"], "--sparse lacks smile, which is edited"),
        (["--attributes", "male,male"], "names an attribute twice"),
        (["--metrics", "pictures"], "--metrics needs pictures, and identity_dlib or identity"),
        (["--metrics", "pictures,identity,freckles"], "unknown metric 'freckles'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(words, message, tmp_path, capsys):
    assert main(["reproduce", "style-intervention", *WORDS, *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_too_few_faces_are_said_as_soon_as_they_are_judged(small, tmp_path, capsys):
    words = [*WORDS, "--rows", "30", "--others", "32", "--out", str(tmp_path)]
    assert main(["reproduce", "style-intervention", *words]) == 2
    assert " of 32 other faces lack " in capsys.readouterr().err
    assert not (tmp_path / "male-in-z").exists()


def test_kept_labels_need_only_have_what_is_fitted():
    spec = StyleInterventionSpec(out="out/x", attributes=("smile",), sparse=("smile", "bangs"))
    assert set(spec.labels) == {"male", "old", "eyeglasses", "smile", "bangs"}


def test_the_default_number_of_faces():
    spec = StyleInterventionSpec(out="out/x")
    assert (spec.each, spec.looked_at(spec.attributes)) == (10, 50) if not spec.on_gpu else (100, 500)
