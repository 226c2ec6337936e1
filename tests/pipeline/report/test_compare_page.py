"""Ranks, claims and what deceives a family, of edits that are made up; and a table that a click sorts."""

import numpy as np
import pandas as pd
import pytest
from headless_chromium import Chromium

from pipeline.metrics.over_rates import over_rates
from pipeline.report import study
from pipeline.report.claims import FAILS, HOLDS, NOT_DECIDED, claims_section
from pipeline.report.compare import page, ranked
from pipeline.report.compare.ranked import Ranked
from pipeline.report.compare.result import Cost, Result
from pipeline.report.toggles import Toggles

FACES, STRENGTHS = 30, np.array([1.0, 2.0, 3.0, 4.0])


def edited(push, lost, drift=0.0, own=0.0, seed=0):
    """Faces on both sides whose score goes to the other one; the further, the less of the identity is left (a distance
    that grows), and the score of another attribute drifts.
    """
    noise = np.random.default_rng(seed)
    way = np.concatenate([[0.0], STRENGTHS]) / 4
    hard, to = np.random.default_rng(1).uniform(0.05, 1, (FACES, 1)), np.arange(FACES) % 2 == 0
    side = np.where(to, 1.0, -1.0)[:, None]
    score = side * (push * way - hard)
    other = np.random.default_rng(2).uniform(0.05, 1, (FACES, 1)) - drift * way
    distance = lost * way * noise.uniform(0.9, 1.1, (FACES, 1))
    family = side * ((push + own) * way - hard)
    return Toggles("male", STRENGTHS, np.arange(FACES), to, {"male": score, "old": other},
                   {"identity_dlib": distance}, {"male": family})  # fmt: skip


def result(name, toggles, **claims):
    cost = Cost(2.0, 5, 0, 1e9, "none")
    return Result(name, "none", claims, {"male": toggles, "old": toggles}, {}, 3, cost)


@pytest.fixture(scope="module")
def results():
    return [
        result("line", edited(1.5, 0.5, 0.6), reach="a direction changes the attribute"),
        result("keeps", edited(1.5, 0.3, 0.6, seed=3), identity_dlib="it keeps more", perceptual="it looks alike"),
        result("loses", edited(1.5, 0.9, 1.2, own=2.0, seed=4), identity_dlib="it keeps more", kept="others stay"),
        result("same", edited(1.5, 0.5, 0.6), identity_dlib="it keeps more"),
        result("random", edited(0.3, 0.1)),
    ]


@pytest.fixture(scope="module")
def found(results):
    return Ranked.of(results, ["male", "old"], 300)


def test_ranks_are_by_the_difference_and_a_smaller_distance_is_better(found):
    places = found.ranks()["identity_dlib"]
    assert (places["keeps"].place, places["loses"].place) == (1, 5)
    assert places["line"] == places["same"]
    assert ranked.verdict(found.overall["identity_dlib"]["keeps"], "identity_dlib") == "better"
    assert ranked.verdict(found.overall["identity_dlib"]["loses"], "identity_dlib") == "worse"
    assert ranked.verdict(found.overall["kept"]["loses"], "kept") == "worse"
    assert ranked.verdict(found.overall["reach"]["random"], "reach") == "worse"


def test_a_number_is_that_of_the_methods_alone(results, found):
    methods = {one.name: one.method("male", "identity_dlib") for one in results}
    alone = over_rates(methods, "line", 300)
    assert alone["keeps"].own == found.found["male"]["identity_dlib"]["keeps"].own
    table = ranked.mean_table(found)
    assert table.loc["keeps", "identity (distance, dlib)"] == pytest.approx(alone["keeps"].own)
    assert table.loc["nothing"].tolist() == [1.0, 0.0, 0.0]
    ranks = ranked.rank_table(found)
    assert ranks.index.tolist() == ["line", "keeps", "loses", "same", "random", "nothing"]
    assert set(ranks.loc["nothing"]) == {"–"}


def test_claims_are_a_line_each_in_both_attributes(found):
    claims = ranked.claims(found)
    verdicts = {}
    for one in claims:
        verdicts.setdefault(one.about, set()).add(one.verdict)
    assert verdicts == {
        "line: a direction changes the attribute": {HOLDS},  # further than a random one
        "keeps: it keeps more": {HOLDS},
        "keeps: it looks alike": {"not measured"},
        "loses: it keeps more": {FAILS},
        "loses: others stay": {FAILS},
        "same: it keeps more": {NOT_DECIDED},
    }
    assert all(one.ours > 0 and one.low <= one.ours <= one.high for one in claims if one.about.startswith("line"))
    section = claims_section(claims, "Which hold")
    assert section.heading == "Which hold"
    assert "keeps: it keeps more: holds in 2 of 2." in section.sentences


def test_edits_that_only_the_editing_family_sees_are_counted(results):
    grid = page.adversarial(results).parts[0]
    deceives = results[2].toggles["male"]
    own, judge = deceives.reached_by_own[:, 3], deceives.reached[:, 3]
    row = grid.frame.loc["loses"]
    assert row.tolist()[:3] == [2 * FACES, 2 * int(own.sum()), 2 * int(judge.sum())]
    assert row.iloc[3] == pytest.approx((own & ~judge).sum() / own.sum())
    assert grid.frame.loc["line"].iloc[3] == 0


@pytest.mark.browser
def test_a_click_on_a_heading_sorts_by_the_numbers_in_it(browser: Chromium, tmp_path) -> None:
    cells = ["2 (1 to 3)", "\N{MINUS SIGN}1.50 better", "–", "10", "1"]
    frame = pd.DataFrame({"rank": cells, "words": list("ebdac")}, [f"m{k}" for k in range(5)])
    sections = [study.Section("Ranks", [], [study.Grid("Sorted", frame, sortable=True), study.Grid("Not", frame)])]
    browser.show("file://" + study.write(f"{tmp_path}/report.html", "T", "L", sections, {}))
    assert browser.complaints() == []
    names = "[...document.querySelectorAll('table[data-sortable] tbody th')].map(e => e.textContent)"
    press = "document.querySelectorAll('table[data-sortable] thead button')[{}].click()"
    assert browser.evaluate(names) == ["m0", "m1", "m2", "m3", "m4"]
    browser.evaluate(press.format(0))
    assert browser.evaluate(names) == ["m1", "m4", "m0", "m3", "m2"]
    browser.evaluate(press.format(0))
    assert browser.evaluate(names) == ["m3", "m0", "m4", "m1", "m2"]  # what has no number stays last
    browser.evaluate(press.format(1))
    assert browser.evaluate(names) == ["m3", "m1", "m4", "m2", "m0"]
    assert browser.evaluate("document.querySelectorAll('thead [aria-sort]').length") == 1
    assert browser.evaluate("document.querySelectorAll('button').length") == 2


def test_a_page_without_such_a_table_has_no_script(tmp_path):
    frame = pd.DataFrame({"a": [1]}, ["b"])
    text = study.render("T", "L", [study.Section("S", [], [study.Grid("G", frame)])], {})
    assert "<script" not in text
    assert "script-src" not in text
