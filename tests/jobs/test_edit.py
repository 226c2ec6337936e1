"""`stylemill edit` on the tiny networks: algebra, search, bytes, what is rejected, what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from edits import HOW, edit, edits, planted, sample
from tiny_jobs import tables

import schemas
from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.directions.conditional import project
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.stages import codes as code_stage
from pipeline.stages import edit as stage
from pipeline.stages.codes import read_codes
from pipeline.stages.direction_rows import read_directions, to_rows
from pipeline.tables import Table

ROWS = 22


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("sampled"), ROWS)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    return sample(tmp_path_factory.mktemp("cut"), 12, 8, "--cutoff", "3")


@pytest.fixture(scope="module")
def directions(tmp_path_factory):
    out = tmp_path_factory.mktemp("planted")
    planted(out)
    return out


@pytest.fixture(scope="module")
def named(directions):
    """(attribute, space) -> the planted direction."""
    return {(one.attribute, one.space): one for one in read_directions(Table.open(str(directions)))}


def arrays(out):
    rows = Table.open(f"{out}/edits").read()
    return {name: schemas.to_numpy(rows[name]) for name in ("index", "request", "step", "strength", "latent")}


def source(latents, space, generator):
    return read_codes(Table.open(latents), space, generator)[1].values.double().numpy()


@pytest.mark.parametrize("space", ["z", "w", "s"])
def test_edits_are_the_algebra_of_the_paper(space, latents, directions, named, generator, tmp_path):
    strengths = (-3.0, -1.0, 1.0, 3.0)
    words = ["--attribute", "old,young", "--strengths", "-3,-1,1,3", "--space", space]
    assert edit(latents, directions, tmp_path, *words) == 0
    found, x = arrays(tmp_path), source(latents, space, generator)
    assert found["latent"].shape == (ROWS * 2 * 5, x.shape[1])
    latent = found["latent"].reshape(ROWS, 2, 5, -1)
    assert found["strength"].reshape(ROWS, 2, 5)[3, 1].tolist() == [0.0, *strengths]
    for request, name in enumerate(("old", "young")):
        vector = named[name, space].vector.astype(np.float64)
        for step, alpha in enumerate((0.0, *strengths)):
            np.testing.assert_allclose(latent[:, request, step], x + alpha * vector, atol=1e-6, rtol=1e-6)
    rows = Table.open(f"{tmp_path}/requests").read().to_pylist()
    assert [(row["attribute"], row["strengths"], row["until"]) for row in rows] == [
        ("old", list(strengths), []), ("young", list(strengths), []),
    ]  # fmt: skip
    assert main(["verify", str(tmp_path)]) == 0


def test_absolute_edits_lie_at_the_distance_and_conditions_keep_theirs(latents, directions, named, generator, tmp_path):
    words = ["--attribute", "old", "--preserve", "eyeglasses,young", "--space", "w", "--keep", "last"]
    assert edit(latents, directions, tmp_path, *words, "--absolute", "--strengths", "2,5") == 0
    found, x = arrays(tmp_path), source(latents, "w", generator)
    conditions = [named[name, "w"] for name in ("eyeglasses", "young")]
    left = project(named["old", "w"], conditions)
    assert found["step"].tolist() == [2] * ROWS
    latent = found["latent"].astype(np.float64)
    np.testing.assert_allclose(latent @ left.vector.astype(np.float64) + left.intercept, 5.0, atol=1e-5)
    for one in conditions:
        vector = one.vector.astype(np.float64)
        np.testing.assert_allclose(latent @ vector, x @ vector, atol=1e-5)
    assert Table.open(f"{tmp_path}/requests").read()["conditions"].to_pylist() == [["eyeglasses", "young"]]


def test_as_released_knows_no_intercept(latents, directions, named, tmp_path):
    assert edit(latents, directions, tmp_path, "--attribute", "old", "--space", "w", "--as-released",
                "--strengths=2", "--keep", "last") == 0  # fmt: skip
    vector = named["old", "w"].vector.astype(np.float64)
    np.testing.assert_allclose(arrays(tmp_path)["latent"] @ vector, 2.0, atol=1e-5)


def test_chosen_layers_move_and_the_others_stay(latents, cut, directions, named, generator, tmp_path):
    for name, table in (("w", latents), ("ws", cut)):
        out = tmp_path / name
        assert edit(table, directions, out, "--attribute", "old", "--space", "w+", "--layers", "0-2,5",
                    "--strengths=3", "--psi-after", "0.5") == 0  # fmt: skip
        x = source(table, "w+", generator)
        moved = np.zeros((generator.num_ws, 1))
        moved[[0, 1, 2, 5]] = 3.0
        mean = generator.w_avg.double().numpy()
        for step, latent in enumerate(arrays(out)["latent"].reshape(len(x), 2, *x.shape[1:]).swapaxes(0, 1)):
            expected = x + step * moved * named["old", "w"].vector.astype(np.float64)
            np.testing.assert_allclose(latent, mean + 0.5 * (expected - mean), atol=2e-6)


@pytest.fixture(scope="module")
def young(tmp_path_factory, latents, generator):
    """Where the tiny classifier's `old` falls, in the mean over some faces, under the name of its opposite."""
    codes = read_codes(Table.open(latents), "w", None)[1].values[:8].clone().requires_grad_()
    family = classifiers.load("tiny", ("old",), measures=())
    family.scores(generator.synthesize(Codes("w", codes))).sum().backward()
    vector = -codes.grad.mean(0).double().numpy()
    direction = normalised("young", "mean-gradient", "w", vector, generator=generator.fingerprint)
    out = tmp_path_factory.mktemp("young")
    write_small_table(str(out), schemas.directions(), to_rows([direction]), {"verb": "planted"})
    return out, direction.vector.astype(np.float64)


def score(generator, latent):
    """Of `old`, in micro-batches of the job's size."""
    family = classifiers.load("tiny", ("old",), measures=())
    pieces = torch.tensor(np.asarray(latent), dtype=torch.float32).split(4)
    return torch.cat([family.scores(generator.synthesize(Codes("w", piece)))[:, 0] for piece in pieces]).numpy()


def test_until_reaches_the_score_and_no_more(latents, young, generator, tmp_path):
    """A young face is one whose score of `old` is low: the alias gives the sign."""
    (directions, vector), x = young, source(latents, "w", generator)
    aim = -float(np.quantile(score(generator, x), 0.3))
    words = ["--attribute", "young", "--until", str(max(aim, 0.0)), "--target", "1", "--tolerance", "0.05"]
    assert edit(latents, directions, tmp_path, *words, "--scores", "faces") == 0
    until = max(aim, 0.0)
    found, rows = arrays(tmp_path), edits(tmp_path)[1::2]
    strength = found["strength"].reshape(ROWS, 2)[:, 1].astype(np.float64)
    reached = np.array([row["stop"] == "reached" for row in rows])
    assert reached.sum() > 5
    assert {row["stop"] for row in rows} <= {"reached", "not reached within 10"}
    np.testing.assert_allclose(found["latent"].reshape(ROWS, 2, -1)[:, 1], x + strength[:, None] * vector, atol=1e-5)
    after = np.array([row["old"] for row in rows])
    assert (after[reached] <= -until + 1e-4).all()
    before = score(generator, x + (strength - 0.05)[:, None] * vector)
    moved = reached & (strength > 0)
    assert moved.sum() > 3
    assert (before[moved] > -until - 1e-4).all()
    assert np.allclose(strength[~reached], 10)


def test_flip_goes_to_the_other_side(latents, young, generator, tmp_path):
    words = ["--attribute", "young", "--until", "0", "--target", "flip", "--bound", "80", "--scores", "faces"]
    assert edit(latents, young[0], tmp_path, *words) == 0
    rows = edits(tmp_path)
    flipped = [(a, b) for a, b in zip(rows[::2], rows[1::2], strict=True) if b["stop"] == "reached"]
    assert len(flipped) > 5
    assert all(a["old"] * b["old"] <= 1e-4 for a, b in flipped)


WORDS = ("--attribute", "old,young", "--space", "w", "--strengths=-2,2", "--scores", "both", "--images", "png")


@pytest.fixture(scope="module")
def whole(latents, directions, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    assert edit(latents, directions, out, *WORDS, "--size", "32") == 0
    return out


def test_scores_are_the_classifiers_of_those_latents(whole, generator):
    rows = edits(whole)
    for name, column in (("tiny", "old"), ("tiny-judge", "judge_old")):
        family = classifiers.load(name, ("old",), measures=())
        latent = torch.tensor([row["latent"] for row in rows[:12]])
        expected = family.scores(generator.synthesize(Codes("w", latent)))[:, 0].numpy()
        np.testing.assert_allclose([row[column] for row in rows[:12]], expected, atol=1e-3)
    pictures = Table.open(f"{whole}/edit_images").read().to_pylist()
    keys = [(row["index"], row["request"], row["step"]) for row in pictures]
    assert keys == [(row["index"], row["request"], row["step"]) for row in rows]
    assert pictures[0]["image"]["bytes"] == pictures[3]["image"]["bytes"]  # the source of both requests
    assert pictures[0]["image"]["bytes"] != pictures[1]["image"]["bytes"]
    assert main(["verify", str(whole)]) == 0


def test_two_bad_rows_that_fill_a_micro_batch_of_a_search_are_rejected(
    latents, directions, tmp_path, capsys, monkeypatch
):
    real = stage.EditWorker._compute
    bad = schemas.to_numpy(Table.open(latents).read()["w"])[[4, 5]]

    def compute(self, codes, slots):
        if any(np.array_equal(one, row) for one in codes.values[torch.from_numpy(slots)].numpy() for row in bad):
            raise RuntimeError("no edit comes of this")
        return real(self, codes, slots)

    monkeypatch.setattr(stage.EditWorker, "_compute", compute)
    words = ["--attribute", "old", "--space", "w", "--until", "0.5", "--target", "1", "--batch-size", "2"]
    assert edit(latents, directions, tmp_path, *words) == 0
    assert "20 published + 2 rejected (2 raised)" in capsys.readouterr().err


def test_rows_that_are_not_finite_are_set_aside_and_taken_up_again(
    whole, latents, directions, tmp_path, capsys, monkeypatch
):
    real, bad = code_stage.codes_of, {9, 14}

    def poisoned(rows, space, generator):
        codes = real(rows, space, generator)
        codes.values[np.isin(rows["index"].to_numpy(), list(bad))] = np.nan
        return codes

    monkeypatch.setattr(code_stage, "codes_of", poisoned)
    words = [*WORDS, "--size", "32"]
    assert edit(latents, directions, tmp_path, *words) == 0
    assert "20 published + 2 rejected (2 not finite)" in capsys.readouterr().err
    assert edits(tmp_path) == [row for row in edits(whole) if row["index"] not in bad]
    aside = Table.open(f"{tmp_path}/rejects/edit").read().to_pylist()
    assert [(row["index"], row["reason"]) for row in aside] == [(9, "not finite"), (14, "not finite")]
    assert aside[0]["detail"].startswith("latent, ")
    bad.clear()
    assert edit(latents, directions, tmp_path, *words, "--retry-rejected") == 0
    assert tables(tmp_path) == tables(whole)


TOO_FAR = ("--attribute", "old", "--space", "w", "--psi-after", "100")


def test_an_edit_that_overflows_is_set_aside_and_nothing_published_is_3(latents, directions, tmp_path, capsys):
    words = [*TOO_FAR, "--strengths=3e38"]
    assert edit(latents, directions, tmp_path, *words) == 3
    said = capsys.readouterr().err
    assert "Note  not one row was published, all were rejected" in said
    assert f"{tmp_path}/rejects/edit" in said
    assert edits(tmp_path) == []
    aside = Table.open(f"{tmp_path}/rejects/edit").read()
    assert set(aside["reason"].to_pylist()) == {"not finite"}
    assert aside.num_rows == ROWS
    assert edit(latents, directions, tmp_path, *words) == 3  # nothing is left to run, and it is still so
    assert edit(latents, directions, tmp_path, *words, "--max-rejects", str(ROWS)) == 0
    assert edit(latents, directions, tmp_path, *words, "--max-rejects", str(ROWS - 1)) == 3


@pytest.mark.parametrize("words", [(*TOO_FAR,), ("--attribute", "old", "--space", "w", "--scores", "both")])
def test_a_step_that_is_not_finite_takes_no_good_one_with_it(words, latents, directions, tmp_path, capsys):
    assert edit(latents, directions, tmp_path / "good", *words, "--strengths=1,2") == 0
    capsys.readouterr()
    assert edit(latents, directions, tmp_path / "both", *words, "--strengths=1,3e38,2") == 0
    said = capsys.readouterr().err
    assert f"Note  {ROWS} steps were not finite and are not in the table" in said
    assert f"{ROWS} rows = {ROWS} published + 0 rejected" in said
    good, both = edits(tmp_path / "good"), edits(tmp_path / "both")
    assert {row["step"] for row in both} == {0, 1, 3}
    assert {row["stop"] for row in both} == {"not finite"}
    numbers = {0: 0, 1: 1, 3: 2}
    assert [{**row, "step": numbers[row["step"]], "stop": "done"} for row in both] == good
    assert edit(latents, directions, tmp_path / "last", *words, "--strengths=1,3e38", "--keep", "last") == 3 or {
        row["step"] for row in edits(tmp_path / "last")
    } == {1}


def test_steps_that_are_missing_can_be_measured_and_shown(latents, directions, tmp_path):
    words = ["--attribute", "old", "--space", "w", "--scores", "both", "--images", "png", "--size", "32"]
    assert edit(latents, directions, tmp_path, *words, "--strengths=1,3e38,2") == 0
    assert main(["report", str(tmp_path)]) == 0
    assert main(["verify", str(tmp_path)]) == 0
    measure = ["--edits", f"{tmp_path}/edits", "--families", "tiny-judge", *HOW, "--out", f"{tmp_path}/measured"]
    assert main(["measure", *measure]) == 0
    steps = Table.open(f"{tmp_path}/measured/measured").read()["step"].to_pylist()
    assert set(steps) == {1, 3}


def test_rows_that_an_earlier_job_set_aside_are_no_rows_here(directions, tmp_path, latents):
    gaps = tmp_path / "gaps"
    old = Table.open(latents)
    rows = old.read()
    table = Table.create(str(gaps), old.schema, rows=ROWS, rows_per_shard=8)
    records = []
    for shard in range(3):
        index = rows["index"].to_numpy()
        keep = (index // 8 == shard) & (index % 5 > 0) & (index // 8 != 1)
        records.append(table.publish(shard, rows.filter(keep)))
    table.seal(records, old.require_sealed()["facts"], "f")
    out = tmp_path / "out"
    assert edit(gaps, directions, out, "--attribute", "old", "--space", "w", "--strengths=1") == 0
    assert sorted({row["index"] for row in edits(out)}) == [i for i in range(ROWS) if i % 5 and i // 8 != 1]


@pytest.mark.parametrize(("keep", "steps"), [("all", [0, 1, 2, 3]), ("last", [3]), ("2", [0, 2, 3])])
def test_which_steps_are_kept(keep, steps, latents, directions, tmp_path):
    assert edit(latents, directions, tmp_path, "--attribute", "old", "--space", "w", "--strengths=1,2,3",
                "--keep", keep) == 0  # fmt: skip
    assert [row["step"] for row in edits(tmp_path) if row["index"] == 3] == steps


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attribute", "smile", "--strengths=1"], "has no direction of 'smile'; it has old#0"),
        (["--attribute", "old", "--strengths=1"], "several directions of old: choose old#0 (svm, w), old#3 (svm, z)"),
        (["--attribute", "old#0,old#3", "--strengths=1"], "the directions are in w and z"),
        (["--attribute", "old#3", "--space", "w", "--strengths=1"], "old is in z, and --space w was asked for"),
        (["--attribute", "old#0", "--preserve", "old#0", "--strengths=1"], "is to change and to stay at once"),
        (["--attribute", "old#0", "--strengths=1,x"], "x: input should be a valid number"),
        (["--attribute", "old#0", "--strengths=1,inf"], "inf: input should be a finite number"),
        (["--attribute", "old#0"], "give --strengths, or --until with --target"),
        (["--attribute", "old#0", "--until", "1"], "--until needs --target"),
        (["--attribute", "old#0", "--strengths=1", "--target", "1"], "--target goes with --until"),
        (["--attribute", "old#0", "--until", "1", "--target", "1", "--absolute"], "leave out --absolute"),
        (["--attribute", "old#0", "--strengths=1", "--absolute", "--as-released"], "exclude each other"),
        (["--attribute", "old#0", "--strengths=1", "--keep", "some"], "give all, last, or a number"),
        (["--attribute", "old#0", "--strengths=1", "--layers", "5-2"], "give rows of w+ counted from 0"),
        (["--attribute", "old#0", "--strengths=1", "--layers", "1,1-3"], "rows of w+: one is named twice"),
        (["--attribute", "old#0", "--strengths=1", "--layers", "5-9"], "has the rows of w+ 0 to 7"),
        (["--attribute", "old#3", "--strengths=1", "--psi-after", "0.7"], "truncates in w and w+"),
        (["--attribute", "old#3", "--strengths=1", "--layers", "0-2"], "is in z, and --layers"),
    ],
)
def test_what_cannot_be_is_one_line_and_2(words, message, latents, directions, tmp_path, capsys):
    assert edit(latents, directions, tmp_path / "out", *words) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "out").exists()


def test_until_needs_a_classifier_of_that_attribute(latents, tmp_path, capsys):
    planted(tmp_path / "d", ("w",), names=("bangs",))
    words = ["--attribute", "bangs", "--until", "1", "--target", "1"]
    assert edit(latents, tmp_path / "d", tmp_path / "out", *words) == 2
    assert "no classifier knows 'bangs'" in capsys.readouterr().err


def test_directions_of_another_generator_are_refused_unless_forced(latents, tmp_path, capsys):
    planted(tmp_path / "d", ("w",), generator="f" * 64)
    words = ["--attribute", "old", "--strengths=1"]
    assert edit(latents, tmp_path / "d", tmp_path / "out", *words) == 2
    assert "is of generator ffffffffffff" in capsys.readouterr().err
    assert edit(latents, tmp_path / "d", tmp_path / "out", *words, "--force") == 0
    assert "Note  the direction of old is of generator ffff" in capsys.readouterr().err


def test_tables_that_do_not_fit_are_refused(latents, cut, directions, tmp_path, capsys):
    out, words = tmp_path / "out", ["--attribute", "old#0", "--strengths=1"]
    assert edit(cut, directions, out, *words) == 2
    assert "choose the space w+" in capsys.readouterr().err
    assert edit(directions, directions, out, *words) == 2
    assert "is a table of directions, not of latents" in capsys.readouterr().err
    assert edit(latents, latents, out, *words) == 2
    assert "is a table of latents, not of directions" in capsys.readouterr().err
    unsealed = tmp_path / "unsealed/latents"
    Table.create(str(unsealed), Table.open(latents).schema, rows=8, rows_per_shard=8).publish(
        0, Table.open(latents).read(shards=[0])
    )
    assert edit(unsealed, directions, out, *words) != 0
    assert "is not complete" in capsys.readouterr().err


@pytest.mark.slow
def test_memory_does_not_grow_with_rows(directions, tmp_path):
    """Ten times the rows, in as large shards, take no more than 100 MB more."""
    peaks = {}
    for rows in (20_000, 200_000):
        out = tmp_path / str(rows)
        big = latents_without_network(out / "latents", rows)
        words = [
            "edit",
            "interfacegan",
            "--latents",
            str(big),
            "--directions",
            str(directions),
            "--attribute",
            "old",
            "--space",
            "w",
        ]
        words += ["--space", "w", "--strengths=3", "--keep", "last", "--out", str(out / "edits"), *HOW]
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
