"""Faces and what is seen of them: exact gradients, rows that know no neighbours, one pass for all that is asked."""

import gc
import weakref

import numpy as np
import pytest
import torch

from pipeline.editors.gradients import score_gradients
from pipeline.editors.ials import IALS
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.family import Statistics
from pipeline.models.classifiers.networks import Networks
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from tests.pipeline.editors.requested import by_row, same

ATTRIBUTES = ("smile", "male", "old")
B = 3
WANTED = [[("old", 1.0), ("male", -1.0), ("smile", 1.0)], [("smile", 1.0)], [("male", 1.0), ("old", 1.0)]]
"""As many backward passes as one row asks for: three."""


def load(family="tiny", measures=()):
    return classifiers.load(family, ATTRIBUTES, measures=measures)


def opened(families=None, follow=("",), **how):
    generator = generators.load("stylegan2-tiny", backend="eager")
    return FaceScorer(generator, families or {"": load()}, follow, **how)


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
        faces, features = opened(recompute=recompute), []
        watch(faces, features, monkeypatch)
        scores = faces(Codes("w", codes().values.requires_grad_()))
        kept[recompute] = sum(tensor() is not None for tensor in features)
        del scores
    assert kept[True] < kept[False] == len(faces.generator.style_layers)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_rows_bits_are_its_own_whatever_is_asked_beside_it(recompute):
    faces = opened(recompute=recompute)
    editor = IALS([], faces, step_size=0.3, steps=4)
    requests = same(B, "old", conditions=("male",), lambdas=(0.0, 0.0))
    others = by_row(
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
    with pytest.raises(SpecError, match="tiny-judge only measures and has no gradients"):
        opened({"": load("tiny-judge")})


@pytest.mark.parametrize("family", ["tiny-judge", "tiny"])
def test_those_who_judge_see_the_same_faces_and_are_never_differentiated(family):
    faces = opened({"": load(), "judge_": load(family)})
    source = Codes("w", codes().values.requires_grad_())
    scores = faces(source)
    assert [name for name, score in scores.items() if score.requires_grad] == list(ATTRIBUTES)
    y_NA = load(family).scores(faces.generator.synthesize(Codes("w", source.values.detach())))
    assert torch.equal(torch.stack([scores[f"judge_{name}"] for name in ATTRIBUTES], dim=1), y_NA)
    assert list(faces(codes(), ("male",))) == ["male", "judge_male"]


def test_a_gradient_of_one_attribute_runs_back_through_its_own_network_alone():
    passes = []

    class Reader:
        """One statistic, by a network that tells when it is differentiated."""

        def __init__(self, name):
            self.name = name

        def __call__(self, x_N3HW):
            y_N = x_N3HW.square().mean(dim=(1, 2, 3))
            if y_N.requires_grad:
                y_N.register_hook(lambda gradient: passes.append(self.name))
            return y_N

    scales = dict.fromkeys(ATTRIBUTES, Scale(0.0, 1.0))
    readings = {name: Reading(lambda networks, name=name: Reader(name)) for name in ATTRIBUTES}
    family = classifiers.Family("faces", Statistics(readings, Networks()), scales, ATTRIBUTES, measures=())
    faces = opened({"": family})
    score_gradients(faces, codes(), [[("male", 1.0), ("old", 1.0)]] * B)
    assert passes == ["male", "old"]


@pytest.mark.parametrize("recompute", [False, True])
def test_nothing_of_a_step_outlives_it(recompute, monkeypatch):
    """Reference cycles would keep its features until the collector runs: memory is full long before."""
    faces, features, pictures, graphs = opened(recompute=recompute), [], [], []
    watch(faces, features, monkeypatch)

    class Token:
        """A hook: a node of the graph keeps it alive."""

        def __call__(self, *gradients):
            return None

    def made(some, of=faces._faces):
        state, x_N3HW = of(some)
        pictures.append(weakref.ref(x_N3HW))
        return state, x_N3HW

    def look(some):
        scores = faces(some)
        for score_N in scores.values():
            if score_N.requires_grad:
                token = Token()
                score_N.grad_fn.register_hook(token)
                graphs.append(weakref.ref(token))
        return scores

    monkeypatch.setattr(faces, "_faces", made)
    editor = IALS([], look, step_size=0.3, steps=5)
    gc.collect()
    gc.disable()
    try:
        trace = editor.edit(codes(), same(B, "old", conditions=("male", "smile"), lambdas=(0.0, 0.0)))
        alive = [sum(kept() is not None for kept in of) for of in (features, pictures, graphs)]
    finally:
        gc.enable()
    assert trace.values.shape[1] == 6
    assert len(features) >= 5 * len(faces.generator.style_layers)
    assert (len(pictures), len(graphs)) == (5, 5 * len(ATTRIBUTES))
    assert alive == [0, 0, 0]


def test_seconds_are_told_once():
    faces = opened()
    assert faces.take_seconds() == {}
    score_gradients(faces, codes(), WANTED)
    told = faces.take_seconds()
    assert set(told) == {"search_synth_seconds", "search_score_seconds"}
    assert min(told.values()) > 0
    assert faces.take_seconds() == {}


def test_where_some_attributes_are_asked_for_only_their_networks_run(monkeypatch):
    faces, asked, raw = opened({"": load(), "judge_": load("tiny-judge")}), [], classifiers.Family.raw
    whole = faces(codes())

    def noted(self, x_N3HW, statistics, constant):
        asked.append((*statistics, *constant))
        return raw(self, x_N3HW, statistics, constant)

    monkeypatch.setattr(classifiers.Family, "raw", noted)
    some = faces(codes(), ["old", "smile"])
    assert asked == [("smile", "old")] * 2
    assert list(some) == ["smile", "old", "judge_smile", "judge_old"]
    assert all(torch.equal(some[name], whole[name]) for name in some)


def test_by_default_every_family_that_can_is_followed():
    scores = opened({"": load(), "a_": load(), "judge_": load("tiny-judge")}, follow=None)(
        Codes("w", codes().values.requires_grad_())
    )
    assert [name for name, score in scores.items() if score.requires_grad] == [
        *ATTRIBUTES, *(f"a_{name}" for name in ATTRIBUTES)
    ]  # fmt: skip


@pytest.mark.parametrize(("psi", "cutoff"), [(1.0, None), (0.5, None), (0.5, 2)])
@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_all_that_is_seen_comes_from_one_pass_of_each_network(space, psi, cutoff, monkeypatch):
    measures, passes = classifiers.MEASURES, []
    families = {"": load(measures=measures), "judge_": load("tiny-judge", measures)}
    faces = opened(families, picture_size=16, psi=psi, cutoff=cutoff)
    z_NZ = torch.randn(B, faces.generator.z_dim, generator=torch.Generator().manual_seed(2))
    some = Codes("z", z_NZ) if space == "z" else codes(space)
    for owner, name in ((type(faces.generator), "run"), (classifiers.Family, "raw")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name), name, passes))
    seen = faces.look(some)
    assert passes == ["run", "raw", "raw"]
    monkeypatch.undo()
    mapped = Codes("w+", faces.generator.map(z_NZ, psi, cutoff)) if space == "z" else some
    x_N3HW = faces.generator.synthesize(mapped)
    expected = {prefix + name: column for prefix, of in families.items() for name, column in of.labels(x_N3HW).items()}
    assert list(seen) == [*expected, "pixels", "picture"]
    assert all(np.array_equal(seen[name], column.numpy()) for name, column in expected.items())
    again, pictures = faces.look_with_pictures(some)
    assert torch.equal(pictures, x_N3HW)
    assert all(np.array_equal(again[name], column) for name, column in seen.items())
    small = faces.generator.synthesize(mapped, 16).permute(0, 2, 3, 1).numpy()
    assert (seen["pixels"].shape, seen["pixels"].dtype) == ((B, 16, 16, 3), np.uint8)
    assert np.abs(seen["pixels"] - (small * 127.5 + 128).clip(0, 255)).max() <= 1
    called = faces(some)
    assert list(called) == [name for name in expected if "age_years" not in name and "yaw_degrees" not in name]
    assert all(np.array_equal(seen[name], column.numpy()) for name, column in called.items())


def test_any_number_of_rows_is_looked_at_in_batches_of_one_size(monkeypatch):
    faces, sizes, look = opened(picture_size=32), [], FaceScorer.look
    monkeypatch.setattr(FaceScorer, "look", lambda self, some: (sizes.append(len(some)), look(self, some))[1])
    seen = faces.look_at_all(codes(rows=7), B)
    assert sizes == [B, B, B]
    for first in (0, B):
        some = faces.look(codes(rows=7).select(slice(first, first + B)))
        assert all(np.array_equal(column, seen[name][first : first + B]) for name, column in some.items())
    assert {len(column) for column in seen.values()} == {7}


def test_what_is_not_finite_shows_beside_the_picture():
    faces = opened(picture_size=32)
    values = codes().values
    values[1] = torch.inf
    assert np.isfinite(faces.look(Codes("w", values))["picture"]).tolist() == [True, False, True]


@pytest.mark.parametrize("gradients", [False, True])
def test_warming_up_says_where_there_is_no_room_and_leaves_no_seconds(gradients, monkeypatch):
    faces = opened()
    faces.warm_up(B, gradients)
    assert faces.take_seconds() == {}

    def full(self, codes):
        raise torch.OutOfMemoryError("out of memory. Tried to allocate 8 GiB")

    monkeypatch.setattr(FaceScorer, "_faces", full)
    with pytest.raises(SpecError, match="no room for micro-batches of 3: pass a smaller --batch-size"):
        faces.warm_up(B, gradients)


def counted(function, name, passes):
    def count(*about, **more):
        passes.append(name)
        return function(*about, **more)

    return count


def watch(faces, features, monkeypatch):
    """Keep weak references to the features after every layer that the generator of a faces runs from now on."""

    def watched(layer):
        def run(state, s_NC):
            after = layer(state, s_NC)
            features.append(weakref.ref(after.features))
            return after

        return run

    monkeypatch.setattr(faces.generator, "_steps", tuple(map(watched, faces.generator._steps)))
