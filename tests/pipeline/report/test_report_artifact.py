"""The page of an artifact: its card in words, its figures side by side, its curves; what is missing is said."""

import json

import pytest

from pipeline import report
from pipeline.card import Card, InputTable, TrainedCodes
from pipeline.errors import ModelFileError, StoreError
from pipeline.tables import Artifact, ArtifactFiles

METRICS = {
    f"{subject}.{attribute}.{what}": 0.5 + place / 100
    for place, (subject, attribute, what) in enumerate(
        (subject, attribute, what)
        for subject, names in (("classifier", ("f1",)), ("linear", ("f1",)), ("moves", ("reached",)))
        for attribute in ("smile", "old")
        for what in names
    )
}
CURVE = [
    *({"step": step, "phase": "classifier", "loss": 1 / step} for step in range(1, 60)),
    *({"step": step, "phase": "moves", "loss": 1 / step, "reached": step / 99} for step in range(60, 99)),
]


def publish(url, sealed=True, curve=CURVE, **about) -> Artifact:
    artifact = Artifact(str(url))
    card = Card(
        what="toy-method",
        generator="made",
        generator_fingerprint="1" * 64,
        codes=TrainedCodes(space="w", norm_mean=8.5, norm_min=5.0, norm_max=14.0),
        attributes=("smile", "old"),
        metrics=METRICS,
        meanings={"f1": "harmonic mean", "reached": "share that changed"},
        licences={"made": "MIT"},
        citation="A toy, 2024.",
        inputs={"latents": "2" * 64},
        tables={
            "latents": (InputTable(url="there/faces/latents", digest="2" * 64, seed=7),),
            "labels": (InputTable(url="own.csv", digest="3" * 64),),
        },
        **about,
    )
    record = artifact.publish(
        ArtifactFiles({"model.safetensors": b"w", "curve.json": json.dumps(curve).encode()}, card)
    )
    if sealed:
        artifact.seal([record], {"verb": "train"}, "f" * 64)
    return artifact


def test_a_jobs_folder_has_its_page_and_an_artifact_one_beside_it(tmp_path):
    artifact = publish(tmp_path / "lt/artifact")
    assert report.write_all(f"{tmp_path}/lt") == [f"{tmp_path}/lt/report.html"]
    assert report.write_all(artifact.url) == [f"{artifact.url}.html"]
    assert not artifact.verify()  # nothing was put into it
    pages = [(tmp_path / "lt" / name).read_text() for name in ("report.html", "artifact.html")]
    assert pages[0] == pages[1]
    assert "<h1>lt</h1>" in pages[0]


def test_it_says_what_the_card_says(tmp_path):
    publish(tmp_path / "artifact")
    [url] = report.write_all(f"{tmp_path}/artifact")
    page = (tmp_path / "artifact.html").read_text()
    assert url.endswith("artifact.html")
    for words in ("toy-method", "A toy, 2024.", "MIT", "1" * 64, "2" * 64, "harmonic mean", "smile, old", "14.00"):
        assert words in page, words
    assert "there/faces/latents (seed 7)" in page
    assert "own.csv" in page
    for words in ("f1, classifier", "f1, linear", "reached", "By step: classifier", "By step: moves", "loss over step"):
        assert words in page, words
    assert page.count("<polyline") == 3
    assert page.count("<circle") == 2 * 39  # more points than 40 are a line alone
    assert "Sealed" in page


def test_what_is_missing_is_said(tmp_path):
    publish(tmp_path / "artifact", sealed=False, curve={"no": "points"})
    report.write_all(f"{tmp_path}/artifact")
    page = (tmp_path / "artifact.html").read_text()
    assert "Not sealed" in page
    assert "curve.json is not a list of points" in page
    (tmp_path / "artifact/curve.json").write_bytes(b"[]")
    report.write_all(f"{tmp_path}/artifact")
    assert "is not the file that its card names" in (tmp_path / "artifact.html").read_text()
    (tmp_path / "artifact/card.json").write_text("{}")
    with pytest.raises(ModelFileError, match="is not the card of an artifact"):
        report.write_all(f"{tmp_path}/artifact")


def test_a_training_that_has_not_ended_is_one_line(tmp_path):
    (tmp_path / ".stylemill/train").mkdir(parents=True)
    (tmp_path / ".stylemill/train/spec.json").write_text("{}")
    with pytest.raises(StoreError, match="the artifact is not complete yet"):
        report.write_all(str(tmp_path))


def test_a_changed_file_is_not_called_sealed(tmp_path):
    artifact = publish(tmp_path / "lt/artifact")
    report.write_all(artifact.url)
    assert "Sealed, and each file matches its digest" in (tmp_path / "lt/artifact.html").read_text()
    (tmp_path / "lt/artifact/model.safetensors").write_bytes(b"x")
    report.write_all(artifact.url)
    page = (tmp_path / "lt/artifact.html").read_text()
    assert "Sealed" not in page
    assert "Damaged or changed: model.safetensors" in page
