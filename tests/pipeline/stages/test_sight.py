"""What an editor by gradients looks with: exact gradients, rows that know no neighbours, nothing kept behind."""

import gc
import weakref

import pytest
import torch

from pipeline.editing import IALS, Requests
from pipeline.editing.gradients import pulls
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.codes import Codes
from pipeline.stages import sight as sights
from pipeline.stages.looking import Panel
from pipeline.stages.models import Model, Runtime
from pipeline.stages.sight import Sight

ATTRIBUTES = ("smile", "male", "old")
B = 3
WANTED = [[("old", 1.0), ("male", -1.0), ("smile", 1.0)], [("smile", 1.0)], [("male", 1.0), ("old", 1.0)]]
"""As many backward passes as one row asks for: three."""


def panel(family="tiny", prefix=""):
    return Panel(Model(family, classifiers.load(family, ATTRIBUTES, measures=()).fingerprint), ATTRIBUTES, prefix)


def opened(*panels, recompute=False):
    runtime = Runtime("cpu", 1, "eager", "fp32", B)
    return Sight(generators.load("stylegan2-tiny", backend="eager"), runtime, panels or [panel()], recompute)


def codes(space="w", rows=B, seed=0):
    generator = generators.load("stylegan2-tiny", backend="eager")
    noise = torch.Generator().manual_seed(seed)
    w_NW = generator.w_avg + torch.randn(rows, generator.w_dim, generator=noise)
    if space == "w":
        return Codes("w", w_NW)
    ws_NLW = w_NW[:, None] + 0.1 * torch.randn(rows, generator.num_ws, generator.w_dim, generator=noise)
    return Codes("w+", ws_NLW) if space == "w+" else Codes("s", generator.styles(ws_NLW).detach())


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_features_computed_again_give_the_same_bits_in_every_backward_pass(space):
    kept, again = (pulls(opened(recompute=recompute), codes(space), WANTED) for recompute in (False, True))
    assert kept[1].shape[1] == 3
    assert all(kept[1][row, slot].any() for row, pulled in enumerate(WANTED) for slot in range(len(pulled)))
    assert torch.equal(kept[1], again[1])
    assert all(torch.equal(kept[0][name], again[0][name]) for name in ATTRIBUTES)


def test_what_is_computed_again_is_not_kept(monkeypatch):
    """Otherwise recomputation would cost time and spare nothing."""
    features = {}
    for recompute in (False, True):
        sight = opened(recompute=recompute)
        layers = spied(sight, monkeypatch)
        with torch.enable_grad():
            scores = sight(Codes("w", codes().values.requires_grad_()))
        features[recompute] = sum(tensor() is not None for tensor in layers)
        del scores
    assert features[True] < features[False] == len(sight.generator.style_layers)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_rows_bits_are_its_own_whatever_is_asked_beside_it(recompute):
    sight = opened(recompute=recompute)
    editor = IALS([], sight, step_size=0.3, steps=4)
    requests = Requests.same(B, "old", conditions=("male",), lambdas=(0.0, 0.0))
    others = Requests(
        attributes=("old", "smile", "male"),
        conditions=(("male",), (), ("old", "smile")),
        targets=("1", "0", "1"),
        lambdas=torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], dtype=torch.float64),
    )
    ours, theirs = codes(), codes(seed=1)
    mixed = torch.cat([ours.values[:1], theirs.values[1:]])
    one, other = editor.edit(ours, requests), editor.edit(Codes("w", mixed), others)
    assert not torch.equal(one.values[0, 0], one.values[0, -1])
    assert torch.equal(one.values[0], other.values[0])
    assert all(torch.equal(one.scores[name][0, :4], other.scores[name][0, :4]) for name in ATTRIBUTES)


def test_a_family_that_judges_is_refused_as_the_one_that_edits():
    with pytest.raises(SpecError, match="tiny-judge judges and gives no gradient"):
        opened(panel("tiny-judge"))


def test_judges_see_the_same_faces_and_are_never_differentiated():
    sight = opened(panel(), panel("tiny-judge", "judge_"))
    source = Codes("w", codes().values.requires_grad_())
    scores = sight(source)
    assert [name for name, score in scores.items() if score.requires_grad] == list(ATTRIBUTES)
    judge = classifiers.load("tiny-judge", ATTRIBUTES, measures=())
    y_NA = judge.scores(sight.generator.synthesize(Codes("w", source.values.detach())))
    assert torch.equal(torch.stack([scores[f"judge_{name}"] for name in ATTRIBUTES], dim=1), y_NA)
    assert list(sight(codes(), ("male",))) == ["male", "judge_male"]


def test_a_gradient_of_one_attribute_runs_back_through_its_own_network_alone(monkeypatch):
    passes = []

    class Reader:
        """One statistic, by a network that tells when it is differentiated."""

        def __init__(self, name):
            self.gives = (name,)

        def __call__(self, x_N3HW):
            y_N = x_N3HW.square().mean(dim=(1, 2, 3))
            if y_N.requires_grad:
                y_N.register_hook(lambda gradient: passes.append(self.gives[0]))
            return {self.gives[0]: y_N}

    scales = dict.fromkeys(ATTRIBUTES, Scale(0.0, 1.0))
    family = classifiers.Family("faces", [Reader(name) for name in ATTRIBUTES], scales, ATTRIBUTES, {}, measures=())
    monkeypatch.setattr(sights, "open_family", lambda panel, runtime: family)
    sight = opened()
    passes.clear()
    pulls(sight, codes(), [[("male", 1.0), ("old", 1.0)]] * B)
    assert passes == ["male", "old"]


@pytest.mark.parametrize("recompute", [False, True])
def test_nothing_of_a_step_outlives_it(recompute, monkeypatch):
    """Reference cycles would keep its features until the collector runs: memory is full long before."""
    sight = opened(recompute=recompute)
    features, pictures = spied(sight, monkeypatch), []

    def faces(some, of=sight.faces):
        x_N3HW = of(some)
        pictures.append(weakref.ref(x_N3HW))
        return x_N3HW

    monkeypatch.setattr(sight, "faces", faces)
    editor = IALS([], sight, step_size=0.3, steps=5)
    gc.collect()
    gc.disable()
    try:
        trace = editor.edit(codes(), Requests.same(B, "old", conditions=("male", "smile"), lambdas=(0.0, 0.0)))
        alive = sum(tensor() is not None for tensor in [*features, *pictures])
    finally:
        gc.enable()
    assert trace.values.shape[1] == 6
    assert len(pictures) == 5
    assert len(features) >= 5 * len(sight.generator.style_layers)
    assert alive == 0


def test_seconds_are_told_once():
    sight = opened()
    assert sight.take_seconds() == {}
    pulls(sight, codes(), WANTED)
    told = sight.take_seconds()
    assert set(told) == {"search_synth_seconds", "search_score_seconds"}
    assert min(told.values()) > 0
    assert sight.take_seconds() == {}


def spied(sight, monkeypatch):
    """Weak references to the features after every layer that the generator of a sight runs from now on."""
    layers = []
    generator = sight.generator

    def step(of, state, s_NC):
        after = of(state, s_NC)
        layers.append(weakref.ref(after[0]))
        return after

    def bound(of):
        return lambda state, s_NC: step(of, state, s_NC)

    monkeypatch.setattr(generator, "_steps", tuple(bound(of) for of in generator._steps))
    return layers
