"""`directions fit --labels hand.csv`: labels of one's own, as people write them; what is not clear is one line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import directions, write_labels

import schemas
from jobs.__main__ import main
from pipeline.tables import Table

GIVEN = ("--C", "1", "--fraction", "0.5")


@pytest.fixture(scope="module")
def faces(flat):
    """Latents of 600 rows, the direction of `old`, and the distances along it."""
    out, (_, _, wanted) = flat
    return out, wanted, schemas.to_numpy(Table.open(f"{out}/latents").read()["w"]) @ wanted


def fit(faces, labels, out, *words: str) -> int:
    words = ("--latents", f"{faces[0]}/latents", "--labels", str(labels), "--out", str(out), *words)
    return main(["directions", "fit", "--local", *words])


def written(frame: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".parquet":
            frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_scores_of_a_file_give_what_a_table_gives(faces, tmp_path, suffix):
    frame = pd.DataFrame({"index": range(600), "beard": faces[2].astype(np.float32)})
    path = written(frame.sample(frac=1, random_state=3), tmp_path / f"hand{suffix}")
    assert fit(faces, path, tmp_path / "own", *GIVEN) == 0
    [row] = directions(tmp_path / "own")
    write_labels(tmp_path / "table", range(600), faces[2][:, None], ("beard",))
    assert fit(faces, tmp_path / "table", tmp_path / "same", *GIVEN) == 0
    [same] = directions(tmp_path / "same")
    np.testing.assert_allclose(row["vector"], same["vector"], atol=1e-6)
    assert (row["attribute"], row["generator"], row["classifier"]) == ("beard", "ab" * 32, "")
    assert main(["verify", str(tmp_path / "own")]) == 0


@pytest.mark.parametrize(("yes", "no"), [(1, -1), ("Yes", "No"), ("TRUE", "FALSE"), ("y", "n")])
def test_yes_and_no_are_told_without_a_threshold(faces, tmp_path, capsys, yes, no):
    """Few are yes; all rows are used, and as many as are there are in each class."""
    has = faces[2] > 1.0
    path = written(pd.DataFrame({"index": range(600), "beard": np.where(has, yes, no)}), tmp_path / "hand.csv")
    assert fit(faces, path, tmp_path / "out") == 0
    assert f"beard is yes or no: {has.sum()} of 600 rows are yes, and all are used" in capsys.readouterr().err
    [row] = directions(tmp_path / "out")
    assert np.dot(row["vector"], faces[1]) > 0.98
    assert row["fraction"] == []
    assert set(Table.open(f"{tmp_path}/out/grids").read().to_pandas()["rows_per_class"]) == {has.sum()}


def test_yes_and_no_beside_scores_are_each_taken_as_what_they_are(faces, tmp_path):
    frame = pd.DataFrame({"index": range(600), "beard": (faces[2] > 0.8).astype(int), "hair": -faces[2], "note": "x"})
    assert fit(faces, written(frame, tmp_path / "hand.csv"), tmp_path / "out") == 0
    beard, hair = directions(tmp_path / "out")
    assert (beard["attribute"], hair["attribute"]) == ("beard", "hair")
    assert beard["fraction"] == []
    assert len(hair["fraction"]) == 1
    assert np.dot(beard["vector"], hair["vector"]) < -0.97
    assert json.loads(Path(tmp_path, "out/.stylemill/directions/spec.json").read_text())["spec"]["yes_or_no"] == {
        "beard": 0.5
    }


def test_only_some_rows_are_labelled_and_only_in_some_columns(faces, tmp_path, capsys):
    some = np.sort(np.random.default_rng(1).choice(600, 300, replace=False))
    frame = pd.DataFrame({"index": some, "beard": faces[2][some] > 0, "hair": faces[2][some]})
    frame["hair"] = frame["hair"].where(np.arange(300) >= 100)
    path = written(frame, tmp_path / "hand.csv")
    assert fit(faces, path, tmp_path / "both", *GIVEN) == 0
    said = capsys.readouterr().err
    assert f"Note  {path} labels 200 of 600 rows: the others are left out" in said
    assert "lacks some of beard, hair in 100 rows" in said
    assert "rows are yes, and all are used, whatever --fraction" in said
    assert fit(faces, path, tmp_path / "one", "--attributes", "beard", *GIVEN[:2]) == 0
    assert "labels 300 of 600 rows" in capsys.readouterr().err
    [row] = directions(tmp_path / "one")
    assert np.dot(row["vector"], faces[1]) > 0.95


def test_beside_a_labels_table_and_in_compare(faces, tmp_path):
    path = written(pd.DataFrame({"index": range(600), "beard": faces[2]}), tmp_path / "hand.csv")
    assert fit(faces, f"{faces[0]}/labels,{path}", tmp_path / "out", *GIVEN) == 0
    assert [row["attribute"] for row in directions(tmp_path / "out")] == ["smile", "male", "old", "beard"]
    words = ["--directions", f"{tmp_path}/out/directions", "--labels", str(path), "--out", str(tmp_path / "compared")]
    assert main(["directions", "compare", *words]) == 0


def test_other_labels_make_another_fingerprint(faces, tmp_path, capsys):
    frame = pd.DataFrame({"index": range(600), "beard": faces[2]})
    assert fit(faces, written(frame, tmp_path / "hand.csv"), tmp_path / "out", *GIVEN) == 0
    frame.loc[3, "beard"] += 1
    assert fit(faces, written(frame, tmp_path / "hand.csv"), tmp_path / "out", *GIVEN) == 4
    assert "labels_digests" in capsys.readouterr().err


LINES = "index,beard\n0,1\n1,0\n2,1\n3,0\n4,1\n5,0\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", LINES.replace("index", "face"), "one must be `index`, the row's number in the latents table"),
        ("a.csv", LINES.replace("5,0", "4,0"), "has 2 rows with the index 4: leave one"),
        ("a.csv", LINES.replace("5,0", "5.5,0"), "the index of row 6 is 5.5: it is the row's number"),
        ("a.csv", LINES.replace("0,1\n1", "0.png,1\n1"), "the index of row 1 is '0.png'"),
        ("a.csv", "index,beard\nyes,1\nno,0\n", "the index of row 1 is 'yes': it is the row's number"),
        ("a.csv", LINES.replace("5,0", "900,0"), "labels row 900, and"),
        ("a.csv", LINES.replace(",1", ",man").replace(",0", ",woman"), "no column of numbers, or of yes and no"),
        ("a.csv", LINES.replace("beard", "index"), "has two columns 'index'"),
        ("a.csv", LINES + "6\n", "a.csv cannot be read: CSV parse error"),
        ("a.csv", "index,beard\n", "has no row"),
        ("a.csv", b"index,b\xffart\n0,1\n", "a.csv is not in UTF-8 (byte 7)"),
        ("a.xlsx", "x", "labels of your own are a .csv, .tsv or .parquet file of `index` and a column"),
    ],
)
def test_a_file_that_cannot_be_taken_is_one_line(faces, tmp_path, refused, name, content, message):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(fit(faces, tmp_path / name, tmp_path / "out"), message, out=tmp_path / "out")


def test_text_is_left_out_or_asked_for_by_name_is_refused(faces, tmp_path, capsys):
    frame = pd.DataFrame({"index": range(600), "beard": faces[2], "who": ["man", "woman"] * 300})
    path = written(frame, tmp_path / "hand.csv")
    assert fit(faces, path, tmp_path / "out", *GIVEN) == 0
    assert f"Note  {path}: who holds text, and is left out" in capsys.readouterr().err
    assert fit(faces, path, tmp_path / "other", "--attributes", "who") == 2
    assert "who holds text ('man', 'woman'): write 1 where a face has it and 0 where not" in capsys.readouterr().err


def test_semicolons_and_a_byte_order_mark_are_read(faces, tmp_path):
    frame = pd.DataFrame({"index": range(600), "beard": (faces[2] > 0).astype(int)})
    frame.to_csv(tmp_path / "hand.csv", index=False, sep=";", encoding="utf-8-sig")
    assert fit(faces, tmp_path / "hand.csv", tmp_path / "out", "--C", "1") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--codes {latents} --scores {hand} --attribute beard", "is a table: pass latents as --latents"),
        ("--codes {w} --scores {hand} --attribute beard", "for --latents and --labels"),
        ("--latents {latents} --scores {w}", "a .csv of index and a column for each attribute"),
        ("--latents {latents}", "--latents need --labels: a table, or a .csv of index"),
        ("--latents {w} --labels {hand}", "stylemill latents import makes one of a file"),
        ("--latents {latents} --labels {hand} --method mean-gradient", "takes labels of classifiers"),
    ],
)
def test_other_ways_to_say_it_are_told_the_right_one(faces, tmp_path, refused, words, message):
    hand = written(pd.DataFrame({"index": range(600), "beard": faces[2]}), tmp_path / "hand.csv")
    np.save(tmp_path / "w.npy", np.zeros((600, 16), np.float32))
    words = words.format(latents=f"{faces[0]}/latents", hand=hand, w=f"{tmp_path}/w.npy")
    refused(main(["directions", "fit", "--local", *words.split(), "--out", f"{tmp_path}/out"]), message)
