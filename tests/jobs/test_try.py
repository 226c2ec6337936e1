"""`stylemill try`: sample, edit with what is kept, and a page of each face before and after."""

import re
import sys
import webbrowser
from pathlib import Path

import pytest
from edits import HOW, trained

from jobs import models
from jobs.__main__ import main
from jobs.flags import parse
from jobs.try_ import TrySpec, open_page
from pipeline.stages import kept_artifacts
from pipeline.tables import Table

TINY = ["--generator", "stylegan2-tiny", "--judge", "tiny-judge", *HOW]
TINY.remove("--local")  # it always is
ARTIFACT = "latent-transformer"


def tried(out, *words: str) -> int:
    return main(["try", *words, *TINY, "--rows", "3", "--artifact", trained(ARTIFACT), "--out", str(out)])


def test_faces_are_shown_before_and_after_with_the_commands_that_do_the_same(tmp_path, capsys):
    assert tried(tmp_path, "old=1", "male=0") == 0
    said = capsys.readouterr()
    assert said.out.strip() == f"{tmp_path}/report.html"
    page = (tmp_path / "report.html").read_text()
    rows = Table.open(f"{tmp_path}/edited/edits").read().to_pandas()
    looks = re.findall(r'<figcaption><span class="place">([^<]*)</span>(.*?)</figcaption>', page)
    assert [place for place, _ in looks] == ["source", "old to present", "male to absent"] * 3
    for (_, scores), (_, row) in zip(looks, rows.sort_values(["index", "step"]).iterrows(), strict=True):
        numbers = [f"{name} {row[f'judge_{name}']:+.2f}" for name in ("old", "male")]
        assert [each.replace("\N{MINUS SIGN}", "-") for each in re.findall(r'score bold">([^<]*)<', scores)] == numbers
    steps = [line.removeprefix("Step  ") for line in said.err.splitlines() if line.startswith("Step  ")]
    assert re.search(r'<pre class="commands">(.*?)</pre>', page, re.DOTALL)[1].splitlines() == steps
    assert [step.split(" --")[0] for step in steps] == ["stylemill sample", f"stylemill edit {ARTIFACT}"]
    assert "--alpha=1.0 --sequence=old:present,male:absent" in steps[1]
    assert "```sh\n{}\n{}\n```".format(*steps) in (tmp_path / "report.md").read_text()
    assert tried(tmp_path, "old=0") == 4  # the folder holds other edits
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["old=1", "eyeglasses=0"], "old-1_eyeglasses-0"),
        (["old=0", "--rows", "2"], "old-0_rows-2"),
        (["old=0", "--rows", "8", "--seed", "2"], "old-0_seed-2"),
        (["old=0", "--alpha", "1.25"], "old-0_alpha-1.25"),
    ],
)
def test_other_words_and_other_faces_have_a_folder_of_their_own(words, name):
    spec = parse(TrySpec, words)
    assert [step.out for step in (spec.sampled(), spec.edited(256))] == [
        f"{Path.cwd()}/out/try/{name}/{table}" for table in ("faces", "edited")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hat=1"], "was not trained for hat: it was for male, old, eyeglasses"),
        (["old"], "'old' is not ATTRIBUTE=1 or ATTRIBUTE=0, as in smile=1"),
        (["old=2"], "'old=2' is not ATTRIBUTE=1"),
        (["old=1", "old=0"], "old is named twice"),
    ],
)
def test_what_cannot_be_done_is_said_before_a_face_is_made(kept, tmp_path, refused, words, message):
    refused(main(["try", *words, *TINY, "--out", f"{tmp_path}/out"]), message, out=tmp_path / "out")


def test_a_generator_for_which_nothing_is_kept_needs_an_artifact(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(kept_artifacts, "FOLDER", tmp_path)
    code = main(["try", "old=1", *TINY, "--out", f"{tmp_path}/out"])
    refused(code, "these two commands make it: stylemill dataset --generator stylegan2-tiny", out=tmp_path / "out")


def test_networks_are_fetched_where_the_cache_lacks_them(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path))
    monkeypatch.setattr(models, "main", lambda argv: asked.append(argv) or 1)
    assert main(["try", "smile=1"]) == 1
    assert asked == [["pull"]]


@pytest.mark.parametrize(
    ("display", "terminal", "page", "opened"),
    [
        (":0", True, "report.html", True),
        (":0", True, "memory://report.html", False),
        (":0", False, "report.html", False),
        (None, True, "report.html", False),
    ],
)
def test_the_page_is_opened_where_somebody_sees_it(tmp_path, monkeypatch, display, terminal, page, opened):
    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webbrowser, "open", seen.append)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    open_page(page)
    assert seen == ([f"file://{tmp_path}/report.html"] if opened else [])


@pytest.mark.weights
def test_on_the_real_networks_a_face_grows_older(tmp_path):
    assert main(["try", "old=1", "--rows", "1", "--out", str(tmp_path)]) == 0
    before, after = Table.open(f"{tmp_path}/edited/edits").read().to_pandas()["judge_old"]
    assert before < -2 < -1 < after  # -2.30 and -0.78; 1.25 would do more, and take the face apart
