"""A slider in a real browser: keys, a drag and a finger change pictures and scores; it loads alone and fits."""

import io

import pytest
from headless_chromium import Chromium
from PIL import Image

from pipeline.exports.format import Picture
from pipeline.exports.slider import Slider
from tests.waiting import until

pytestmark = pytest.mark.browser

STRENGTHS = {"linear": (1.0, 2.0, 3.0, 4.0), "trained": (0.5, 1.0)}


def colour(face: int, method: int, step: int) -> tuple[int, int, int]:
    return 40 * face + 20, 0 if step == 0 else 80 * (method + 1), 50 * step


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> str:
    """Two faces by two methods; each picture is of one colour."""
    pictures = []
    for face in (4, 7):
        for table, (method, strengths) in enumerate(STRENGTHS.items()):
            for step, strength in enumerate([0.0, *strengths]):
                file = io.BytesIO()
                Image.new("RGB", (32, 32), colour(face % 4, table, step)).save(file, "PNG")
                facts = {"strength": strength, "old": strength - 1, "judge_old": strength / 2 - 1, "smile": 0.5,
                         "attribute": "old", "method": method}  # fmt: skip
                pictures.append(Picture((face, table, 0, step), file.getvalue(), facts))
    [page] = Slider().files(pictures, 0)
    path = tmp_path_factory.mktemp("slider") / page.name
    path.write_bytes(page.content)
    return f"file://{path}"


def seen(browser: Chromium, face: int) -> list[tuple[list[int], str, str]]:
    """Of each method of a face the colour, the strength and the judge's score of the picture that is shown."""
    return browser.evaluate(
        f"""[...document.querySelectorAll('section.face')[{face}].querySelectorAll('.method')].map(figure => {{
            const step = [...figure.querySelectorAll('.step')].find(one => one.checkVisibility());
            const canvas = document.createElement('canvas').getContext('2d');
            canvas.drawImage(step.querySelector('img'), 0, 0);
            const edited = step.querySelector('.edited td:last-child').textContent;
            const said = step.querySelector('.said').textContent;
            return [[...canvas.getImageData(9, 9, 1, 1).data].slice(0, 3), said, edited];
        }})"""
    )


def expected(face: int, linear: int, trained: int) -> list:
    """The same of these steps, as they were made."""
    found = []
    for table, (step, strengths) in enumerate(zip((linear, trained), STRENGTHS.values(), strict=True)):
        strength = strengths[step - 1] if step else 0.0
        judged = strength / 2 - 1
        words = "0.00" if judged == 0 else f"{judged:+.2f}".replace("-", "\N{MINUS SIGN}")
        said = f"strength {strength:+.2f}" if step else "source"
        found.append([list(colour(face, table, step)), said, words])
    return found


def shows(browser: Chromium, place: int, face: int, linear: int, trained: int) -> None:
    wanted = expected(face, linear, trained)
    until(lambda: seen(browser, place) == wanted, f"face {face}: {wanted}, not {seen(browser, place)}")


def focus(browser: Chromium, name: str) -> None:
    browser.evaluate(f"document.getElementById('{name}').focus()")


def test_keys_move_a_face_and_tab_goes_to_the_next(browser: Chromium, url: str) -> None:
    browser.show(url)
    shows(browser, 0, 0, 2, 1)  # half of the way
    focus(browser, "slide-4")
    browser.press("ArrowRight", 39)
    shows(browser, 0, 0, 3, 1)
    browser.press("End", 35)
    shows(browser, 0, 0, 4, 2)
    spoken = browser.evaluate("document.activeElement.getAttribute('aria-valuetext')")
    assert spoken == "100 %: linear +4.00, trained +1.00"
    browser.press("Home", 36)
    shows(browser, 0, 0, 0, 0)
    shows(browser, 1, 3, 2, 1)  # the other face stays
    browser.press("Tab", 9, "\t")
    assert browser.evaluate("document.activeElement.id") == "slide-7"
    assert browser.complaints() == []


def test_one_slider_moves_all_faces(browser: Chromium, url: str) -> None:
    browser.show(url)
    focus(browser, "all")
    browser.press("End", 35)
    shows(browser, 0, 0, 4, 2)
    shows(browser, 1, 3, 4, 2)
    assert browser.evaluate("document.querySelector('.all output').textContent") == "100 %"


@pytest.mark.parametrize("touch", [False, True])
def test_a_drag_across_a_picture_moves_the_face(browser: Chromium, url: str, touch: bool) -> None:
    browser.show(url)
    shows(browser, 0, 0, 2, 1)
    box = "(({x, y, width}) => [x, y, width])(document.querySelector('.method .step:not([hidden]) img')"
    x, y, width = browser.evaluate(f"{box}.getBoundingClientRect())")
    left, right, middle = x + 0.2 * width, x + 0.45 * width, y + width / 2
    if touch:
        for kind, points in (("touchStart", [left]), ("touchMove", [right]), ("touchEnd", [])):
            places = [{"x": place, "y": middle} for place in points]
            browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=places)
    else:
        for kind, place in (("mousePressed", left), ("mouseMoved", right), ("mouseReleased", right)):
            browser.call("Input.dispatchMouseEvent", type=kind, x=place, y=middle, button="left", clickCount=1)
    shows(browser, 0, 0, 3, 1)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_it_loads_alone_fits_and_has_names_for_all(browser: Chromium, url: str, width: int, dark: bool) -> None:
    browser.show(url, width=width, dark=dark)
    assert browser.requests() == [url]
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate("[...document.querySelectorAll('input')].every(one => one.labels[0].textContent.trim())")
    assert browser.evaluate("[...document.images].every(one => one.alt)")
    assert browser.evaluate("document.getElementById('slide-4').labels[0].textContent") == "towards old, face 4"
