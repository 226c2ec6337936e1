"""`stylemill edit`: what is rejected and warned of, which directions a name chooses, what is refused. That a table has
what the editor makes is in tests/contract/test_edits.py."""

import re
import subprocess
import sys

import numpy as np
import pytest
from edits import HOW, edit, edits, planted, sample

import schemas
from jobs.__main__ import main
from jobs.dt import DtSpec
from jobs.edit import SPECS
from jobs.flags import parse
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.directions.conditional import project
from pipeline.directions.lookup import by_name
from pipeline.editors import EDITORS, config_of
from pipeline.editors.interfacegan.linear import InterFaceGAN
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.stages import edit as stage
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table

ROWS = 22


def write(url, directions) -> str:
    write_small_table(str(url), schemas.directions(), to_rows(directions), {"verb": "planted"})
    return str(url)


@pytest.mark.parametrize(
    "words", ["--attribute old --space w --psi-after 100", "--attribute old --space w --scores both"]
)
def test_a_step_that_is_not_finite_takes_no_good_one_with_it(words, latents, directions, tmp_path, capsys):
    assert edit(latents, directions, tmp_path / "good", *words.split(), "--strengths=1,2") == 0
    capsys.readouterr()
    assert edit(latents, directions, tmp_path / "both", *words.split(), "--strengths=1,3e38,2") == 0
    said = capsys.readouterr().err
    assert f"Note  {ROWS} steps were not finite and are not in the table" in said
    assert f"{ROWS} rows = {ROWS} published + 0 rejected" in said
    good, both = edits(tmp_path / "good"), edits(tmp_path / "both")
    assert {row["stop"] for row in both} == {"not finite"}
    numbers = {0: 0, 1: 1, 3: 2}
    assert [{**row, "step": numbers[row["step"]], "stop": "done"} for row in both] == good


def test_where_no_face_is_made_no_more_padding_is_edited_than_a_shard_has_rows(
    latents, directions, tmp_path, monkeypatch
):
    whole, given = InterFaceGAN.edit, []

    def recorded(self, codes, requests):
        given.append(len(codes))
        return whole(self, codes, requests)

    monkeypatch.setattr(InterFaceGAN, "edit", recorded)
    words = ["--attribute", "old", "--space", "w", "--strengths=1", "--index", "0:5", "--rows-per-shard"]
    for size in ("4", "8"):
        assert edit(latents, directions, tmp_path / size, *words, size) == 0
        assert max(given) == int(size)
        given.clear()
    assert edits(tmp_path / "4") == edits(tmp_path / "8")


def test_steps_that_are_missing_can_be_measured_and_shown(latents, directions, tmp_path):
    words = "--attribute old --space w --scores both --images png --size 32 --strengths=1,3e38,2"
    assert edit(latents, directions, tmp_path, *words.split()) == 0
    assert main(["report", str(tmp_path)]) == 0
    measure = ["--edits", f"{tmp_path}/edits", "--families", "tiny-judge", *HOW, "--out", f"{tmp_path}/measured"]
    assert main(["measure", *measure]) == 0
    assert set(Table.open(f"{tmp_path}/measured/measured").read()["step"].to_pylist()) == {1, 3}


def test_names_choose_directions_with_commas_and_conditions_in_them(latents, tmp_path, refused, capsys):
    old, eyeglasses, young = planted(tmp_path / "plain", ("w",))
    found = [old, eyeglasses, young, *(project(old, [eyeglasses, young]),) * 2, project(old, [young])]
    table, names = write(tmp_path / "d", found), [list(by_name(found))[row] for row in (3, 5, 0)]
    assert names == ["old|eyeglasses,young#3", "old|young", "old"]
    assert edit(latents, table, tmp_path / "out", "--attribute", ",".join(names), "--strengths", "1") == 0
    rows = Table.open(f"{tmp_path}/out/requests").read()["conditions"].to_pylist()
    assert rows == [["eyeglasses", "young"], ["young"], []]
    capsys.readouterr()
    for words, message in (
        ("old|eyeglasses,young", "several directions of old|eyeglasses,young: choose old|eyeglasses,young#3 (svm, w)"),
        ("old|young,old|young", "old|young is named twice"),
    ):
        refused(edit(latents, table, tmp_path / "no", "--attribute", words, "--strengths", "1"), message)


@pytest.fixture(scope="module")
def slopes(tmp_path_factory, latents):
    """Two tables with a direction named old: along it the tiny classifier's score rises, and falls."""
    out, generator = tmp_path_factory.mktemp("slopes"), generators.load("stylegan2-tiny", backend="eager")
    codes = read_codes(Table.open(latents), "w", None)[1].values[:8].clone().requires_grad_()
    family = classifiers.load("tiny", ("old",), measures=())
    family.scores(generator.synthesize(Codes("w", codes))).sum().backward()
    vector = codes.grad.mean(0).double().numpy()
    for name, sign in (("with", 1), ("against", -1)):
        write(out / name, [normalised("old", "svm", "w", sign * vector, generator=generator.fingerprint)])
    return out


WAYS = {
    "until": "--until 50 --target 1",
    "judge alone": "--strengths=-3,3 --scores judge --judge tiny",
    "ials, keep last": "ials --lambda1 0.95 --steps 3 --step-size 1",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_direction_that_runs_against_its_classifier_is_warned_of(latents, slopes, tmp_path, capsys, way):
    words = ["--index", "0:8", "--attribute", "old", *WAYS[way].split()]
    for _ in range(2):  # once more: nothing runs, and it is still so
        assert edit(latents, slopes / "against", tmp_path / "against", *words) == 0
        [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warn")]
        assert "rows the score went against the edit" in line
        assert "the direction runs against the classifier of old" in line
    if way != "until":
        assert edit(latents, slopes / "with", tmp_path / "with", *words) == 0
        assert "Warn" not in capsys.readouterr().err
    else:
        assert edit(latents, slopes / "with", tmp_path / "with", *words, "--until", "5000") == 0
        assert "Warn  old: 8 of 8 rows did not reach 5000 (column stop)" in capsys.readouterr().err


# -- flags ------------------------------------------------------------------------------------------------------------


def test_without_lambdas_ials_needs_no_directions_and_with_lambda_1_no_network(
    latents, directions, tmp_path, monkeypatch
):
    words = f"edit ials --latents {latents} --classifiers tiny --attribute smile,old --preserve male --lambda1 0"
    assert main([*words.split(), "--lambda2", "0", "--steps", "1", *HOW, "--out", f"{tmp_path}/none"]) == 0
    monkeypatch.setattr(stage, "open_generator", lambda *_: pytest.fail("the generator was opened"))
    words = "ials --attribute old --space w --preserve eyeglasses --lambda1 1 --lambda2 1 --steps 2 --step-size 0.5"
    assert edit(latents, directions, tmp_path / "all", *words.split(), "--keep", "all") == 0
    moved = schemas.to_numpy(Table.open(f"{tmp_path}/all/edits").read()["latent"]).reshape(ROWS, 3, -1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(moved, axis=1), axis=2), 0.5, rtol=1e-5)


INTERFACEGAN = [
    ("--attribute smile --strengths=1", "has no direction of 'smile'; it has old#0"),
    ("--attribute old --strengths=1", "several directions of old: choose old#0 (svm, w), old#3 (svm, z)"),
    ("--attribute old#0,old#3 --strengths=1", "the directions are in w and z"),
    ("--attribute old#3 --space w --strengths=1", "old is in z, and --space w was asked for"),
    ("--attribute old#0 --preserve old#0 --strengths=1", "cannot both change and stay unchanged"),
    ("--attribute old,old --strengths=1", "old is named twice"),
    ("--attribute old#0 --strengths=1,x", "x: input should be a valid number"),
    ("--attribute old#0 --strengths=1,inf", "inf: input should be a finite number"),
    ("--attribute old#0", "give --strengths, or --until with --target"),
    ("--attribute old#0 --until 1", "--until needs --target"),
    ("--attribute old#0 --strengths=1 --target 1", "--target goes with --until"),
    ("--attribute old#0 --until 1 --target 1 --absolute", "leave out --absolute"),
    ("--attribute old#0 --strengths=1 --absolute --as-released", "exclude each other"),
    ("--attribute old#0 --strengths=1 --keep some", "give all, last, or a number"),
    ("--attribute old#0 --strengths=1 --layers 5-2", "give rows of w+ counted from 0"),
    ("--attribute old#0 --strengths=1 --layers 1,1-3", "rows of w+: one is named twice"),
    ("--attribute old#0 --strengths=1 --layers 5-9", "has the rows of w+ 0 to 7"),
    ("--attribute old#3 --strengths=1 --psi-after 0.7", "truncates in w and w+"),
    ("--attribute old#3 --strengths=1 --layers 0-2", "is in z, and --layers"),
]
IALS = "ials --attribute old --preserve eyeglasses --space w "
IALS_REFUSED = [
    (f"{IALS} --space z", "--space z: ials moves codes in w, w+ and s"),
    (f"{IALS} --per-layer", "--per-layer: these edits are in w"),
    (f"{IALS} --lambda1 1.5", "lambda1"),
    (f"{IALS} --classifiers tiny-judge", "--classifiers tiny-judge only measures and has no gradients"),
    (f"{IALS} --attribute old --preserve young", "old and young are one attribute, which cannot both change and stay"),
    (f"{IALS} --attribute hat", "no direction of 'hat'"),
    (f"{IALS} --steps 0", "steps"),
]


@pytest.mark.parametrize(("words", "message"), [*INTERFACEGAN, *IALS_REFUSED])
def test_what_cannot_be_is_one_line_and_2(words, message, latents, directions, tmp_path, refused):
    refused(edit(latents, directions, tmp_path / "out", *words.split()), message, out=tmp_path / "out")


def test_tables_that_do_not_fit_are_refused(latents, directions, tmp_path, refused, capsys):
    cut, beard = sample(tmp_path / "cut", 8, 8, "--cutoff", "3"), tmp_path / "beard"
    planted(beard, ("w",), names=("beard",))
    planted(tmp_path / "theirs", ("w",), generator="f" * 64)
    one = Table.open(latents)
    Table.create(f"{tmp_path}/half", one.schema, rows=16, rows_per_shard=8).publish(0, one.read(shards=[0]))
    words, out = ["--attribute", "old", "--strengths=1", "--space", "w"], tmp_path / "out"
    capsys.readouterr()
    refused(edit(cut, directions, out, *words), "choose the space w+", out=out)
    refused(edit(directions, directions, out, *words), "is a table of directions, not of latents", out=out)
    refused(edit(latents, latents, out, *words), "is a table of latents, not of directions", out=out)
    refused(edit(f"{tmp_path}/half", directions, out, *words), "is not complete", 1, out=out)
    refused(
        edit(latents, beard, out, "--attribute", "beard", "--until", "1", "--target", "1"),
        "no classifier scores 'beard'",
        out=out,
    )
    refused(edit(latents, tmp_path / "theirs", out, *words), "is of generator ffffffffffff", out=out)
    assert edit(latents, tmp_path / "theirs", out, *words, "--force") == 0
    assert "Note  the direction of old is of generator ffff" in capsys.readouterr().err


def test_as_released_says_what_it_expects(latents, directions, tmp_path, capsys):
    words = [*IALS.split(), "--as-released", "--steps", "1"]
    assert edit(latents, directions, tmp_path / "out", *words) == 0
    assert "the public code edits latents of psi 0.5 in all layers, these have psi 0.7" in capsys.readouterr().err
    bare = ["edit", *words, "--latents", latents, "--out", f"{tmp_path}/bare", "--lambda1", "0", "--lambda2", "0"]
    assert main(bare) == 2
    assert "--as-released projects out the conditions' directions" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--recompute", "--checkpoint"])
def test_recomputation_has_the_name_that_torch_gives_it_too(word):
    tables_of = ["--latents", "a", "--directions", "b", "--out", "c"]
    assert parse(SPECS["ials"], [*tables_of, "--attribute", "old", word]).recompute
    assert parse(DtSpec, [*tables_of, "--labels", "d", word]).recompute


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        ("interfacegan", ["--strengths", "1", "--steps", "3"]),
        ("ials", ["--strengths", "1,2"]),
        ("ials", ["--absolute"]),
    ],
)
def test_flags_of_the_other_editor_are_unknown(editor, words, latents, directions, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        edit(latents, directions, tmp_path, editor, "--attribute", "old", *words)
    assert "Unrecognized options" in capsys.readouterr().err


def test_the_help_of_an_editor_shows_its_flags_alone(capsys):
    shown = {}
    for editor in EDITORS:
        with pytest.raises(SystemExit, match="0"):
            main(["edit", editor, "--help"])
        shown[editor] = capsys.readouterr().out
    flags = {editor: {f"--{name.replace('_', '-')}" for name in config_of(editor).model_fields} for editor in EDITORS}
    assert "--psi-after" in flags["interfacegan"] - flags["ials"]
    assert "--lambda1" in flags["ials"] - flags["interfacegan"]
    for editor, text in shown.items():
        said = {*re.findall(r"--[a-z0-9-]+", text)}
        assert said >= flags[editor] | {"--preserve", "--keep", "--out"}
        assert ("--directions" in said) == config_of(editor).TAKES_DIRECTIONS
        assert not said & (set().union(*flags.values()) - flags[editor])


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_editors_are_listed(words, capsys):
    assert main(["edit", *words]) == (0 if words else 2)
    said = capsys.readouterr().out
    assert all(f"  {name}" in said and does in said for name, does in EDITORS.items())


@pytest.mark.parametrize(
    ("words", "message"),
    [(["magic"], "no editor 'magic'; the editors are"), (["--latents", "x"], "the editor comes first")],
)
def test_an_editor_that_is_not_there_is_told(words, message, capsys):
    assert main(["edit", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_memory_does_not_grow_with_rows(directions, tmp_path):
    """Ten times the rows, in as large shards, take no more than 100 MB more."""
    peaks = {}
    for rows in (20_000, 200_000):
        out = tmp_path / str(rows)
        big = latents_without_network(out / "latents", rows)
        words = f"edit interfacegan --latents {big} --directions {directions} --attribute old --space w --strengths=3"
        words = [*words.split(), "--keep", "last", "--out", str(out / "edits"), *HOW]
        program = "import resource, sys; from jobs.__main__ import main; code = main(sys.argv[1:]); "
        program += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss); sys.exit(code)"
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
        peaks[rows] = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert peaks[200_000] - peaks[20_000] < 100e6, peaks


def latents_without_network(out, rows, per_shard=20_000):
    """A table such as `sample` writes, of noise: mapping 200,000 rows takes a minute."""
    schema, fingerprint = schemas.latents("w", 512), generators.load("stylegan2-tiny", backend="eager").fingerprint
    table = Table.create(str(out), schema, rows=rows, rows_per_shard=per_shard)
    w = np.random.default_rng(1).standard_normal((per_shard, 512)).astype(np.float32)
    facts = {"index": None, "w": w, "psi": 1.0, "seed": 1, "generator": "stylegan2-tiny"}
    records = [
        table.publish(shard, schema.rows({**facts, "index": np.arange(shard * per_shard, (shard + 1) * per_shard)}))
        for shard in range(rows // per_shard)
    ]
    spec = {"spec": {"generator": "stylegan2-tiny"}, "resolved": {"generator_digest": fingerprint}}
    table.seal(records, {"verb": "sample", **spec}, "f")
    return out
