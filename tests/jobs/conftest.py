import html
import shutil
from pathlib import Path

import pytest
from edits import edit, planted, sample, trained
from pixels import load_pixels
from planted import plant
from tiny_jobs import dataset

from pipeline.models.classifiers import identity
from pipeline.stages import kept_artifacts
from tests.kept_generator import kept_generator


@pytest.fixture(autouse=True, scope="module")
def one_generator():
    """A command finds the tiny generator open."""
    with kept_generator():
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """One data set of 20 rows in shards of 8, with pictures."""
    out = tmp_path_factory.mktemp("made")
    assert dataset(out, "--rows", "20", "--rows-per-shard", "8", "--images", "png") == 0
    return out


@pytest.fixture(scope="session")
def eighty(tmp_path_factory):
    """80 labelled faces without pictures."""
    out = tmp_path_factory.mktemp("eighty")
    assert dataset(out, "--rows", "80", "--rows-per-shard", "32") == 0
    return out


@pytest.fixture(scope="session")
def latents(tmp_path_factory):
    """A table of 22 rows in shards of 8."""
    return sample(tmp_path_factory.mktemp("sampled"), 22, 8)


@pytest.fixture(scope="session")
def directions(tmp_path_factory):
    """A table of random directions in w, z and s."""
    out = tmp_path_factory.mktemp("directions")
    planted(out)
    return out


@pytest.fixture(scope="session")
def faces(tmp_path_factory):
    """20 labelled faces with JPEG pictures."""
    out = tmp_path_factory.mktemp("faces")
    assert dataset(out, "--rows", "20", "--rows-per-shard", "8", "--images", "jpeg") == 0
    return out


@pytest.fixture(scope="session")
def edited(faces, directions, tmp_path_factory):
    """Six of them, edited by two requests at four strengths, with PNG pictures and scores by both families."""
    out = tmp_path_factory.mktemp("edited")
    words = ["--space", "w", "--attribute", "old,young", "--strengths=-2,-1,1,2", "--scores", "both"]
    kept = ["--index", "2:8", "--images", "png", "--size", "32"]
    assert edit(f"{faces}/latents", directions, out, *words, *kept) == 0
    return out


@pytest.fixture(scope="session")
def flat(tmp_path_factory):
    """Latents and labels of 600 rows of 16 numbers, without a network; the directions that the labels are linear in."""
    out = tmp_path_factory.mktemp("planted")
    return out, plant(out)


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The folder of kept artifacts, with one for the tiny generator."""
    folder = tmp_path / "kept"
    shutil.copytree(trained("latent-transformer"), folder / "latent-transformer.stylegan2-tiny")
    monkeypatch.setattr(kept_artifacts, "FOLDER", folder)
    return folder


@pytest.fixture
def picture_identity(monkeypatch):
    """Identity without its network."""
    monkeypatch.setattr(identity, "load", load_pixels)


@pytest.fixture
def refused(capsys):
    """`refused(code, message)`: a command ended with this code, 2 by default, and one line that has these words;
    nothing lies at `out`."""

    def check(code: int, message: str, expected: int = 2, out: Path | None = None) -> None:
        said = capsys.readouterr().err.strip()
        assert message in said
        assert (code, said.count("\n")) == (expected, 0), said
        assert out is None or not out.exists()

    return check


@pytest.fixture(scope="module")
def page(out):
    """The page of a study, which a module makes in its fixture `out`."""
    return html.unescape(Path(out, "report.html").read_text())


@pytest.fixture(scope="module")
def text(out):
    """The same as Markdown."""
    return Path(out, "report.md").read_text()
