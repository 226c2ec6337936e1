"""`stylemill edit ials` on the tiny networks: what the editor does, in a job's tables."""

import re

import numpy as np
import pytest
import torch
from edits import HOW, edit, edits, planted, sample

import schemas
from jobs.__main__ import main
from jobs.dt import DtSpec
from jobs.edit import SPECS
from jobs.flags import parse
from pipeline.editors import EDITORS, config_of
from pipeline.editors.ials import IALS
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table
from tests.pipeline.editors.requested import same

ROWS, STEPS = 10, 5
ASKED = ["ials", "--attribute", "old", "--preserve", "eyeglasses", "--steps", str(STEPS), "--step-size", "0.5"]
WORDS = [*ASKED, "--space", "w"]


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("sampled"), ROWS, 8)


@pytest.fixture(scope="module")
def directions(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted")
    planted(out, names=("old", "eyeglasses", "male"))
    return out


@pytest.fixture(scope="module")
def whole(latents, directions, tmp_path_factory):
    """All steps kept, scored by both families."""
    out = tmp_path_factory.mktemp("whole")
    assert edit(latents, directions, out, *WORDS, "--keep", "all", "--scores", "both") == 0
    return out


def by_hand(latents, directions, generator, space="w", target="1", **about):
    """The editor at work on all rows at once."""
    family = classifiers.load("tiny", ("old", "eyeglasses"), measures=())

    def scores(codes):
        y_NA = family.scores(generator.synthesize(codes))
        return {name: y_NA[:, place] for place, name in enumerate(family.attributes)}

    codes = read_codes(Table.open(latents), space, generator)[1]
    levels = [one for one in read_directions(Table.open(str(directions))) if one.space == space]
    request = same(len(codes), "old", conditions=("eyeglasses",), target=target, lambdas=(0.75, 0.0))
    editor = IALS(levels, scores, 0.5, STEPS, at_once=1, **about)
    return editor.edit(Codes(space, codes.values.clone()), request)


def test_the_table_has_the_steps_of_the_editor(whole, latents, directions, generator):
    rows = Table.open(f"{whole}/edits").read()
    trace = by_hand(latents, directions, generator)
    latent = schemas.to_numpy(rows["latent"]).reshape(ROWS, STEPS + 1, -1)
    np.testing.assert_array_equal(latent, trace.values.numpy())
    assert rows["step"].to_pylist() == list(range(STEPS + 1)) * ROWS
    np.testing.assert_allclose(rows["strength"].to_numpy(), np.tile(0.5 * np.arange(STEPS + 1), ROWS))
    assert set(rows["stop"].to_pylist()) == {"done"}
    seen = rows["old"].to_numpy().reshape(ROWS, STEPS + 1)
    np.testing.assert_allclose(seen[:, :-1], trace.scores["old"][:, :-1].numpy(), atol=1e-3)
    assert (seen[:, -1] > seen[:, 0]).all()
    (request,) = Table.open(f"{whole}/requests").read().to_pylist()
    assert (request["attribute"], request["conditions"], request["lambdas"]) == ("old", ["eyeglasses"], [0.75, 0.0])
    assert request["strengths"] == pytest.approx([0.5 * step for step in range(1, STEPS + 1)])


@pytest.mark.parametrize(("keep", "steps"), [("last", [STEPS]), ("2", [0, 2, 4, STEPS])])
def test_what_is_kept_is_what_it_would_have_been(whole, latents, directions, tmp_path, keep, steps):
    words = [] if keep == "last" else ["--keep", keep]  # last is the default
    assert edit(latents, directions, tmp_path, *WORDS, "--scores", "both", *words) == 0
    assert edits(tmp_path) == [row for row in edits(whole) if row["step"] in steps]


@pytest.mark.parametrize("keep", ["all", "last", "3"])
def test_until_ends_rows_at_steps_of_their_own(latents, directions, tmp_path, keep):
    words = ["ials", "--attribute", "old", "--lambda1", "0", "--until", "0.5", "--target", "flip"]
    assert (
        edit(
            latents,
            directions,
            tmp_path,
            *words,
            "--steps",
            "12",
            "--step-size",
            "2",
            "--keep",
            keep,
            "--scores",
            "both",
        )
        == 0
    )
    last = {}
    for row in edits(tmp_path):
        last[row["index"]] = row
        if keep != "all":
            assert row["step"] in (0, 3, 6, 9, 12) or row["stop"] == "reached"
    assert len(last) == ROWS
    assert len({row["step"] for row in last.values()}) > 1
    for row in last.values():
        side = np.sign(row["strength"]) or (1 if row["old"] > 0 else -1)
        reached = side * row["old"] >= 0.5 - 1e-4
        assert row["stop"] == ("reached" if reached else "not reached within 12 steps")


@pytest.mark.parametrize(
    ("space", "more"), [("w+", []), ("w+", ["--per-layer"]), ("s", ["--recompute"]), ("w", ["--no-incremental"])]
)
def test_spaces_and_variants(latents, directions, generator, tmp_path, space, more):
    asked = [*ASKED, "--space", space, *more, "--keep", "all"]
    planted_in = "w" if space == "w+" else space
    assert edit(latents, directions, tmp_path, *asked) == 0
    about = {"per_layer": "--per-layer" in more, "incremental": "--no-incremental" not in more}
    if space == "w+":
        levels = [one.in_w_plus() for one in read_directions(Table.open(str(directions))) if one.space == planted_in]
        family = classifiers.load("tiny", ("old", "eyeglasses"), measures=())

        def scores(codes):
            y_NA = family.scores(generator.synthesize(codes))
            return {name: y_NA[:, place] for place, name in enumerate(family.attributes)}

        codes = read_codes(Table.open(latents), "w+", generator)[1]
        request = same(ROWS, "old", conditions=("eyeglasses",), lambdas=(0.75, 0.0))
        editor = IALS(levels, scores, 0.5, STEPS, at_once=1, **about)
        trace = editor.edit(Codes("w+", codes.values.clone()), request)
    else:
        trace = by_hand(latents, directions, generator, space, **about)
    rows = Table.open(f"{tmp_path}/edits").read()
    latent = schemas.to_numpy(rows["latent"]).reshape(trace.values.shape)
    np.testing.assert_array_equal(latent, trace.values.numpy())


def test_the_size_of_micro_batches_changes_no_bit_of_a_way(whole, latents, directions, tmp_path):
    for size in ("1", "2", "8"):
        assert edit(latents, directions, tmp_path / size, *WORDS, "--keep", "all", "--batch-size", size) == 0
        assert [row["latent"] for row in edits(tmp_path / size)] == [row["latent"] for row in edits(whole)]


def test_recomputed_features_give_the_same_bits(whole, latents, directions, tmp_path):
    words = [*WORDS, "--keep", "all", "--scores", "both"]
    assert edit(latents, directions, tmp_path, *words, "--recompute", "--limit", "1") == 0
    assert edit(latents, directions, tmp_path, *words) == 0  # and so either goes on with the other's work
    assert edits(tmp_path) == edits(whole)


def test_without_lambdas_it_needs_no_directions(latents, tmp_path):
    words = ["ials", "--classifiers", "tiny", *HOW, "--attribute", "smile,old", "--preserve", "male"]
    lambdas = ["--lambda1", "0", "--lambda2", "0", "--steps", "2"]
    assert main(["edit", *words, "--latents", latents, "--out", str(tmp_path), *lambdas]) == 0
    assert [row["attribute"] for row in Table.open(f"{tmp_path}/requests").read().to_pylist()] == ["smile", "old"]


def test_as_released_is_the_public_codes_step(latents, directions, generator, tmp_path, capsys):
    asked = [*WORDS, "--as-released", "--lambda1", "0.75", "--lambda2", "0", "--keep", "all"]
    assert edit(latents, directions, tmp_path, *asked) == 0
    assert "the public code edits latents of psi 0.5 in all layers, these have psi 0.7" in capsys.readouterr().err
    moved = schemas.to_numpy(Table.open(f"{tmp_path}/edits").read()["latent"]).reshape(ROWS, STEPS + 1, -1)
    trace = by_hand(latents, directions, generator, as_released=True)
    np.testing.assert_allclose(moved, trace.values.numpy(), atol=1e-4, rtol=0)
    [level] = [d for d in read_directions(Table.open(str(directions))) if (d.attribute, d.space) == ("eyeglasses", "w")]
    np.testing.assert_allclose((moved - moved[:, :1]) @ level.vector, 0, atol=1e-4)
    bare = ["edit", "ials", "--latents", latents, "--out", str(tmp_path / "bare"), "--attribute", "old"]
    bare += ["--preserve", "eyeglasses", "--as-released", "--lambda1", "0", "--lambda2", "0"]
    assert main(bare) == 2
    assert "--as-released projects out the conditions' directions" in capsys.readouterr().err


def test_with_lambda_1_no_network_is_opened(latents, directions, tmp_path, monkeypatch):
    from pipeline.stages import edit as stage

    monkeypatch.setattr(stage, "open_generator", lambda *_: pytest.fail("the generator was opened"))
    words = ["--lambda1", "1", "--lambda2", "1", "--keep", "all"]
    assert edit(latents, directions, tmp_path, *WORDS, *words) == 0
    moved = schemas.to_numpy(Table.open(f"{tmp_path}/edits").read()["latent"]).reshape(ROWS, STEPS + 1, -1)
    lengths = np.linalg.norm(np.diff(moved, axis=1), axis=2)
    np.testing.assert_allclose(lengths, 0.5, rtol=1e-5)


def test_a_poisoned_row_is_set_aside_and_its_neighbours_stay(whole, latents, directions, tmp_path, capsys, monkeypatch):
    from pipeline.stages import codes as stage

    real = stage.codes_of

    def poisoned(rows, space, generator):
        codes = real(rows, space, generator)
        codes.values[rows["index"].to_numpy() == 5] = torch.nan
        return codes

    monkeypatch.setattr(stage, "codes_of", poisoned)
    assert edit(latents, directions, tmp_path, *WORDS, "--keep", "all", "--scores", "both") == 0
    assert "9 published + 1 rejected (1 not finite)" in capsys.readouterr().err
    assert edits(tmp_path) == [row for row in edits(whole) if row["index"] != 5]


def test_networks_that_break_fail_the_shard_and_set_no_row_aside(latents, directions, tmp_path, capsys, monkeypatch):
    def broken(self, codes, **about):
        raise ValueError("a broken network")

    monkeypatch.setattr(FaceScorer, "warm_up", lambda self, batch_size, gradients=False: None)
    monkeypatch.setattr(FaceScorer, "search", broken)
    assert edit(latents, directions, tmp_path, *WORDS) == 1
    said = capsys.readouterr().err
    assert "a broken network" in said
    assert f"{ROWS} rows = 0 published + 0 rejected + {ROWS} failed" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--space", "z"], "--space z: ials moves codes in w, w+ and s"),
        (["--per-layer"], "--per-layer: these edits are in w"),
        (["--lambda1", "1.5"], "lambda1"),
        (["--classifiers", "tiny-judge"], "--classifiers tiny-judge judges and gives no gradient"),
        (
            ["--attribute", "old,male", "--preserve", "gender"],
            "male is to change and gender is to stay, and these are one",
        ),
        (["--attribute", "hat"], "no direction of 'hat'"),
        (["--steps", "0"], "steps"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(latents, directions, tmp_path, capsys, words, message):
    assert edit(latents, directions, tmp_path, *WORDS, *words) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "edits").exists()


def test_what_is_named_twice_is_refused(latents, directions, tmp_path, capsys):
    assert edit(latents, directions, tmp_path, "--attribute", "old,old", "--strengths", "1") == 2
    assert "old is named twice" in capsys.readouterr().err


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
