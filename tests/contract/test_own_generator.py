"""A generator's file in place of a built-in one: the file has the weights of the tiny StyleGAN2, so that every verb
must make the same rows of it."""

import json
import sys

import pytest
from ray import cloudpickle

from jobs.__main__ import main
from jobs.train import plan as training_plan
from pipeline.models import generators
from pipeline.models.classifiers import identity
from pipeline.tables import Table
from tests.pipeline.models.checkpoints import made

from .jobs_of_each_verb import CASES, HERE, FacesByPixels, load_pixels, make_inputs

WITHOUT = ("svm", "svm-l1", "ridge", "train")
"""Which open no generator."""
NAMES = [name for name in CASES if name not in WITHOUT and not name.startswith(("train-latent", "train-classifier"))]


@pytest.fixture(autouse=True, scope="module")
def picture_identity():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "load", load_pixels)
        patch.setattr(training_plan, "FacesRef", FacesByPixels)
        cloudpickle.register_pickle_by_value(sys.modules[FacesByPixels.__module__])
        yield
        cloudpickle.unregister_pickle_by_value(sys.modules[FacesByPixels.__module__])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """NVIDIA's pickle of the tiny StyleGAN2."""
    tiny = generators.load("stylegan2-tiny", backend="eager")
    tensors = {**tiny.state_dict(), "mapping.w_avg": tiny.w_avg}
    sizes = {"z_dim": tiny.z_dim, "w_dim": tiny.w_dim, "c_dim": 0, "img_resolution": 32, "img_channels": 3}
    path = tmp_path_factory.mktemp("own") / "tiny.pkl"
    options = {"channel_base": 512, "channel_max": 32}
    path.write_bytes(made.nvidia(tensors=tensors, options=options, sizes=sizes, clamp=None))
    return path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def inputs_of_file(tmp_path_factory, file):
    return make_inputs(tmp_path_factory.mktemp("inputs"), generator=str(file))


def rows(out):
    """The rows of each table, without the names of the generator and of tables; of what was trained, the weights."""
    made_here = {path.parent.parent for path in out.rglob(".stylemill/manifest.json")}
    found = {}
    for place in made_here:
        name = str(place.relative_to(out))
        if (weights := place / "model.safetensors").exists():
            found[name] = weights.read_bytes()
            continue
        table = Table.open(str(place)).read()
        found[name] = table.select([c for c in table.column_names if c not in ("generator", "edits")]).to_pylist()
    return found


def test_the_file_is_the_tiny_generator(file):
    tiny, own = (generators.load(name, backend="eager") for name in ("stylegan2-tiny", str(file)))
    assert own.fingerprint == tiny.fingerprint
    assert own.name == generators.canonical(str(file))


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_makes_the_same_rows_of_it(name, inputs, inputs_of_file, file, tmp_path):
    case = CASES[name]
    assert case.run(inputs, tmp_path / "tiny") == 0
    words = case.words.replace("stylegan2-tiny", str(file)).format(**inputs_of_file).split()
    where = () if case.verb == "latents import" else HERE
    assert main([*words, *case.networks, *where, "--out", str(tmp_path / "own")]) == 0
    assert rows(tmp_path / "own") == rows(tmp_path / "tiny")


def test_classifiers_of_faces_refuse_it_unless_its_owner_says_that_it_makes_faces(
    file, inputs_of_file, tmp_path, capsys
):
    latents = ["--latents", inputs_of_file["latents"], "--out", str(tmp_path / "out"), *HERE]
    assert main(["label", "--classifiers", "faces", *latents]) == 2
    assert "faces scores faces that are aligned as those of FFHQ are" in capsys.readouterr().err
    assert main(["calibrate", "--generator", str(file), "--rows", "4", "--out", str(tmp_path / "out"), *HERE]) == 2
    assert "add faces=aligned to its name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert generators.makes_aligned_faces(generators.canonical(f"{file}#faces=aligned"))


def test_the_page_names_the_file_its_digest_and_that_no_licence_is_known(file, tmp_path):
    out = tmp_path / "out"
    words = f"dataset --generator {file} --classifiers tiny --rows 4 --images png --size 32 --batch-size 4"
    assert main([*words.split(), *HERE, "--out", str(out)]) == 0
    assert main(["report", str(out)]) == 0
    page = (out / "report.html").read_text()
    digest = generators.canonical(str(file)).partition("sha256=")[2]
    assert f"{file}, sha256 {digest}" in page
    assert "unknown: that of the file" in page
    spec = json.loads((out / ".stylemill" / "dataset" / "spec.json").read_text())
    assert f"{file}#sha256={digest}" in json.dumps(spec)


def test_a_job_whose_file_is_gone_says_so(file, inputs_of_file, tmp_path, capsys):
    moved = file.rename(file.with_name("moved.pkl"))
    try:
        assert (
            main(["label", "--latents", inputs_of_file["latents"], "--classifiers", "tiny", "--out", str(tmp_path)])
            == 2
        )
        assert "there is no such file on" in capsys.readouterr().err
        words = [
            "--generator",
            str(moved),
            "--classifiers",
            "tiny",
            "--batch-size",
            "4",
            "--out",
            str(tmp_path / "out"),
        ]
        assert main(["label", "--latents", inputs_of_file["latents"], *words, *HERE]) == 0
    finally:
        moved.rename(file)


def test_a_job_goes_on_with_the_file_in_another_place(file, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["--rows", "8", "--rows-per-shard", "4", "--batch-size", "4", "--seed", "1", "--out", str(out), *HERE]
    assert main(["sample", "--generator", str(file), *words, "--limit", "1"]) == 0
    moved = file.rename(file.with_name("moved.pkl"))
    try:
        capsys.readouterr()
        assert main(["sample", "--generator", f"{moved}#noise=none", *words]) == 4
        assert "noise=none&sha256=" in capsys.readouterr().err
        assert main(["sample", "--generator", f"{moved}#faces=aligned", *words]) == 0
        assert "1 done" in capsys.readouterr().err
    finally:
        moved.rename(file)
    digest = generators.canonical(str(file)).partition("#")[2]
    table = Table.open(str(out / "latents"))
    assert set(table.read()["generator"].to_pylist()) == {digest}
    assert table.manifest()["facts"]["spec"]["generator"] == f"{moved}#{digest}&faces=aligned"
