"""What an editor by gradients looks with: exact gradients, rows that know no neighbours, nothing kept behind."""

import gc
import weakref

import pytest
import torch

from pipeline.editors import IALS, Requests
from pipeline.editors.gradients import score_gradients
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
    kept, again = (score_gradients(opened(recompute=recompute), codes(space), WANTED) for recompute in (False, True))
    assert kept[1].shape[1] == 3
    assert all(kept[1][row, slot].any() for row, pulled in enumerate(WANTED) for slot in range(len(pulled)))
    assert torch.equal(kept[1], again[1])
    assert all(torch.equal(kept[0][name], again[0][name]) for name in ATTRIBUTES)


def test_what_is_computed_again_is_not_kept(monkeypatch):
    """Otherwise recomputation would cost time and spare nothing."""
    kept = {}
    for recompute in (False, True):
        sight, features = opened(recompute=recompute), []
        watch(sight, features, monkeypatch)
        scores = sight(Codes("w", codes().values.requires_grad_()))
        kept[recompute] = sum(tensor() is not None for tensor in features)
        del scores
    assert kept[True] < kept[False] == len(sight.generator.style_layers)


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


@pytest.mark.parametrize("family", ["tiny-judge", "tiny"])
def test_those_who_judge_see_the_same_faces_and_are_never_differentiated(family):
    sight = opened(panel(), panel(family, "judge_"))
    source = Codes("w", codes().values.requires_grad_())
    scores = sight(source)
    assert [name for name, score in scores.items() if score.requires_grad] == list(ATTRIBUTES)
    judge = classifiers.load(family, ATTRIBUTES, measures=())
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
    score_gradients(sight, codes(), [[("male", 1.0), ("old", 1.0)]] * B)
    assert passes == ["male", "old"]


@pytest.mark.parametrize("recompute", [False, True])
def test_nothing_of_a_step_outlives_it(recompute, monkeypatch):
    """Reference cycles would keep its features until the collector runs: memory is full long before."""
    sight, features, pictures, graphs = opened(recompute=recompute), [], [], []
    watch(sight, features, monkeypatch)

    class Token:
        """A hook: a node of the graph keeps it alive."""

        def __call__(self, *gradients):
            return None

    def faces(some, of=sight.faces):
        x_N3HW = of(some)
        pictures.append(weakref.ref(x_N3HW))
        return x_N3HW

    def look(some):
        scores = sight(some)
        for score_N in scores.values():
            if score_N.requires_grad:
                token = Token()
                score_N.grad_fn.register_hook(token)
                graphs.append(weakref.ref(token))
        return scores

    monkeypatch.setattr(sight, "faces", faces)
    editor = IALS([], look, step_size=0.3, steps=5)
    gc.collect()
    gc.disable()
    try:
        trace = editor.edit(codes(), Requests.same(B, "old", conditions=("male", "smile"), lambdas=(0.0, 0.0)))
        alive = [sum(kept() is not None for kept in of) for of in (features, pictures, graphs)]
    finally:
        gc.enable()
    assert trace.values.shape[1] == 6
    assert len(features) >= 5 * len(sight.generator.style_layers)
    assert (len(pictures), len(graphs)) == (5, 5 * len(ATTRIBUTES))
    assert alive == [0, 0, 0]


def test_seconds_are_told_once():
    sight = opened()
    assert sight.take_seconds() == {}
    score_gradients(sight, codes(), WANTED)
    told = sight.take_seconds()
    assert set(told) == {"search_synth_seconds", "search_score_seconds"}
    assert min(told.values()) > 0
    assert sight.take_seconds() == {}


def watch(sight, features, monkeypatch):
    """Keep weak references to the features after every layer that the generator of a sight runs from now on."""

    def watched(layer):
        def run(state, s_NC):
            after = layer(state, s_NC)
            features.append(weakref.ref(after.features))
            return after

        return run

    monkeypatch.setattr(sight.generator, "_steps", tuple(map(watched, sight.generator._steps)))
