"""`stylemill compare`: its flags and choices; all of it on the tiny networks, with numbers made again from tables."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from edits import trained
from pixels import load_pixels
from studies import MODELS, RUN, centred, frame

from jobs.__main__ import main
from jobs.compare.components import choose
from jobs.compare.cost import cost
from jobs.compare.entrants import entrants
from jobs.compare.plan import seen_or_apart
from jobs.compare.spec import CompareSpec
from jobs.flags import parse
from pipeline.directions import normalised
from pipeline.errors import SpecError
from pipeline.metrics import step_size
from pipeline.models import classifiers
from pipeline.models.classifiers import identity, tiny
from pipeline.report.toggles import Toggles
from pipeline.tables import Table

ONE = ["--attributes", "male", "--metrics", "identity", "--labelled", "400"]


def spec(*words) -> CompareSpec:
    return parse(CompareSpec, [*MODELS, *RUN, *ONE, "--out", "out", *words])


# -- flags ------------------------------------------------------------------------------------------------------------


def test_each_editor_has_its_own_settings_unless_others_are_given():
    asked = spec("--editors", "ials,ganspace,interfacegan+conditions", "--rows-of", "ials:6", "--flags-of",
                 "ials:lambda1=0.5", "--strengths-of", "ials:3/6")  # fmt: skip
    by_name = {one.name: one for one in entrants(asked, asked.labelled_faces)}
    assert [*by_name] == ["interfacegan", "ials", "ganspace", "interfacegan+conditions", "random"]
    assert [one.rows for one in by_name.values()] == [64, 6, 64, 64, 64]
    [flags] = by_name["ials"].flags("male", False)
    assert (flags["target"], flags["steps"], flags["keep"], flags["lambda1"]) == ("0", 6, "3", "0.5")
    assert by_name["ganspace"].editor == "interfacegan"
    assert by_name["ganspace"].directions == (asked.url("along-ganspace", "directions"),)
    [flags] = by_name["interfacegan+conditions"].flags("male", False)
    assert (flags["strengths"][-1], flags["preserve"]) == (-6.0, ())
    two = spec("--attributes", "male,old", "--editors", "interfacegan+conditions")
    [flags] = entrants(two, two.labelled_faces)[1].flags("male", True)
    assert flags["preserve"] == ("old",)


def test_the_choices_can_be_in_a_file(tmp_path):
    file = tmp_path / "compare.yaml"
    file.write_text("editors: [interfacegan, ials]\nrows-of: [ials:4]\nflags-of: [ials:lambda1=0.5]\nseed: 3\n")
    asked = spec("--spec", str(file))
    assert (asked.named, asked.rows_by("ials"), asked.seed) == (("interfacegan", "ials"), 4, 3)
    assert asked.edit_flags("ials", "male") == {"lambda1": "0.5"}
    regions = spec("--editors", "style-intervention", "--flags-of", "style-intervention:region=skin/hair")
    assert regions.edit_flags("style-intervention", "male") == {"region": ("skin", "hair")}
    one = spec("--editors", "style-intervention", "--flags-of", "style-intervention:region=skin")
    assert one.edit_flags("style-intervention", "male") == {"region": ("skin",)}


def test_flags_of_one_attribute_count_before_those_of_all_and_leave_nothing_to_choose():
    words = ["--attributes", "male,old", "--editors", "ials", "--flags-of"]
    asked = spec(*words, "ials:step_size@old=0.3,ials:step_size=0.2,ials:loss=bce")
    assert asked.edit_flags("ials", "male") == {"step_size": "0.2", "loss": "bce"}
    assert asked.edit_flags("ials", "old") == {"step_size": "0.3", "loss": "bce"}
    by_name = {one.name: one for one in entrants(asked, asked.labelled_faces)}
    assert [by_name[name].to_choose for name in ("ials", "interfacegan")] == [[], []]
    half = spec(*words, "ials:step_size@old=0.3")
    assert entrants(half, half.labelled_faces)[1].to_choose == ["male"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--editors", "nobody"], "no editor 'nobody'; there are interfacegan, ials"),
        (["--editors", "ials,ials"], "--editors names one twice"),
        (["--attributes", "beauty"], "--attributes beauty: tiny sees"),
        (["--metrics", "effects"], "no metric 'effects' to choose; there are identity, pictures"),
        (["--editors", "ials", "--rows-of", "id-style:4"], "id-style is not compared; these are: interfacegan, ials"),
        (["--editors", "ials", "--rows-of", "ials:many"], "write EDITOR:N, a number of faces, 2 or more"),
        (["--editors", "ials", "--rows-of", "ials"], "write EDITOR:N"),
        (["--editors", "ials", "--strengths-of", "ials:2/far"], "write EDITOR:X/Y/Z, numbers that rise"),
        (["--editors", "ials", "--flags-of", "ials:lambda9=1"], "with a flag of stylemill edit EDITOR"),
        (["--editors", "ials", "--artifacts", "ials:out"], "ials is not trained"),
        (["--editors", "ials", "--flags-of", "ials:steps@old=1"], "old is not among --attributes male"),
        (["--editors", "id-style", "--training-of", "id-style:epochs=1"], "with a flag of stylemill train"),
        (["--editors", "id-style", "--training-of", "id-style:steps=1", "--artifacts", "id-style:x"],
         "is not trained where an artifact is given"),
        (["--others", "8"], "--others 8 are fewer than the 64 faces to edit"),
    ],
)  # fmt: skip
def test_flags_that_do_not_go_together_are_one_line(words, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        spec(*words)


def test_strengths_of_steps_are_multiples_of_the_first():
    asked = spec("--editors", "ials", "--strengths-of", "ials:2/5")
    with pytest.raises(SpecError, match="give multiples of the first"):
        entrants(asked, asked.labelled_faces)


def test_an_artifact_for_other_attributes_is_refused_before_any_work():
    asked = spec("--attributes", "smile", "--editors", "id-style", "--artifacts", f"id-style:{trained('id-style')}")
    with pytest.raises(SpecError, match="was not trained for smile"):
        cost(asked)


def test_the_cost_counts_every_face():
    words = ["--editors", "ials", "--rows", "4", "--others", "10", "--strengths-of", "ials:1/2,interfacegan:1/2/3"]
    asked = spec(*words, "--flags-of", "ials:step_size=0.3")
    shown = 4 * 2 * ((1 + 2) + (1 + 3) + (1 + 5))  # edited and measured; a random direction as far as by default
    found = cost(asked)
    # 400 labelled, 10 judged, 10 embedded; ials looks at each step, and passes backward once (one attribute).
    assert (found.forward, found.backward) == (400 + 10 + 10 + shown + 4 * 2, 4 * 2)
    chosen = cost(spec(*words, "--tuning", "6"))  # 48 are labelled, and six are made 11 times at most
    assert (chosen.forward, chosen.backward) == (found.forward + 8 * 6 + 6 * 11, found.backward)


def test_passes_in_which_no_classifier_looks_are_counted_as_such():
    words = ["--rows", "4", "--others", "10", "--flags-of", "style-intervention:region=skin,style-intervention:steps=5"]
    found = cost(spec("--editors", "style-intervention", *words))
    # Solving for a face takes 45 passes and 44 back (test_compared.py), and ten faces are embedded.
    assert (found.backward, found.unscored, found.unscored_backward) == (4 * 44, 10 + 4 * 45, 4 * 44)


def test_a_dry_run_tells_the_hours_of_edits_and_of_metrics(monkeypatch, capsys):
    monkeypatch.setattr(identity, "load", load_pixels)
    words = ["compare", *MODELS, *RUN, *ONE, "--editors", "ials", "--rows", "4", "--others", "10"]
    assert main([*words, "--out", "out", "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert f"Study the metrics look at {4 * 3 * 6} faces, " in said  # two editors and a random direction
    assert "passes through the generator" in said
    assert "on this machine in one process" in said


# -- choices ----------------------------------------------------------------------------------------------------------


def test_the_component_that_moves_an_attribute_most_is_chosen_and_turned():
    noise = np.random.default_rng(0)
    directions = [normalised(name, "ganspace", "w", noise.normal(size=5), intercept=0.5) for name in ("old", "male")]
    effects = pd.DataFrame(
        [(0, "old", 0.9), (0, "male", -0.7), (3, "old", 0.2), (3, "male", 0.6), (4, "male", -5.0)],
        columns=["index", "measured", "change"],
    )
    male, old = choose(directions, [0, 3], effects, ["male", "old"])  # component 4 was rejected
    np.testing.assert_array_equal(male.vector, -directions[0].vector)
    assert (male.attribute, old.attribute) == ("male", "old")
    assert (male.intercept, old.intercept) == (-directions[0].intercept, directions[0].intercept)
    np.testing.assert_array_equal(old.vector, directions[0].vector)
    with pytest.raises(SpecError, match="no component has a measured change of smile"):
        choose(directions, [0, 3], effects, ["smile"])


def test_an_edit_without_a_face_is_as_far_as_different_faces():
    number = np.array([[0.0, np.nan, 0.3], [0.0, 0.2, np.nan], [np.nan, np.nan, np.nan]])
    toggles = Toggles("male", np.array([1.0, 2.0]), np.array([4, 5, 6]), np.array([True] * 3),
                      {"male": np.zeros((3, 3))}, {"identity_dlib": number})  # fmt: skip
    found = seen_or_apart(toggles, {"identity_dlib": 0.8}, {"identity_dlib": [6]}).numbers["identity_dlib"]
    np.testing.assert_array_equal(found, [[0, 0.8, 0.3], [0, 0.2, 0.8], [np.nan] * 3])


# -- all of it --------------------------------------------------------------------------------------------------------

EDITORS = ["ials", "style-intervention", "id-style", "ganspace"]
WORDS = ["compare", *MODELS, *RUN, *ONE, "--editors", ",".join(EDITORS), "--rows", "6", "--rows-of", "ials:4"]
WORDS += ["--strengths-of", "interfacegan:1/3/6,ials:2/4,style-intervention:0/1,id-style:1/2", "--others", "40"]
WORDS += ["--components", "4", "--tuning", "4", "--shown", "3", "--resamples", "200", "--flags-of"]
WORDS += ["style-intervention:steps=1,style-intervention:region=skin"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "scales", centred)
        one_reader = {name: classifiers.READINGS["tiny"][name] for name in classifiers.READINGS["tiny-judge"]}
        patch.setitem(classifiers.READINGS, "tiny-judge", one_reader)
        patch.setattr(identity, "load", load_pixels)
        assert main([*WORDS, "--artifacts", f"id-style:{trained('id-style')}", "--out", str(out)]) == 0
        yield out


@pytest.mark.slow
def test_every_method_edits_the_same_faces_to_the_other_side(out):
    judged = frame(out, "others-judged", "labels").set_index("index")["male"]
    up, down = judged.index[judged <= 0], judged.index[judged > 0]
    for name, rows in (("interfacegan", 3), ("ials", 2), ("style-intervention", 3), ("id-style", 3), ("random", 3)):
        for way, its in (("up", up), ("down", down)):
            assert frame(out, f"male-{name}-{way}", "edits")["index"].unique().tolist() == its[:rows].tolist()


@pytest.mark.slow
def test_reach_and_the_attributes_kept_are_those_of_the_tables(out):
    """A reach, which counts points between the strengths too, is never less than at these."""
    text = (out / "report.md").read_text()
    table = text[text.index("Means over these shares") :]
    for name in ("interfacegan", "random"):
        seen = []
        for way, towards in (("up", True), ("down", False)):
            edits = frame(out, f"male-{name}-{way}", "edits")
            seen.append(edits.assign(there=(edits["judge_male"] > 0) == towards).pivot(
                index="index", columns="step", values="there"
            ))  # fmt: skip
        rates = pd.concat(seen).mean()
        row = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
        assert float(row.split("|")[-2]) >= round(rates.max(), 3) - 1e-9
        assert rates[0] == 0


@pytest.mark.slow
def test_the_page_has_every_part(out):
    text, page = (out / "report.md").read_text(), (out / "report.html").read_text()
    for heading in ("Ranks", "male at equal success", "Which of the papers' claims hold here", "male: curves",
                    "Edits that only the editing family sees", "What each takes", "Where each method fails",
                    "Edits to drag along their strengths", "How it was made"):  # fmt: skip
        assert f"<h2>{heading.replace(chr(39), '&#39;')}</h2>" in page
        assert f"## {heading}\n" in text
    for name in ("interfacegan", *EDITORS, "random", "nothing"):
        assert f"| {name} |" in text
    assert "IALS" not in text  # no name but that of the list
    assert page.count("data-sortable") >= 5
    assert "script-src 'sha256-" in page
    assert page.count("data:image/webp;base64,") >= 7 * 3
    assert re.search(r"ials: each face's own gradients .*: holds in \d of 1", text)
    steps = re.findall(r"\| \d+ \| stylemill (.*) \|", text)
    assert len({shlex.split(words)[0] for words in steps} & {"dataset", "directions", "label", "edit", "measure"}) == 5
    assert [words for words in steps if words.startswith("edit id-style")]


@pytest.mark.slow
def test_steps_are_as_long_as_nine_of_ten_faces_need_that_are_used_for_nothing_else(out):
    tried = frame(out, "steps-ials-male", "edits").groupby("index").last()
    labels = frame(out, "tuning-labelled", "labels").set_index("index")["male"]
    assert len(tried) == 4
    assert ((tried["strength"] > 0) == (labels[tried.index] <= 0))[tried["stop"] == "reached"].all()
    assert Table.open(f"{out}/tuning/latents").require_sealed()["facts"]["spec"]["seed"] == 3
    most = 10.0 if (tried["stop"] != "reached").any() else tried["strength"].abs().max()
    length = step_size.length(most, 4)
    chosen = parse(CompareSpec, ["--spec", str(out / "chosen.yaml"), "--out", "out"])
    assert float(chosen.edit_flags("ials", "male")["step_size"]) == length
    assert entrants(chosen, chosen.labelled_faces)[1].to_choose == []
    strengths = frame(out, "male-ials-up", "edits")["strength"].unique()
    np.testing.assert_allclose(strengths, [0, 2 * length, 4 * length], rtol=1e-6)
    assert f"4 steps of {length:.4g}, chosen on 4 other faces" in (out / "report.md").read_text()


@pytest.mark.slow
def test_the_command_of_a_slider_makes_it(out):
    [line] = re.findall(r"^stylemill (export .*)$", (out / "report.md").read_text(), re.M)
    assert main(shlex.split(line)) == 0
    [page] = (out / "slider-male" / "sliders").iterdir()
    methods = re.findall("<figcaption>(.*?)</figcaption>", page.read_text())
    assert methods == ["source", "interfacegan", *EDITORS] * 4  # ials has edited two faces each way
    assert page.read_text().count("away from male") == 2


@pytest.mark.slow
def test_the_same_command_computes_nothing_again(out, capsys):
    before = (out / "report.md").read_text()
    assert main([*WORDS, "--artifacts", f"id-style:{trained('id-style')}", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert said.count("Step  stylemill ") == said.count("all done") > 10
    assert (out / "report.md").read_text() == before
    assert Path(out, "along-random", "directions").is_dir()
