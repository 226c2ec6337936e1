"""Edits until a score is reached: what is found, who is looked at, and that nobody depends on a neighbour."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from requested import by_row, same
from toy_edits import Scorer, W, codes, direction

from pipeline.editors import NOT_FINITE, REACHED
from pipeline.editors.interfacegan import InterFaceGAN
from pipeline.editors.search import Search, turns
from pipeline.editors.truncation import Truncation
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

BATCH = 4
SEARCH = Search(bound=12.0, first=0.5, tolerance=0.01, batch_size=BATCH)
OLD, MALE = direction("w", (W,)), direction("w", (W,), "male", seed=2)


def editor(scores=None, **options):
    scores = scores or Scorer([OLD, MALE], BATCH)
    return InterFaceGAN([OLD, MALE], scores=scores, search=options.pop("search", SEARCH), **options)


def score(some, of=OLD):
    """Of any number of rows."""
    return 2 * torch.tanh(0.4 * of.distance(some))


@pytest.mark.parametrize("target", ["1", "0", "flip"])
@pytest.mark.parametrize("truncation", [None, Truncation(torch.zeros(W), 0.8)])
def test_the_score_is_reached_and_not_by_more_than_the_tolerance(target, truncation):
    x = codes("w", 11)
    trace = editor(truncation=truncation, source=True).edit(x, same(11, "old", target=target, until=1.0))
    assert trace.stops == (REACHED,) * 11
    source = score(trace.at(0))
    side = {"1": torch.ones(11), "0": -torch.ones(11), "flip": -source.sign()}[target]
    assert (side * score(trace.at(1)) >= 1.0 - 1e-6).all()
    strengths = trace.strengths[:, 1]
    moved = strengths != 0
    assert moved.any()
    assert (strengths * side >= 0).all()
    assert torch.equal(moved, side * source < 1.0)
    back = x.values + (strengths - side * 1.01 * SEARCH.tolerance)[:, None] * torch.tensor(OLD.vector)
    back = Codes("w", back.float()) if truncation is None else truncation(Codes("w", back.float()))
    assert (side * score(back) < 1.0)[moved].all()
    torch.testing.assert_close(trace.scores["old"][:, 0], source, rtol=0, atol=1e-6)
    torch.testing.assert_close(trace.scores["old"][:, 1], score(trace.at(1)), rtol=0, atol=1e-6)
    torch.testing.assert_close(trace.scores["male"][:, 1], score(trace.at(1), MALE), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("target", "side"), [("1", -1), ("0", 1)])
def test_others_names_have_their_sign(target, side):
    """Along `young` the score of `old` falls."""
    x, n = codes("w", 5), direction("w", (W,), "young")
    scores = Scorer([OLD], BATCH)

    def falling(some):
        return {"old": -scores(some)["old"]}

    made = InterFaceGAN([n], scores=falling, search=SEARCH)
    trace = made.edit(x, same(5, "young", target=target, until=1.0))
    assert trace.stops == (REACHED,) * 5
    assert (side * trace.scores["old"] >= 1.0).all()
    assert (side * trace.strengths <= 0).all()


def test_a_score_that_is_out_of_reach():
    x = codes("w", 3)
    trace = editor().edit(x, same(3, "old", until=1.9999999, target="0"))
    assert trace.stops == ("not reached within 12",) * 3
    assert trace.strengths.tolist() == [[-12.0]] * 3
    assert trace.steps.tolist() == [[1]] * 3
    torch.testing.assert_close(trace.scores["old"][:, 0], score(trace.at(0)), rtol=0, atol=1e-6)


@settings(max_examples=40)
@given(st.integers(1, 11), st.integers(0, 1000))
def test_a_row_is_bit_by_bit_the_same_beside_any_others(rows, seed):
    x, names = codes("w", rows, seed), ("old", "male")
    until = torch.linspace(0.2, 1.8, rows, dtype=torch.float64)
    asked = tuple(names[row % 2] for row in range(rows))
    targets = tuple(("1", "0", "flip")[row % 3] for row in range(rows))
    together = editor().edit(x, by_row(asked, ((),) * rows, targets, until=until))
    row = seed % rows
    others = codes("w", rows, seed + 1).values
    others[row] = x.values[row]
    changed = tuple(asked[row] if i == row else "male" for i in range(rows))
    for values in (others, torch.where(torch.arange(rows)[:, None] == row, x.values, math.nan)):
        requests = by_row(changed, ((),) * rows, (targets[row],) * rows, until=until)
        again = editor().edit(Codes("w", values), requests)
        assert torch.equal(again.values[row], together.values[row])
        assert torch.equal(again.strengths[row], together.strengths[row])
        assert again.stops[row] == together.stops[row]
        assert {name: s[row].tolist() for name, s in again.scores.items()} == {
            name: s[row].tolist() for name, s in together.scores.items()
        }


def test_rows_that_are_done_are_looked_at_no_more():
    x = codes("w", 4 * BATCH)
    x.values[BATCH:] += 30 * torch.tensor(OLD.vector)  # there already
    few, scorer = Scorer([OLD, MALE], BATCH), Scorer([OLD, MALE], BATCH)
    editor(few).edit(x.select(slice(0, BATCH)), same(BATCH, "old", until=1.0))
    editor(scorer).edit(x, same(4 * BATCH, "old", until=1.0))
    assert scorer.calls == few.calls + 3


def test_what_is_not_finite_stops_alone():
    """A source that is not finite, and a score that is not, of either attribute."""

    def scores(some):
        assert torch.isfinite(some.values).all()
        found = Scorer([OLD, MALE], BATCH)(some)
        found["old"] = torch.where(found["old"] > 0.9, math.nan, found["old"])
        found["male"] = torch.where(some.values[:, 0] > 50, math.nan, found["male"])
        return found

    x = codes("w", 4)
    start = OLD.distance(x)[:, None] * torch.tensor(OLD.vector)
    x = Codes("w", (x.values - start).float())  # all on the boundary
    x.values[1, 3] = math.inf
    x.values[2, 0] = 60
    until = torch.tensor([0.7, 0.7, 0.7, 1.0], dtype=torch.float64)
    trace = editor(scores).edit(x, by_row(("old",) * 4, ((),) * 4, ("1",) * 4, until=until))
    assert trace.stops == (REACHED, NOT_FINITE, NOT_FINITE, NOT_FINITE)
    assert trace.steps.flatten().tolist() == [1, -1, -1, -1]


@given(st.lists(st.integers(0, 60), unique=True).map(sorted), st.integers(1, 9))
def test_every_row_has_its_slot(rows, batch_size):
    seen = []
    for turn in turns(rows, batch_size):
        assert turn
        assert len({row % batch_size for row in turn}) == len(turn)
        seen += turn
    assert sorted(seen) == rows


def test_what_cannot_be_done_is_said():
    x = codes("w", 2)
    with pytest.raises(SpecError, match="no score of old: there are male"):
        editor(Scorer([MALE], BATCH)).edit(x, same(2, "old", until=1.0))
    bearded = InterFaceGAN([direction("w", (W,), "beard")], scores=Scorer([OLD], BATCH), search=SEARCH)
    with pytest.raises(SpecError, match="no score of beard"):
        bearded.edit(x, same(2, "beard", until=1.0))
    for wrong in ({"bound": 0.1}, {"tolerance": 0}, {"first": -1}, {"batch_size": 0}, {"bound": math.inf}):
        with pytest.raises(SpecError, match="a search needs"):
            Search(**wrong)
