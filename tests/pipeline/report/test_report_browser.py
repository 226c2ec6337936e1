"""The page in a real browser: it loads alone, its pictures decode, faces enlarge, and it fits a phone."""

from pathlib import Path
from urllib.parse import quote

import pytest
import synthetic_folder
from headless_chromium import Chromium

from pipeline import report
from tests.waiting import until

pytestmark = pytest.mark.browser

MIDDLE = "(e => { const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("a folder, 100 % odd #1")
    return "file://" + quote(report.write(synthetic_folder.make(str(folder))))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 800, 390])
def test_the_page_loads_alone_without_a_complaint_and_fits(browser: Chromium, url: str, width: int, dark: bool) -> None:
    browser.show(url, width=width, dark=dark)
    assert browser.complaints() == []
    assert browser.requests() == [url]
    widths = browser.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(widths) == 159
    assert min(widths) > 0
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_policy_of_the_page_forbids_the_network(browser: Chromium, url: str) -> None:
    browser.show(url)
    asked = "fetch('http://localhost:9/').then(() => 'sent', () => 'refused')"
    assert browser.evaluate(asked) == "refused"
    until(lambda: any("Content Security Policy" in complaint for complaint in browser.complaints()), "it was told")


def test_a_click_enlarges_and_keys_walk_through_the_sheet(browser: Chromium, url: str) -> None:
    browser.show(url)
    place = browser.evaluate(
        f"document.querySelectorAll('.frame')[2].scrollIntoView(), {MIDDLE}(document.querySelectorAll('.frame')[2])"
    )
    shown = "document.querySelector('#viewer-title').textContent"
    index = "'Face ' + document.querySelectorAll('.grid .index')[{}].textContent"
    assert browser.evaluate("document.querySelector('#viewer').open") is False
    browser.click(*place)
    assert browser.evaluate("document.querySelector('#viewer').open") is True
    assert browser.evaluate(shown) == browser.evaluate(index.format(2))
    assert browser.evaluate("document.querySelector('#viewer img').getBoundingClientRect().width") > 400
    assert browser.evaluate("document.querySelectorAll('#viewer dt').length") == 7
    browser.press("ArrowRight", 39)
    assert browser.evaluate(shown) == browser.evaluate(index.format(3))
    for _ in range(4):
        browser.press("ArrowLeft", 37)
    assert browser.evaluate(shown) == browser.evaluate(index.format(23))
    browser.press("Escape", 27)
    until(lambda: not browser.evaluate("document.querySelector('#viewer').open"), "the viewer was closed")
    assert browser.complaints() == []


def test_the_keyboard_alone_opens_a_face_and_comes_back_to_it(browser: Chromium, url: str) -> None:
    browser.show(url)
    browser.evaluate("document.querySelectorAll('.frame')[30].focus()")
    browser.press("Enter", 13, "\r")
    assert browser.evaluate("document.querySelector('#viewer').open") is True
    assert browser.evaluate("document.querySelector('.viewer-sheet').textContent") == "smile, lowest: 7 of 9"
    browser.press("Escape", 27)
    focus = "[...document.querySelectorAll('.frame')].indexOf(document.activeElement)"
    until(lambda: browser.evaluate(focus) == 30, "the face had the focus again")


def test_without_pictures_a_face_still_opens(browser: Chromium, tmp_path: Path) -> None:
    browser.show("file://" + report.write(synthetic_folder.make(str(tmp_path), tables=["labels"])))
    browser.click(*browser.evaluate(f"{MIDDLE}(document.querySelectorAll('.tile')[1])"))
    assert browser.evaluate("document.querySelector('#viewer').open") is True
    assert browser.evaluate("document.querySelectorAll('#viewer dt').length") == 7
    assert browser.complaints() == []


def test_the_mouse_over_a_face_shows_all_its_labels(browser: Chromium, url: str) -> None:
    browser.show(url)
    card = "getComputedStyle(document.querySelectorAll('.card')[1]).visibility"
    place = browser.evaluate(
        f"document.querySelectorAll('.frame')[1].scrollIntoView(), {MIDDLE}(document.querySelectorAll('.frame')[1])"
    )
    assert browser.evaluate(card) == "hidden"
    browser.hover(*place)
    until(lambda: browser.evaluate(card) == "visible", "its card was shown")


def test_text_has_enough_contrast_in_both_schemes(browser: Chromium, url: str) -> None:
    """WCAG AA: 4.5 to 1 for the page's ink, its quiet ink, its links, and every correlation on its colour."""
    script = """
      (() => {
        const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const luminance = (colour) => {
          context.fillStyle = colour;
          context.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const paper = luminance(getComputedStyle(document.body).backgroundColor);
        const cells = [...document.querySelectorAll("td.plus, td.minus")];
        const matrix = [0, 25, 50, 75, 100].flatMap((strength) => cells.map((cell) => {
          cell.style.setProperty("--s", strength);
          const { color, backgroundColor } = getComputedStyle(cell);
          return contrast(luminance(color), luminance(backgroundColor));
        }));
        return ["h1", ".lead", ".about a", ".state", ".tick", ".tag", ".index", "summary"].map((name) => {
          return contrast(luminance(getComputedStyle(document.querySelector(name)).color), paper);
        }).concat(matrix);
      })()
    """
    for dark in (False, True):
        browser.show(url, dark=dark)
        assert min(browser.evaluate(script)) >= 4.5


def test_printed_it_has_no_navigation_and_keeps_its_pictures(browser: Chromium, url: str) -> None:
    browser.show(url)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.evaluate("document.querySelector('.frame img').getBoundingClientRect().width") > 20
    browser.call("Emulation.setEmulatedMedia", media="")
