"""`stylemill calibrate` on the tiny networks, and jobs that score by what it measured, or by another generator's."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import edits
import numpy as np
import pytest
import torch
from tiny_jobs import dataset

import schemas
from jobs.__main__ import main
from jobs.classifiers import Constants, classifier_ref
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import Calibration
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.randomness import standard_normal
from pipeline.stages.models import Runtime
from pipeline.tables import Table

GENERATOR = "stylegan2-tiny"
ROWS = 20
WORDS = ["--generator", GENERATOR, "--classifiers", "tiny,tiny-judge", "--rows", str(ROWS), "--rows-per-shard", "8"]
HOW = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]


def calibrate(out, *words: str) -> int:
    return main(["calibrate", *WORDS, *HOW, "--out", str(out), *words])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("calibration")
    assert calibrate(out) == 0
    return out


@pytest.fixture
def file(out) -> str:
    return f"{out}/calibration.json"


@pytest.fixture
def foreign(out, tmp_path) -> str:
    """Constants of another generator."""
    mine = Calibration.from_json((out / "calibration.json").read_bytes(), "mine")
    (tmp_path / "foreign.json").write_bytes(replace(mine, generator="other", generator_digest="a" * 64).to_json())
    return f"{tmp_path}/foreign.json"


def columns(out, table: str) -> dict[str, np.ndarray]:
    rows = Table.open(f"{out}/{table}").read()
    return {name: schemas.to_numpy(rows[name]) for name in rows.column_names}


def w_of(out) -> torch.Tensor:
    return torch.from_numpy(schemas.to_numpy(Table.open(f"{out}/latents").read(["w"])["w"]).copy())


def spec_of(out, verb: str) -> dict:
    return json.loads(Path(out, ".stylemill", verb, "spec.json").read_text())


def test_the_statistics_are_of_faces_and_of_their_mirror_images(out):
    generator = generators.load(GENERATOR, backend="eager")
    z_NZ = torch.from_numpy(standard_normal(7, range(4), generator.z_dim))
    x_N3HW = generator.synthesize(generators.Codes("w+", generator.map(z_NZ, 0.7)))
    x_N3HW = ((x_N3HW * 127.5 + 128).clamp(0, 255).to(torch.uint8).float() / 127.5) - 1
    kept = columns(out, "statistics")
    assert list(kept["index"]) == list(range(ROWS))
    for family in ("tiny", "tiny-judge"):
        statistics = classifiers.statistics_of(family, ("smile", "age_years", "yaw"))
        for name, raw_N in statistics(x_N3HW, ("smile", "age_years", "yaw")).items():
            np.testing.assert_allclose(kept[f"{family}_{name}"][:4], raw_N.numpy(), rtol=1e-3, atol=1e-3)
        mirrored_N = statistics(x_N3HW.flip(3), ("yaw",))["yaw"]
        np.testing.assert_allclose(kept[f"{family}_yaw_mirrored"][:4], mirrored_N.numpy(), rtol=1e-3, atol=1e-3)
        assert f"{family}_smile_mirrored" not in kept


def test_boundaries_and_units_are_found_by_each_attributes_rule(out, file):
    found = Calibration.from_json(Path(file).read_bytes(), file)
    kept = columns(out, "statistics")
    assert (found.generator, found.rows, found.psi, found.seed) == (GENERATOR, ROWS, 0.7, 7)
    assert found.generator_digest == generators.load(GENERATOR, backend="eager").fingerprint
    for family, scales in found.families.items():
        assert tuple(scales) == classifiers.attributes_of(family)
        for name, scale in scales.items():
            assert scale.unit == pytest.approx(kept[f"{family}_{name}"].std(ddof=1), rel=1e-5)
        middle = (kept[f"{family}_yaw"] + kept[f"{family}_yaw_mirrored"]).mean() / 2
        assert scales["yaw"].boundary == pytest.approx(middle, rel=1e-4)
    assert found.families["tiny"]["smile"].boundary == 0
    share = (kept["tiny_old"] > 0).mean()
    assert (kept["tiny-judge_old"] > found.families["tiny-judge"]["old"].boundary).mean() == pytest.approx(
        share, abs=0.06
    )


def test_it_is_printed_beside_what_is_known(out, file, tmp_path, capsys):
    assert calibrate(tmp_path) == 0
    said = capsys.readouterr()
    assert f"--calibration {tmp_path}/calibration.json gives these constants" in said.err
    assert "face against mirror image" in said.out
    before = Path(file).read_bytes()
    Path(tmp_path, "calibration.json").unlink()
    assert calibrate(tmp_path) == 0
    assert "all done" in capsys.readouterr().err
    assert Path(tmp_path, "calibration.json").read_bytes() == before


def test_a_family_whose_boundary_is_found_beside_another_brings_it_along(tmp_path, capsys):
    words = ["--generator", GENERATOR, "--classifiers", "tiny-judge", "--rows", "4", *HOW, "--out", str(tmp_path)]
    assert main(["calibrate", *words]) == 0
    assert "Note  the boundary of tiny-judge needs tiny: measured too" in capsys.readouterr().err
    assert "tiny_old" in columns(tmp_path, "statistics")


def test_faces_that_are_all_alike_have_no_unit(tmp_path, capsys):
    words = [*WORDS, *HOW, "--psi", "0", "--out", str(tmp_path)]
    assert main(["calibrate", *words]) == 2
    assert "is the same in all 20 faces: ask for more --rows, or another --psi" in capsys.readouterr().err


def test_scores_go_by_the_constants_of_a_file(out, file, tmp_path, capsys):
    assert dataset(tmp_path, "--rows", "4", "--seed", "7", "--calibration", file) == 0
    assert "borrowed" not in capsys.readouterr().err
    found = Calibration.from_json(Path(file).read_bytes(), file)
    labels, generator = columns(tmp_path, "labels"), generators.load(GENERATOR, backend="eager")
    x_N3HW = generator.synthesize(generators.Codes("w", w_of(tmp_path)))
    raw = classifiers.load("tiny").raw(x_N3HW, DEFAULT_ATTRIBUTES)
    for name in DEFAULT_ATTRIBUTES:
        scale = found.families["tiny"][name]
        np.testing.assert_allclose(labels[name], scale.score(raw[name]).numpy(), rtol=1e-3, atol=1e-3)
    facts = {"generator": GENERATOR, "digest": found.digest}
    assert spec_of(tmp_path, "dataset")["calibration"] == facts
    assert Table.open(f"{tmp_path}/labels").require_sealed()["facts"]["calibration"] == facts
    assert dataset(tmp_path, "--rows", "4", "--seed", "7", "--calibration", file) == 0
    capsys.readouterr()
    assert dataset(tmp_path, "--rows", "4", "--seed", "7") == 4
    assert "classifiers_digest" in capsys.readouterr().err


def test_borrowed_constants_are_never_passed_off_as_the_generators_own(foreign, tmp_path, capsys):
    assert dataset(tmp_path / "out", "--rows", "4", "--calibration", foreign) == 0
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Note  tiny: ")]
    assert f"{foreign} is of other, so those of other are borrowed on faces of {GENERATOR}: boundaries and" in line
    assert f"stylemill calibrate --generator {GENERATOR} --classifiers tiny --out DIR" in line
    assert spec_of(tmp_path / "out", "dataset")["calibration"]["borrowed"] is True
    facts = Table.open(f"{tmp_path}/out/labels").require_sealed()["facts"]["calibration"]
    assert (facts["generator"], facts["borrowed"]) == ("other", True)
    assert main(["report", f"{tmp_path}/out"]) == 0
    page = Path(tmp_path, "out", "report.html").read_text()
    assert "Scores of dataset use borrowed constants, measured on other" in page
    assert "borrowed: measured on other" in page


@pytest.mark.weights
def test_a_generator_without_constants_borrows_the_built_in_ones(tmp_path, capsys):
    words = ["--rows", "2", "--rows-per-shard", "4", "--attributes", "smile", "--classifiers", "faces"]
    assert dataset(tmp_path, *words) == 0
    said = capsys.readouterr().err
    assert f"Note  faces: no constants are known for {GENERATOR}, so those of mobilestylegan-ffhq are borrowed" in said
    assert spec_of(tmp_path, "dataset")["calibration"]["borrowed"] is True


def test_workers_get_the_constants_of_the_driver(file):
    """They are sent along, and looked up nowhere."""
    constants = Constants(generators.load(GENERATOR, backend="eager"), file)
    ref = pickle.loads(pickle.dumps(classifier_ref("tiny", ("smile", "yaw"), constants=constants)))
    family = ref.open(Runtime("cpu", 1, "eager", "fp32", 4))
    assert family.fingerprint == ref.family.fingerprint
    assert family.scales["smile"] == Calibration.from_json(Path(file).read_bytes(), file).families["tiny"]["smile"]


def test_what_a_family_does_not_see_is_unjudged_or_an_error(monkeypatch, tmp_path, capsys):
    seen = {name: reading for name, reading in classifiers.READINGS["tiny"].items() if name != "eyeglasses"}
    monkeypatch.setitem(classifiers.READINGS, "tiny", seen)
    assert dataset(tmp_path / "all", "--rows", "4") == 0
    assert "Note  unjudged: tiny does not score eyeglasses" in capsys.readouterr().err
    assert "eyeglasses" not in columns(tmp_path / "all", "labels")
    assert dataset(tmp_path / "one", "--rows", "4", "--attributes", "smile,eyeglasses") == 2
    assert "tiny does not score eyeglasses: it scores smile, male, old, yaw" in capsys.readouterr().err


def test_numbers_of_the_judge_say_what_is_unjudged(monkeypatch, tmp_path, capsys):
    seen = {name: reading for name, reading in classifiers.READINGS["tiny-judge"].items() if name != "eyeglasses"}
    monkeypatch.setitem(classifiers.READINGS, "tiny-judge", seen)
    edits.planted(tmp_path / "directions", ("w",))
    latents = edits.sample(tmp_path, 4, 4)
    words = ["--attribute", "eyeglasses", "--strengths", "1"]
    assert edits.edit(latents, tmp_path / "directions", tmp_path / "out", *words, "--scores", "both") == 0
    assert "Note  unjudged: tiny-judge does not score eyeglasses" in capsys.readouterr().err
    names = Table.open(f"{tmp_path}/out/edits").schema.arrow.names
    assert "eyeglasses" in names
    assert "judge_eyeglasses" not in names
    assert main(["report", f"{tmp_path}/out"]) == 0
    assert "Unjudged: eyeglasses, which the judge does not score." in Path(tmp_path, "out", "report.html").read_text()
    measure = ["measure", "--edits", f"{tmp_path}/out/edits", "--families", "tiny-judge", *edits.HOW]
    assert main([*measure, "--out", f"{tmp_path}/all"]) == 0
    assert "Note  unjudged: tiny-judge does not score eyeglasses" in capsys.readouterr().err
    assert main([*measure, "--measured", "eyeglasses", "--out", f"{tmp_path}/one"]) == 2
    assert "tiny-judge does not score eyeglasses: it scores" in capsys.readouterr().err
