"""The network and the losses of ID-Style against its equations, written down once more in float64."""

import itertools
import math
from typing import get_args

import numpy as np
import pytest
import torch

from pipeline.editors.id_style import losses, released
from pipeline.editors.id_style.networks import IDStyle, Part, absmax, combine, positions, strongest
from pipeline.errors import SpecError

NAMES = ("male", "eyeglasses", "old", "smile")
L, W, N = 6, 8, 3


MASKS = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 1, 0]]).float()


def network(layers=L, width=W, names=NAMES, seed=1, without=None, masks=None) -> IDStyle:
    made = IDStyle(layers, width, names, seed, without, masks).double()
    with torch.no_grad():
        if made.layer_ML is not None:
            made.layer_ML.normal_(generator=torch.Generator().manual_seed(3))
        if made.norm is not None:
            for parameter in made.norm.parameters():
                parameter.normal_(generator=torch.Generator().manual_seed(4))
    return made


def codes(rows=N, layers=L, width=W) -> torch.Tensor:
    return torch.randn(rows, layers, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def by_hand(made: IDStyle, w_LW: np.ndarray, m: int, without: str | None = None) -> np.ndarray:
    """sigmoid(E_m) * delta w_m of one code, Eq. 1 to 5 for attr = 1, a number at a time where that is not too long."""
    get = {name: value.double().numpy() for name, value in made.named().items()}

    def fc(name, x):
        return get[f"{name}.weight"] @ x + get[f"{name}.bias"]

    def relu(x):
        return np.maximum(x, 0)

    encoded = np.array(
        [[(math.sin, math.cos)[j % 2](i / 10000 ** ((j - j % 2) / W)) for j in range(W)] for i in range(L)]
    )
    if without == "positions":
        encoded = np.empty((L, 0))

    def norm(x):
        if "norm.weight" not in get:
            return x
        return get["norm.weight"] * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + get["norm.bias"]

    x = np.stack([relu(fc("rows_1", norm(np.concatenate([w_LW[i], encoded[i]])))) for i in range(L)])
    if without != "mixer":
        x = np.stack([relu(fc("columns", x[:, j])) for j in range(W)], axis=1)
    l_ft = np.stack([relu(fc("rows_2", x[i])) for i in range(L)])
    p = get[f"direction.{NAMES[m]}"]
    p = p / np.abs(p).sum()
    gate = np.ones(L)
    if made.masks_ML is not None:
        gate = MASKS[m].numpy()
    elif without != "layers":
        gate = 1 / (1 + np.exp(-get[f"layers.{NAMES[m]}"]))
    return np.stack([gate[i] * (l_ft[i] * p + p) for i in range(L)])


@pytest.mark.parametrize("without", [None, *get_args(Part)])
def test_an_edit_is_that_of_the_paper_or_of_its_ablation(without):
    made, ws = network(without=without), codes()
    found = made(ws).detach()
    assert found.shape == (N, 4, L, W)
    for row, m in itertools.product(range(N), range(4)):
        np.testing.assert_allclose(found[row, m], by_hand(made, ws[row].numpy(), m, without), atol=1e-7)


def test_an_edit_as_released_is_that_of_a_normalised_input_in_fixed_layers():
    made, ws = network(masks=MASKS), codes()
    found = made(ws).detach()
    for row, m in itertools.product(range(N), range(4)):
        np.testing.assert_allclose(found[row, m], by_hand(made, ws[row].numpy(), m), atol=1e-7)
    assert (found[:, 1, :2] == 0).all()
    assert (found[:, 1, 2:4] != 0).any()


def test_the_layers_and_the_number_of_parameters_as_released():
    masks = released.masks(NAMES, range(18))
    male, eyeglasses, old, smile = ([row for row, on in enumerate(mask) if on] for mask in masks.tolist())
    assert (male, eyeglasses, old, smile) == ([*range(8)], [2, 3], [4, 5, 6, 7], [4, 5])
    made = IDStyle(18, 512, NAMES, 0, masks_ML=masks)
    assert sum(value.numel() for value in made.parameters()) == 791_894
    with pytest.raises(SpecError, match="has layers for male, eyeglasses, old, smile alone: leave out yaw"):
        released.check_attributes(("smile", "yaw"))


def test_the_loss_that_stays_near_as_released_is_a_norm():
    deltas = network(masks=MASKS)(codes()).detach()
    far = [[np.linalg.norm(deltas[n, m].numpy()) for m in range(4)] for n in range(N)]
    assert float(released.neighbourhood(deltas)) == pytest.approx(np.mean(far))


@pytest.mark.parametrize(("layers", "parameters"), [(18, 789_918), (23, 790_148)])
def test_the_shapes_and_the_number_of_parameters_are_the_papers(layers, parameters):
    made = IDStyle(layers, 512, NAMES, 0)
    assert sum(value.numel() for value in made.parameters()) == parameters
    shapes = [tuple(layer.weight.shape) for layer in (made.rows_1, made.columns, made.rows_2)]
    assert shapes == [(512, 1024), (layers, layers), (512, 512)]
    assert made(torch.zeros(2, layers, 512)).shape == (2, 4, layers, 512)
    assert positions(layers, 512).shape == (layers, 512)


def test_attr_0_changes_nothing_and_minus_1_is_the_opposite():
    deltas = network()(codes())
    attr = torch.zeros(N, 4, dtype=torch.float64)
    assert torch.equal(combine(deltas, attr), torch.zeros(N, L, W, dtype=torch.float64))
    attr[:, 2] = 1
    up = combine(deltas, attr)
    assert torch.equal(up, deltas[:, 2])
    assert torch.equal(combine(deltas, -attr), -up)


def test_several_attributes_take_the_largest_move_of_each_entry():
    deltas, attr = network()(codes()).detach(), torch.tensor([[1, 0, -1, 1], [0, 0, 0, -1], [1, 1, 1, 1]]).double()
    found = combine(deltas, attr)
    for row, i, j in itertools.product(range(N), range(L), range(W)):
        moves = [float(attr[row, m] * deltas[row, m, i, j]) for m in range(4)]
        assert float(found[row, i, j]) == max(moves, key=abs)
    assert absmax(torch.tensor([[2.0, -2.0], [-3.0, 1.0]]), dim=1).tolist() == [2.0, -3.0]


def test_the_strongest_entries_of_each_layer_are_kept():
    deltas = network()(codes()).detach()
    found = strongest(deltas, 3)
    for row, m, i in itertools.product(range(N), range(4), range(L)):
        order = sorted(range(W), key=lambda j, at=deltas[row, m, i]: -abs(float(at[j])))
        assert {j for j in range(W) if found[row, m, i, j] != 0} == set(order[:3])
    assert torch.equal(strongest(deltas, W), deltas)
    assert torch.equal(torch.where(found != 0, found, deltas), deltas)


@pytest.mark.parametrize("masks", [None, MASKS])
def test_gradients_reach_every_parameter(masks):
    made, ws = network(masks=masks), codes()
    intensity = made.intensity(ws)
    deltas = made(ws, intensity)
    loss = losses.neighbourhood(deltas) + losses.direction(intensity, made.direction_MW)
    (loss + losses.sparsity(made.direction_MW)).backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


def test_an_attributes_first_direction_depends_on_its_name_alone():
    both, one = network(), network(names=("smile",))
    assert torch.equal(both.named()["direction.smile"], one.named()["direction.smile"])
    assert torch.equal(both.rows_1.weight, one.rows_1.weight)
    assert not torch.equal(both.rows_1.weight, network(seed=2).rows_1.weight)


def test_a_start_along_given_directions_that_moves_at_once():
    made, ws = network(), codes()
    made.layer_ML.data.zero_()
    given = torch.eye(4, W)
    made.start_along(given)
    np.testing.assert_allclose(made.unit_directions().detach(), given, atol=1e-12)
    made.rows_2.weight.data.zero_()
    made.rows_2.bias.data.zero_()
    made.start_moving(1.5)
    assert made(ws).detach().norm(dim=3).flatten().tolist() == pytest.approx([1.5] * (N * 4 * L))
    before = made.rows_2.bias.clone()
    made.start_moving(0)
    assert torch.equal(before, made.rows_2.bias)


@pytest.mark.parametrize("without", get_args(Part))
def test_all_parts_start_alike_whatever_is_left_out(without):
    """Otherwise the variants of Table 3 differ in more than a part."""
    whole = network().named()
    for name, value in network(without=without).named().items():
        there = whole[name][:, : value.shape[1]] if value.dim() == 2 else whole[name]
        assert torch.equal(value, there), name


@pytest.mark.parametrize("without", get_args(Part))
def test_an_artifact_gives_a_network_without_a_part_back(without):
    made, ws = network(without=without).float(), codes().float()
    again = IDStyle.of_tensors(made.named())
    assert again.named().keys() == made.named().keys()
    torch.testing.assert_close(again(ws)[:, [again.attributes.index(name) for name in NAMES]], made(ws).detach())
    whole = network()
    assert sum(one.numel() for one in again.parameters()) < sum(one.numel() for one in whole.parameters())
    for name, parameter in made.named_parameters():
        made.zero_grad()
        made(ws).square().sum().backward()
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).any(), name


def test_an_artifact_as_released_gives_its_network_back():
    made, ws = network(masks=MASKS).float(), codes().float()
    again = IDStyle.of_tensors({name: value.half() for name, value in made.named().items()})
    assert again.named().keys() == made.named().keys()
    places = [again.attributes.index(name) for name in NAMES]
    torch.testing.assert_close(again.masks_ML[places], MASKS)
    torch.testing.assert_close(again(ws)[:, places], made(ws).detach(), atol=1e-3, rtol=1e-2)
    for lacking in ("masks.old", "norm.bias"):
        tensors = {name: value for name, value in made.named().items() if name != lacking}
        with pytest.raises(SpecError, match=f"these are not the tensors of ID-Style: there is no {lacking}"):
            IDStyle.of_tensors(tensors)


def test_an_artifact_gives_the_network_back():
    made = network().float()
    tensors = {name: value.half() for name, value in made.named().items()}
    again = IDStyle.of_tensors(tensors)
    assert set(again.attributes) == set(NAMES)
    places = [again.attributes.index(name) for name in NAMES]
    ws = codes().float()
    torch.testing.assert_close(again(ws)[:, places], made(ws).detach(), atol=1e-3, rtol=1e-2)
    assert not any(parameter.requires_grad for parameter in again.parameters())
    for lacking in ("columns.weight", "columns.bias", "layers.old", "rows_1.bias"):  # not a part that was left out
        with pytest.raises(SpecError, match=f"these are not the tensors of ID-Style: there is no {lacking}"):
            IDStyle.of_tensors({name: value for name, value in tensors.items() if name != lacking})
    turned = {"rows_1.weight": tensors["rows_1.weight"].T, "direction.smile": tensors["direction.smile"][None]}
    for name, value in {**turned, "columns.bias": torch.zeros(())}.items():
        with pytest.raises(SpecError, match=r"these are not the tensors of ID-Style: .* has the shape"):
            IDStyle.of_tensors({**tensors, name: value})
    with pytest.raises(SpecError, match=r"rows_2\.bias of the artifact is not finite"):
        IDStyle.of_tensors({**tensors, "rows_2.bias": torch.full_like(tensors["rows_2.bias"], torch.nan)})
    with pytest.raises(SpecError, match="give each attribute once"):
        IDStyle(L, W, ("smile", "smile"), 0)


@pytest.mark.parametrize("reduction", losses.REDUCTIONS)
def test_the_losses_are_the_papers(reduction):
    made, ws = network(), codes()
    intensity = made.intensity(ws).detach()
    deltas, p = made(ws, intensity).detach(), made.direction_MW.detach()
    l_ft, p_np = intensity.numpy(), p.numpy()

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b) if a.any() else 0.0

    apart = [[[1 - cosine(l_ft[n, i] * p_np[m], p_np[m]) for i in range(L)] for m in range(4)] for n in range(N)]
    far = [[np.linalg.norm(deltas[n, m].numpy()) for m in range(4)] for n in range(N)]
    norms = [sum(abs(entry) for entry in p_np[m]) for m in range(4)]
    assert float(losses.sparsity(p, reduction)) == pytest.approx({"mean": np.mean, "sum": np.sum}[reduction](norms))
    direction = {"mean": np.mean(apart), "sum": np.sum(apart, axis=(1, 2)).mean()}[reduction]
    assert float(losses.direction(intensity, p, reduction)) == pytest.approx(direction)
    moved = {"mean": np.mean(far) / math.sqrt(L), "sum": np.sum(far, axis=1).mean()}[reduction]
    assert float(losses.neighbourhood(deltas, reduction)) == pytest.approx(moved)


def test_staying_near_weighs_the_same_for_any_number_of_layers():
    """Where all layers move alike it is the norm in w."""
    for layers in (8, 18, 23):
        moved = torch.full((1, 1, layers, W), 0.5, dtype=torch.float64)
        assert float(losses.neighbourhood(moved)) == pytest.approx(0.5 * math.sqrt(W))


def test_class_and_identity_are_the_papers():
    score, attr = torch.tensor([0.3, -2.0, 1.5], dtype=torch.float64), torch.tensor([1.0, 1.0, -1.0])
    h = 1 / (1 + np.exp(-2.5 * score.numpy()))
    expected = [-np.log(h[0]), -np.log(h[1]), -np.log(1 - h[2])]
    np.testing.assert_allclose(losses.classification(score, attr, 2.5), expected)
    before, after = codes(2, 1)[:, 0], codes(2, 1)[:, 0].flip(1)
    cosine = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(before, after, strict=True)]
    np.testing.assert_allclose(losses.identity(before, after), 1 - np.array(cosine))


def test_a_row_that_is_not_moved_has_a_finite_gradient():
    deltas = torch.zeros(1, 1, L, W, requires_grad=True)
    losses.neighbourhood(deltas).backward()
    assert torch.equal(deltas.grad, torch.zeros_like(deltas))
