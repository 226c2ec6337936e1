"""Linear edits against their equations, in float64, and the laws that follow from them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from requested import by_row, same
from toy_edits import FORMS, L, W, codes, direction

from pipeline.directions.conditional import project
from pipeline.editors import DONE
from pipeline.editors.interfacegan import InterFaceGAN
from pipeline.editors.truncation import Truncation
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

ROWS, STRENGTHS = 6, [-3.0, -0.5, 1.0, 4.25]
strengths = st.floats(-20, 20, width=32)


def edited(editor, source, strengths, **asked):
    return editor.edit(source, same(len(source), "old", strengths, **asked))


def on_each_row(vector, source):
    return np.broadcast_to(vector.astype(np.float64), source.values.shape[1:])


@pytest.mark.parametrize(("space", "shape"), FORMS)
def test_relative_is_x_plus_alpha_n(space, shape):
    n, x = direction(space, shape), codes(space, ROWS)
    trace = edited(InterFaceGAN([n]), x, STRENGTHS)
    assert trace.values.shape == (ROWS, 4, *x.values.shape[1:])
    assert trace.values.dtype == torch.float32
    for k, alpha in enumerate(STRENGTHS):
        wanted = x.values.double().numpy() + alpha * on_each_row(n.vector, x)
        np.testing.assert_allclose(trace.at(k).values.numpy(), wanted, rtol=0, atol=1e-6)
    assert trace.steps.tolist() == [[1, 2, 3, 4]] * ROWS
    assert trace.strengths.tolist() == [STRENGTHS] * ROWS
    assert trace.stops == (DONE,) * ROWS
    assert trace.kept.all()


@pytest.mark.parametrize(("space", "shape"), FORMS)
def test_absolute_lands_at_the_distance_with_the_intercept(space, shape):
    n, x = direction(space, shape), codes(space, ROWS)
    trace = edited(InterFaceGAN([n], "absolute"), x, STRENGTHS)
    values, v = x.values.double().numpy(), n.vector.astype(np.float64)
    mean = values.mean(axis=1) if values.ndim > v.ndim + 1 else values
    d = (mean * v).reshape(ROWS, -1).sum(axis=1) + n.intercept
    for k, alpha in enumerate(STRENGTHS):
        step = (alpha - d).reshape(-1, *[1] * (values.ndim - 1)) * on_each_row(n.vector, x)
        np.testing.assert_allclose(trace.at(k).values.numpy(), values + step, rtol=0, atol=2e-6)
        np.testing.assert_allclose(n.distance(trace.at(k)).numpy(), alpha, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("space", "shape"), FORMS)
def test_as_released_knows_no_intercept_and_is_relative_in_w_plus(space, shape):
    n, x = direction(space, shape), codes(space, ROWS)
    trace = edited(InterFaceGAN([n], "as-released"), x, STRENGTHS)
    values, v = x.values.double().numpy(), on_each_row(n.vector, x)
    for k, alpha in enumerate(STRENGTHS):
        t = alpha if space == "w+" else (alpha - values @ v)[:, None]
        np.testing.assert_allclose(trace.at(k).values.numpy(), values + t * v, rtol=0, atol=2e-6)


@settings(max_examples=50)
@given(st.sampled_from(FORMS), strengths, strengths)
def test_relative_edits_add_up(form, a, b):
    n, x = direction(*form), codes(form[0], 3)
    once = edited(InterFaceGAN([n]), x, [a + b]).at(0).values
    twice = edited(InterFaceGAN([n]), edited(InterFaceGAN([n]), x, [a]).at(0), [b]).at(0).values
    torch.testing.assert_close(twice, once, rtol=0, atol=1e-5)


@settings(max_examples=50)
@given(st.sampled_from(FORMS), strengths, strengths)
def test_absolute_edits_forget_where_they_came_from(form, a, b):
    n, x = direction(*form), codes(form[0], 3)
    editor = InterFaceGAN([n], "absolute")
    once = edited(editor, x, [b]).at(0)
    torch.testing.assert_close(edited(editor, once, [b]).at(0).values, once.values, rtol=0, atol=1e-5)
    by_way_of_a = edited(editor, edited(editor, x, [a]).at(0), [b]).at(0)
    torch.testing.assert_close(by_way_of_a.values, once.values, rtol=0, atol=1e-5)


@settings(max_examples=50)
@given(st.sampled_from(FORMS), st.floats(-8, 8, width=32), st.integers(1, 3))
def test_a_conditional_edit_leaves_the_conditions_alone(form, alpha, count):
    others = [direction(*form, attribute=f"other {seed}", seed=seed) for seed in range(2, 2 + count)]
    primal = project(direction(*form), others)
    x = codes(form[0], 4)
    trace = edited(InterFaceGAN([primal]), x, [alpha], conditions=primal.conditions[::-1])
    for other in others:
        torch.testing.assert_close(other.distance(trace.at(0)), other.distance(x), rtol=0, atol=1e-5)
    moved = (primal.distance(trace.at(0)) - primal.distance(x)).numpy()
    np.testing.assert_allclose(moved, alpha, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(W,), (L, W)])
def test_only_chosen_layers_move(shape):
    n, x = direction("w+", shape), codes("w+", ROWS)
    chosen, others = [0, 3], [1, 2, 4]
    for mode in ("relative", "absolute", "as-released"):
        trace = edited(InterFaceGAN([n], mode, layers=chosen), x, STRENGTHS)
        for k, alpha in enumerate(STRENGTHS):
            ws = trace.at(k)
            assert torch.equal(ws.values[:, others], x.values[:, others])
            moved = (ws.values - x.values).double().numpy()[:, chosen] / on_each_row(n.vector, x)[chosen]
            np.testing.assert_allclose(moved, moved[:, :1, :1] + np.zeros_like(moved), rtol=2e-3, atol=1e-4)
            if mode == "absolute":
                np.testing.assert_allclose(n.distance(ws).numpy(), alpha, rtol=0, atol=2e-5)
            else:
                np.testing.assert_allclose(moved, alpha, rtol=1e-2)


@pytest.mark.parametrize("mode", ["relative", "absolute", "as-released"])
@pytest.mark.parametrize(("space", "shape"), FORMS)
def test_a_row_is_bit_by_bit_the_same_beside_any_others(space, shape, mode):
    rows, names = 9, ["old", "male", "smile"]
    directions = [direction(space, shape, name, seed) for seed, name in enumerate(names, 1)]
    x, asked = codes(space, rows), [names[row % 3] for row in range(rows)]
    w_avg = codes("w", 1, seed=5).values[0]
    truncation = Truncation(w_avg, 0.6) if space in ("w", "w+") else None
    editor = InterFaceGAN(directions, mode, truncation=truncation, source=True)
    alpha = torch.linspace(-4, 5, rows * 3, dtype=torch.float64).view(rows, 3)
    requests = by_row(tuple(asked), ((),) * rows, ("1",) * rows, alpha)
    together = editor.edit(x, requests)
    for row in range(rows):
        alone = editor.edit(x.select(slice(row, row + 1)), same(1, asked[row], alpha[row].tolist()))
        assert torch.equal(alone.values[0], together.values[row])
        assert torch.equal(alone.strengths[0], together.strengths[row])
    order = list(range(rows))[::-1]
    turned = by_row(tuple(asked[row] for row in order), ((),) * rows, ("1",) * rows, alpha[order])
    assert torch.equal(editor.edit(x.select(torch.tensor(order)), turned).values, together.values[order])


def test_the_source_is_step_0():
    n, x = direction("w", (W,)), codes("w", 4)
    trace = edited(InterFaceGAN([n], source=True), x, [2.0])
    assert trace.steps.tolist() == [[0, 1]] * 4
    assert trace.strengths.tolist() == [[0.0, 2.0]] * 4
    assert torch.equal(trace.at(0).values, x.values)
    trace = edited(InterFaceGAN([n], "absolute", source=True), x, [2.0])
    torch.testing.assert_close(trace.strengths[:, 0], n.distance(x), rtol=0, atol=1e-12)
    assert torch.equal(trace.at(0).values, x.values)


@pytest.mark.parametrize(("space", "cutoff"), [("w", None), ("w+", None), ("w+", 0), ("w+", 2)])
def test_truncation_comes_after_the_edit(space, cutoff):
    n, x = direction(space, (W,)), codes(space, ROWS)
    w_avg = codes("w", 1, seed=5).values[0]
    editor = InterFaceGAN([n], truncation=Truncation(w_avg, 0.5, cutoff), source=True)
    values = edited(editor, x, [3.0]).values.double()
    for k, alpha in enumerate((0.0, 3.0)):
        wanted = x.values.double() + alpha * torch.from_numpy(on_each_row(n.vector, x).copy())
        short = w_avg + 0.5 * (wanted - w_avg)
        if cutoff is not None:
            short = torch.cat([short[:, :cutoff], wanted[:, cutoff:]], dim=1)
        torch.testing.assert_close(values[:, k], short, rtol=0, atol=1e-6)


def test_what_cannot_be_done_is_said():
    n, x = direction("w", (W,)), codes("w", 2)
    ws = codes("w+", 2)
    one_layer = np.zeros((L, W), np.float32)
    one_layer[0, 0] = 1
    for message, act in [
        ("one request for each row", lambda: InterFaceGAN([n]).edit(x, same(3, "old", [1.0]))),
        ("no row", lambda: InterFaceGAN([n]).edit(x.select(slice(0, 0)), same(0, "old", [1.0]))),
        ("no direction of smile, there are: old", lambda: InterFaceGAN([n]).edit(x, same(2, "smile", [1.0]))),
        (r"no direction of old\|male", lambda: edited(InterFaceGAN([n]), x, [1.0], conditions=["male"])),
        ("one of the two", lambda: edited(InterFaceGAN([n]), x, None)),
        ("one of the two", lambda: edited(InterFaceGAN([n]), x, [1.0], until=1.0)),
        ("carry their own sign", lambda: edited(InterFaceGAN([n]), x, [1.0], target="0")),
        ("make the editor with `scores`", lambda: edited(InterFaceGAN([n]), x, None, until=1.0)),
        ("relative edits", lambda: edited(InterFaceGAN([n], "absolute"), x, None, until=1.0)),
        ("two directions of old", lambda: InterFaceGAN([n, direction("w", (W,), seed=2)])),
        ("unknown mode 'far'", lambda: InterFaceGAN([n], "far")),
        ("layers are rows of w", lambda: edited(InterFaceGAN([n], layers=[1]), x, [1.0])),
        ("no layer 5", lambda: edited(InterFaceGAN([direction("w+", (W,))], layers=[5]), ws, [1.0])),
        ("each once", lambda: InterFaceGAN([n], layers=[1, 1])),
        ("each once", lambda: InterFaceGAN([n], layers=[])),
        ("is in w, the codes are in w", lambda: edited(InterFaceGAN([n]), ws, [1.0])),
        (
            "no part in the direction of old",
            lambda: edited(InterFaceGAN([type(n)("old", "svm", "w+", one_layer)], "absolute", [2]), ws, [1.0]),
        ),
        (
            "matter of w and w",
            lambda: edited(
                InterFaceGAN([direction("z", (W,))], truncation=Truncation(torch.zeros(W), 0.5)), codes("z", 2), [1.0]
            ),
        ),
        ("w_avg has 3", lambda: edited(InterFaceGAN([n], truncation=Truncation(torch.zeros(3), 0.5)), x, [1.0])),
        ("broadcast", lambda: edited(InterFaceGAN([n], truncation=Truncation(torch.zeros(W), 0.5, 2)), x, [1.0])),
        ("psi is nan", lambda: Truncation(torch.zeros(W), float("nan"))),
        ("cutoff is -1", lambda: Truncation(torch.zeros(W), 1.0, -1)),
    ]:
        with pytest.raises(SpecError, match=message):
            act()


def test_codes_stay_as_they_were():
    n, x = direction("w", (W,)), codes("w", 3)
    before = x.values.clone()
    edited(InterFaceGAN([n], source=True), x, [1.0]).values.zero_()
    assert torch.equal(Codes("w", before).values, x.values)
