"""`stylemill directions fit --space s --penalty l1`, and the channels of what it finds."""

import json
from pathlib import Path

import numpy as np
import pytest
from planted import directions, plant
from tiny_jobs import dataset

from jobs.__main__ import main
from jobs.directions import quality, supervised
from pipeline.directions import sparse_svm
from pipeline.directions.sparse_hyperplane import fit_sparse
from pipeline.models import generators
from pipeline.stages.direction_rows import read_directions
from pipeline.tables import Table

FIT = ("--space", "s", "--penalty", "l1", "--attributes", "old,smile", "--C", "0.1", "--fraction", "0.4")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    assert dataset(out, "--rows", "96", "--rows-per-shard", "32") == 0
    return out


def fit(faces, out, *words: str) -> int:
    tables = ("--latents", f"{faces}/latents", "--labels", f"{faces}/labels")
    return main(["directions", "fit", "--local", *tables, *words, "--out", str(out)])


@pytest.fixture(scope="module")
def fitted(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp("sparse")
    assert fit(faces, out, *FIT) == 0
    return out


def test_both_forms_and_the_channels_are_kept(fitted, capsys):
    generator = generators.load("stylegan2-tiny", backend="eager")
    moves, normals = (read_directions(Table.open(f"{fitted}/{name}")) for name in ("directions", "hyperplanes"))
    assert [(one.attribute, one.method, one.space) for one in moves] == [
        ("smile", "svm-l1", "s"), ("old", "svm-l1", "s"),
    ]  # fmt: skip
    assert [normal.method for normal in normals] == ["svm-l1-normal"] * 2
    moved = Table.open(f"{fitted}/channels").read().to_pandas()
    for index, (move, normal) in enumerate(zip(moves, normals, strict=True)):
        assert move.vector.shape == normal.vector.shape == generator.shape_of("s")
        assert 0 < np.count_nonzero(move.vector) < move.vector.size / 2
        assert not np.array_equal(move.vector, normal.vector)
        its = moved[moved["index"] == index]
        np.testing.assert_array_equal(its["place"], np.flatnonzero(move.vector))
        np.testing.assert_array_equal(its["weight"].astype(np.float32), move.vector[its["place"]])
        assert its["effect"].abs().max() == 1
        widths = {layer.name: layer.width for layer in generator.style_layers}
        starts = dict(zip(widths, np.cumsum([0, *widths.values()]), strict=False))
        assert (its["layer"].map(starts) + its["channel"] == its["place"]).all()
        assert (its["channel"] < its["layer"].map(widths)).all()
    assert main(["verify", str(fitted)]) == 0
    assert main(["directions", "list", str(fitted)]) == 0
    assert "zeros" in capsys.readouterr().out
    told = {}
    for name, method in (("directions", "svm-l1"), ("hyperplanes", "svm-l1-normal")):
        assert main(["directions", "list", f"{fitted}/{name}", "--json-lines"]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["method"] for row in rows] == [method] * 2
        told[name] = [(row["name"], row["accuracies"], row["channels"]) for row in rows]
    assert told["directions"] == told["hyperplanes"]


def test_single_channels_are_directions_with_strips_of_their_own(fitted, faces, tmp_path, capsys):
    table, how = f"{fitted}/directions", ("--generator", "stylegan2-tiny")
    words = ["directions", "channels", "--directions", table, "--attribute", "smile", "--top", "3", *how]
    assert main([*words, "--out", str(tmp_path)]) == 0
    [smile, _] = read_directions(Table.open(table))
    found = read_directions(Table.open(f"{tmp_path}/directions"))
    largest = np.argsort(-np.abs(smile.vector))[:3]
    for one, place in zip(found, largest, strict=True):
        assert np.flatnonzero(one.vector).tolist() == [place]
        assert one.vector[place] == np.sign(smile.vector[place])
        assert one.attribute.startswith("smile ")
    strips = ["--latents", f"{faces}/latents", "--faces", "2", "--size", "32", "--local", "--threads", "1"]
    assert (
        main(["directions", "strips", "--directions", f"{tmp_path}/directions", *strips, "--out", str(tmp_path)]) == 0
    )
    assert len(Table.open(f"{tmp_path}/strips").read()) == 3 * 2 * 5
    for where, said in ((tmp_path, found[0].attribute), (fitted, "Which channels they move")):
        assert main(["report", str(where)]) == 0
        assert said in (where / "report.html").read_text()
    capsys.readouterr()
    assert main([*words[:4], "--attribute", "male", *how, "--out", str(tmp_path / "other")]) == 2
    assert "has no direction 'male'; it has smile, old" in capsys.readouterr().err


def test_a_table_of_another_fit_lists_no_channels(faces, tmp_path):
    assert fit(faces, tmp_path, *FIT) == 0
    assert fit(faces, tmp_path, "--attributes", "old", "--C", "0.1", "--fraction", "0.4", "--replace") == 0
    assert main(["report", str(tmp_path)]) == 0
    assert "Which channels they move" not in (tmp_path / "report.html").read_text()
    spec = json.loads(Path(tmp_path, ".stylemill/directions/spec.json").read_text())["spec"]
    assert "penalty" not in spec  # of fits without it specs are as they were


def test_memory_is_told_and_a_fit_that_has_none_does_not_start(faces, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(supervised, "LARGE_FIT", 0)
    assert fit(faces, tmp_path / "told", *FIT, "--dry-run") == 0
    assert "of memory for each attribute" in capsys.readouterr().err
    monkeypatch.setattr(supervised, "free_memory", lambda: 100_000)
    assert fit(faces, tmp_path / "refused", *FIT) == 2
    assert "choose fewer rows (--index 0:" in capsys.readouterr().err
    assert not (tmp_path / "refused").exists()


@pytest.fixture
def arrays(tmp_path):
    """The flags of codes of one's own, 200 rows of 30 numbers, and of scores by two of them."""
    draw = np.random.default_rng(0)
    x_ND = draw.standard_normal((200, 30)).astype(np.float32)
    np.save(tmp_path / "s.npy", x_ND)
    np.save(tmp_path / "q.npy", x_ND[:, 4] - x_ND[:, 9])
    return ("--codes", f"{tmp_path}/s.npy", "--scores", f"{tmp_path}/q.npy", "--attribute", "quality")


def refused_for_memory(capsys, out, *words: str) -> str:
    """What is said of a fit that has not enough memory."""
    assert main(["directions", "fit", *words, "--penalty", "l1", "--out", str(out)]) == 2
    assert not out.exists()
    return capsys.readouterr().err


def test_memory_is_checked_whatever_the_rows_come_from(arrays, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(supervised, "LARGE_FIT", 0)
    monkeypatch.setattr(supervised, "free_memory", lambda: 10_000)
    said = refused_for_memory(capsys, tmp_path / "out", "--local", *arrays, "--space", "s")
    assert "200 rows of 30 numbers take" in said
    assert "give fewer rows" in said
    plant(tmp_path)  # of a generator that is not known here
    tables = ("--latents", f"{tmp_path}/latents", "--labels", f"{tmp_path}/labels")
    assert "600 rows of 16 numbers take" in refused_for_memory(capsys, tmp_path / "out", "--local", *tables)


def test_memory_of_this_machine_decides_nothing_where_a_cluster_is_joined(arrays, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(supervised, "LARGE_FIT", 0)
    monkeypatch.setattr(supervised, "free_memory", lambda: 10_000)
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    words = ["directions", "fit", *arrays, "--space", "s", "--penalty", "l1", "--dry-run"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert "200 rows of 30 numbers take" in capsys.readouterr().err
    monkeypatch.setenv("RAY_ADDRESS", "local")
    refused_for_memory(capsys, tmp_path / "out", *arrays, "--space", "s")


def test_the_driver_judges_fits_without_fitting_again(arrays, tmp_path, capsys, monkeypatch):
    """And by the hyperplane: along DIR/directions the rows are on other sides."""
    words = ["directions", "fit", "--local", *arrays, "--space", "s", "--penalty", "l1", "--out", str(tmp_path / "out")]
    fits, judged = [], []
    monkeypatch.setattr(sparse_svm, "fit_sparse", lambda *given: fits.append(given) or fit_sparse(*given))
    why = quality.why_unreliable
    monkeypatch.setattr(quality, "why_unreliable", lambda *given: judged.append(given[1].method) or why(*given))
    assert main([*words, "--C", "0.1"]) == 0
    assert len(fits) == 1
    assert judged == ["svm-l1-normal"]
    assert "Warn" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--margin", "0.1"), "--penalty l1 takes no --margin"),
        (("--class-weight", "balanced"), "--penalty l1 takes no --class-weight"),
        (("--as-released",), "--penalty l1 takes no --as-released"),
        (("--method", "ridge"), "--method ridge takes no --penalty"),
    ],
)
def test_flags_that_do_not_go_together(faces, tmp_path, capsys, words, message):
    assert fit(faces, tmp_path, "--space", "s", "--penalty", "l1", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_codes_of_ones_own(arrays, tmp_path):
    out = tmp_path / "fit"
    assert main(["directions", "fit", "--local", *arrays, "--space", "s", "--penalty", "l1", "--out", str(out)]) == 0
    [row] = directions(out)
    assert {4, 9} <= set(np.flatnonzero(row["vector"]).tolist())
    assert Table.open(f"{out}/channels").read()["channel"].unique().to_pylist() == [-1]
