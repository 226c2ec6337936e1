"""`stylemill export --format slider`: methods side by side on the same faces, from edits of the tiny networks."""

import base64
import re
from pathlib import Path

import pytest
from edits import edit, sample
from exports import lines
from tiny_jobs import rows

from jobs.__main__ import main

OLD = ["--where", "attribute = 'old'"]


def export(out, *words) -> int:
    return main(["export", *map(str, words), "--format", "slider", "--local", "--out", str(out)])


@pytest.fixture(scope="module")
def other(faces, directions, tmp_path_factory):
    """Edits at two strengths of faces of which four are among those of `edited`."""
    out = tmp_path_factory.mktemp("other")
    words = ["--space", "w", "--attribute", "old", "--strengths=3,6", "--scores", "both", "--index", "4:10"]
    assert edit(f"{faces}/latents", directions, out, *words, "--images", "png", "--size", "32") == 0
    return out


@pytest.fixture(scope="module")
def plain(faces, directions, tmp_path_factory):
    """Edits of two faces that neither has, without pictures; and with them."""
    found = []
    for kept in ([], ["--images", "png", "--size", "32"]):
        found.append(tmp_path_factory.mktemp("plain"))
        words = ["--space", "w", "--attribute", "old", "--strengths=3", "--index", "12:14", *kept]
        assert edit(f"{faces}/latents", directions, found[-1], *words) == 0
    return found


def test_the_faces_that_all_methods_have_are_on_a_page(edited, other, tmp_path, capsys):
    assert export(tmp_path, edited, other, "--names", "near,far", *OLD) == 0
    assert "4 of 8 faces are left out, which not all methods have edited" in capsys.readouterr().err
    page = (tmp_path / "sliders" / "000000004.html").read_text()
    kept = {}
    for table, folder in enumerate((edited, other)):
        for row in rows(folder, "edit_images"):
            if row["request"] == 0:
                kept[table, row["index"], row["step"]] = row["image"]["bytes"]
    # Of each face the source once, then each method from its least strength to its greatest.
    wanted = [kept[key] for face in range(4, 8) for key in [(0, face, 0), *((0, face, step) for step in (1, 2, 3, 4)),
                                                           *((1, face, step) for step in (1, 2))]]  # fmt: skip
    uris = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert [base64.b64decode(uri) for uri in uris] == wanted
    assert re.findall("<figcaption>(.*?)</figcaption>", page)[:3] == ["source", "near", "far"]
    assert page.count('data-shares="-1.0 -0.5 0.0 0.5 1.0"') == 4
    found = lines(tmp_path)
    assert [(line["index"], line["table"], line["step"]) for line in found] == [
        (str(face), str(table), str(step)) for face in range(4, 8) for table, steps in enumerate((5, 3))
        for step in range(steps)
    ]  # fmt: skip
    assert {line["method"] for line in found if line["table"] == "1"} == {"far"}
    scores = {(row["index"], row["step"]): row["judge_old"] for row in rows(other, "edits")}
    assert [float(line["judge_old"]) for line in found if line["table"] == "1"] == pytest.approx(
        [scores[int(line["index"]), int(line["step"])] for line in found if line["table"] == "1"]
    )
    assert main(["verify", str(tmp_path)]) == 0


def test_directories_of_one_name_are_one_method(edited, other, plain, tmp_path):
    assert export(tmp_path, other, plain[1], "--names", "one,one") == 0
    assert {(line["index"], line["method"]) for line in lines(tmp_path)} == {
        (str(face), "one") for face in (*range(4, 10), 12, 13)
    }


def test_edits_of_other_faces_by_one_editor_are_one_method(other, plain, tmp_path):
    assert export(tmp_path, other, plain[1]) == 0
    assert {line["method"] for line in lines(tmp_path)} == {"interfacegan"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{edited}"], "edits of old, young, and a page has one attribute: pass --where \"attribute = 'old'\""),
        (["{edited}", "{other}", *OLD], "2 of the directories are edits by interfacegan, of the same faces or by other "
         "directions: pass --names, a name for each directory"),
        (["{other}", "{pictured}", "--names", "one,two"], "no face was edited by all methods (one 4, 5, 6, 7, 8, ...; "
         "two 12, 13)"),
        (["{plain}"], "none with pictures: make the edits with --images webp --size 256 --keep all, and another --out"),
        (["{edited}", "{other}", "--names", "one"], "--names: give a name for each of the 2 directories"),
        (["{other}", "--where", "step > 0"], "has no picture of face 4 as it was before the edit (step 0)"),
        (["{edited}", "--where", "attribute in ('old', 'young')"], "these are edits of old, young"),
        (["{other}", "--top", "2", "strength"], "--top: --format slider does not take this flag"),
        (["{faces}"], "--format slider shows edits, and"),
        (["{other}", "--size", "4096"], "6 faces with 18 pictures at --size 4096 would be larger than 12 MB"),
        (["{other}", "--index", "40"], "--index 40: there is no such row"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_one_line(words, message, edited, other, plain, faces, tmp_path, refused):
    given = {"edited": edited, "other": other, "plain": plain[0], "pictured": plain[1], "faces": faces}
    refused(export(tmp_path / "out", *[word.format(**given) for word in words]), message, out=tmp_path / "out")


def test_edits_of_other_latents_are_of_other_faces(other, directions, tmp_path, refused, capsys):
    latents = sample(tmp_path / "sampled", 12, 8, "--seed", "4")
    words = ["--space", "w", "--attribute", "old", "--strengths=3", "--index", "4:6", "--images", "png", "--size", "32"]
    assert edit(latents, directions, tmp_path / "edited", *words) == 0
    capsys.readouterr()
    asked = export(tmp_path / "out", other, tmp_path / "edited", "--names", "one,two")
    refused(asked, "edits of other latents than", out=tmp_path / "out")


@pytest.mark.parametrize(("format", "flags"), [("gif", []), ("files", ["--names", "one"])])
def test_other_formats_are_of_one_directory_and_name_no_method(format, flags, other, tmp_path, refused):
    several = [str(other)] * (1 if flags else 2)
    code = main(["export", *several, *flags, "--format", format, "--local", "--out", str(tmp_path / "out")])
    refused(code, "--names: --format files does not take" if flags else "--format gif is of one directory")


def test_pages_are_named_in_the_card(other, tmp_path):
    assert export(tmp_path, other) == 0
    card = Path(tmp_path, "README.md").read_text()
    assert "18 pictures of 6 generated faces: pages on which edits are dragged along their strengths" in card
    assert "| method | string | name of the method that made the edit |" in card
