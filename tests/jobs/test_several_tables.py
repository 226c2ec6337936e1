"""A data set that grew by a second piece: the two tables together are as good as one."""

import numpy as np
import pytest
from edits import HOW, edit, planted, sample
from tiny_jobs import dataset, rows

from jobs.__main__ import main
from pipeline.stages.choice import label_table
from pipeline.tables import Table

ROWS, FIRST = 24, 10
FIT = ["--attributes", "smile,old", "--fraction", "0.4", "--C", "1", "--local"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`whole`, and its rows in the two pieces `a` and `b`, labelled on the way."""
    out = tmp_path_factory.mktemp("made")
    for name, span in (("whole", f"0:{ROWS}"), ("a", f"0:{FIRST}"), ("b", f"{FIRST}:{ROWS}")):
        assert dataset(out / name, "--range", span, "--rows-per-shard", "8") == 0
    planted(out / "directions", spaces=("w",))
    return out


def both(made, table):
    return f"{made}/a/{table},{made}/b/{table}"


def read(out, table):
    return Table.open(f"{out}/{table}").read()


@pytest.mark.parametrize(
    "words",
    [
        ["--strengths", "-1,2", "--scores", "faces"],
        ["ials", "--steps", "2", "--target", "flip", "--scores", "both"],
    ],
)
def test_edits_of_two_tables_are_those_of_one(words, made, tmp_path):
    for name, latents in (("one", f"{made}/whole/latents"), ("two", both(made, "latents"))):
        assert edit(latents, made / "directions", tmp_path / name, "--attribute", "old", *words) == 0
    assert read(tmp_path / "two", "edits").equals(read(tmp_path / "one", "edits"))


def test_directions_of_two_tables_are_those_of_one(made, tmp_path):
    grads = ["--method", "mean-gradient", "--classifiers", "tiny", "--attributes", "smile", *HOW]
    for name, latents, labels in (
        ("one", f"{made}/whole/latents", f"{made}/whole/labels"),
        ("two", both(made, "latents"), both(made, "labels")),
    ):
        words = ["--latents", latents, "--labels", labels]
        assert main(["directions", "fit", *words, *FIT, "--out", str(tmp_path / name)]) == 0
        assert main(["directions", "fit", *words, *grads, "--rows", "20", "--out", str(tmp_path / f"{name}-m")]) == 0
        pca = ["--method", "ganspace", "--components", "2", "--classifiers", "tiny", *HOW]
        assert main(["directions", "fit", *words[:2], *pca, "--out", str(tmp_path / f"{name}-g")]) == 0
    assert read(tmp_path / "two", "directions").equals(read(tmp_path / "one", "directions"))
    for of in ("m", "g"):
        found, wanted = (read(tmp_path / f"{name}-{of}", "directions") for name in ("two", "one"))
        assert found["attribute"].equals(wanted["attribute"])
        for mine, theirs in zip(found["vector"].to_pylist(), wanted["vector"].to_pylist(), strict=True):
            assert abs(np.dot(mine, theirs)) > 0.99999


def test_what_does_not_go_together_is_refused(made, tmp_path, capsys):
    other = sample(tmp_path / "other", 8, 8)
    words = ["--classifiers", "tiny", *HOW, "--out", str(tmp_path / "out")]
    assert main(["label", "--latents", f"{made}/a/latents,{other}", *words]) == 2
    assert "both hold row 0 and 7 more" in capsys.readouterr().err
    fit = ["directions", "fit", "--latents", both(made, "latents"), *FIT, "--out", str(tmp_path / "fit")]
    assert main([*fit, "--labels", f"{made}/a/labels"]) == 2
    assert f"a/labels lacks {ROWS - FIRST} rows" in capsys.readouterr().err
    assert main([*fit, "--labels", f"{both(made, 'labels')},{made}/whole/labels"]) == 2
    assert "both have labels of 'smile': give one of them" in capsys.readouterr().err


def judged(made, name, out):
    words = ["--latents", f"{made}/{name}/latents", "--classifiers", "tiny-judge", *HOW]
    assert main(["label", *words, "--out", str(out)]) == 0
    return f"{out}/labels"


def test_a_column_is_of_one_family(made, tmp_path):
    """Pieces of two families were one column, whose scores cannot be compared."""
    faces, judge = Table.open(f"{made}/a/labels"), Table.open(judged(made, "b", tmp_path / "judged"))
    found = label_table(read(made / "whole", "latents").select(["index"]), [faces, judge]).to_pandas()
    assert found["smile"].notna().tolist() == [row < FIRST for row in range(ROWS)]
    assert found["tiny-judge_smile"].notna().tolist() == [row >= FIRST for row in range(ROWS)]
    same = label_table(read(made / "whole", "latents").select(["index"]), [faces, Table.open(f"{made}/b/labels")])
    assert same["smile"].null_count == 0
    assert "tiny_smile" not in same.column_names
    of_two = [Table.open(judged(made, "a", tmp_path / "first")), judge]
    both = label_table(
        read(made / "whole", "latents").select(["index"]), [faces, Table.open(f"{made}/b/labels"), *of_two]
    )
    assert both["tiny-judge_smile"].null_count == 0


def test_labels_go_on_no_rows_of_another_table(made, tmp_path, capsys):
    """Labels of the faces of `a` and more lay on rows of a table beside it, whose faces have another seed."""
    assert dataset(tmp_path / "other", "--range", f"{FIRST}:{ROWS}", "--seed", "9") == 0
    latents, fit = f"{made}/a/latents,{tmp_path}/other/latents", ["--out", str(tmp_path / "fit")]
    words = ["directions", "fit", "--latents", latents, "--labels", f"{made}/whole/labels", *FIT, *fit]
    assert main(words) == 2
    assert f"has the labels of other faces than {tmp_path}/other/latents (seed" in capsys.readouterr().err
    words[5] = f"{made}/a/labels,{tmp_path}/other/labels"
    assert main(words) == 0


def test_a_direction_of_one_table_is_conditioned_on_one_of_another(made, tmp_path, refused, capsys):
    """As a published age on a fitted gender."""
    planted(tmp_path / "age", spaces=("w",), names=("age", "old"))
    planted(tmp_path / "male", spaces=("w",), names=("smile", "male"))
    planted(tmp_path / "one", spaces=("w",), names=("age", "male"))
    first, second, one = ({row["attribute"]: row for row in read(tmp_path, name).to_pylist()} for name in
                          ("age", "male", "one"))  # fmt: skip
    np.testing.assert_array_equal(first["age"]["vector"], one["age"]["vector"])
    both, latents = f"{tmp_path}/age,{tmp_path}/male", f"{made}/a/latents"
    words = ["--attribute", "age", "--preserve", "male", "--strengths", "2"]
    assert edit(latents, both, tmp_path / "edited", *words) == 0
    rows_ = read(tmp_path / "edited", "edits").to_pandas()
    moved = np.stack(rows_[rows_.step == 1].latent) - np.stack(rows_[rows_.step == 0].latent)
    assert abs(moved @ np.array(second["male"]["vector"])).max() < 1e-4
    assert (moved @ np.array(first["age"]["vector"]) > 1).all()
    out = ["--out", str(tmp_path / "alone")]
    assert main(["directions", "condition", "--directions", both, "--primal", "age", "--preserve", "male", *out]) == 0
    alone = rows(tmp_path / "alone", "directions")[0]
    np.testing.assert_allclose(moved[0] / 2, np.array(alone["vector"]), atol=1e-5)
    condition = ["directions", "condition", "--directions", both, "--primal", "age", "--preserve", "hat", "--out", "x"]
    capsys.readouterr()
    refused(main(condition), "no direction 'hat'; it has age, old, smile, male")
    twice = f"{tmp_path}/age,{tmp_path}/age"
    refused(edit(latents, twice, tmp_path / "twice", *words), "--directions names a table twice")
