"""`stylemill reproduce latent-transformer` on the tiny networks: every step, the page, and its numbers made again."""

import html
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pixels import PixelsAreTheFace, load_pixels
from sklearn.linear_model import LogisticRegression
from studies import MODELS, RUN, centred, frame

from jobs.__main__ import main
from jobs.reproduce.latent_transformer import (
    ALPHAS,
    ALPHAS_IN_TURN,
    DISTANCES,
    DISTANCES_IN_TURN,
    LatentTransformerSpec,
)
from pipeline.editors.latent_transformer.rows import split
from pipeline.editors.latent_transformer.trained import TrainedNetworks
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import identity, tiny
from pipeline.models.codes import Codes
from pipeline.report.latent_transformer.paper import ALPHA, DISTANCE, METHODS, OURS, TABLE_1, THEIRS
from pipeline.stages.models import read_artifact

pytestmark = pytest.mark.slow
WORDS = [*MODELS, "--labelled", "400"]
WORDS += ["--rows", "9", "--others", "64", "--attributes", "male,smile", "--sequence", "smile:1,old:0"]
WORDS += ["--in-sequence", "4", "--epochs", "1", "--metrics", "identity", *RUN]  # dlib finds no face in noise
JUDGED = ("smile", "male", "old", "eyeglasses", "yaw", "mouth_open")
VERB = ["reproduce", "latent-transformer"]


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "scales", centred)
        one_reader = {name: classifiers.READINGS["tiny"][name] for name in classifiers.READINGS["tiny-judge"]}
        patch.setitem(classifiers.READINGS, "tiny-judge", one_reader)
        patch.setattr(identity, "load", load_pixels)
        yield


@pytest.fixture(scope="module")
def out(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    before = set(sys.modules)
    assert main([*VERB, *WORDS, "--out", str(out)]) == 0
    assert "ray" in before or "ray" not in sys.modules  # --local among the flags is for every step
    return out


def test_it_has_every_part(out, page):
    for heading in (
        "Scaling strips (Fig. 3)", "Sequential strips (Fig. 4)", "The paper's claims",
        "The latent classifier: three layers or one?", "Single attributes (Table 1)", "At equal accuracy (ours)",
        "One edit after the other (Fig. 4 in numbers)", "Scaling (Fig. 3 in numbers)",
    ):  # fmt: skip
        assert f"<h2>{heading}</h2>" in page
    assert page.index("data:image/webp") < page.index("<table")
    for method in METHODS:
        assert f">{TABLE_1['identity'][method]['male']:.2f}</td>" in page
    for words in ("Gender, paper", "Average, paper", "smile, then old off"):
        assert words in page
    edits = frame(out, "male-transformed-up", "edits")
    scaling = min(3, edits["index"].nunique()) * (2 + len(ALPHAS) + len(DISTANCES))
    assert page.count("data:image/webp;base64,") == scaling + 3 * 2 * (1 + 2)


def edited(out, attribute, method) -> pd.DataFrame:
    """Both ways together, with `to`, whether the faces are to have the attribute."""
    folder = {THEIRS: "interfacegan", OURS: "transformed"}[method]
    found = [(to, Path(out, f"{attribute}-{folder}-{way}")) for to, way in ((True, "up"), (False, "down"))]
    return pd.concat([frame(url, "edits").assign(to=to) for to, url in found if url.exists()])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("attribute", ["male", "smile"])
def test_each_face_goes_to_the_side_where_the_judge_does_not_see_it(out, attribute, method):
    judged = frame(out, "others-judged", "labels").set_index("index")[attribute][:9]
    rows = edited(out, attribute, method)
    to = rows.groupby("index")["to"].first()
    assert to.index.tolist() == list(range(9))
    assert (to == (judged <= 0)).all()
    strengths = ALPHAS if method == OURS else DISTANCES
    for _, its in rows.groupby("index"):
        sign = 1 if its["to"].iloc[0] else -1
        np.testing.assert_allclose(its["strength"], [0.0, *(sign * one for one in strengths)], rtol=1e-6)


def pictures(latents) -> torch.Tensor:
    """(N, 3, 32, 32) of codes in w."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    with torch.no_grad():
        w_NW = torch.tensor(np.stack(list(latents)))
        return torch.cat([generator.synthesize(Codes("w", w_W[None])) for w_W in w_NW])


def cosines(first, second) -> np.ndarray:
    network = PixelsAreTheFace()
    return (network(first) * network(second)).sum(dim=1).numpy()


def test_table_1_made_once_more(out, text):
    """From the edits, and from the pictures of all other faces."""
    others = PixelsAreTheFace()(pictures(frame(out, "others", "latents")["w"])).double().numpy()
    alike = np.sort((others @ others.T)[np.triu_indices(len(others), 1)])[::-1]
    accepted = len(alike) // 1000
    threshold = alike[accepted - 1 : accepted + 1].mean()
    assert f"fr-feature {threshold:.3f} (" in text
    assert f"{accepted} of {len(alike):,} pairs of 64 faces are accepted" in text
    table = text[text.index("Over the edits that succeeded (Table 1)") :]
    for attribute, name in (("male", "Gender"), ("smile", "Smiling")):
        cells = [cell.strip() for cell in next(
            line for line in table.splitlines() if line.startswith(f"| {name} (9 faces) |")
        ).split("|")[2:-1]]  # fmt: skip
        for place, (method, strengths, setting) in enumerate(((THEIRS, DISTANCES, DISTANCE), (OURS, ALPHAS, ALPHA))):
            rows = edited(out, attribute, method).set_index(["step", "index"]).sort_index()
            before, after = rows.loc[0], rows.loc[1 + strengths.index(setting)]
            reached = (after[f"judge_{attribute}"] > 0) == after["to"]
            same = cosines(pictures(before["latent"]), pictures(after["latent"])) > threshold
            kept = np.mean([(after[f"judge_{other}"] > 0) == (before[f"judge_{other}"] > 0)
                            for other in JUDGED if other != attribute], axis=0)  # fmt: skip
            wanted = same[reached].mean(), kept[reached].mean(), reached.mean()
            for number, cell in zip(wanted, cells[place::2], strict=True):
                assert float(cell.split(" ")[0]) == pytest.approx(100 * number, abs=0.06)


def test_the_family_that_labels_is_asked_as_well(out, text):
    table = text[text.index("Accuracy by the family that the edits were learned from") :].splitlines()
    cells = next(line for line in table if line.startswith("| Gender (9 faces) |")).split("|")
    for place, (method, strengths, setting) in enumerate(((THEIRS, DISTANCES, DISTANCE), (OURS, ALPHAS, ALPHA))):
        rows = edited(out, "male", method)
        after = rows[rows["step"] == 1 + strengths.index(setting)]
        for column, cell in (("male", cells[2 + 2 * place]), ("judge_male", cells[3 + 2 * place])):
            wanted = 100 * ((after[column] > 0) == after["to"]).mean()
            assert float(cell.strip().split(" ")[0]) == pytest.approx(wanted, abs=0.06)


def test_a_sequence_of_moves_is_their_sum(out):
    normals = frame(out, "fit-w", "directions").set_index("attribute")["vector"]
    for number, moved in ((1, normals["smile"]), (2, normals["smile"] - normals["old"])):
        rows = frame(out, f"sequence-interfacegan-{number}", "edits").set_index(["step", "index"]).sort_index()
        for step, distance in enumerate(DISTANCES_IN_TURN, 1):
            for face in range(4):
                wanted = rows["latent"][0, face] + distance * moved
                np.testing.assert_allclose(rows["latent"][step, face], wanted, atol=2e-4)


def test_what_is_left_after_each_edit_is_against_the_source(out, text):
    table = text[text.index("After each edit, by 3 (InterFaceGAN), 1.25 (Latent Transformer)") :].splitlines()
    for number, name in ((1, "smile"), (2, "old")):
        cells = [
            cell.strip()
            for cell in next(line for line in table if line.startswith(f"| {number}: {name} |")).split("|")[2:-1]
        ]
        ours = frame(out, f"sequence-transformed-{ALPHA:g}", "edits").set_index(["step", "index"]).sort_index()
        theirs = frame(out, f"sequence-interfacegan-{number}", "edits").set_index(["step", "index"]).sort_index()
        for place, (rows, step) in enumerate(((theirs, 1 + DISTANCES_IN_TURN.index(DISTANCE)), (ours, number))):
            before, after = rows.loc[0], rows.loc[step]
            asked = [("smile", True), ("old", False)][:number]
            others = [one for one in JUDGED if one not in dict(asked)]
            kept = np.mean([(after[f"judge_{one}"] > 0) == (before[f"judge_{one}"] > 0) for one in others])
            reached = np.mean([(after[f"judge_{one}"] > 0) == to for one, to in asked])
            assert float(cells[2 + place]) == pytest.approx(100 * kept, abs=0.06)
            assert float(cells[4 + place]) == pytest.approx(100 * reached, abs=0.06)
    assert len(ALPHAS_IN_TURN) > 1


def test_c_and_a_linear_one_are_told_apart_on_faces_that_neither_learned_from(out, text):
    labels = frame(out, "others-judged", "labels_tiny").set_index("index")
    have = int((labels["smile"] > 0).sum())
    assert f"| Smiling: F1, C less linear ({have} of 64 faces have it) | better | " in text
    w_NW = np.stack(frame(out, "others", "latents")["w"].to_numpy())
    networks = TrainedNetworks(read_artifact(str(out / "trained" / "artifact"), "latent-transformer").tensors)
    said = (networks.logit(torch.tensor(w_NW), "smile") > 0).numpy()
    row = next(line for line in text.splitlines() if line.startswith("| smile | "))
    assert float(row.split("|")[2]) == pytest.approx(np.mean(said == (labels["smile"] > 0)), abs=6e-4)
    held, learned = split(400, 0.1, 0)
    assert len(held) == 40
    labelled = frame(out, "faces", "labels")["smile"].to_numpy() > 0
    codes = np.stack(frame(out, "faces", "latents")["w"].to_numpy())
    linear = LogisticRegression(max_iter=1000).fit(codes[learned], labelled[learned]).predict(w_NW)
    assert float(row.split("|")[3]) == pytest.approx(np.mean(linear == (labels["smile"] > 0)), abs=6e-4)


def test_the_same_command_makes_nothing_anew(small, out, page, capsys):
    assert main([*VERB, *WORDS, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ") > 10
    assert html.unescape(Path(out, "report.html").read_text()) == page
    steps = [shlex.split(line)[2:] for line in said.splitlines() if line.startswith("Step  stylemill ")]
    assert [words[0] for words in steps[:5]] == ["dataset", "directions", "train", "sample", "label"]


def test_an_artifact_is_taken_as_it_is(small, out, tmp_path, capsys):
    """Here the study's own, so that no face is made anew: its linear classifier then learns from all labelled faces."""
    place = WORDS.index("--epochs")
    words = [*WORDS[:place], *WORDS[place + 2 :]]
    before = Path(out, "report.md").read_text()
    assert main([*VERB, *words, "--artifact", str(out / "trained" / "artifact"), "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ")
    assert "stylemill train" not in said
    after = Path(out, "report.md").read_text()
    assert "on all 400 labelled faces" in after
    assert after[after.index("## Single attributes") :] == before[before.index("## Single attributes") :]


def test_edits_along_other_directions_are_named_and_none_is_lost(small, out, capsys):
    words = [*WORDS]
    words[words.index("smile:1,old:0")] = "old:1,smile:0"
    before = {file: file.read_bytes() for file in out.glob("sequence-interfacegan-*/**/*.parquet")}
    assert len({file.relative_to(out).parts[0] for file in before}) == 3
    words[(place := words.index("--epochs")) : place + 2] = ["--artifact", str(out / "trained" / "artifact")]
    capsys.readouterr()
    assert main([*VERB, *words, "--out", str(out)]) == 4
    said = capsys.readouterr().err.splitlines()[-1]
    folders = " and ".join(f"{out}/sequence-interfacegan-{name}" for name in ("directions", "1", "2"))
    assert "is of another --sequence, or of directions that were fitted anew: " in said
    assert f"delete {folders} (" in said
    assert {file: file.read_bytes() for file in before} == before


def test_a_dry_run_counts_the_passes(small, tmp_path, capsys):
    assert main([*VERB, *WORDS, "--out", str(tmp_path / "none"), "--dry-run"]) == 0
    assert not (tmp_path / "none").exists()
    single = 2 * (2 + len(ALPHAS) + len(DISTANCES))
    in_turn = len(ALPHAS_IN_TURN) * 3 + 2 * (1 + len(DISTANCES_IN_TURN))
    assert f"{400 + 2 * 64 + 2 * (9 * single + 4 * in_turn):,} forward, 0 backward" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attributes", "yaw"], "the paper's table is of old, eyeglasses, male, smile"),
        (["--attributes", "male,male"], "names one twice"),
        (["--sequence", "smile"], "write ATTRIBUTE:1 or ATTRIBUTE:0"),
        (["--sequence", "smile:flip"], "write ATTRIBUTE:1 or ATTRIBUTE:0"),
        (["--sequence", "smile:1,freckles:1"], "--sequence freckles: tiny sees smile, male"),
        (["--sequence", "smile:1,smile:0"], "names one attribute twice"),
        (["--metrics", "mse"], "identity is told by identity, identity_dlib"),
        (["--others", "8"], "--others 8 are fewer than --rows 9"),
        (["--artifact", "/nowhere"], "--epochs is of a training"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(words, message, tmp_path, capsys):
    assert main([*VERB, *WORDS, *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_artifact_of_other_attributes_is_refused_at_once(small, out, tmp_path, capsys):
    words = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", "--metrics", "identity"]
    words += ["--artifact", str(out / "trained" / "artifact"), "--attributes", "eyeglasses", "--sequence", "smile:1"]
    assert main([*VERB, *words, "--out", str(tmp_path / "out")]) == 2
    assert "was not trained for eyeglasses: leave it out of --attributes and --sequence" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_default_numbers_of_faces():
    spec = LatentTransformerSpec(out="out/x")
    assert (spec.each, spec.there, spec.few) == (60, 400, 20) if not spec.on_gpu else (1000, 1000, 333)
    assert spec.changed == ("old", "eyeglasses", "male", "smile", "bangs")
