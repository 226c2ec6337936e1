"""The page of a study: what goes in is on the page, in words that a person reads, and nothing is fetched."""

import io
import math

import pandas as pd
import pytest
from PIL import Image

from pipeline.report import curves, study
from pipeline.report.study_text import text as markdown

KINDS = ("WEBP", "JPEG", "PNG")


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def page() -> str:
    cosines = pd.DataFrame([[1.0, -0.25], [-0.25, 1.0]], index=["old", "<male>"], columns=["old", "<male>"])
    line = pd.DataFrame({"x": [500, 1000], "y": [0.61, 0.7], "low": [0.55, 0.66], "high": [0.67, 0.74]})
    sections = [
        study.Section("Directions", ["One & two."], [study.Grid("Cosines", cosines, shaded=True)]),
        study.Section("Growth", [], [study.Curves("More rows", "rows", "accuracy", {"z": line, "w": line})]),
        study.Section("Faces", [], [study.Strip("A strip", [study.Look(picture(k), k) for k in KINDS])]),
    ]
    return study.render("A study", "What it is.", sections, {"Command": "stylemill reproduce x"})


def test_every_part_is_on_the_page(page):
    for text in (
        "A study",
        "What it is.",
        "One &amp; two.",
        "Cosines",
        "More rows",
        "A strip",
        "stylemill reproduce x",
    ):
        assert text in page
    assert "<male>" not in page
    assert "&lt;male&gt;" in page
    assert "−0.25" in page
    assert page.count("<polyline") == 2
    assert page.count("<polygon") == 2
    for kind in KINDS:
        assert f"data:image/{kind.lower()};base64," in page


def test_what_stands_at_the_top_is_in_both_files(tmp_path):
    top = study.Top({"generator": "<g>", "faces": "8"}, [("warning", "Not complete")])
    study.write(f"{tmp_path}/report.html", "T", "L", [], {}, top)
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    assert "<dt>generator</dt><dd>&lt;g&gt;</dd>" in page
    assert '<p class="state warning">Not complete</p>' in page
    assert "- generator: <g>\n- faces: 8" in text
    assert "\nNot complete.\n" in text


def test_nothing_is_asked_of_the_network(page):
    assert "http" not in page.replace("http-equiv", "")


def test_equal_arguments_give_an_equal_page_on_any_store(page, tmp_path):
    for name in ("a", "b"):
        study.write(str(tmp_path / name), "T", "L", [], {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("value", "text"), [(0.1234, "0.12"), (-0.5, "−0.50"), (1234, "1,234"), (math.nan, "–"), (None, "–"), ("a", "a")]
)
def test_cells(value, text):
    assert study.cell(value) == text


def test_an_axis_has_round_ticks_inside_of_it_and_maps_its_ends():
    axis = curves.Axis(0.13, 0.97, 0, 100)
    ticks = axis.ticks()
    assert ticks == [0.2, 0.4, 0.6, 0.8]
    assert (axis(0.13), axis(0.97)) == (0, 100)
    assert curves.Axis(2, 2, 0, 100)(2) == 50


def test_a_map_is_tinted_from_its_own_middle_and_shows_as_many_digits_as_asked():
    frame = pd.DataFrame([[0.8662, 0.9025, 0.8302]], index=["a"], columns=["x", "y", "z"])
    part = study.Grid("Map", frame, shaded=True, middle=0.8662, reach=0.0363, digits=4)
    page = study.render("T", "L", [study.Section("S", [], [part])], {})
    assert '<td class="plus" style="--s:0">0.8662</td>' in page
    assert '<td class="plus" style="--s:100">0.9025</td>' in page
    assert '<td class="minus" style="--s:99">0.8302</td>' in page


def test_the_numbers_are_kept_as_text_too(tmp_path):
    frame = pd.DataFrame([[1.0, "a|b"], [math.nan, 12345]], index=["old", "male"], columns=["r", "rows"])
    lines = {
        "w": pd.DataFrame({"x": [1.0, 2.0], "y": [0.5, 0.75], "low": [0.25, 0.5], "high": [0.75, 1.0]}),
        "z": pd.DataFrame({"x": [2.0 + 1e-12, 3.0], "y": [0.125, 0.0]}),
    }
    parts = [study.Grid("Cosines", frame), study.Curves("Growth", "faces", "agreement", lines)]
    sections = [
        study.Section("First", ["A sentence."], parts),
        study.Section("Faces", [], [study.Strip("A strip", [study.Look(picture("PNG"), "source")])]),
    ]
    study.write(f"{tmp_path}/report.html", "T", "Lead.", sections, {"Command": "stylemill x"})
    text = (tmp_path / "report.md").read_text()
    for line in (
        "# T",
        "- Command: stylemill x",
        "## First",
        "| old | 1.00 | a\\|b |",
        "| male | – | 12,345 |",
        "| faces | w | z |",
        "| 1 | 0.50 (0.25 to 0.75) | – |",
        "| 2 | 0.75 (0.50 to 1.00) | 0.12 |",
        "On the page: 1 strip of pictures.",
    ):
        assert line in text.splitlines(), line


def test_a_line_without_a_point_is_left_out_and_the_others_keep_their_colours():
    empty = pd.DataFrame({"x": [math.nan, 1.0], "y": [1.0, math.nan]})
    drawn = curves.draw({"none": empty, "some": pd.DataFrame({"x": [0.0, 1.0], "y": [1.0, 2.0]})}, "x", "y")
    assert "nan" not in drawn
    assert '<span class="line-1">some</span>' in drawn
    assert ">none<" not in drawn
    assert "No point to draw" in curves.draw({"none": empty}, "x", "y")


def test_points_at_one_x_are_all_in_the_text():
    line = pd.DataFrame({"x": [0.0, 100.0, 100.0], "y": [1.0, 0.9, 0.5]})
    section = study.Section("S", [], [study.Curves("C", "accuracy", "kept", {"one": line})])
    assert "| 100 | 0.90; 0.50 |" in markdown("T", "L", [section], {}, study.Top())
