"""`stylemill edit latent-transformer --sequence`: one edit after the other, each a step that says what it changed."""

import re

import numpy as np
import pytest
from edits import HOW, edit, edits

from jobs.__main__ import main
from pipeline.tables import Table

WHAT, ROWS = "latent-transformer", 22


def latent_of(out, steps) -> np.ndarray:
    return np.array([row["latent"] for row in edits(out)], dtype=np.float32).reshape(ROWS, steps, 512)


def test_each_stage_is_the_edit_of_what_the_one_before_made(latents, tmp_path, capsys):
    words = (WHAT, "--sequence", "old:1,male:flip", "--alpha", "2", "--scores", "both", "--scored", "old,smile")
    assert edit(latents, None, tmp_path / "both", *words) == 0
    said = capsys.readouterr().err
    found = latent_of(tmp_path / "both", 3)
    assert edit(latents, None, tmp_path / "old", WHAT, "--attribute", "old", "--target", "1", "--alpha", "2") == 0
    np.testing.assert_array_equal(found[:, :2], latent_of(tmp_path / "old", 2))
    assert np.abs(found[:, 2] - found[:, 1]).max() > 0.01
    [request] = Table.open(f"{tmp_path}/both/requests").read().to_pylist()
    assert request["attribute"] == "old+male"
    assert request["strengths"] == [1.0, 2.0]
    assert dict(zip(request["options"], request["option_values"], strict=True)) == {
        "old to 1": 2.0,
        "male to flip": 2.0,
    }
    rows = Table.open(f"{tmp_path}/both/edits").read().to_pandas()
    assert rows["strength"].tolist() == [0, 1, 2] * ROWS
    for step, stage in ((1, "old to 1"), (2, "male to flip")):
        for column, whose in (("old", ""), ("judge_old", ", by the judge")):
            by_step = rows.pivot(index="index", columns="step", values=column)
            wanted = float((by_step[step] - by_step[step - 1]).mean())
            [told] = re.findall(rf"Note  {re.escape(stage + whose)}: smile \S+, old ([+-]\d+\.\d\d)\n", said)
            assert float(told) == pytest.approx(wanted, abs=0.006)


def test_present_and_absent_edit_the_faces_that_flip_takes_there(latents, tmp_path):
    asked = {"flip": "old:flip", "where": "old:present,old:absent", "1": "old:1,old:0"}
    for name, words in asked.items():
        assert edit(latents, None, tmp_path / name, WHAT, "--sequence", words) == 0
    source, flipped = latent_of(tmp_path / "flip", 2).swapaxes(0, 1)
    kept, once = latent_of(tmp_path / "where", 3), latent_of(tmp_path / "1", 3)
    lacking = (flipped == once[:, 1]).all(axis=1)
    assert 0 < lacking.sum() < ROWS
    np.testing.assert_array_equal(kept[lacking, 1], once[lacking, 1])
    np.testing.assert_array_equal(kept[~lacking, 1], source[~lacking])
    moved = (kept[:, 2] != kept[:, 1]).any(axis=1)
    assert moved[~lacking].all()  # had it, were left as they were, and are taken away from it
    np.testing.assert_array_equal(kept[~lacking, 2], flipped[~lacking])


def test_without_scores_it_says_how_to_have_them_told(latents, tmp_path, capsys):
    assert edit(latents, None, tmp_path, WHAT, "--sequence", "old:0,male:1,eyeglasses:1") == 0
    assert "is told where scores are kept (--scores)" in capsys.readouterr().err
    assert {row["step"] for row in edits(tmp_path)} == {0, 1, 2, 3}


def test_it_is_shown_and_measured_stage_by_stage(latents, tmp_path, capsys):
    words = ("--scores", "faces", "--images", "png", "--size", "32", "--index", "0:4")
    assert edit(latents, None, tmp_path, WHAT, "--sequence", "old:1,male:0", *words) == 0
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "old+male" in page
    assert page.index(">source<") < page.index(">old to 1<") < page.index(">male to 0<")
    how = ("--families", "tiny-judge", "--measured", "old", *HOW, "--out", f"{tmp_path}/measured")
    assert main(["measure", "--edits", f"{tmp_path}/edits", *how]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["old+male"]]
    assert [words[1:4] for words in told] == [["old", "to", "1"], ["male", "to", "0"]]
    assert main(["report", f"{tmp_path}/measured"]) == 0
    page = (tmp_path / "measured/report.html").read_text()
    assert all(words in page for words in ("<td>old to 1</td>", "<td>male to 0</td>", "1 old to 1; 2 male to 0"))


def test_a_sequence_of_one_edit_away_is_no_edit_against_its_score(latents, tmp_path, capsys):
    words = ("--alpha", "3", "--scores", "faces", "--scored", "old")
    for target in ("0", "1"):  # one of the two lowers the score
        assert edit(latents, None, tmp_path / target, WHAT, "--sequence", f"old:{target}", *words) == 0
    told = capsys.readouterr().err
    assert "Note  old to 0: old " in told
    assert "went against the edit" not in told


def test_where_the_last_stage_alone_is_kept_it_says_what_is_lacking(latents, tmp_path, capsys):
    words = ("--sequence", "old:1,male:1", "--scores", "faces", "--keep", "last", "--index", "0:4")
    assert edit(latents, None, tmp_path, WHAT, *words) == 0
    assert "is told where each of them is kept (--keep all)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sequence", "old:1,smile"), "--sequence 'smile': write ATTRIBUTE:1, ATTRIBUTE:0 or ATTRIBUTE:flip"),
        (("--sequence", "old:1,male:2"), "--sequence 'male:2': write"),
        (("--sequence", "old:1,old:1"), "--sequence: old:1 is given twice"),
        (("--sequence", "old:1", "--attribute", "male"), "--sequence names its attributes: leave out --attribute"),
        (("--sequence", "old:1", "--target", "1"), "one of the three"),
        (("--target", "1"), "--attribute: name what is to change"),
        (("--sequence", "old#1:1"), "--sequence 'old#1:1': name one attribute, as the artifact does"),
        (("--sequence", "old+male:1"), "--sequence 'old+male:1': name one attribute"),
        (("--attribute", "old+male", "--target", "1"), "one attribute moves at a time; --sequence moves several"),
        (("--attribute", "young", "--target", "1"), "; old is its other side: --target 0 in place of 1"),
        (("--attribute", "old", "--alphas", "1", "--alpha", "2"), "--alpha goes with --target and --sequence"),
        (("--sequence", "old:1,smile:1"), "was not trained for smile: it was for"),
    ],
)
def test_what_does_not_go_together(latents, tmp_path, capsys, words, message):
    assert edit(latents, None, tmp_path / "out", WHAT, *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out/edits").exists()
