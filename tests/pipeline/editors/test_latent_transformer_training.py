"""The Latent Transformer's training: its losses are the paper's, attributes are independent, it resumes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.editors.latent_transformer import losses
from pipeline.editors.latent_transformer.networks import (
    OF_A_TRANSFORMER,
    LatentClassifier,
    Transformers,
)
from pipeline.editors.latent_transformer.trained import TrainedNetworks
from pipeline.editors.latent_transformer.training import LatentTransformerTraining, TrainConfig
from pipeline.editors.training import LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

NAMES = ("smile", "male", "old")


@pytest.fixture
def codes() -> Codes:
    return Codes("w", torch.randn(64, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64))


@pytest.fixture
def scores(codes):
    plane = torch.randn(12, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return (codes.values @ plane).numpy()


def training(codes, scores, targets=None, **settings) -> LatentTransformerTraining:
    settings = {"epochs": 2, "batch_size": 8, "classifier_epochs": 3, "classifier_batch_size": 8, **settings}
    return LatentTransformerTraining(LabelledCodes(codes, scores, NAMES), targets, TrainConfig(**settings))


@pytest.mark.parametrize("reduction", losses.REDUCTIONS)
def test_the_objective_is_that_of_equations_2_to_5(codes, scores, reduction):
    """Written anew for one attribute j, by sums over rows and attributes."""
    made = training(codes, scores, reduction=reduction, lambda_attr=0.7, lambda_recon=3.0)
    classifier, moves = (phase.network for phase in made.phases)
    rows = torch.arange(8)
    loss, _ = made.phases[1].loss(rows)
    gamma = np.corrcoef((scores[made.learned_N] > 0).astype(float).T)
    total = 0.0
    for j, name in enumerate(NAMES):
        t_j = nn.Sequential(nn.Linear(12, 512), nn.LeakyReLU(0.2), nn.Linear(512, 12)).double()
        own = [moves.named(NAMES)[f"transformer.{name}.{part}"] for part in OF_A_TRANSFORMER]
        t_j.load_state_dict(dict(zip(("0.weight", "0.bias", "2.weight", "2.bias"), own, strict=True)))
        alone = Transformers(12, (name,), 0).double()
        torch.testing.assert_close(alone.named((name,))[f"transformer.{name}.weight_1"], own[0])
        class_, attr, recon = [], [], []
        for z in codes.values[:8]:
            c = classifier(z)
            p = 1 / (1 + torch.exp(-c[j]))
            alpha, beta = (1 - p, 1.0) if p < 0.5 else (-p, 0.0)
            moved = z + alpha * t_j(z)
            q = 1 / (1 + torch.exp(-classifier(moved)[j]))
            class_.append(-beta * torch.log(q) - (1 - beta) * torch.log(1 - q))
            change = classifier(moved) - c
            size = change**2 if reduction == "mean" else change.abs()
            attr.append(sum((1 - abs(gamma[i, j])) * size[i] for i in range(3) if i != j))
            apart = moved - z
            recon.append((apart**2).mean() if reduction == "mean" else (apart**2).sum().sqrt())
        total += sum(class_) / 8 + 0.7 * sum(attr) / 8 + 3.0 * sum(recon) / 8
    torch.testing.assert_close(loss, total, rtol=1e-10, atol=1e-10)


def test_as_released_the_objective_is_that_of_the_public_code(scores):
    """Written anew for one attribute j and one row of a code at a time."""
    values = torch.randn(64, 3, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    made = training(Codes("w+", values), scores, as_released=True, lambda_attr=0.7, batch_size=16)
    classifier, moves = (phase.network for phase in made.phases)
    assert [tuple(weight.shape) for weight in classifier.weights] == [(2048, 36), (512, 2048), (3, 512)]
    assert made.phases[0].optimiser.param_groups[0]["weight_decay"] == 5e-4
    loss, _ = made.phases[1].loss(torch.arange(16))
    gamma = np.corrcoef((scores[made.learned_N] > 0).astype(float).T)
    total = 0.0
    for j in range(3):
        rows = []
        for z in values[:16]:
            c = classifier(z.flatten())
            p = 1 / (1 + torch.exp(-c[j]))
            alpha, beta = (1 - p, 1) if p < 0.5 else (-p, 0)
            moved = torch.stack(
                [z[k] + alpha * (z[k] @ moves.weight[j, k] / 12**0.5 + moves.bias[j, k]) for k in range(3)]
            )
            after = classifier(moved.flatten())
            q = 1 / (1 + torch.exp(-after[j]))
            change = sum(((1 - abs(gamma[i, j])) * (after[i] - c[i])) ** 2 for i in range(3) if i != j) / 3
            rows.append((beta, -beta * torch.log(q) - (1 - beta) * torch.log(1 - q), change, ((moved - z) ** 2).mean()))
        yes = sum(beta for beta, *_ in rows)
        assert 0 < yes < 16
        total += sum(entropy * 16 / (yes if beta else 16 - yes) for beta, entropy, *_ in rows) / 16
        total += sum(0.7 * attr + 10 * recon for *_, attr, recon in rows) / 16
    torch.testing.assert_close(loss, total, rtol=1e-10, atol=1e-10)


def test_an_artifact_of_it_moves_as_it_was_trained(scores):
    values = torch.randn(64, 3, 12, generator=torch.Generator().manual_seed(3))
    made = training(Codes("w+", values), scores, as_released=True)
    made.transformers.bias.data.normal_()
    moved = made.transformers(values, torch.ones(3, 64))
    trained = TrainedNetworks(made.tensors())
    for j, name in enumerate(NAMES):
        found = torch.stack([z + trained.displacement(z, name) for z in values])
        torch.testing.assert_close(found, moved[j].detach(), rtol=1e-4, atol=1e-4)
        at = made.transformers.at(j, values, torch.ones(64))
        torch.testing.assert_close(at, moved[j], rtol=1e-4, atol=1e-4)
    with pytest.raises(SpecError, match=r"is for codes of \(3, 12\) numbers, these have \(4, 12\)"):
        trained.displacement(torch.zeros(4, 12), "smile")


@pytest.mark.parametrize(("shape", "released"), [((64, 12), False), ((64, 3, 12), False), ((64, 3, 12), True)])
def test_together_they_become_what_each_becomes_alone(shape, released, scores):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    codes = Codes("w" if len(shape) == 2 else "w+", values)
    together = training(codes, scores, epochs=8, as_released=released)
    while together.step < together.steps:
        together.advance(50)
    assert together.phases[1].step >= 50
    for name in NAMES:
        alone = training(codes, scores, (name,), epochs=8, as_released=released)
        while alone.step < alone.steps:
            alone.advance(50)
        for key, value in alone.tensors().items():
            torch.testing.assert_close(value, together.tensors()[key], rtol=0, atol=1e-9)


def test_only_what_is_trained_moves(codes, scores):
    made = training(codes, scores)
    made.advance(made.phases[0].steps)
    classifier = {name: value.clone() for name, value in made.phases[0].network.state_dict().items()}
    before = made.tensors()["transformer.smile.weight_1"].clone()
    made.advance(made.phases[1].steps)
    assert all(torch.equal(value, classifier[name]) for name, value in made.phases[0].network.state_dict().items())
    assert not torch.equal(before, made.tensors()["transformer.smile.weight_1"])


def test_it_learns_to_change_one_attribute(scores, codes):
    """On attributes that lie in planes of their own, T_j crosses its plane and the others stay on their side."""
    made = training(
        codes, scores, epochs=40, learning_rate=5e-3, classifier_epochs=20, classifier_learning_rate=1e-3,
        lambda_recon=0.1,
    )  # fmt: skip
    while made.step < made.steps:
        said = made.advance(100)
    assert said["reached"] > 0.9
    told = made.metrics()
    assert {name.split(".")[1] for name in told} == set(NAMES)
    assert all(0 <= number <= 1 for name, number in told.items() if not name.endswith("distance"))
    assert told["transformers.smile.reached"] > 0.9


def test_a_linear_layer_of_torch_starts_within_the_same_bounds():
    network = LatentClassifier(12, 3, 0)
    assert network.weights[0].abs().max() <= 1 / 12**0.5
    assert functional.linear(torch.zeros(2, 12), network.weights[0]).shape == (2, 512)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s[:10], "64 codes and scores of the shape"),
        (lambda s: -np.abs(s), "no row has smile"),
    ],
)
def test_rows_that_nothing_can_be_learned_from_are_one_line(codes, scores, change, words):
    with pytest.raises(SpecError, match=words):
        training(codes, change(scores))


def test_an_attribute_without_scores_is_one_line(codes, scores):
    with pytest.raises(SpecError, match="no scores of hat: there are smile, male, old"):
        training(codes, scores, ("hat",))


def test_the_figures_are_of_rows_that_nothing_was_learned_from(codes, scores):
    made = training(codes, scores, held_out=0.3)
    tested, learned = set(made.held_out_N.tolist()), set(made.learned_N.tolist())
    assert tested | learned == set(range(64))
    assert not tested & learned
    assert len(tested) == 19
    seen = set()
    for phase in made.phases:
        loss = phase.loss
        phase.loss = lambda rows, loss=loss: (seen.update(rows.tolist()), loss(rows))[1]
    while made.step < made.steps:
        made.advance(50)
    assert seen <= learned
    own = codes.values[sorted(tested)]
    says_NA = (made.classifier(own) > 0).numpy()
    right = (says_NA == (scores[sorted(tested)] > 0)).mean(axis=0)
    told = made.metrics()
    assert [told[f"classifier.{name}.accuracy"] for name in NAMES] == pytest.approx(right.tolist())
    moved = made.transformers.at(0, own, torch.where(torch.tensor(says_NA[:, 0]), -1.25, 1.25).double())
    assert told["transformers.smile.distance"] == pytest.approx(float((moved - own).norm(dim=1).mean().detach()))


def test_gamma_is_that_of_the_rows_to_learn_from(codes, scores):
    made = training(codes, scores)
    others = scores.copy()
    others[made.held_out_N] *= -1
    assert torch.equal(training(codes, others).gamma_AA, made.gamma_AA)


def rare(codes, scores, held) -> np.ndarray:
    """smile of three rows: all of them held out, or none."""
    made = training(codes, scores)
    changed = scores.copy()
    changed[:, 0] = -1
    changed[(made.held_out_N if held else made.learned_N)[:3], 0] = 1
    return changed


def test_an_attribute_whose_rows_are_all_held_out_is_refused_at_once(codes, scores):
    with pytest.raises(SpecError, match="no row of the 58 that are not held out has smile: there is nothing to learn"):
        training(codes, rare(codes, scores, held=True))


def test_an_attribute_that_no_held_out_row_has_has_no_figures_of_the_classifiers(codes, scores):
    told = training(codes, rare(codes, scores, held=False)).metrics()
    assert {name.rsplit(".", 1)[0] for name in told} == {
        "classifier.male", "classifier.old", "linear.male", "linear.old",
        "transformers.smile", "transformers.male", "transformers.old",
    }  # fmt: skip


def test_there_is_no_figure_of_other_attributes_where_there_are_none(codes, scores):
    alone = LatentTransformerTraining(LabelledCodes(codes, scores[:, :1], ("smile",)), None, TrainConfig(epochs=1))
    assert "transformers.smile.reached" in (told := alone.metrics())
    assert "transformers.smile.kept" not in told


@pytest.mark.parametrize("held_out", [0.99, 0.9999])
def test_rows_are_left_to_learn_from(codes, scores, held_out):
    with pytest.raises(SpecError, match=r"--held-out 0.99\d* of 64 rows leaves [01] to learn from"):
        training(codes, scores, held_out=held_out)


def test_soft_labels_are_no_noughts_and_ones(codes, scores):
    with pytest.raises(SpecError, match="smile is 0 or 1 in every row: leave it out"):
        training(codes, (scores > 0).astype(float), soft_labels=True)


def test_a_state_of_other_networks_is_refused(codes, scores):
    made = training(codes, scores)
    state = {name: value.clone() for name, value in made.state().items()}
    with pytest.raises(SpecError, match=r"classifier\.biases\.0 is missing there and"):
        training(codes, scores).load({k: v for k, v in state.items() if k != "classifier.biases.0"}, 1)
    state["transformers.weight_1"] = state["transformers.weight_1"][:1]
    with pytest.raises(SpecError, match=r"transformers.weight_1 is \(1, 12, 512\) there and \(3, 12, 512\) here"):
        training(codes, scores).load(state, 1)
