"""`stylemill report` of edited faces: strips in order of strength, the scores along them, means against pandas."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edits import edit, written_again
from PIL import Image
from tiny_jobs import dataset

from jobs.__main__ import main
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.report import edit_means, edits
from pipeline.report.edit_strips import FACES, STEPS
from pipeline.tables import Table

STRENGTHS = (-12.0, -6.0, 6.0, 12.0)
ROWS = 22


@pytest.fixture(scope="module")
def inputs(latents, directions):
    return latents, directions


@pytest.fixture(scope="module")
def far(inputs, tmp_path_factory):
    """Two requests, far past the boundary on either side; asked in another order than that of strength."""
    out = tmp_path_factory.mktemp("far")
    words = ["--attribute", "old,young", "--preserve", "eyeglasses", "--space", "w", "--strengths=12,-6,6,-12"]
    assert edit(*inputs, out, *words, "--scores", "both", "--images", "png", "--size", "32") == 0
    assert main(["report", str(out)]) == 0
    return out


def page(out, name="report.html") -> str:
    return Path(out, name).read_text()


def page_of(out, faces: int) -> str:
    return Path(edits.write(str(out), f"{out}/other.html", faces=faces)).read_text()


def strips(text: str) -> dict[str, list[tuple[str, bytes]]]:
    """Caption -> (words, picture) of each strip, in order."""
    found = {}
    for part in text.split('<figure class="part">')[1:]:
        caption = re.search(r"<figcaption>([^<]*)</figcaption>", part)[1]
        looks = re.findall(r'<img src="data:image/webp;base64,([^"]+)"[^>]*>\s*<figcaption>(.*?)</figcaption>', part)
        if looks:
            found[caption] = [
                (", ".join(re.findall("<span[^>]*>([^<]*)</span>", words)), base64.b64decode(picture))
                for picture, words in looks
            ]
    return found


def test_a_row_of_strengths_with_the_scores_along_it(far):
    rows = Table.open(f"{far}/edits").read().to_pandas()
    found = strips(page(far))
    assert list(found) == [f"{name} | eyeglasses: face {i}" for name in ("old", "young") for i in range(FACES)]
    shown = found["old | eyeglasses: face 1"]
    its = rows[(rows["index"] == 1) & (rows["request"] == 0)].set_index("strength").loc[[0.0, *STRENGTHS]].reset_index()
    for (words, picture), (_, row) in zip(shown, its.iterrows(), strict=True):
        strength = "source" if row["step"] == 0 else f"{row['strength']:+.2f}"
        expected = f"{strength}, old {row['old']:+.2f}, eyeglasses {row['eyeglasses']:+.2f}"
        assert words == re.sub(r"[+-]0\.00", "0.00", expected).replace("-", "\N{MINUS SIGN}")
        with Image.open(io.BytesIO(picture)) as image:
            assert image.size == (32, 32)
    assert len({picture for _, picture in shown}) > 3


def test_how_many_of_how_many_faces_are_shown_and_another_number(far, tmp_path):
    assert f"<p>{FACES} of {ROWS} faces, the first; stylemill report --faces N shows another number.</p>" in page(far)
    for number, words in ((1, f"1 of {ROWS} faces, the first"), (99, f"All {ROWS} faces.")):
        url = edits.write(str(far), f"{tmp_path}/{number}.html", faces=number)
        assert words in Path(url).read_text()
        shown = min(number, ROWS)  # the first shard has 8
        wanted = [f"{name} | eyeglasses: face {i}" for name in ("old", "young") for i in range(shown)]
        assert list(strips(Path(url).read_text())) == wanted
    assert main(["report", str(far), "--faces", "0"]) == 2


def test_an_attribute_that_is_no_score_shows_the_one_that_moves_most(far):
    means = edit_means.Edits.read(str(far))
    own = list(DEFAULT_ATTRIBUTES)
    along = means.along((1, 1))[own]
    most = (along.iloc[-1] - along.iloc[0]).abs().idxmax()
    assert means.shown(1) == list(dict.fromkeys([most, "eyeglasses"]))
    assert f", {most} " in strips(page(far))["young | eyeglasses: face 0"][0][0]


@pytest.mark.parametrize("batch", [7, 65536])
def test_means_and_intervals_are_those_of_pandas(far, monkeypatch, batch):
    monkeypatch.setattr(edit_means, "BATCH", batch)
    found = edit_means.Edits.read(str(far))
    rows = Table.open(f"{far}/edits").read().to_pandas()
    columns = ["strength", *found.scores]
    assert len(columns) == 11
    grouped = rows.assign(side=1).groupby(["request", "side", "step"])[columns]
    pd.testing.assert_frame_equal(found.means, grouped.mean().astype(float), rtol=1e-6, atol=1e-6)
    wanted = 1.959964 * grouped.std() / ROWS**0.5
    np.testing.assert_allclose(found.halves, wanted, atol=1e-6)
    assert set(found.rows) == {ROWS}
    assert found.stops == {(0, 1): {"done": ROWS}, (1, 1): {"done": ROWS}}


def test_equal_tables_give_an_equal_page(far):
    before = page(far)
    assert main(["report", str(far)]) == 0
    assert page(far) == before


def test_until_a_score_says_how_the_edits_ended(inputs, tmp_path):
    words = ["--attribute", "old", "--space", "w", "--until", "9", "--target", "1", "--index", "0:4"]
    assert edit(*inputs, tmp_path, *words) == 0
    assert main(["report", str(tmp_path)]) == 0
    text = page(tmp_path)
    assert "How the edits ended: 4 not reached within 10." in text
    assert "no scores were kept (--scores)" in text
    assert "No pictures were kept (--images)." in text


def test_faces_that_end_at_steps_of_their_own_are_all_told(inputs, tmp_path):
    asked = ["ials", "--attribute", "old", "--lambda1", "0", "--until", "0.5", "--target", "flip"]
    how = ["--steps", "4", "--step-size", "0.8", "--keep", "3", "--space", "w"]
    assert edit(*inputs, tmp_path, *asked, *how) == 0
    ends = Table.open(f"{tmp_path}/edits").read().to_pandas().groupby("index").last()
    assert ends["step"].nunique() > 1
    assert set(ends["stop"]) == {"reached", "not reached within 4 steps"}
    told = ", ".join(f"{count} {stop}" for stop, count in ends["stop"].value_counts().items())
    assert main(["report", str(tmp_path)]) == 0
    assert f"How the edits ended: {told}." in page(tmp_path)
    assert "the numbers of a step are over the faces that have it" in page(tmp_path)


def test_faces_that_flip_are_told_by_the_way_they_go(inputs, tmp_path):
    """All of them go down on the tiny network; so the table is written again with every third one's signs turned."""
    asked = ["ials", "--attribute", "old", "--lambda1", "0", "--target", "flip", "--steps", "2"]
    how = ["--keep", "all", "--space", "w", "--scores", "judge", "--images", "png", "--size", "32"]
    assert edit(*inputs, tmp_path, *asked, *how) == 0
    rows = Table.open(f"{tmp_path}/edits").read().to_pandas()
    up = rows["index"] % 3 == 0
    rows.loc[up, "strength"] *= -1
    written_again(tmp_path, rows)
    found = edit_means.Edits.read(str(tmp_path))
    assert found.branches == [(0, 1), (0, -1)]
    for branch, its in ((found.branches[0], rows[up]), (found.branches[1], rows[~up])):
        expected = its.groupby("step")[["strength", "judge_old"]].mean()
        pd.testing.assert_frame_equal(found.along(branch)[["strength", "judge_old"]], expected.astype(float), rtol=1e-6)
        assert set(found.count(branch)) == {its["index"].nunique()}
    assert main(["report", str(tmp_path)]) == 0
    assert [name in page(tmp_path) for name in ("old, towards it", "old, away from it")] == [True, True]
    shown = strips(page(tmp_path))
    assert list(shown) == [
        *(f"old: face {index}, towards it" for index in (0, 3, 6, 9)),
        *(f"old: face {index}, away from it" for index in (1, 2, 4, 5)),
    ]
    for looks in shown.values():
        assert [words.split(", old")[0] for words, _ in looks] in (
            ["source", "+0.10", "+0.20"], ["source", "\N{MINUS SIGN}0.10", "\N{MINUS SIGN}0.20"]
        )  # fmt: skip
    assert f"8 of {ROWS} faces, the first in each direction" in page(tmp_path)
    written = page_of(tmp_path, faces=14)
    assert [caption.split(", ")[1] for caption in strips(written)] == ["towards it"] * 7 + ["away from it"] * 7
    written = page_of(tmp_path, faces=20)  # more than twice as many as go up
    assert [caption.split(", ")[1] for caption in strips(written)] == ["towards it"] * 8 + ["away from it"] * 12
    assert f"<dt>Faces</dt><dd>{ROWS}</dd>" in page(tmp_path)


def test_edits_that_are_not_done_yet_and_edits_beside_faces(inputs, tmp_path, capsys):
    words = ["--attribute", "old", "--space", "w", "--strengths=3", "--images", "png", "--size", "32"]
    assert edit(*inputs, tmp_path / "cut", *words, "--limit", "1") == 0
    assert main(["report", str(tmp_path / "cut")]) == 0
    assert "no: the same edit command runs what is left" in page(tmp_path / "cut")
    assert "Request 0: face 0" in strips(page(tmp_path / "cut"))
    assert dataset(tmp_path / "both", "--rows", "8", "--images", "png") == 0
    assert edit(f"{tmp_path}/both/latents", inputs[1], tmp_path / "both", *words) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path / "both")]) == 0
    assert capsys.readouterr().out.split() == [f"{tmp_path}/both/{name}.html" for name in ("report", "edits")]
    assert len(strips(page(tmp_path / "both", "edits.html"))) == FACES


def test_long_ways_are_thinned_out_and_keep_their_ends(inputs, tmp_path):
    strengths = ",".join(str(k) for k in range(1, 31))
    words = ["--attribute", "old", "--space", "w", f"--strengths={strengths}", "--images", "png", "--size", "32"]
    words += ["--index", "0:4"]
    assert edit(*inputs, tmp_path, *words) == 0
    assert main(["report", str(tmp_path)]) == 0
    shown = strips(page(tmp_path))["old: face 0"]
    assert len(shown) == STEPS
    assert (shown[0][0], shown[-1][0]) == ("source", "+30.00")


def test_a_folder_of_nothing_is_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 1
    assert "no table of labels, latents, edits or directions" in capsys.readouterr().err
