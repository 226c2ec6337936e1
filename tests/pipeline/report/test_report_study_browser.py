"""A page of strips, tables and curves in a real browser: nothing is clipped, whatever the width of the window."""

import io

import pandas as pd
import pytest
from headless_chromium import Chromium
from PIL import Image

from pipeline.report import study

pytestmark = pytest.mark.browser

NAMES = ("smile", "male", "old", "eyeglasses", "yaw")
BEYOND = """[...document.querySelectorAll("header *, nav *, main *")].filter(
  (e) => e.getBoundingClientRect().width && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map((e) => e.tagName + " " + e.textContent.slice(0, 40))"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """As a page of edits is: eleven steps, five scores with their intervals, a dozen sections."""
    buffer = io.BytesIO()
    Image.new("RGB", (96, 96), (90, 120, 140)).save(buffer, "WEBP")
    scores = {"old": "\N{MINUS SIGN}1.25", "eyeglasses": "+0.25"}
    looks = [study.Look(buffer.getvalue(), "source" if k == 0 else f"+{k}.00", scores, ["old"]) for k in range(11)]
    cells = [f"\N{MINUS SIGN}1.25 ±\N{NO-BREAK SPACE}0.{k:02d}" for k in range(11)]
    frame = pd.DataFrame(
        {"strength": 1.5, "faces": 1000, **dict.fromkeys(NAMES, cells)}, [f"step {k}" for k in range(11)]
    )
    line = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    sections = [
        study.Section("Faces", ["All."], [study.Strip("old: face 0", looks), study.Strip("old: face 1", looks[:3])]),
        study.Section("old", [], [study.Curves("Scores", "strength", "score", dict.fromkeys(NAMES, line), ["old"])]),
        study.Section("In numbers", [], [study.Grid("By faces", frame, bold=["old"])]),
        *(study.Section(f"A heading of some length, number {k}") for k in range(12)),
    ]
    top = study.Top(
        {"generator": "mobilestylegan-ffhq", "editor": "interfacegan", "faces": "1,000"}, [("good", "Done")]
    )
    return "file://" + study.write(f"{tmp_path_factory.mktemp('page')}/report.html", "T", "L", sections, {}, top)


@pytest.mark.parametrize("width", [1400, 800, 420])
def test_nothing_is_beyond_the_right_edge(browser: Chromium, url: str, width: int) -> None:
    browser.show(url, width=width)
    assert browser.complaints() == []
    assert browser.evaluate(BEYOND) == []


def test_the_source_is_on_the_left_and_a_row_takes_the_whole_width(browser: Chromium, url: str) -> None:
    browser.show(url, width=1400)
    places = "[...document.querySelectorAll('.row')].map(row => [...row.querySelectorAll('img')].map(img => {}))"
    left = browser.evaluate(places.format("img.getBoundingClientRect().left"))
    assert all(row == sorted(row) and len(set(row)) == len(row) for row in left)
    tops = browser.evaluate(places.format("img.getBoundingClientRect().top"))
    assert all(len(set(row)) == 1 for row in tops)
    wide = browser.evaluate(places.format("img.getBoundingClientRect().width"))
    assert min(wide[1]) > 1.5 * max(wide[0])  # fewer pictures are larger


def test_the_edited_attribute_is_bold(browser: Chromium, url: str) -> None:
    browser.show(url, width=1400)
    weight = "[...document.querySelectorAll('{}')].map(e => getComputedStyle(e).fontWeight)"
    for bold in (".score.bold", "th.bold", "td.bold", ".legend .bold"):
        assert set(browser.evaluate(weight.format(bold))) == {"700"}
    assert set(browser.evaluate(weight.format(".score:not(.bold), td:not(.bold)"))) == {"400"}
