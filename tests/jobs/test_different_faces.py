"""Embeddings of a study's faces: the pictures that the generator makes, kept so that a later run goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pixels import PixelsAreTheFace

from jobs.__main__ import main
from jobs.reproduce import different_faces
from jobs.reproduce.different_faces import embeddings, thresholds
from jobs.reproduce.study import StudySpec
from pipeline.errors import SpecError
from pipeline.metrics.false_acceptance import threshold
from pipeline.models import generators
from pipeline.models.classifiers import identity
from pipeline.models.codes import Codes
from pipeline.tables import Table

ROWS = 50
RUN = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]


class Counting(PixelsAreTheFace):
    """seen: how many it has looked at."""

    seen = 0

    def forward(self, x_N3HW):
        type(self).seen += len(x_N3HW)
        return super().forward(x_N3HW)


@pytest.fixture
def faces(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "load", lambda device="cpu": Counting())
    words = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--rows", str(ROWS), *RUN]
    assert main(["dataset", *words, "--out", str(tmp_path / "faces")]) == 0
    spec = StudySpec(out=str(tmp_path / "study"), generator="stylegan2-tiny", judge="tiny-judge")
    return spec, str(tmp_path / "faces" / "latents"), str(tmp_path / "faces" / "labels")


def test_each_face_is_embedded_once_and_kept(faces, monkeypatch):
    spec, latents, labels = faces
    monkeypatch.setattr(Counting, "seen", 0)
    found = embeddings(spec, latents, labels, ["identity"])["identity"]
    assert Counting.seen == len(found) == ROWS
    generator = generators.load("stylegan2-tiny", backend="eager")
    w_NW = np.stack(Table.open(latents).read().to_pandas()["w"].to_numpy())
    with torch.no_grad():
        pictures = torch.cat([generator.synthesize(Codes("w", torch.tensor(w_W[None]))) for w_W in w_NW])
        wanted = PixelsAreTheFace()(pictures)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)

    monkeypatch.setattr(Counting, "seen", 0)
    Path(spec.url("different-faces", "identity-000025.json")).unlink()
    again = thresholds(spec, latents, labels, ["identity"])["identity"]
    assert Counting.seen == ROWS - different_faces.AT_ONCE
    assert again == threshold("identity", found)


def test_another_metric_can_be_asked_for_later(faces, monkeypatch):
    spec, latents, labels = faces

    class Doubled:
        fingerprint = "doubled"

        def see(self, faces):
            return 2 * np.ones((1, 3))

    monkeypatch.setattr(type(different_faces.BY_NAME["identity_dlib"]), "open", lambda *_: Doubled())
    first = embeddings(spec, latents, labels, ["identity"])
    kept = Path(spec.url("different-faces", "identity-000000.json"))
    before = kept.stat().st_mtime_ns
    both = embeddings(spec, latents, labels, ["identity_dlib", "identity"])
    assert kept.stat().st_mtime_ns == before
    np.testing.assert_array_equal(both["identity"], first["identity"])
    np.testing.assert_array_equal(both["identity_dlib"], np.full((ROWS, 3), 2.0))
    monkeypatch.setattr(different_faces, "open_scorer", None)  # no picture is made any more
    embeddings(spec, latents, labels, ["identity_dlib"])


def test_a_metric_that_finds_no_face_says_so(faces, monkeypatch):
    spec, latents, labels = faces

    class FindsNone:
        fingerprint = "none"

        def see(self, faces):
            return np.full((1, 128), np.nan)

    monkeypatch.setattr(type(different_faces.BY_NAME["identity_dlib"]), "open", lambda *_: FindsNone())
    with pytest.raises(SpecError, match=r"of 50 faces identity_dlib sees 0.*0 faces make 0 pairs"):
        thresholds(spec, latents, labels, ["identity_dlib"])
    with pytest.raises(SpecError, match="mse does not say whose face it is"):
        embeddings(spec, latents, labels, ["mse"])
