"""--index, --where and --top: the rows that they mean, whose bytes are those of the whole job."""

import numpy as np
import pytest
from edits import HOW, edit, planted
from tiny_jobs import dataset, rows

from jobs.__main__ import main
from jobs.choice import RowChoice
from jobs.flags import parse
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.tables import Table

ROWS = 40


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Faces with labels beside them; directions; and the whole jobs."""
    out = tmp_path_factory.mktemp("made")
    assert dataset(out / "faces", "--rows", str(ROWS), "--rows-per-shard", "8") == 0
    planted(out / "directions", spaces=("w",))
    assert label(out, out / "whole") == 0
    assert edit(f"{out}/faces/latents", out / "directions", out / "whole", *EDITED) == 0
    return out


EDITED = ["--attribute", "old", "--strengths", "-1,2", "--scores", "faces"]


def label(made, out, *words):
    asked = ["--latents", f"{made}/faces/latents", "--classifiers", "tiny-judge", *HOW]
    return main(["label", *asked, *words, "--out", str(out)])


def labels(made):
    return Table.open(f"{made}/faces/labels").read().to_pandas().set_index("index")


def indices(out, table="labels"):
    return sorted({row["index"] for row in rows(out, table)})


CHOICES = {
    "ranges": (["--index", "0:3,38:1000,7"], lambda seen: [0, 1, 2, 7, 38, 39]),
    "top": (["--top", "5", "age_years"], lambda seen: seen.age_years.nlargest(5).index),
    "all": (
        ["--index", "0:30", "--where", "index % 2 = 0 and old < 99", "--top", "3", "smile"],
        lambda seen: seen.loc[:29][::2].smile.nlargest(3).index,
    ),
    "of latents": (["--where", "seed = 1 and psi < 0.8 and index % 16 = 3"], lambda seen: [3, 19, 35]),
}


@pytest.mark.parametrize("name", CHOICES)
def test_chosen_rows_are_those_and_equal_those_of_the_whole_job(name, made, tmp_path):
    words, wanted = CHOICES[name]
    wanted = sorted(map(int, wanted(labels(made))))
    assert label(made, tmp_path, *words, "--rows-per-shard", "8") == 0
    assert rows(tmp_path, "labels") == [row for row in rows(made / "whole", "labels") if row["index"] in wanted]
    assert indices(tmp_path) == wanted
    micro_batches = len({index // 4 for index in wanted})
    assert len(Table.open(f"{tmp_path}/labels").records()) == -(-micro_batches // 2)  # shards of its own, none is empty
    assert main(["verify", str(tmp_path)]) == 0


def test_edits_of_chosen_rows_are_those_of_the_whole_job_and_can_be_measured(made, tmp_path):
    words = ["--index", "5,31", "--images", "png", "--size", "32"]
    assert edit(f"{made}/faces/latents", made / "directions", tmp_path, *EDITED, *words) == 0
    assert rows(tmp_path, "edits") == [row for row in rows(made / "whole", "edits") if row["index"] in (5, 31)]
    measured = ["--families", "tiny-judge", "--out", str(tmp_path / "measured"), *HOW]
    assert main(["measure", "--edits", f"{tmp_path}/edits", *measured]) == 0
    assert {row["count"] for row in rows(tmp_path / "measured", "measured")} == {2}


def test_the_rows_decide_and_not_how_they_were_chosen(made, tmp_path, capsys):
    assert label(made, tmp_path, "--where", "index in (3, 8)") == 0
    assert label(made, tmp_path, "--index", "8,3") == 0
    assert "1 shard, 2 rows: all done" in capsys.readouterr().err
    assert label(made, tmp_path, "--index", "8,4") == 4
    assert "chosen: " in capsys.readouterr().err
    assert label(made, tmp_path) == 4


def test_directions_are_fitted_on_the_chosen_rows(made, tmp_path):
    fit = ["directions", "fit", "--latents", f"{made}/faces/latents", "--labels", f"{made}/faces/labels"]
    fit += ["--attributes", "old", "--fraction", "0.4", "--C", "1", "--local"]
    assert main([*fit, "--where", "index < 30", "--out", str(tmp_path / "some")]) == 0
    assert dataset(tmp_path / "first", "--rows", "30") == 0
    own = ["--latents", f"{tmp_path}/first/latents", "--labels", f"{tmp_path}/first/labels"]
    assert main([*fit[:2], *own, *fit[6:], "--out", str(tmp_path / "own")]) == 0
    some, alone = (rows(tmp_path / name, "directions")[0] for name in ("some", "own"))
    np.testing.assert_array_equal(some["vector"], alone["vector"])
    assert main([*fit, "--out", str(tmp_path / "some")]) == 4
    assert label(made, tmp_path / "part", "--index", "0:30") == 0  # labels of some rows alone go with all latents
    words = [*fit[:4], "--labels", f"{tmp_path}/part/labels", *fit[6:]]
    assert main([*words, "--out", str(tmp_path / "by-judge")]) == 0


def test_labels_of_two_families_are_told_apart(made, tmp_path):
    both = f"{made}/faces/labels,{made}/whole/labels"
    judged = {row["index"]: row["smile"] for row in rows(made / "whole", "labels")}
    seen, middle = labels(made), float(np.median(list(judged.values())))
    assert label(made, tmp_path, "--labels", both, "--where", f'"tiny-judge_smile" > {middle} and smile < 5') == 0
    assert indices(tmp_path) == [index for index, smile in judged.items() if smile > middle and seen.smile[index] < 5]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--where", "smil > 0"], '--where smil > 0: Binder Error: Referenced column "smil" not found'),
        (["--where", "smil > 0"], f"the columns are index, psi, seed, {', '.join(DEFAULT_ATTRIBUTES)}, age_years"),
        (["--where", "smile >"], "--where smile >: Parser Error"),
        (["--where", "smile > 1e9"], "--where smile > 1e9: no row of the 40"),
        (["--where", "age_years"], "this is a double and no condition"),
        (["--where", "exists(select * from read_csv('/etc/passwd'))"], "file system operations are disabled"),
        (["--where", "true); attach 'x.db' as x; --"], "Parser Error"),
        (["--top", "5", "agee"], "--top agee: Binder Error"),
        (["--top", "0", "age_years"], "--top 0 age_years: give how many, above 0"),
        (["--index", "3,40"], "--index 40: there is no such row; "),
        (["--index", "50:60"], "--index 50: there is no such row"),
        (["--index", "5:2"], "5:2 is neither a row number nor FIRST:STOP"),
        (["--index", "x"], "x is neither a row number"),
        (["--where", "smile > 0", "--labels", "nowhere"], "nowhere is not a table"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(words, message, made, tmp_path, refused):
    code = 1 if "not a table" in message else 2
    refused(label(made, tmp_path, *words), message, code, out=tmp_path / "labels")


def test_labels_of_other_latents_choose_no_rows(made, tmp_path, capsys):
    assert dataset(tmp_path / "other", "--rows", "8", "--seed", "9") == 0
    assert label(made, tmp_path / "out", "--labels", f"{tmp_path}/other/labels", "--where", "smile > 0") == 2
    assert "has the labels of other faces" in capsys.readouterr().err


def test_more_rows_of_what_is_there_are_a_second_piece_and_the_refusal_says_so(made, capsys):
    assert dataset(made / "faces", "--rows", "64", "--rows-per-shard", "8") == 4
    said = capsys.readouterr().err
    assert "--range 40:64 --out OTHER, and both together are --latents A,B" in said
    assert dataset(made / "faces", "--rows", "24", "--rows-per-shard", "8") == 4
    assert "OTHER" not in capsys.readouterr().err


def test_pages_of_chosen_rows_are_about_them_alone(made, tmp_path, capsys):
    out = made / "faces"
    assert main(["report", str(out), "--where", "index < 12", "--top", "5", "age_years"]) == 0
    assert "This page shows only 5 of 40 rows, those that were selected" in (out / "report.html").read_text()
    words = ["--images", "png", "--size", "32"]
    assert edit(f"{out}/latents", made / "directions", tmp_path, *EDITED, *words) == 0
    shown = ["--index", "5,31,12", "--labels", f"{out}/labels", "--top", "2", "0 - index"]
    assert main(["report", str(tmp_path), *shown]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "This page shows only 2 of 40 rows, those that were selected" in page
    assert "face 5" in page
    assert "face 12" in page
    assert "face 31" not in page
    assert main(["report", str(tmp_path), "--where", "smile > 0"]) == 2
    assert 'column "smile" not found in FROM clause!; the columns are index' in capsys.readouterr().err


@pytest.mark.slow
def test_pages_take_labels_of_their_own_faces_alone(made, tmp_path, capsys):
    """Those of other faces were joined on the row number, which all have."""
    faces, edited, other = made / "faces", tmp_path / "edited", tmp_path / "other"
    assert edit(f"{faces}/latents", made / "directions", edited, *EDITED, "--images", "png", "--size", "32") == 0
    assert dataset(other, "--rows", str(ROWS), "--seed", "9") == 0
    judged = ["--latents", f"{other}/latents", "--classifiers", "tiny-judge", *HOW, "--out", str(tmp_path / "judged")]
    assert main(["label", *judged]) == 0
    for folder in (faces, edited, made / "whole"):
        for its in (f"{made}/whole/labels", f"{faces}/labels", f"{faces}/labels,{made}/whole/labels"):
            assert main(["report", str(folder), "--where", "smile > -99", "--labels", its]) == 0
        for wrong in (f"{other}/labels", f"{tmp_path}/judged/labels", f"{faces}/labels,{other}/labels"):
            capsys.readouterr()
            assert main(["report", str(folder), "--where", "smile > -99", "--labels", wrong]) == 2
            said = capsys.readouterr().err.strip()
            assert "/labels has the labels of other latents" in said
            assert "\n" not in said


@pytest.mark.parametrize("by", ["age_years", "0 - age_years", "(-smile)", "smile + old", '"tiny-judge_smile"'])
def test_the_words_of_top_come_back(by):
    spec = parse(RowChoice, ["--top", "12", by])
    assert (spec.top, spec.chooses) == (f"12 {by}", True)
