"""Directions projected, compared, exported and imported by the command line."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from planted import plant

import schemas
from jobs.__main__ import main
from pipeline.directions import Direction, normalised
from pipeline.directions.lookup import by_name
from pipeline.models import generators
from pipeline.stages.direction_rows import read_directions, to_rows
from pipeline.tables import Table

WIDTH = 512
"""Of the tiny generator's z and w."""


def vector(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape or (WIDTH,))


def write(url, directions: list[Direction]) -> str:
    table = Table.create(str(url), schemas.directions(), rows=len(directions), rows_per_shard=len(directions))
    table.seal([table.publish(0, to_rows(directions))], {"verb": "test"})
    return str(url)


def read(out) -> list[Direction]:
    return read_directions(Table.open(f"{out}/directions"))


def same(one: Direction, other: Direction) -> None:
    for name in Direction.__dataclass_fields__:
        if name == "vector":
            np.testing.assert_array_equal(one.vector, other.vector)
        else:
            assert getattr(one, name) == getattr(other, name), name


def some(space: str = "w", generator: str | None = "ab" * 32) -> list[Direction]:
    return [
        normalised(name, "svm", space, vector(seed), 0.1 * seed, generator=generator)
        for seed, name in enumerate(("smile", "old", "male"))
    ]


def one_line(words: list[str], capsys, code: int = 2) -> str:
    assert main(["directions", *map(str, words)]) == code
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said


# -- rows -------------------------------------------------------------------------------------------------------------


def test_directions_come_back_from_a_table_as_they_were(tmp_path):
    kept = [
        normalised("old", "svm", "w", vector(1), 0.25, conditions=("male", "smile"), C=1e-3, fraction=0.25, rows=70,
                   accuracies={"train": 0.9, "all": 0.7}, generator="g", classifier="c"),
        normalised("pc0", "ganspace", "z", vector(2)),
        normalised("old", "imported", "w+", vector(3, 6, WIDTH), -1e-9),
        normalised("old", "imported", "w+", vector(4)),
        normalised("old", "svm", "s", vector(5, 37)),
    ]  # fmt: skip
    found = read_directions(Table.open(write(tmp_path / "directions", kept)))
    for one, other in zip(found, kept, strict=True):
        same(one, other)
    assert list(by_name(kept)) == ["old|male,smile", "pc0", "old#2", "old#3", "old#4"]


# -- condition --------------------------------------------------------------------------------------------------------


def test_a_conditioned_direction_is_orthogonal_and_says_so(tmp_path, capsys):
    table = write(tmp_path / "d", some())
    words = ["--directions", table, "--primal", "old", "--preserve", "smile,male", "--out", str(tmp_path / "out")]
    assert main(["directions", "condition", *words]) == 0
    [found] = read(tmp_path / "out")
    smile, old, male = (direction.vector.astype(np.float64) for direction in some())
    basis = np.linalg.qr(np.stack([smile, male]).T)[0]
    wanted = old - basis @ (basis.T @ old)
    np.testing.assert_allclose(found.vector, wanted / np.linalg.norm(wanted), atol=1e-6)
    assert (found.attribute, found.conditions) == ("old", ("smile", "male"))
    facts = Table.open(f"{tmp_path}/out/directions").require_sealed()["facts"]
    assert facts["resolved"] == {"directions_digest": Table.open(table).digest}
    assert main(["verify", f"{tmp_path}/out/directions"]) == 0
    capsys.readouterr()
    assert "is there already; choose another --out, or pass --replace" in one_line(["condition", *words], capsys, 4)
    assert main(["directions", "condition", *words, "--replace"]) == 0


def test_what_cannot_be_conditioned_is_one_line(tmp_path, capsys):
    twins = [*some(), normalised("young", "svm", "w", -vector(1))]
    table = write(tmp_path / "directions", twins)
    words = ["condition", "--directions", table, "--out", tmp_path / "out"]
    assert "has no direction 'hat'; it has smile, old, male, young" in one_line(
        [*words, "--primal", "hat", "--preserve", "old"], capsys
    )
    assert "young" in one_line([*words, "--primal", "smile", "--preserve", "old,young"], capsys)
    into_itself = ["condition", "--directions", table, "--out", tmp_path, "--primal", "old", "--preserve", "male"]
    assert "would be made from" in one_line([*into_itself, "--replace"], capsys)
    assert len(read(tmp_path)) == 4
    assert not (tmp_path / "out").exists()


# -- compare ----------------------------------------------------------------------------------------------------------


def test_the_matrices_are_numpys(tmp_path, capsys):
    plant(tmp_path)
    table = write(tmp_path / "d", some())
    words = ["--directions", table, "--labels", f"{tmp_path}/labels", "--out", f"{tmp_path}/out"]
    assert main(["directions", "compare", *words]) == 0
    printed = capsys.readouterr().out
    rows = Table.open(f"{tmp_path}/out/comparisons").read().to_pandas()
    vectors = np.stack([direction.vector for direction in some()]).astype(np.float64)
    labels = Table.open(f"{tmp_path}/labels").read().to_pandas()
    for measure, names, wanted in [
        ("cosine", ["smile", "old", "male"], vectors @ vectors.T),
        ("correlation", ["smile", "male", "old"], np.corrcoef(labels[["smile", "male", "old"]].to_numpy().T)),
    ]:
        found = rows[rows["measure"] == measure].pivot(index="first", columns="second", values="value")
        np.testing.assert_allclose(found.loc[names, names].to_numpy(), wanted, atol=1e-6)
        assert f"{wanted[0, 1]:.2f}" in printed
    assert "Cosine of directions" in printed
    assert "Correlation of scores" in printed


def test_the_picture_shows_each_number_as_a_colour(tmp_path):
    from pipeline.report.heat_map import CELL, COOL, WARM, heat_maps

    names = ["smile", "a rather long name", "old"]
    values = np.array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.5], [0.0, 0.5, 1.0]])
    picture = Image.open(io.BytesIO(heat_maps({"Cosine": (names, values)}))).convert("RGB")
    counts = {colour: count for count, colour in picture.getcolors(1 << 24)}
    area = (CELL - 2) ** 2
    assert 2.5 * area < counts[WARM] <= 3 * area  # three cells of 1, less their numbers
    assert 1.5 * area < counts[COOL] <= 2 * area
    two = Image.open(io.BytesIO(heat_maps({"Cosine": (names, values), "Correlation": (names, values)})))
    assert two.width == 2 * picture.width
    table = write(tmp_path / "d", some())
    assert main(["directions", "compare", "--directions", table, "--out", f"{tmp_path}/out"]) == 0
    with Image.open(f"{tmp_path}/out/comparisons.png") as kept:
        assert kept.format == "PNG"
        assert min(kept.size) > 3 * CELL


def test_directions_of_one_name_are_told_apart_and_some_can_be_chosen(tmp_path):
    table = write(tmp_path / "d", [*some(), normalised("old", "svm", "w", vector(9))])
    words = ["directions", "compare", "--directions", table, "--out", f"{tmp_path}/out"]
    assert main([*words, "--attributes", "old#1,old#3"]) == 0
    rows = Table.open(f"{tmp_path}/out/comparisons").read().to_pylist()
    assert [(row["first"], row["second"]) for row in rows[:2]] == [("old#1", "old#1"), ("old#1", "old#3")]
    assert len(rows) == 4


def test_what_cannot_be_compared_is_one_line(tmp_path, capsys):
    mixed = write(tmp_path / "mixed", [some()[0], some("z")[1]])
    words = ["compare", "--out", tmp_path / "out", "--directions"]
    assert "compare directions of one space" in one_line([*words, mixed], capsys)
    good = write(tmp_path / "good", some())
    assert "there is no 'hat' to compare; there are smile" in one_line([*words, good, "--attributes", "hat"], capsys)
    assert "not of labels" in one_line([*words, good, "--labels", good], capsys)
    plant(tmp_path)
    assert "is a table of latents, not of directions" in one_line([*words, tmp_path / "latents"], capsys)
    assert not (tmp_path / "out").exists()


# -- import and export ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


@pytest.mark.parametrize("form", ["interfacegan", "e4e"])
def test_files_come_back_as_they_went(tmp_path, generator, form):
    space, mine = ("z", generator.fingerprint) if form == "interfacegan" else ("w", None)
    age = normalised("age", "svm", "w", vector(7), conditions=("gender", "eyes_open"), generator=mine)
    kept = [*some(space, mine), age]
    table = write(tmp_path / "d", kept)
    words = ["--directions", table, "--format", form, "--out", str(tmp_path / "files")]
    assert main(["directions", "export", *words]) == 0
    files = sorted(map(str, (tmp_path / "files").iterdir()))
    if form == "interfacegan":
        tiny = generator.fingerprint[:8]
        assert Path(files[0]).name == f"stylemill_{tiny}_age_c_gender_c_eyes_open_w_boundary.npy"
        assert np.load(files[0], allow_pickle=False).shape == (1, WIDTH)
    else:
        assert torch.load(tmp_path / "files/smile.pt", weights_only=True).shape[-1] == WIDTH
    words = ["--format", form, *files, "--generator", "stylegan2-tiny", "--out", str(tmp_path / "back")]
    assert main(["directions", "import", *words]) == 0
    found, wanted = by_name(read(tmp_path / "back")), by_name(kept)
    assert found.keys() == wanted.keys()
    for name, direction in found.items():
        np.testing.assert_allclose(direction.vector, wanted[name].vector, atol=1e-7)
        assert (direction.space, direction.method) == (wanted[name].space, "imported")
        assert direction.generator == generator.fingerprint
    facts = Table.open(f"{tmp_path}/back/directions").require_sealed()["facts"]
    assert facts["spec"]["files"] == [Path(file).name for file in files]
    assert len(facts["resolved"]["files_digests"]) == len(files)


def test_a_vector_repeated_over_the_layers_is_one_of_w(tmp_path, capsys):
    row = torch.tensor(vector(1), dtype=torch.float32)
    torch.save(row.repeat(1, 18, 1), tmp_path / "age.pt")
    assert main(["directions", "import", "--format", "e4e", f"{tmp_path}/age.pt", "--out", f"{tmp_path}/out"]) == 0
    [found] = read(tmp_path / "out")
    assert (found.attribute, found.space, found.vector.shape, found.generator) == ("age", "w", (WIDTH,), None)
    said = capsys.readouterr().err
    assert "the generator of the direction of age is unknown" in said
    assert "--generator names it" in said


def test_another_generators_file_is_refused_unless_forced(tmp_path, capsys):
    file = tmp_path / "pggan_celebahq_age_boundary.npy"
    np.save(file, vector(1)[None])
    words = ["import", "--format", "interfacegan", file, "--generator", "stylegan2-tiny", "--out", tmp_path / "out"]
    assert "is named as a direction of pggan_celebahq, not of stylegan2-tiny" in one_line(words, capsys)
    assert not (tmp_path / "out").exists()
    assert main(["directions", *map(str, words), "--force"]) == 0
    assert "Note" in capsys.readouterr().err


def test_a_file_of_another_width_is_refused(tmp_path, capsys):
    file = tmp_path / "stylegan_ffhq_old_boundary.npy"
    np.save(file, vector(1, 1, 48))
    words = ["import", "--format", "interfacegan", file, "--out", tmp_path / "out"]
    assert main(["directions", *map(str, words), "--generator", "stylegan2-tiny", "--force"]) == 2
    assert f"has the shape (48,) in z, stylegan2-tiny has ({WIDTH},)" in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["my_set", "gan_ffhq"])
def test_a_prefix_that_import_could_not_tell_from_the_attribute_is_refused(tmp_path, capsys, prefix):
    table = write(tmp_path / "d", some())
    words = ["export", "--directions", table, "--format", "interfacegan", "--out", tmp_path / "f", "--prefix", prefix]
    assert "import can separate the attribute from GAN_DATASET only if GAN is one of pggan" in one_line(words, capsys)


def test_what_cannot_be_imported_or_exported_is_one_line(tmp_path, capsys):
    assert "--files" in one_line(["import", "--out", tmp_path / "out", "--format", "e4e"], capsys)
    table = write(tmp_path / "d", [normalised("old", "svm", "s", vector(1))])
    export = ["export", "--directions", table, "--out", tmp_path / "files", "--format", "interfacegan"]
    assert "is in s" in one_line(export, capsys)
    twice = write(tmp_path / "twice", [some()[0], some()[0]])
    export = ["export", "--directions", twice, "--out", tmp_path / "files", "--format"]
    assert "as another direction: choose one by --attributes" in one_line([*export, "e4e"], capsys)
    zs = write(tmp_path / "zs", some("z"))
    export = ["export", "--directions", zs, "--out", tmp_path / "files", "--format", "e4e"]
    assert "is in z, e4e's files are of w" in one_line(export, capsys)
    assert not (tmp_path / "files").exists()


def test_files_that_are_there_stay_unless_replaced(tmp_path, capsys):
    table = write(tmp_path / "d", some())
    words = ["export", "--directions", table, "--out", tmp_path / "files", "--format", "interfacegan"]
    words += ["--prefix", "stylegan2_ffhq", "--attributes", "old"]
    assert main(["directions", *map(str, words)]) == 0
    [file] = (tmp_path / "files").iterdir()
    assert file.name == "stylegan2_ffhq_old_w_boundary.npy"
    capsys.readouterr()
    assert "is there already" in one_line(words, capsys, 4)
    assert main(["directions", *map(str, words), "--replace"]) == 0


# -- the command line -------------------------------------------------------------------------------------------------


def test_the_verbs_are_listed(capsys):
    assert main(["directions"]) == 2
    assert "fit directions on labelled latents" in capsys.readouterr().out
    assert main(["directions", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {verb} " in said for verb in ("fit", "list", "condition", "compare", "import", "export"))
    assert "no verb 'fits'; the verbs are fit, list, condition" in one_line(["fits"], capsys)
