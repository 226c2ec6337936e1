"""`stylemill reproduce style-intervention` on the tiny networks: every step, the page, and its numbers made again."""

import html
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from jobs.__main__ import main
from jobs.reproduce.cost import Passes
from jobs.reproduce.intervention_edits import FOLDERS, INTERPOLATED, STRENGTHS
from jobs.reproduce.style_intervention import StyleInterventionSpec
from pipeline.metrics import at_score
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity, tiny
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.codes import Codes
from pipeline.report.style_intervention.paper import IN_Z, OURS, TABLE_2, WAYS
from pipeline.tables import Table

pytestmark = pytest.mark.slow
RUN = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
WORDS = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", "--labelled", "400"]
WORDS += ["--rows", "5", "--others", "64", "--attributes", "male,smile", "--sparse", "male,old,smile"]
WORDS += ["--metrics", "pictures,identity", *RUN]  # dlib finds no face in noise
MIDDLES = {"smile": (0.72, 0.25), "male": (-1.05, 0.32), "old": (0.85, 0.2), "eyeglasses": (0.94, 0.32)}
"""Mean and standard deviation of the tiny reader's statistics, so that half of the faces have an attribute."""


def centred(family, scales=tiny.scales):
    """In place of `tiny.scales`: the judge is a little off."""
    away = 0.0 if family == "tiny" else 0.02
    return scales(family) | {a: Scale(middle + away, sd) for a, (middle, sd) in MIDDLES.items()}


class PixelsAreTheFace(torch.nn.Module):
    """In place of the network: a face is its picture."""

    fingerprint = "pixels"

    def forward(self, x_N3HW):
        return torch.nn.functional.normalize(x_N3HW.flatten(1))


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
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


@pytest.fixture(scope="module")
def page(out):
    return html.unescape(Path(out, "report.html").read_text())


@pytest.fixture(scope="module")
def text(out):
    return Path(out, "report.md").read_text()


def frame(out, *names) -> pd.DataFrame:
    return Table.open(str(Path(out, *names))).read().to_pandas()


def pictures(rows: pd.DataFrame) -> np.ndarray:
    """(M, 3, 32, 32) in [0, 1], of rows of edits."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    codes = torch.tensor(np.stack(rows["latent"].to_numpy()))
    if rows["space"].iloc[0] == "z":
        codes, space = generator.map(codes, 0.7), "w+"
    else:
        space = rows["space"].iloc[0]
    with torch.no_grad():
        return ((generator.synthesize(Codes(space, codes)) + 1) / 2).clamp(0, 1).numpy()


def test_it_has_every_part(page):
    for heading in (
        "Strips: Gender", "Strips: Smile", "The paper's claims", "Separability of the style space (Table 1)",
        "At equal success (Table 2)", "Inside and outside the region (ours)", "Interpolation along ds_n (Fig. 5)",
        "Layer by layer (Fig. 6)", "Maps of the channels (Fig. 2)",
    ):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page
    assert page.index("data:image/webp") < page.index("<table")
    assert f">{TABLE_2['mse'].loc['male', IN_Z]:g}</td>" in page
    for words in ("Gender, paper", "at the start", "after 1", "edit", *WAYS):
        assert words in page


def test_every_face_is_edited_in_every_way_and_lacks_the_attribute(out):
    labels = [frame(out, "others-judged", name).set_index("index") for name in ("labels", "labels_tiny")]
    for attribute in ("male", "smile"):
        lacking = [row for row in range(64) if all(one[attribute][row] <= 0 for one in labels)][:5]
        for way, folder in FOLDERS.items():
            edits = frame(out, f"{attribute}-{folder}", "edits")
            assert sorted(set(edits["index"])) == lacking
            steps = INTERPOLATED if way == OURS else STRENGTHS
            assert set(edits["step"]) == set(range(1 + len(steps)))
        conditions = frame(out, f"{attribute}-conditional", "requests")["conditions"][0]
        assert set(conditions) == {"male", "old", "smile", "eyeglasses"} - {attribute}


def test_table_2_is_of_each_face_where_the_judge_sees_as_much(out, text):
    """Made once more from the pictures of all edits."""
    for attribute, name in (("male", "Gender"), ("smile", "Smile")):
        own = frame(out, f"{attribute}-intervention", "edits").set_index(["step", "index"])
        solved = [face for face in own.loc[0].index if own.loc[0].loc[face, "stop"] == "done"]
        edit = 1 + INTERPOLATED.index(1.0)
        wanted = own.loc[edit].loc[solved, f"judge_{attribute}"].to_numpy()
        found = {}
        for way, folder in FOLDERS.items():
            rows = frame(out, f"{attribute}-{folder}", "edits")
            rows = rows[rows["index"].isin(solved)].sort_values(["index", "step"], ignore_index=True)
            steps = rows["step"].max() + 1
            x_NK = pictures(rows).reshape(len(solved), steps, -1).astype(np.float64)
            mse_NK = np.square(x_NK - x_NK[:, :1]).mean(axis=2)
            score_NK = rows[f"judge_{attribute}"].to_numpy().reshape(len(solved), steps)
            found[way] = mse_NK[:, edit] if way == OURS else at_score(score_NK, mse_NK, wanted)
        means = pd.DataFrame(found).dropna()
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} ({len(means)} faces) |"))
        for cell, way in zip(line.split("|")[2:6], WAYS, strict=True):
            assert float(cell) == pytest.approx(means[way].mean(), abs=6e-5)


def test_table_1_has_the_sparsity_of_the_normals(out, text):
    directions = frame(out, "fit-s", "directions").set_index("attribute")
    for attribute, name in (("male", "Gender"), ("old", "Age"), ("smile", "Smile")):
        zeros = np.mean(directions["vector"][attribute] == 0)
        assert f"| {name} | {100 * zeros:.2f} (" in text


def test_the_error_by_layer_is_that_which_the_editor_kept(out, text):
    rows = frame(out, "male-intervention", "coefficients")
    errors = np.stack(rows[rows["solved"]]["errors"])
    rise = np.diff(errors.mean(axis=0)).max() / errors.mean(axis=0)[0]
    line = next(line for line in text.splitlines() if line.startswith("| Gender: largest rise at a layer"))
    assert ("so here" in line) == (rise <= 0.01 and "not so here" not in line)


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
    made = 2 * 5 * 2 * (2 + 5 + 3 * 9)
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
        (["--attributes", "male,male"], "names one twice"),
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


def test_the_default_number_of_faces_is_what_an_hour_gives():
    spec = StyleInterventionSpec(out="out/x")
    assert (spec.each, spec.looked_at(spec.attributes)) == (10, 50) if not spec.on_gpu else (100, 500)
