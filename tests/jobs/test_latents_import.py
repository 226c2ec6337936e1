"""`stylemill latents import`: files as NumPy, torch and pyarrow write them, and what others make of them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from edits import HOW, TINY, edit, planted, sample

import schemas
from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.randomness import standard_normal
from pipeline.tables import Table

ROWS, LAYERS, WIDTH = 13, 8, 512
NOISE = np.random.default_rng(7)
W = NOISE.standard_normal((ROWS, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def layers():
    return generators.load("stylegan2-tiny", backend="eager").num_ws


def bring(file, out, *words, space="w") -> int:
    asked = ["--generator", "stylegan2-tiny", "--space", space, "--batch-size", "4", "--rows-per-shard", "8"]
    return main(["latents", "import", str(file), *asked, *words, "--out", str(out)])


def column(out, name):
    return schemas.to_numpy(Table.open(f"{out}/latents").read()[name])


def saved(folder, name, values):
    """The values in a file as other people's programs write it."""
    file = folder / name
    match file.suffix:
        case ".npy":
            np.save(file, values)
        case ".npz":
            np.savez(file, w=values, losses=np.zeros(3))
        case ".pt":
            torch.save({"latents": torch.from_numpy(values), "losses": torch.zeros(3)}, file)
        case ".parquet":
            pq.write_table(pa.table({"w": values.tolist()}), file)
    return file


@pytest.mark.parametrize(
    ("name", "shape"),
    [("w.npy", (ROWS, WIDTH)), ("w.npz", (ROWS, 1, WIDTH)), ("w.pt", (ROWS, WIDTH)), ("w.parquet", (ROWS, 1, WIDTH))],
)
def test_w_of_every_form_comes_in_as_it_is(name, shape, tmp_path):
    assert bring(saved(tmp_path, name, W.reshape(shape)), tmp_path) == 0
    table = Table.open(f"{tmp_path}/latents")
    np.testing.assert_array_equal(column(tmp_path, "w"), W)
    rows = table.read()
    assert rows["index"].to_pylist() == list(range(ROWS))
    assert rows["psi"].null_count == rows["seed"].null_count == ROWS
    assert set(rows["generator"].to_pylist()) == {"stylegan2-tiny"}


@pytest.mark.parametrize("kind", [pa.list_(pa.list_(pa.float64())), "fixed"])
def test_w_plus_comes_in_and_layers_that_are_equal_are_w(kind, layers, tmp_path):
    ws = NOISE.standard_normal((3, layers, WIDTH)).astype(np.float32)
    type_ = pa.list_(pa.list_(pa.float32(), WIDTH), layers) if kind == "fixed" else kind
    pq.write_table(pa.table({"latent": pa.array(ws.tolist(), type_)}), tmp_path / "a.parquet")
    assert bring(tmp_path / "a.parquet", tmp_path / "a", space="w+") == 0
    np.testing.assert_array_equal(column(tmp_path / "a", "ws"), ws)
    np.save(tmp_path / "one.npy", ws[0])
    assert bring(tmp_path / "one.npy", tmp_path / "one", space="w+") == 0
    np.testing.assert_array_equal(column(tmp_path / "one", "ws"), ws[:1])
    np.save(tmp_path / "same.npy", np.repeat(W[:, None], layers, axis=1))
    assert bring(tmp_path / "same.npy", tmp_path / "same") == 0
    np.testing.assert_array_equal(column(tmp_path / "same", "w"), W)


def test_z_is_kept_and_w_is_that_which_sample_makes_of_it(tmp_path):
    latents = Table.open(sample(tmp_path / "sampled", ROWS, 8, "--seed", "5", "--psi", "0.6"))
    z = standard_normal(5, range(ROWS), 512)
    np.save(tmp_path / "z.npy", z)
    assert bring(tmp_path / "z.npy", tmp_path, "--psi", "0.6", space="z") == 0
    np.testing.assert_array_equal(column(tmp_path, "z"), z)
    np.testing.assert_array_equal(column(tmp_path, "w"), schemas.to_numpy(latents.read()["w"]))
    planted(tmp_path / "directions")
    both = (f"{tmp_path}/latents", latents.url)
    for number, table in enumerate(both):
        words = ["--attribute", "old", "--strengths", "1", "--space", "z", "--scores", "faces"]
        assert edit(table, tmp_path / "directions", tmp_path / f"edited{number}", *words) == 0
    found, wanted = (Table.open(f"{tmp_path}/edited{number}/edits").read() for number in (0, 1))
    assert found.equals(wanted)


def test_own_codes_are_labelled_and_edited_as_sampled_ones_are(latents, directions, tmp_path):
    pq.write_table(Table.open(latents).read(["w"]), tmp_path / "w.parquet")
    assert bring(tmp_path / "w.parquet", tmp_path / "own") == 0
    made, words = [], "ials --attribute old --steps 1 --scores judge --space w"
    for out, its in ((tmp_path / "a", latents), (tmp_path / "b", f"{tmp_path}/own/latents")):
        assert main(["label", "--latents", its, "--classifiers", "tiny", "--out", str(out), *HOW]) == 0
        assert edit(its, directions, out, *words.split()) == 0
        made.append([Table.open(f"{out}/{table}").read() for table in ("labels", "edits")])
    for mine, theirs in zip(*made, strict=True):
        assert mine.num_rows > 0
        assert mine.equals(theirs)


def test_rows_that_are_not_finite_are_rejected_and_named(tmp_path, capsys):
    w = W.astype(np.float64)
    w[5, 3], w[9, 0] = np.nan, 1e300
    np.save(tmp_path / "w.npy", w)
    assert bring(tmp_path / "w.npy", tmp_path, "--first", "100") == 0
    said = capsys.readouterr().err
    assert "2 rows are not finite and will be rejected: row 5 (index 105), 9 (index 109), counted from 0" in said
    assert "13 rows = 11 published + 2 rejected (2 not finite)" in said
    rejects = Table.open(f"{tmp_path}/rejects/latents").read().to_pylist()
    assert [(row["index"], row["reason"], row["detail"]) for row in rejects] == [
        (105, "not finite", "w"), (109, "not finite", "w"),
    ]  # fmt: skip
    assert column(tmp_path, "index").tolist() == [100 + row for row in range(ROWS) if row not in (5, 9)]


def test_a_tables_own_columns_are_kept(tmp_path):
    """Some rows of our own table, as any other program has picked them."""
    table = Table.open(sample(tmp_path / "sampled", ROWS, 8, "--psi", "0.5"))
    some = table.read().take([11, 2, 7]).append_column("key", [["k", "a", "z"]])
    pq.write_table(some, tmp_path / "some.parquet")
    assert bring(tmp_path / "some.parquet", tmp_path) == 0
    rows = Table.open(f"{tmp_path}/latents").read()
    assert rows["index"].to_pylist() == [2, 7, 11]
    assert rows["key"].to_pylist() == ["a", "z", "k"]
    assert (rows["psi"].to_pylist(), rows["seed"].to_pylist()) == ([0.5] * 3, [1] * 3)
    np.testing.assert_array_equal(column(tmp_path, "w"), schemas.to_numpy(table.read()["w"])[[2, 7, 11]])
    assert bring(tmp_path / "some.parquet", tmp_path / "anew", "--first", "4") == 0
    anew = Table.open(f"{tmp_path}/anew/latents").read()
    assert (anew["index"].to_pylist(), anew["key"].to_pylist()) == ([4, 5, 6], ["k", "a", "z"])
    assert anew["seed"].null_count == 3


def with_columns(file, **columns):
    pq.write_table(pa.table({"w": W.tolist(), **columns}), file)


def test_row_numbers_that_a_program_made_floats_are_taken(tmp_path):
    """As pandas keeps them: rows 100.0 to 112.0 came in as 0 to 12; seeds beside a missing one are floats."""
    index, seed = [100.0 + row for row in range(ROWS)], [7.0, np.nan] + [7.0] * (ROWS - 2)
    psi = [float("nan"), 0.5, None] + [1.0] * (ROWS - 3)
    with_columns(tmp_path / "x.parquet", index=index, seed=seed, psi=psi)
    assert bring(tmp_path / "x.parquet", tmp_path) == 0
    rows = Table.open(f"{tmp_path}/latents").read()
    assert rows["index"].to_pylist() == list(range(100, 100 + ROWS))
    assert rows["seed"].to_pylist() == [7, None] + [7] * (ROWS - 2)
    assert rows["psi"].to_pylist()[:4] == [None, 0.5, None, 1.0]


REST = list(range(1, ROWS))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"index": [1, *REST]}, "column index: 2 rows have 1: leave one, or pass --first 0, which numbers the rows"),
        ({"index": [0.5, *REST]}, "column index: row 0 has 0.5: give each a whole number from 0 on, or pass --first 0"),
        ({"index": list("abcdefghijklm")}, "column index: row 0 has 'a'"),
        ({"index": range(ROWS), "seed": [1.5] * ROWS}, "column seed: row 0 has 1.5: give a whole number from 0 to"),
        ({"index": range(ROWS), "seed": pa.array([2**63] * ROWS, pa.uint64())}, "column seed: row 0 has 9223372036854"),
        ({"index": range(ROWS), "seed": ["x"] * ROWS}, "column seed: row 0 has 'x'"),
        ({"psi": ["high"] * ROWS}, "column psi: row 0 has 'high': give a number, or leave it empty"),
        ({"psi": [0.5, float("inf")] + [0.5] * (ROWS - 2)}, "column psi: row 1 has inf"),
    ],
)
def test_columns_that_cannot_be_meant_are_refused_by_row_and_can_be_left_out(columns, message, tmp_path, refused):
    columns = {name: values if isinstance(values, pa.Array) else list(values) for name, values in columns.items()}
    with_columns(tmp_path / "x.parquet", **columns)
    refused(bring(tmp_path / "x.parquet", tmp_path / "out"), message)
    assert bring(tmp_path / "x.parquet", tmp_path / "anew", "--first", "0", "--psi", "1") == 0


@pytest.mark.parametrize(
    ("name", "write", "words", "space", "message"),
    [
        ("x.npy", lambda file: np.save(file, W[:, :7]), [], "w", "shape (13, 7); codes in w of stylegan2-tiny have"),
        ("x.npy", lambda file: np.save(file, W), [], "w+", "one w for all layers, pass --space w"),
        ("x.npy", lambda file: np.save(file, NOISE.random((2, 3, WIDTH))), [], "w", "layers that differ"),
        ("x.npy", lambda file: np.save(file, NOISE.random((2, 3, WIDTH))), [], "w+", "codes in w+ of stylegan2-tiny"),
        ("x.npy", lambda file: np.save(file, np.ones((2, WIDTH), int)), [], "w", "codes are floating-point numbers"),
        ("x.npy", lambda file: np.save(file, np.zeros((0, WIDTH))), [], "w", "shape (0, 512)"),
        ("x.npy", lambda file: np.save(file, W), [], "z", "--space z needs --psi"),
        ("x.npz", lambda file: np.savez(file, a=W, b=W), [], "w", "which one holds the codes, with --array"),
        ("x.npz", lambda file: np.savez(file, a=W, b=W), ["--array", "c"], "w", "has no 'c'; it has a (13, 512)"),
        (
            "x.parquet", lambda file: pq.write_table(pa.table({"w": [[1.0], None]}), file), [], "w",
            "column w: row 1 is null",
        ),
        (
            "x.parquet", lambda file: pq.write_table(pa.table({"w": [[1.0], [1.0, 2.0]]}), file), [], "w",
            "column w: row 1 is not as long as row 0",
        ),
        ("x.csv", lambda file: file.write_text("no"), [], "w", "codes are read from files that end in .npy, .npz"),
    ],
)  # fmt: skip
def test_what_holds_no_codes_is_refused_in_one_line(name, write, words, space, message, tmp_path, refused):
    write(tmp_path / name)
    refused(bring(tmp_path / name, tmp_path, *words, space=space), message, out=tmp_path / "latents")


def test_z_of_rows_that_have_none_is_refused_and_not_made_up(tmp_path, capsys):
    np.save(tmp_path / "w.npy", W)
    assert bring(tmp_path / "w.npy", tmp_path, "--psi", "1") == 0
    planted(tmp_path / "directions")
    words = ["--attribute", "old", "--strengths", "1", "--space", "z"]
    assert edit(f"{tmp_path}/latents", tmp_path / "directions", tmp_path / "edited", *words) == 2
    assert "row 0 has no seed in its table, so its z is not known: choose another space" in capsys.readouterr().err


def test_a_page_of_own_codes_says_what_is_not_known(tmp_path):
    np.save(tmp_path / "w.npy", W)
    assert bring(tmp_path / "w.npy", tmp_path) == 0
    assert main(["label", "--latents", f"{tmp_path}/latents", *TINY[:2], "--out", str(tmp_path), *HOW]) == 0
    assert main(["report", str(tmp_path)]) == 0
    assert "psi not recorded" in (tmp_path / "report.html").read_text()
