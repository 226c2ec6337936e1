"""IALS against its equations, written down once more in float64, and the laws that follow from them."""

import faces64
import numpy as np
import pytest
import torch
from requested import by_row, same

from pipeline.directions import Direction
from pipeline.directions.conditional import project
from pipeline.editors import DONE, REACHED
from pipeline.editors.gradients import score_gradients
from pipeline.editors.ials import IALS, LAMBDAS
from pipeline.editors.interfacegan import InterFaceGAN
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

K, N = 0.3, 4
FORMS = [("w", False), ("w+", False), ("w+", True), ("s", False)]


def unit(v):
    return v / np.linalg.norm(v)


class Paper:
    """Algorithm 1 with Eq. 3 to 6 for one row, straight from the text."""

    def __init__(self, space, directions, lambda1, lambda2, per_layer=False, released=False):
        self.space, self.lambda1, self.lambda2 = space, lambda1, lambda2
        self.directions = {d.attribute: d.vector.astype(np.float64) for d in directions}
        self.shared, self.released = space == "w+" and not per_layer, released

    def loss(self, x, attribute, y):
        h = torch.sigmoid(faces64.scores(Codes(self.space, x[None]))[attribute][0])
        return -y * torch.log(h) - (1 - y) * torch.log(1 - h)

    def instance(self, x, attribute, y):
        """Eq. 4."""
        x = torch.tensor(x, requires_grad=True)
        (gradient,) = torch.autograd.grad(self.loss(x, attribute, y), x)
        gradient = gradient.numpy()
        return unit(-(gradient.sum(axis=0) if self.shared else gradient))

    def level(self, attribute):
        vector = self.directions[attribute]
        if self.shared or vector.shape == faces64.shape(self.space):
            return unit(vector)
        return unit(np.broadcast_to(vector, faces64.shape(self.space)))

    def mixed(self, x, attribute, y, share):
        """Eq. 5."""
        return unit(share * (2 * y - 1) * self.level(attribute) + (1 - share) * self.instance(x, attribute, y))

    def direction(self, x, attribute, conditions, y):
        """Eq. 6; the subspace of several conditions by least squares."""
        primal = self.mixed(x, attribute, y, self.lambda1)
        others = [self.mixed(x, name, 1, self.lambda2) for name in conditions]
        if self.released and self.lambda2 != 1:
            others += [self.level(name) for name in conditions]
        if others:
            basis = np.stack([one.ravel() for one in others], axis=1)
            primal = primal - (basis @ np.linalg.lstsq(basis, primal.ravel())[0]).reshape(primal.shape)
        return unit(primal)

    def edit(self, x, attribute, conditions=(), y=1, incremental=True, steps=N):
        way, direction = [x], None
        for _ in range(steps):
            if direction is None or incremental:
                direction = self.direction(way[-1], attribute, conditions, y)
            way.append(way[-1] + K * direction)
        return np.stack(way)


def editor(space, shared=False, **about):
    return IALS(faces64.directions(space, shared), faces64.scores, step_size=K, steps=N, **about)


@pytest.mark.parametrize(("space", "per_layer"), FORMS)
@pytest.mark.parametrize("lambdas", [(0.0, 0.0), (0.75, 0.0), (0.5, 0.25), (1.0, 0.0), (0.25, 1.0)])
@pytest.mark.parametrize("conditions", [(), ("smile",), ("smile", "male")])
@pytest.mark.parametrize("target", ["1", "0"])
def test_each_step_is_that_of_the_paper(space, per_layer, lambdas, conditions, target):
    source = faces64.codes(space, 2)
    shared = space == "w+" and not per_layer
    request = same(2, "old", conditions=conditions, target=target, lambdas=lambdas)
    trace = editor(space, shared, per_layer=per_layer).edit(source, request)
    paper = Paper(space, faces64.directions(space, shared), *lambdas, per_layer)
    for row in range(2):
        wanted = paper.edit(source.values[row].numpy(), "old", conditions, int(target))
        np.testing.assert_allclose(trace.values[row].numpy(), wanted, rtol=0, atol=1e-6)
    assert trace.stops == (DONE, DONE)
    sign = 1 if target == "1" else -1
    np.testing.assert_allclose(trace.strengths.numpy(), [[sign * K * n for n in range(N + 1)]] * 2)


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("lambdas", [(0.5, 0.25), (0.75, 0.0), (0.0, 0.75)])
def test_as_released_projects_out_the_attribute_level_condition_too(released, lambdas):
    source = faces64.codes("w", 1)
    request = same(1, "old", conditions=("smile", "male"), lambdas=lambdas)
    trace = editor("w", as_released=released).edit(source, request)
    paper = Paper("w", faces64.directions("w"), *lambdas, released=released)
    wanted = paper.edit(source.values[0].numpy(), "old", ("smile", "male"))
    np.testing.assert_allclose(trace.values[0].numpy(), wanted, rtol=0, atol=1e-6)
    level = paper.level("smile")
    along = (trace.values[0, -1] - trace.values[0, 0]).numpy() @ level
    assert (abs(along) < 1e-9) == released


def test_the_order_of_conditions_changes_no_bit():
    source = faces64.codes("w", 2)
    one, other = (
        editor("w").edit(source, same(2, "old", conditions=names, lambdas=(0.5, 0.25)))
        for names in (("smile", "male"), ("male", "smile"))
    )
    assert torch.equal(one.values, other.values)


def test_as_released_needs_the_directions_of_conditions_at_lambda_0_too():
    request = same(1, "old", conditions=("male",), lambdas=(0.0, 0.0))
    with pytest.raises(SpecError, match=r"there are: none\. Fit it, or do without"):
        IALS([], faces64.scores, as_released=True).edit(faces64.codes("w", 1), request)


def test_without_increments_the_direction_of_the_source_is_kept():
    source = faces64.codes("w", 2)
    request = same(2, "old", conditions=("male",), lambdas=(0.5, 0.0))
    trace = editor("w", incremental=False).edit(source, request)
    paper = Paper("w", faces64.directions("w"), 0.5, 0.0)
    for row in range(2):
        wanted = paper.edit(source.values[row].numpy(), "old", ("male",), incremental=False)
        np.testing.assert_allclose(trace.values[row].numpy(), wanted, rtol=0, atol=1e-6)


def test_with_lambda_1_it_is_interfacegan_and_asks_no_network():
    def nobody(codes):
        raise AssertionError("no score is needed")

    directions = faces64.directions("w")
    source = faces64.codes("w", 3)
    trace = IALS(directions, nobody, K, N).edit(source, same(3, "old", conditions=("male",), lambdas=(1, 1)))
    named = {d.attribute: d for d in directions}
    linear = InterFaceGAN([project(named["old"], [named["male"]])], source=True)
    wanted = linear.edit(source, same(3, "old", [K * n for n in range(1, N + 1)], conditions=("male",)))
    np.testing.assert_allclose(trace.values.numpy(), wanted.values.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_gradients_are_the_slopes_that_finite_differences_find(space):
    source = faces64.codes(space, 2)
    wanted = [[("old", 1.0), ("male", 1.0)], [("smile", -1.0)]]
    seen, gradients = score_gradients(faces64.scores, source, wanted)
    assert gradients.shape == (2, 2, *source.values.shape[1:])
    assert not gradients[1, 1].any()
    draw = torch.Generator().manual_seed(1)
    for row, pulled in enumerate(wanted):
        for slot, (name, side) in enumerate(pulled):
            along = torch.randn(source.values.shape[1:], generator=draw, dtype=torch.float64)
            ends = [source.values.clone() for _ in range(2)]
            ends[0][row] += 1e-6 * along
            ends[1][row] -= 1e-6 * along
            high, low = (faces64.scores(Codes(space, end))[name][row] for end in ends)
            slope = side * float(high - low) / 2e-6
            assert float((gradients[row, slot] * along).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-8)
    np.testing.assert_allclose(seen["old"].numpy(), faces64.scores(source)["old"].detach().numpy())


def test_both_losses_give_one_direction():
    source = faces64.codes("w", 3)
    request = same(3, "old", conditions=("male",), target="0", lambdas=(0.25, 0.0))
    one, other = (editor("w", loss=loss).edit(source, request) for loss in ("score", "bce"))
    np.testing.assert_allclose(one.values.numpy(), other.values.numpy(), rtol=0, atol=1e-9)


def test_one_forward_a_step_and_as_many_backwards_as_one_row_needs():
    calls = []

    def counted(codes):
        calls.append(torch.is_grad_enabled())
        return faces64.scores(codes)

    requests = by_row(
        attributes=("old", "male", "smile"),
        conditions=(("male",), ("smile",), ()),
        targets=("1", "0", "1"),
        lambdas=torch.tensor([[0.5, 0.0], [1.0, 0.0], [0.0, 0.0]], dtype=torch.float64),
    )
    source = faces64.codes("w", 3)
    trace = IALS(faces64.directions("w"), counted, K, N).edit(source, requests)
    assert calls == [True] * N
    for row in range(3):  # each as if it were alone
        asked = requests[row]
        lambdas = [asked.options[name] for name in LAMBDAS]
        paper = Paper("w", faces64.directions("w"), *lambdas)
        wanted = paper.edit(source.values[row].numpy(), asked.attribute, asked.preserve, int(asked.target))
        np.testing.assert_allclose(trace.values[row].numpy(), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_rows_may_go_a_few_at_a_time(at_once):
    calls = []

    def counted(codes):
        calls.append((len(codes), torch.is_grad_enabled()))
        return faces64.scores(codes)

    requests = by_row(
        attributes=("old", "male", "smile"),
        conditions=(("male",), ("smile",), ()),
        targets=("1", "0", "1"),
        lambdas=torch.tensor([[0.5, 0.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64),
    )
    source = faces64.codes("w", 3)
    whole = IALS(faces64.directions("w"), faces64.scores, K, N).edit(source, requests)
    trace = IALS(faces64.directions("w"), counted, K, N, at_once=at_once).edit(source, requests)
    np.testing.assert_allclose(trace.values.numpy(), whole.values.numpy(), rtol=0, atol=1e-9)
    assert trace.stops == (DONE,) * 3
    if at_once == 1:  # nobody looks at the row that needs no gradient
        assert calls == [(1, True)] * (2 * N)
        seen = IALS(faces64.directions("w"), faces64.scores, K, N, at_once=1, look=True).edit(source, requests)
        assert torch.isfinite(seen.scores["old"]).all()


def test_rows_that_have_ended_cost_nothing_one_at_a_time():
    source, rows = faces64.codes("w", 4), []

    def counted(codes):
        rows.append(len(codes))
        return faces64.scores(codes)

    before = faces64.scores(source)["old"].detach()
    request = same(4, "old", until=float(before.median()) + 0.3, lambdas=(0.0, 0.0))
    trace = IALS([], counted, 0.05, 40, at_once=1).edit(source, request)
    assert trace.stops == (REACHED,) * 4
    assert len(rows) == int(trace.kept.sum())


def test_flip_goes_to_the_side_on_which_a_row_is_not():
    source = faces64.codes("w", 6)
    middle = float(faces64.scores(source)["old"].detach().median()) + 1e-3

    def centred(codes):
        return {"old": faces64.scores(codes)["old"] - middle}

    before = centred(source)["old"].detach()
    trace = IALS([], centred, K, N).edit(source, same(6, "old", target="flip", lambdas=(0.0, 0.0)))
    sides = torch.where(before > 0, -1.0, 1.0)
    assert sides.tolist().count(1.0) == 3
    assert torch.equal(torch.sign(trace.strengths[:, -1]), sides.double())
    assert torch.equal(torch.sign(centred(trace.at(N))["old"].detach() - before), sides.double())


@pytest.mark.parametrize("loss", ["score", "bce"])
@pytest.mark.parametrize("lambdas", [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_flip_is_as_the_side_asked_for_and_sees_each_face_once(lambdas, loss):
    source, calls = faces64.codes("w", 6), []
    middle = float(faces64.scores(source)["old"].detach().median()) + 1e-3

    def centred(codes):
        calls.append(len(codes))
        return {name: score - middle for name, score in faces64.scores(codes).items()}

    targets = ["0" if score > 0 else "1" for score in centred(source)["old"].tolist()]
    asked = [same(1, "old", target=target, conditions=("male",), lambdas=lambdas)[0] for target in targets]
    told = IALS(faces64.directions("w"), centred, K, 3, loss=loss).edit(source, asked)
    calls.clear()
    flips = same(6, "old", target="flip", conditions=("male",), lambdas=lambdas)
    found = IALS(faces64.directions("w"), centred, K, 3, loss=loss).edit(source, flips)
    assert torch.equal(found.values, told.values)
    assert torch.equal(found.strengths, told.strengths)
    assert len(calls) == (1 if lambdas == (1.0, 1.0) else 3)  # no gradient is needed along attribute-level directions


def test_a_row_ends_where_its_score_is_reached():
    source = faces64.codes("w", 4)
    before = faces64.scores(source)["old"].detach()
    until = float(before.median()) + 0.3
    request = same(4, "old", until=until, lambdas=(0.0, 0.0))
    trace = IALS([], faces64.scores, 0.05, 40).edit(source, request)
    seen = trace.scores["old"]
    for row in range(4):
        last = int(trace.kept[row].sum()) - 1
        assert trace.stops[row] == REACHED
        assert seen[row, last] >= until
        assert (seen[row, :last] < until).all()
        assert float(faces64.scores(trace.at(last))["old"][row]) == pytest.approx(float(seen[row, last]))
    assert len({int(n) for n in trace.kept.sum(dim=1)}) > 1
    never = IALS([], faces64.scores, 0.05, 2).edit(source, same(4, "old", until=1e6, lambdas=(0.0, 0.0)))
    assert set(never.stops) == {"not reached within 2 steps"}


def test_look_keeps_the_scores_of_every_step():
    source = faces64.codes("w", 2)
    for lambdas in ((1.0, 1.0), (0.5, 0.5)):
        trace = editor("w", look=True).edit(source, same(2, "old", conditions=("male",), lambdas=lambdas))
        for step in range(N + 1):
            for name, score in faces64.scores(trace.at(step)).items():
                np.testing.assert_allclose(trace.scores[name][:, step].numpy(), score.detach().numpy(), atol=1e-9)


def test_a_direction_that_vanishes_stops_its_row_with_the_reason():
    source = faces64.codes("w", 1)
    paper = Paper("w", faces64.directions("w"), 0, 0)
    against = Direction("old", "svm", "w", -paper.instance(source.values[0].numpy(), "old", 1))
    cancelled = IALS([against], faces64.scores).edit(source, same(1, "old", lambdas=(0.5, 0.0)))
    assert "of old cancel" in cancelled.stops[0]
    assert cancelled.steps[0].tolist() == [0]
    twin = Direction("male", "svm", "w", faces64.directions("w")[2].vector)
    inside = IALS([*faces64.directions("w")[2:], twin], faces64.scores).edit(
        source, same(1, "old", conditions=("male",), lambdas=(1.0, 1.0))
    )
    assert inside.stops == ("nothing of old is left beside its conditions",)

    def flat(codes):
        return {"old": 0 * codes.values.sum(dim=1)}

    flat_trace = IALS([], flat).edit(source, same(1, "old", lambdas=(0.0, 0.0)))
    assert flat_trace.stops == ("the score of old has no gradient",)


@pytest.mark.parametrize(
    ("about", "asked", "message"),
    [
        ({}, {"strengths": [1.0], "lambdas": (0.0, 0.0)}, "steps of one size and no strengths"),
        ({}, {}, "needs lambda1"),
        ({}, {"lambdas": (1.5, 0.0)}, "from 0 to 1"),
        ({"step_size": 0.0}, {"lambdas": (0.0, 0.0)}, "positive size"),
        ({"per_layer": True}, {"lambdas": (0.0, 0.0)}, "matter of w"),
        ({"loss": "hinge"}, {"lambdas": (0.0, 0.0)}, "unknown loss"),
    ],
)
def test_what_cannot_be_done_is_said(about, asked, message):
    with pytest.raises(SpecError, match=message):
        IALS(faces64.directions("w"), faces64.scores, **about).edit(faces64.codes("w", 2), same(2, "old", **asked))


def test_a_direction_that_is_missing_is_named():
    source = faces64.codes("w", 1)
    with pytest.raises(SpecError, match="no direction of old, there are: none"):
        IALS([], faces64.scores).edit(source, same(1, "old", lambdas=(0.5, 0.0)))
    with pytest.raises(SpecError, match="no score of hat"):
        IALS([], faces64.scores).edit(source, same(1, "hat", lambdas=(0.0, 0.0)))


def test_others_names_find_their_score_with_its_sign():
    source = faces64.codes("w", 2)
    young = IALS([], faces64.scores, K, N).edit(source, same(2, "young", lambdas=(0.0, 0.0)))
    old = IALS([], faces64.scores, K, N).edit(source, same(2, "old", target="0", lambdas=(0.0, 0.0)))
    np.testing.assert_allclose(young.values.numpy(), old.values.numpy(), rtol=0, atol=1e-9)
