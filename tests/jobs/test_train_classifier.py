"""`stylemill train classifier`: as scikit-learn on the same pictures; what it writes labels and edits; refusals."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tiny_jobs import dataset, rows

import schemas
from jobs.__main__ import main
from pipeline.models import classifiers
from pipeline.models.classifiers.tiny import SEEDS, TinyReader
from pipeline.tables import Artifact, Table

HERE = ["--local", "--threads", "1", "--device", "cpu"]
LABELLED, ROWS = 60, 80


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("faces")
    assert dataset(out, "--rows", str(ROWS), "--psi", "1", "--images", "png") == 0
    return out


@pytest.fixture(scope="module")
def pictures(faces):
    """(80, 3, 32, 32), as they are kept."""
    found = []
    for row in rows(faces, "images"):
        pixels = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB"), dtype=np.float32)
        found.append(torch.from_numpy(pixels.transpose(2, 0, 1) / 127.5 - 1))
    return torch.stack(found)


@pytest.fixture(scope="module")
def features(pictures):
    """(80, 512)."""
    with torch.no_grad():
        return TinyReader(SEEDS["tiny"])(pictures).features.numpy()


@pytest.fixture(scope="module")
def by_hand(features, faces):
    """A CSV of the first 60 rows: yes above the middle of what varies most."""
    centred = features - features.mean(0)
    value = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    yes = value > np.median(value)
    lines = [f"{row},{int(yes[row])}" for row in range(LABELLED)]
    (faces / "beard.csv").write_text("\n".join(["index,label", *lines]) + "\n")
    return yes


def train(faces, out, *words, labels="beard.csv"):
    given = ["--image-table", f"{faces}/images", "--labels", f"{faces}/{labels}", "--attribute", "beard"]
    return main(["train", "classifier", *given, "--features", "tiny", *words, *HERE, "--out", str(out)])


@pytest.fixture(scope="module")
def trained(faces, by_hand, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    assert train(faces, out, "--joins", "tiny") == 0
    return out


def test_its_scores_are_those_of_scikit_learn_on_the_same_features(
    trained, faces, pictures, features, by_hand, tmp_path
):
    card = Artifact(f"{trained}/artifact").card()
    figures = {name.removeprefix("classifier.beard."): number for name, number in card.metrics.items()}
    scaler = StandardScaler().fit(features[:LABELLED])
    model = LogisticRegression(C=figures["C"], max_iter=2000)
    model.fit(scaler.transform(features[:LABELLED]), by_hand[:LABELLED])
    logits = model.decision_function(scaler.transform(features))
    file = f"{trained}/artifact/beard.yaml"
    with torch.no_grad():
        scores = classifiers.load(file, ("beard",)).scores(pictures)[:, 0].numpy()
    (slope, offset), [rest], *_ = np.polyfit(logits, scores, 1, full=True)
    assert slope > 0
    assert rest < 1e-4  # a line, whose slope and offset are of held-out scores
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    held_out = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(C=figures["C"], max_iter=2000)),
        features[:LABELLED], by_hand[:LABELLED], cv=folds, method="decision_function",
    )  # fmt: skip
    platt = LogisticRegression(C=100.0).fit(held_out[:, None], by_hand[:LABELLED])
    assert -offset / slope == pytest.approx(-platt.intercept_[0] / platt.coef_[0, 0], abs=0.05)
    words = ["--latents", f"{faces}/latents", "--classifiers", file, "--attributes", "smile,beard", "--batch-size", "4"]
    assert main(["label", *words, *HERE, "--backend", "eager", "--out", str(tmp_path)]) == 0
    found = rows(tmp_path, "labels")
    assert list(found[0]) == ["index", "smile", "beard", "age_years", "yaw_degrees"]
    # the pictures of the table are rounded to 8 bits, which tells in faces that are as alike as these
    assert np.corrcoef([row["beard"] for row in found], scores)[0, 1] > 0.95
    assert figures["auc"] > 0.9
    assert figures["accuracy"] > 0.7
    assert figures["share"] == by_hand[:LABELLED].mean()


def test_what_it_writes_guides_edits(trained, faces, tmp_path):
    file = f"{trained}/artifact/beard.yaml"
    words = ["--attribute", "beard", "--preserve", "smile", "--lambda1", "0", "--lambda2", "0", "--steps", "3"]
    words += ["--scores", "faces", "--scored", "beard", "--target", "1", "--keep", "all", "--index", "0:4"]
    given = ["--latents", f"{faces}/latents", "--classifiers", file, *words, "--batch-size", "4", "--backend", "eager"]
    assert main(["edit", "ials", *given, *HERE, "--out", str(tmp_path)]) == 0
    found = Table.open(f"{tmp_path}/edits").read().to_pandas()
    assert (found[found.step == 3].beard.to_numpy() > found[found.step == 0].beard.to_numpy()).all()


def test_pictures_of_several_sizes_can_be_learned_from(faces, by_hand, tmp_path):
    images = Table.open(f"{faces}/images").read().to_pylist()
    for row in images[3::7]:
        file = io.BytesIO()
        Image.open(io.BytesIO(row["image"]["bytes"])).resize((48, 48)).save(file, "PNG")
        row["image"]["bytes"] = file.getvalue()
    table = Table.create(f"{tmp_path}/images", schemas.images(), rows=ROWS, rows_per_shard=ROWS)
    table.seal([table.publish(0, schemas.images().rows({name: [row[name] for row in images] for name in images[0]}))],
               {"verb": "test"})  # fmt: skip
    assert train(faces, tmp_path / "out", "--joins", "tiny", "--image-table", table.url) == 0
    assert Artifact(f"{tmp_path}/out/artifact").card().metrics["classifier.beard.auc"] > 0.8


def test_it_says_how_good_it_is_and_how_to_go_on(faces, by_hand, trained, tmp_path, capsys):
    assert train(faces, trained, "--joins", "tiny") == 0
    said = capsys.readouterr().err
    assert "beard: classifier accuracy 0." in said
    assert f"--classifiers {trained}/artifact/beard.yaml labels and edits with it" in said
    assert main(["verify", str(trained)]) == 0
    assert main(["report", str(trained)]) == 0
    page = (trained / "report.html").read_text()
    assert "held out of the fit" in page
    assert json.loads((trained / "artifact" / "card.json").read_text())["what"] == "classifier"


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        (["index,label", "0,1", "1,0"], [], "1 faces have the attribute and 1 do not: label at least 10 of each"),
        (["index,label", *(f"{row},1" for row in range(30))], [], "30 faces have the attribute and 0 do not"),
        (["index,label", "99,1"], [], "labels row 99, and"),
        (["index,hat,scarf", "0,1,0"], [], "has the columns hat, scarf, not this one"),
        (["index,label", "0,1"], ["--features", "resnet"], "there are no features 'resnet'"),
        (["index,label", "0,1"], ["--joins", "eyes"], "unknown family of classifiers 'eyes'"),
        (["index,label", "0,1"], ["--attribute", "Young"], "'Young' cannot be a column"),
        (["index,label", "0,1"], ["--image-table", "{}/latents"], "is a table of latents, not of images"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(lines, words, message, faces, tmp_path, capsys):
    (faces / "few.csv").write_text("\n".join(lines) + "\n")
    assert train(faces, tmp_path / "out", *(word.format(faces) for word in words), labels="few.csv") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len([line for line in said.strip().splitlines() if not line.startswith("Note")]) == 1
