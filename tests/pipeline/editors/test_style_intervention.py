"""Style Intervention: its equations, the solver, and the outcome of every edit that has nothing to do."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.directions import normalised
from pipeline.directions.sparse_svm import NORMAL
from pipeline.editors import DONE, NOT_FINITE, REACHED, EditRequest, config_of
from pipeline.editors.style_intervention import intervention, losses, solver
from pipeline.editors.style_intervention.displacements import channel_spread
from pipeline.editors.style_intervention.regions import grown, grown_by_default
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing, regions
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from tests.pipeline.editors import faces64

ROWS, SIZE = 3, 32
Config = config_of("style-intervention")


class Masks:
    """A face parser that finds what a test tells it to find."""

    fingerprint = "m"

    def __init__(self, mask_HW) -> None:
        self.mask_HW = mask_HW

    def masks(self, x_N3HW):
        masks = torch.zeros(len(x_N3HW), len(CLASSES), *x_N3HW.shape[2:])
        masks[:, CLASSES.index("hair")] = 0.5
        masks[:, CLASSES.index("mouth")] = self.mask_HW.float()
        return masks


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


def scorer(generator, mask=None):
    parser = parsing.load("tiny") if mask is None else Masks(mask)
    return FaceScorer(generator, {"": classifiers.load("tiny", faces64.ATTRIBUTES, measures=())}, parser=parser)


def codes(rows=ROWS, space="w", seed=0):
    return Codes(space, faces64.codes(space, rows, seed).values.float())


def directions(space="w"):
    return [*faces64.directions(space, shared=True), *faces64.directions("s")]


def edited(faces, some=None, attribute="old", given=None, **flags):
    config = Config.model_validate({"always": True, "steps": 2, **flags})
    some = codes() if some is None else some
    request = config.request(attribute)
    return config.open(faces, directions(some.space) if given is None else given).edit(some, [request] * len(some))


def kept(trace):
    """The columns of the table of coefficients."""
    return trace.tables["coefficients"]


# -- the equations ----------------------------------------------------------------------------------------------------


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def test_each_equation_is_the_papers():
    lam, by_z, by_n = torch.rand(2, 7, dtype=torch.float64), noise(2, 7), noise(2, 7, seed=1)
    by_m, spread = losses.merged(lam, by_z, by_n), torch.rand(7, dtype=torch.float64) + 0.5
    x, source = noise(2, 3, 4, 4, seed=2), noise(2, 3, 4, 4, seed=3)
    outside = torch.zeros(2, 1, 4, 4, dtype=torch.float64)
    outside[0, 0, :2], outside[1, 0, 1, 1] = 1, 1
    for row in range(2):
        by_m_row = [
            (1 - float(lam[row, i])) * float(by_z[row, i]) + float(lam[row, i] * by_n[row, i]) for i in range(7)
        ]
        np.testing.assert_allclose(by_m[row], by_m_row)
        changes = [
            (float(x[row, c, i, j]) - float(source[row, c, i, j])) / 2
            for c in range(3) for i in range(4) for j in range(4) if outside[row, 0, i, j]
        ]  # fmt: skip
        squares = sum(change**2 for change in changes)
        assert float(losses.pixel_loss(x, source, outside)[row]) == pytest.approx(squares / len(changes))
        assert float(losses.pixel_loss(x, source, outside, "norm")[row]) == pytest.approx(math.sqrt(squares))
        a, b = by_n[row].numpy(), np.array(by_m_row)
        cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        assert float(losses.attribute_loss(by_n, by_m)[row]) == pytest.approx(-cosine)
        n, m = a / spread.numpy(), b / spread.numpy()
        assert float(losses.progress_loss(by_n, by_m, spread)[row]) == pytest.approx(-min(n @ m / (n @ n), 1))
        assert float(losses.norm_loss(lam)[row]) == pytest.approx(np.linalg.norm(lam[row]))
    total = losses.objective(torch.tensor([2.0]), torch.tensor([-0.5]), torch.tensor([3.0]), 1e-2, 1e-6)
    assert float(total) == pytest.approx(2 - 0.5e-2 + 3e-6)


def test_no_equation_gives_a_nan_at_its_edges():
    zero = torch.zeros(1, 5, requires_grad=True)
    picture = torch.zeros(1, 3, 2, 2, requires_grad=True)
    nothing, everything = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    for outside in (nothing, everything):
        for kind in losses.PIXEL_LOSSES:
            loss = losses.pixel_loss(picture, picture.detach(), outside, kind).sum()
            (found,) = torch.autograd.grad(loss, picture)
            assert loss.item() == 0
            assert torch.isfinite(found).all()
    ones = torch.ones(1, 5)
    for loss in (
        losses.attribute_loss(ones, zero).sum(),
        losses.progress_loss(ones, zero, ones[0]).sum(),
        losses.progress_loss(torch.zeros(1, 5), zero, ones[0]).sum(),
        losses.norm_loss(zero).sum(),
    ):
        (found,) = torch.autograd.grad(loss, zero)
        assert torch.isfinite(found).all()
        assert loss.item() == 0


def test_progress_asks_for_all_of_the_sparse_move_and_leaves_what_is_beside_it():
    by_n, spread = torch.tensor([[4.0, 0.0, 0.0]], dtype=torch.float64), torch.tensor([2.0, 1.0, 1.0]).double()
    beside = torch.tensor([[0.0, 3.0, -1.0]], dtype=torch.float64)
    moves = (0.1 * by_n, by_n, 2 * by_n, by_n + beside, -0.1 * by_n, beside)
    shares = [float(losses.progress_loss(by_n, by_m, spread)) for by_m in moves]
    assert shares == pytest.approx([-0.1, -1, -1, -1, 0.1, 0])
    assert [float(losses.attribute_loss(by_n, by_m)) for by_m in moves[:3]] == pytest.approx([-1, -1, -1])
    assert float(losses.attribute_loss(by_n, moves[3])) > -0.8


# -- the solver --------------------------------------------------------------------------------------------------------


def problem(generator, rows=2, dtype=torch.float64):
    s = faces64.codes("s", rows).values.to(dtype)
    by_z, by_n = 0.3 * noise(*s.shape, seed=4).to(dtype), 0.3 * noise(*s.shape, seed=5).to(dtype)
    with torch.no_grad():
        source = generator.synthesize(Codes("s", s))
    outside = torch.ones(rows, 1, SIZE, SIZE, dtype=source.dtype)
    outside[:, :, :16] = 0
    return solver.Problem(s, by_z, by_n, torch.linspace(0.5, 2, s.shape[1]).to(dtype), source, outside)


@pytest.mark.parametrize("kind", ["progress", "cosine"])
def test_from_a_layer_on_losses_and_gradients_are_those_of_the_whole_network(kind):
    generator, settings = faces64.generator(), solver.Settings(attribute=kind)
    it = problem(generator)
    widths = [layer.width for layer in generator.style_layers]
    coefficients = torch.rand(it.s.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = coefficients.clone().requires_grad_()
    x = generator.synthesize(Codes("s", it.s + losses.merged(whole, it.by_z, it.by_n)))
    pixel = losses.pixel_loss(x, it.source, it.outside)
    by_m = losses.merged(whole, it.by_z, it.by_n)
    if kind == "cosine":
        attribute = losses.attribute_loss(it.by_n, by_m)
    else:
        attribute = losses.progress_loss(it.by_n, by_m, it.spread)
    wanted = losses.objective(pixel, attribute, losses.norm_loss(whole), 1e-2, 1e-6)
    (gradient,) = torch.autograd.grad(wanted.sum(), whole)
    state, start = generator.start(2), 0
    for layer, width in enumerate(widths):
        channels = slice(start, start + width)
        own = coefficients[:, channels].clone().requires_grad_()
        found, _ = solver.losses(generator, it, settings, coefficients, own, state, (layer, layer + 1), channels)
        (its,) = torch.autograd.grad(found.sum(), own)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=0)
        torch.testing.assert_close(its, gradient[:, channels], rtol=1e-6, atol=1e-12)
        with torch.no_grad():
            s = it.s + losses.merged(coefficients, it.by_z, it.by_n)
            state = generator.run(s, state, layer, layer + 1)
        start += width


@pytest.mark.parametrize("at_once", [False, True])
def test_coefficients_are_shares_and_the_objective_falls(generator, at_once):
    it = problem(generator, dtype=torch.float32)
    found = solver.solve(generator, it, solver.Settings(steps=4, at_once=at_once))
    assert 0 <= float(found.coefficients.min()) < float(found.coefficients.max()) <= 1
    assert found.errors.shape == (2, 2 if at_once else 1 + len(generator.style_layers))

    def objective(coefficients):
        by_m = losses.merged(coefficients, it.by_z, it.by_n)
        x = generator.synthesize(Codes("s", it.s + by_m))
        pixel = losses.pixel_loss(x, it.source, it.outside)
        return losses.objective(
            pixel, losses.progress_loss(it.by_n, by_m, it.spread), losses.norm_loss(coefficients), 1e-2, 1e-6
        ), pixel

    before, after = objective(torch.full_like(it.s, 0.5)), objective(found.coefficients)
    assert (after[0] < before[0]).all()
    torch.testing.assert_close(found.errors[:, 0], before[1], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.errors[:, -1], after[1], rtol=1e-4, atol=1e-7)


def test_a_layer_stops_where_its_loss_no_longer_falls(generator, monkeypatch):
    it, calls = problem(generator, dtype=torch.float32), []
    whole = solver.losses

    def counted(*args):
        calls.append(args[6])
        return whole(*args)

    monkeypatch.setattr(solver, "losses", counted)
    solver.solve(generator, it, solver.Settings(steps=5, tolerance=0.999))
    assert len(calls) == 1 + len(generator.style_layers)


@pytest.mark.parametrize("flags", [{}, {"steps": 2}, {"tolerance": 0.5}, {"pixels": "norm"}, {"attribute": "cosine"}])
def test_the_pass_that_two_layers_share_spares_one_and_changes_no_bit(generator, monkeypatch, flags):
    it, settings, calls = problem(generator, rows=1, dtype=torch.float32), solver.Settings(**flags), []
    passes, layer_by_layer = solver.losses, solver._solve_layers
    monkeypatch.setattr(solver, "losses", lambda *args: calls.append(args[6]) or passes(*args))
    shared, fewer = solver.solve(generator, it, settings), len(calls)
    monkeypatch.setattr(solver, "_solve_layers", lambda *args: (*layer_by_layer(*args)[:2], None))
    alone = solver.solve(generator, it, settings)
    assert fewer < len(calls) - fewer
    assert torch.equal(shared.coefficients, alone.coefficients)
    assert torch.equal(shared.errors, alone.errors)


def test_rows_do_not_depend_on_each_other(generator):
    it = problem(generator, dtype=torch.float32)
    settings = solver.Settings(steps=3)
    together = solver.solve(generator, it, settings)
    for row in range(2):
        one = slice(row, row + 1)
        alone = solver.Problem(it.s[one], it.by_z[one], it.by_n[one], it.spread, it.source[one], it.outside[one])
        found = solver.solve(generator, alone, settings)
        torch.testing.assert_close(found.coefficients, together.coefficients[one], rtol=0, atol=0.05)


# -- the editor --------------------------------------------------------------------------------------------------------


def test_the_edit_is_the_merged_move_and_the_strengths_are_those_of_the_sparse_one(generator):
    faces, sd = scorer(generator), channel_spread(generator)
    one = edited(faces, move=2.0, length=0.5)
    s = generator.styles_of(codes())
    torch.testing.assert_close(one.at(0).values, s)
    lam = kept(one)["coefficients"]
    unit_w, unit_s = (torch.tensor(one.vector) for one in directions() if one.attribute == "old")
    by_z = generator.styles_of(Codes("w", codes().values + 2 * unit_w)) - s
    by_n = unit_s * 0.5 * (by_z / sd.float()).norm(dim=1, keepdim=True) / (unit_s / sd.float()).norm()
    torch.testing.assert_close(one.at(1).values, s + (1 - lam) * by_z + lam * by_n, rtol=1e-4, atol=1e-4)
    some = edited(faces, move=2.0, length=0.5, strengths=(0.0, 1.0, 2.0))
    torch.testing.assert_close(some.at(2).values, one.at(1).values)
    torch.testing.assert_close(some.at(3).values - some.at(1).values, 2 * lam * by_n, rtol=1e-3, atol=1e-4)
    assert some.strengths.tolist() == [[0, 0, 1, 2]] * ROWS


@pytest.mark.parametrize("space", ["z", "w+"])
def test_moves_of_other_spaces_are_mapped_to_s(generator, space):
    if space == "z":
        some = Codes("z", noise(ROWS, generator.z_dim).float())
        unit = [normalised(name, "svm", "z", noise(generator.z_dim, seed=7)) for name in faces64.ATTRIBUTES]
        given = [*unit, *faces64.directions("s")]
        w = Codes("w+", generator.map(some.values + 3 * torch.tensor(unit[2].vector)))
    else:
        some, given = codes(space="w+"), None
        unit = faces64.directions("w+", shared=True)
        w = Codes("w+", some.values + 3 * torch.tensor(unit[2].vector))
    trace = edited(scorer(generator), some, given=given)
    lam = kept(trace)["coefficients"]
    by_z = generator.styles_of(w) - trace.at(0).values
    at_zero = edited(scorer(generator), some, given=given, strengths=(0.0,))
    torch.testing.assert_close(at_zero.at(1).values, trace.at(0).values + (1 - lam) * by_z, rtol=1e-3, atol=1e-3)


def test_target_0_is_the_other_way_and_flip_goes_by_the_source(generator):
    faces = scorer(generator)
    down = edited(faces, target="0")
    assert (down.strengths[:, 1] == -1).all()
    with torch.no_grad():
        score = faces(Codes("s", generator.styles_of(codes())), ["old"])["old"]
    flipped, up = edited(faces, target="flip"), edited(faces)
    for row, positive in enumerate((score > 0).tolist()):
        assert torch.equal(flipped.values[row], (down if positive else up).values[row])
        assert flipped.strengths[row, 1] == (-1 if positive else 1)


def test_sources_at_their_target_stay(generator):
    faces = scorer(generator)
    with torch.no_grad():
        score = faces(Codes("s", generator.styles_of(codes())), ["old"])["old"]
    target = "1" if float(score[0]) > 0 else "0"
    trace = edited(faces, target=target, always=False)
    there = (score > 0) == (target == "1")
    assert [stop == REACHED for stop in trace.stops] == there.tolist()
    assert trace.steps[0].tolist() == [0, -1]
    assert not kept(trace)["solved"][0]
    assert (kept(trace)["coefficients"][0] == 0).all()
    assert edited(faces, target=target).stops == (DONE,) * ROWS


def test_empty_and_full_masks(generator):
    none, everything = torch.zeros(SIZE, SIZE), torch.ones(SIZE, SIZE)
    empty = edited(scorer(generator, none), attribute="smile")
    assert empty.stops == ("the face parser finds no region of smile",) * ROWS
    assert empty.steps.tolist() == [[0, -1]] * ROWS
    full = edited(scorer(generator, everything), attribute="smile")
    assert full.stops == (DONE,) * ROWS
    assert torch.isfinite(full.values).all()
    assert (kept(full)["errors"] == 0).all()


def test_what_is_outside_the_mask_changes_less_than_by_either_move(generator):
    mask = torch.zeros(SIZE, SIZE)
    mask[20:] = 1
    faces = scorer(generator, mask)
    trace = edited(faces, attribute="smile", steps=8, dilation=0, lambda_attr=1e-4)
    s, lam = trace.at(0).values, kept(trace)["coefficients"]
    outside = (1 - mask).expand(ROWS, 1, SIZE, SIZE)

    def error(values):
        with torch.no_grad():
            pictures = (generator.synthesize(Codes("s", one)) for one in (values, s))
            return losses.pixel_loss(*pictures, outside)

    unit = torch.tensor(next(one for one in directions() if one.attribute == "smile").vector)
    moved = generator.styles_of(Codes("w", codes().values + 3 * unit))
    assert lam.min() >= 0
    assert (error(trace.at(1).values) < 0.5 * error(moved)).all()
    torch.testing.assert_close(error(trace.at(1).values), kept(trace)["errors"][:, -1], rtol=1e-3, atol=1e-6)


def test_a_direction_that_moves_nothing_ends_at_the_source(generator):
    nothing = torch.zeros(generator.w_dim)
    faces = scorer(generator)
    config = Config.model_validate({"always": True})
    editor = config.open(faces, directions())
    editor._moves._latent["old"] = type("Still", (), {"along": lambda self, codes: nothing})()
    trace = editor.edit(codes(), [config.request("old")] * ROWS)
    assert trace.stops == ("the direction of old moves no style",) * ROWS
    assert torch.isfinite(trace.values).all()


def test_a_row_that_is_not_finite_is_left_out_alone(generator):
    broken = codes()
    broken.values[1, 3] = torch.inf
    trace = edited(scorer(generator), broken)
    assert [stop == NOT_FINITE for stop in trace.stops] == [False, True, False]
    assert (trace.steps[1] == -1).all()


class Counting:
    """Faces whose passes through the generator are counted by their rows."""

    def __init__(self, faces, monkeypatch):
        self.rows = []
        run = type(faces.generator).run

        def counted(generator, s, *args):
            self.rows.append(len(s))
            return run(generator, s, *args)

        monkeypatch.setattr(type(faces.generator), "run", counted)


@pytest.mark.parametrize("mask", ["source", "union"])
def test_rows_that_stopped_keep_their_slots_on_a_device_that_takes_all_rows_together(generator, monkeypatch, mask):
    faces = scorer(generator)
    faces.at_once = None
    channel_spread(generator)
    some = codes(rows=64, seed=2)
    with torch.no_grad():
        score = faces(Codes("s", generator.styles_of(some)), ["old"])["old"]
    old, young = (np.flatnonzero(side.numpy()) for side in (score > 0, score < 0))
    some = some.select(torch.tensor([young[0], *old[:5]]))
    some.values[1, 3] = torch.inf
    config = Config.model_validate({"target": "0", "steps": 1, "mask": mask, "length": 1.0})
    editor = config.open(faces, directions())
    counting = Counting(faces, monkeypatch)
    requests = [config.request(name) for name in ("old", "old", "old", "smile", "old", "old")]
    trace = editor.edit(some, requests)
    assert set(counting.rows) == {6}
    assert (trace.stops[0], trace.stops[1]) == (REACHED, NOT_FINITE)
    done = [row for row, stop in enumerate(trace.stops) if stop == DONE]
    assert len(done) >= 3
    for row in done:
        alone = editor.edit(some.select(slice(row, row + 1)), requests[row : row + 1])
        torch.testing.assert_close(alone.values[0], trace.values[row], rtol=1e-3, atol=1e-3)
        for name in ("coefficients", "errors"):
            torch.testing.assert_close(kept(alone)[name][0], kept(trace)[name][row], rtol=1e-3, atol=1e-3)
    for row in set(range(6)) - set(done):
        assert not kept(trace)["solved"][row]
        assert torch.isnan(kept(trace)["errors"][row]).all()


def test_the_codes_after_layers_are_the_edit_with_the_rest_as_it_was_at_the_start(generator):
    layers = len(generator.style_layers)
    whole = edited(scorer(generator))
    found = edited(scorer(generator), after_layers=(0, 2, layers - 1))
    assert found.steps.tolist() == [[0, 1, 2, 3, 4]] * ROWS
    assert found.strengths.tolist() == [[0, 1, 1, 1, 1]] * ROWS
    assert torch.equal(found.at(4).values, whole.at(1).values)
    by_z, by_n = (edited(scorer(generator), strengths=(k,)).at(1).values for k in (0.0, 1.0))
    s, lam = whole.at(0).values, kept(whole)["coefficients"]
    by_z, by_n = (by_z - s) / (1 - lam), (by_n - by_z) / lam  # where both divide
    for step, some in ((1, 0), (2, 2), (3, layers - 1)):
        solved = sum(layer.width for layer in generator.style_layers[:some])
        assert torch.equal(found.at(step).values[:, :solved], whole.at(1).values[:, :solved])
        wanted = s + 0.5 * by_z + 0.5 * by_n
        there = torch.isfinite(wanted) & (lam > 0.05) & (lam < 0.95)
        there[:, :solved] = False
        assert there.sum() > 10
        torch.testing.assert_close(found.at(step).values[there], wanted[there], rtol=1e-3, atol=1e-3)


def test_shared_coefficients_are_taken_as_they_are(generator):
    own = edited(scorer(generator))
    given = {"old": kept(own)["coefficients"][1]}
    config = Config.model_validate({"always": True, "shared_coefficients": "t/coefficients#1"})
    faces = FaceScorer(generator, {})  # no parser, no classifier: nothing is solved for
    request = config.request("old")
    trace = config.open(faces, directions(), given).edit(codes(), [request] * ROWS)
    assert trace.stops == (DONE,) * ROWS
    assert not trace.tables
    torch.testing.assert_close(trace.values[1], own.values[1])
    assert not torch.equal(trace.values[0], own.values[0])
    traits = config.traits([request])
    assert (traits.masks, traits.looks_at) == (False, ())
    assert config.request("yaw").attribute == "yaw"
    with pytest.raises(SpecError, match="there are no shared coefficients of smile"):
        config.open(faces, directions(), given).edit(codes(), [config.request("smile")] * ROWS)


def test_what_is_taken_from_a_table_of_coefficients():
    config = Config.model_validate({"shared_coefficients": "d#1/coefficients#17"})
    earlier = config.earlier((3,))
    assert (earlier.url, earlier.table.name) == ("d#1/coefficients", "coefficients")
    lam = np.array([[0, 1, 0.5], [1, 1, 0], [0, 0, 0], [0, 0, 1]], np.float32)
    pieces = [
        {"index": np.array([16, 17]), "attribute": ["old"] * 2, "solved": [True] * 2, "coefficients": lam[:2]},
        {"index": np.array([17, 18]), "attribute": ["smile", "old"], "solved": [False, True], "coefficients": lam[2:]},
    ]
    assert config.take(pieces, ["old"])["old"].tolist() == [1, 1, 0]
    mean = Config.model_validate({"shared_coefficients": "d/coefficients"})
    torch.testing.assert_close(mean.take(pieces, ["old"])["old"], torch.tensor([1 / 3, 2 / 3, 0.5]))
    for one, attributes, message in (
        (config, ["smile"], "nothing was solved for smile of face 17"),
        (mean, ["smile"], "nothing was solved for smile of any face"),
        (mean, ["old", "male"], "there is no row of male, only of old, smile"),
        (Config.model_validate({"shared_coefficients": "t#3"}), ["old"], "nothing was solved for old of face 3"),
    ):
        with pytest.raises(SpecError, match=message):
            one.take(pieces, attributes)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"after_layers": (3, 1)}, "numbers of layers that rise"),
        ({"after_layers": (-1,)}, "numbers of layers that rise"),
        ({"after_layers": (1,), "at_once": True}, "--at-once solves for all layers together"),
        ({"after_layers": (1,), "strengths": (1.0,)}, "both say what the steps are"),
        ({"shared_coefficients": "t", "steps": 3}, "--steps: with --shared-coefficients nothing is solved for"),
        ({"shared_coefficients": "t", "pixel_loss": "norm"}, "--pixel-loss: with --shared-coefficients"),
    ],
)
def test_flags_that_do_not_go_together(flags, message):
    with pytest.raises(ValueError, match=message):
        Config.model_validate(flags)


def test_there_are_not_so_many_layers(generator):
    layers = len(generator.style_layers)
    Config.model_validate({"after_layers": (layers - 1,)}).check("w", generator)
    with pytest.raises(SpecError, match=f"stylegan2-tiny has {layers} layers"):
        Config.model_validate({"after_layers": (layers,)}).check("w", generator)


def test_each_row_has_the_mask_of_its_own_region(generator):
    faces = scorer(generator, torch.zeros(SIZE, SIZE))
    faces.at_once = None
    config = Config.model_validate({"always": True, "steps": 1})
    requests = [config.request(name) for name in ("smile", "old", "smile")]
    none = "the face parser finds no region of smile"
    assert config.open(faces, directions()).edit(codes(), requests).stops == (none, DONE, none)


def test_union_masks_take_in_the_moved_picture(generator):
    class Bright(Masks):
        def masks(self, x_N3HW):
            self.mask_HW = x_N3HW.mean(dim=1) > 0
            return super().masks(x_N3HW)

    faces = scorer(generator, torch.zeros(SIZE, SIZE))
    faces._parser = Bright(None)
    source, union = (edited(faces, attribute="smile", mask=mask, dilation=0, steps=1) for mask in ("source", "union"))
    assert not torch.equal(kept(source)["errors"], kept(union)["errors"])


def test_dilation_is_counted_in_a_picture_of_512_px():
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[0, 0, 30, 40] = True
    assert int(regions.dilated(mask, 16).sum()) == 5 * 5
    assert torch.equal(regions.dilated(mask, 0), mask)


def test_a_region_is_grown_as_the_attribute_says_or_as_asked(generator, monkeypatch):
    """The frames of eyeglasses reach beyond the eyes and brows of a source that has none."""
    assert [grown(name) for name in ("smile", "old", "eyeglasses", "glasses", "beard")] == [16, 16, 40, 40, 16]
    assert grown_by_default() == "40 for eyeglasses and mouth_open, 80 for hat, else 16"
    assert grown("eyeglasses", 0) == 0
    mask = torch.zeros(SIZE, SIZE)
    mask[16, 16] = 1
    faces, areas = scorer(generator, mask), []

    def look(_, it, settings):
        areas.append(int((it.outside == 0).sum()))
        return solver.Solution(torch.zeros_like(it.s), it.s.new_zeros(len(it.s), 1 + len(generator.style_layers)))

    monkeypatch.setattr(intervention, "solve", look)
    for flags in ({}, {"dilation": 16}, {"dilation": 48}, {"dilation": 0}):
        edited(faces, attribute="smile", **flags)
    assert areas == [area for area in (3 * 3, 3 * 3, 7 * 7, 1) for _ in range(ROWS)]


def test_the_same_spread_each_time(generator):
    first, again = channel_spread(generator), channel_spread(generator)
    assert torch.equal(first, again)
    assert (first > 0).all()


def test_what_cannot_be_edited(generator):
    config = Config.model_validate({})
    with pytest.raises(SpecError, match="yaw may change the whole picture, so it has no region"):
        config.request("yaw")
    with pytest.raises(SpecError, match="beard is not an attribute that the classifiers know"):
        config.request("beard")
    assert Config.model_validate({"region": ("hair",)}).request("beard").attribute == "beard"
    assert Config.model_validate({"region": ("hair,hat",)}).region == ("hair", "hat")
    with pytest.raises(SpecError, match="no class 'hat-rack': its classes are"):
        Config.model_validate({"region": ("hat-rack",)}).request("beard")
    with pytest.raises(SpecError, match="leave out --preserve"):
        config.request("old", ["male"])
    with pytest.raises(SpecError, match=r"no direction of smile in s \(a sparse one\)"):
        edited(scorer(generator), attribute="smile", given=faces64.directions("w"))
    with pytest.raises(SpecError, match="no direction of smile in z, w or w"):
        edited(scorer(generator), attribute="smile", given=faces64.directions("s"))
    with pytest.raises(SpecError, match="two directions of smile in w"):
        config.open(scorer(generator), [*directions(), *directions()])
    normal = [replace(one, method=NORMAL) for one in faces64.directions("s")]
    with pytest.raises(SpecError, match=r"normal of a sparse hyperplane, which is no move: give DIR/directions"):
        config.open(scorer(generator), [*faces64.directions("w", shared=True), *normal])
    for options in ({}, {"move": 1.0}, {"move": 1.0, "length": 1.0, "lambda1": 0.0}):
        request = EditRequest("old", strengths=(1.0,), options=options)
        with pytest.raises(SpecError, match="the numbers move and length of each row, and no others"):
            config.open(scorer(generator), directions()).edit(codes(), [request] * ROWS)
    with pytest.raises(SpecError, match="no face parser is open"):
        edited(FaceScorer(generator, {}))
    with pytest.raises(SpecError, match="the family tiny-judge has no face parser"):
        parsing.load("tiny-judge")
