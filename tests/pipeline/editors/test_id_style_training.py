"""Training of ID-Style on the tiny networks: which codes, which gradients, resumed as undisturbed."""

import pickle

import numpy as np
import pytest
import torch

from pipeline.editors.id_style.crossovers import crossover
from pipeline.editors.id_style.flags import learning_rate
from pipeline.editors.id_style.training import IDStyleTraining, TrainConfig
from pipeline.editors.training import JUDGE, FacesOfTraining, LabelledCodes
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer

NAMES = ("male", "smile")
ROWS = 40
FEW = {"steps": 6, "crossovers": 2, "held_out": 2, "start_move": 4.0, "warm_up": 2}


class PixelsAreTheFace(torch.nn.Module):
    def forward(self, x_N3HW):
        return torch.nn.functional.normalize(x_N3HW[:, :, ::4, ::4].flatten(1), dim=1)


@pytest.fixture(scope="module")
def faces():
    generator = generators.load("stylegan2-tiny", backend="eager")
    families = {"": classifiers.load("tiny", NAMES), JUDGE: classifiers.load("tiny-judge", NAMES)}
    return FacesOfTraining(FaceScorer(generator, families, follow=[""]), PixelsAreTheFace())


@pytest.fixture(scope="module")
def rows(faces):
    generator = faces._faces.generator
    noise = torch.Generator().manual_seed(1)
    w_NW = generator.map(torch.randn(ROWS, generator.z_dim, generator=noise))[:, 0].detach()
    seen = faces._faces.look_at_all(Codes("w", w_NW), 4)
    scores = np.stack([seen[name] - np.median(seen[name]) for name in NAMES], axis=1)
    return LabelledCodes(Codes("w", w_NW), scores, NAMES, generator.num_ws)


def opened(rows, faces, **asked) -> IDStyleTraining:
    return TrainConfig(**{**FEW, **asked}).open(rows, torch.device("cpu"), faces)


def test_a_code_is_a_latent_with_a_block_of_another():
    found = [crossover(7, number, 10, 8, 18) for number in range(80)]
    assert {(one.row, number // 8) for number, one in enumerate(found)} == {(n, n) for n in range(10)}
    assert all(one.other != one.row and 0 <= one.other < 10 for one in found)
    assert {one.width for one in found} == set(range(2, 11))
    assert all(one.first >= 0 and one.first + one.width <= 18 for one in found)
    assert crossover(7, 5, 10, 8, 18) == found[5]
    two = torch.arange(2.0)[:, None].expand(2, 4)
    [one] = [one for one in found if (one.first, one.width) == (found[3].first, found[3].width)][:1]
    layers = one.between(two, 18)[:, 0].tolist()
    assert layers == [1.0 if one.first <= layer < one.first + one.width else 0.0 for layer in range(18)]


def test_resumed_is_undisturbed(rows, faces):
    whole, half = opened(rows, faces), opened(rows, faces)
    curve = whole.advance(6)
    assert set(curve) == {"classification", "identity", "neighbourhood", "direction", "sparsity", "judged", "alike"}
    half.advance(3)
    again = opened(rows, faces)
    again.load(half.state(), half.step)
    again.advance(99)
    assert again.step == whole.step == 6
    for name, value in whole.tensors().items():
        assert torch.equal(again.tensors()[name], value), name
    assert again.metrics() == whole.metrics()


def test_the_optimiser_is_adabelief_with_decoupled_decay(rows, faces):
    """Zhuang et al., AdaBelief Optimizer, 2020, Algorithm 2, of steps with rising rates, in float64."""
    decay, beta, epsilon = 0.01, 0.98, 1e-16
    training = opened(rows, faces, start="random", weight_decay=decay)
    parameter, noise = training.network.double().rows_2.weight, torch.Generator().manual_seed(5)
    theta = parameter.detach().clone()
    m = s = torch.zeros_like(theta)
    for t in range(1, 8):
        rate = 1e-3 * t
        parameter.grad = g = torch.randn(theta.shape, generator=noise, dtype=torch.float64)
        training.optimiser.param_groups[0]["lr"] = rate
        training.optimiser.step()
        m = beta * m + (1 - beta) * g
        s = beta * s + (1 - beta) * (g - m) ** 2 + epsilon
        theta = theta - rate * decay * theta
        theta = theta - rate * (m / (1 - beta**t)) / ((s / (1 - beta**t)).sqrt() + epsilon)
        torch.testing.assert_close(parameter.detach(), theta, rtol=1e-12, atol=1e-12)


def test_the_judge_looks_at_held_out_faces_and_decides_nothing(rows, faces):
    """Each is edited in one attribute, to the side where the judge does not see it."""
    asked = {"held_out": 5, "steps": 5, "judge_every": 2, "start": "random", "start_move": 30.0}
    judged, alone = opened(rows, faces, **asked), opened(rows, faces, **{**asked, "judge_every": 0})
    told = [judged.advance(1) for _ in range(5)]
    alone.advance(5)
    assert all(torch.equal(alone.tensors()[name], value) for name, value in judged.tensors().items())
    assert ["judged" in one for one in told] == ["alike" in one for one in told] == [False, True, False, True, True]
    right, alike = [], []
    for place, row in enumerate(judged.codes.held_out):
        name, ws_1LW = NAMES[place % 2], judged.codes.row(row)[None]
        before, one = faces.judge(Codes("w+", ws_1LW), [name])
        side = -1 if before[name] > 0 else 1
        moved_1LW = ws_1LW + side * judged.network(ws_1LW)[:, place % 2].detach()
        after, other = faces.judge(Codes("w+", moved_1LW), [name])
        right.append(bool(after[name] * side > 0))
        alike.append(float(torch.cosine_similarity(one, other)))
    assert told[-1]["judged"] == np.mean(right)
    assert told[-1]["alike"] == pytest.approx(np.mean(alike), abs=1e-6)


def test_the_judge_is_to_take_three_in_a_hundred():
    every = {each: TrainConfig(edits_of_a_row=each).judged_every(4) for each in ("one", "all")}
    assert every == {"one": 178, "all": 44}
    assert TrainConfig(judge_every=5).judged_every(4) == 5
    assert TrainConfig(held_out=0).judged_every(4) == 0
    assert TrainConfig(held_out=0).judged_by is None is TrainConfig(judge_every=0).judged_by


def test_a_source_is_seen_once(rows, faces, monkeypatch):
    looked = []
    recognise = faces.recognise
    monkeypatch.setattr(faces, "recognise", lambda *given: looked.append(torch.is_grad_enabled()) or recognise(*given))
    small = LabelledCodes(rows.codes.select(slice(0, 6)), rows.scores[:6], NAMES, rows.layers)
    opened(small, faces, crossovers=1, start="random").advance(6)
    assert looked.count(False) == 4  # the codes that there are: 6 rows, of which 2 are held out
    assert looked.count(True) == 6 * 2


@pytest.mark.parametrize("edits", ["one", "all"])
def test_the_gradient_is_that_of_the_losses_by_hand(rows, faces, edits):
    training = opened(rows, faces, edits_of_a_row=edits, start="random", reduction="sum")
    network, config = training.network, training.config
    ws = torch.stack([training.codes.code(number) for number in training.codes.batch(0)])
    edited = training._edits()
    passes = [[place for of, place in edited if of == row] for row in range(2)]
    before = [faces.recognise(Codes("w+", code[None])) for code in ws]
    total = torch.zeros(())
    for row, (scores, embedding) in enumerate(before):
        delta = network(ws[row : row + 1])[0]
        of_class = of_id = torch.zeros(())
        for m in passes[row]:
            name = NAMES[m]
            side = -1.0 if float(scores[name]) > 0 else 1.0
            edited, after = faces.recognise(Codes("w+", ws[row : row + 1] + side * delta[m : m + 1]))
            of_class = of_class - torch.log(torch.sigmoid(config.logit_scale * side * edited[name][0]))
            of_id = of_id + 1 - (embedding[0] * after[0]).sum()
        weight = len(NAMES) / len(passes[row])
        l_ft, p = network.intensity(ws[row : row + 1])[0], network.direction_MW
        far = sum(delta[m].norm() for m in range(2))
        apart = sum(
            1 - torch.cosine_similarity(l_ft[i] * p[m], p[m], dim=0) for i in range(len(l_ft)) for m in range(2)
        )
        total = total + weight * (config.lambda_class * of_class + config.lambda_id * of_id)
        total = total + config.lambda_nb * far + config.lambda_direction * apart + p.abs().sum()
    wanted = torch.autograd.grad(total / 2, list(network.parameters()))
    training.advance(1)
    for (name, parameter), gradient in zip(network.named_parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=2e-3, atol=1e-5, msg=name)


def test_as_released_the_identity_is_kept_in_one_attribute_a_step(rows, faces):
    """The gradient of the public code's losses, written down once more, of the second step."""
    training = opened(rows, faces, edits_of_a_row="all", as_released=True)
    network, config, per = training.network, training.config, len(NAMES) * 2
    training.advance(1)
    ws = torch.stack([training.codes.code(number) for number in training.codes.batch(1)])
    deltas, intensity, p = network(ws), network.intensity(ws), network.direction_MW
    total = config.lambda_nb * deltas.flatten(2).norm(dim=2).mean() + p.abs().sum(dim=1).mean()
    moved = intensity[:, None] * p[None, :, None]
    total = total + 1 - torch.cosine_similarity(moved, p[None, :, None].expand_as(moved), dim=3).abs().mean()
    for row in range(2):
        scores, embedding = faces.recognise(Codes("w+", ws[row : row + 1]))
        for m, name in enumerate(NAMES):
            side = -1.0 if float(scores[name]) > 0 else 1.0
            edited, after = faces.recognise(Codes("w+", ws[row : row + 1] + side * deltas[row, m : m + 1]))
            total = total - config.lambda_class * torch.log(torch.sigmoid(3 * side * edited[name][0])) / per
            if m == 1:
                total = total + config.lambda_id * (1 - (embedding[0].detach() * after[0]).sum()) / 2
    wanted = torch.autograd.grad(total, list(network.parameters()))
    training.advance(1)
    for (name, parameter), gradient in zip(network.named_parameters(), wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=2e-3, atol=1e-5, msg=name)


def test_as_released_it_starts_at_random_unless_another_start_is_asked_for():
    found = TrainConfig(as_released=True)
    assert (found.first_directions, found.first_move) == ("random", 0.0)
    found = TrainConfig(as_released=True, start="svm", start_move=2.0)
    assert (found.first_directions, found.first_move) == ("svm", 2.0)
    assert (TrainConfig().first_directions, TrainConfig().first_move) == ("svm", 1.0)
    assert "the norm over all layers" in TrainConfig(as_released=True).meanings["neighbourhood"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"reduction": "sum"}, "takes means over attributes"), ({"without": "mixer"}, "leave out --without")],
)
def test_what_is_not_as_released_is_refused(asked, why):
    with pytest.raises(ValueError, match=why):
        TrainConfig(as_released=True, **asked)


def test_with_the_papers_weights_it_learns_to_reach_the_other_side(rows, faces):
    """Epochs of all rows are compared; the identity is kept."""
    epoch = (len(rows.codes) - 8) // 2
    training = opened(rows, faces, steps=3 * epoch, held_out=8, crossovers=0, start_move=1.0, learning_rate=0.005)
    first, _, last = (training.advance(epoch) for _ in range(3))
    assert last["classification"] < 0.8 * first["classification"]
    assert last["identity"] < 0.1
    assert set(training.metrics()) == {f"edit.{name}.{what}" for name in NAMES for what in ("reached", "likeness")}


def test_what_the_loss_that_stays_near_means_is_as_it_was_reduced():
    assert "root mean square over layers" in TrainConfig().meanings["neighbourhood"]
    assert "the norm over all layers" in TrainConfig(reduction="sum").meanings["neighbourhood"]


def test_it_starts_from_the_normals_of_svms(rows, faces):
    plain, given = opened(rows, faces, start="random"), opened(rows, faces)
    found = given.network.unit_directions().detach()
    apart = rows.scores > 0
    for place in range(len(NAMES)):
        along = (rows.codes.values @ found[place]).numpy()
        assert along[apart[:, place]].mean() > along[~apart[:, place]].mean()
    assert not torch.equal(plain.network.direction_MW, given.network.direction_MW)


@pytest.mark.parametrize("rarer", [3, ROWS - 2 - 3])
def test_it_starts_from_labels_of_yes_and_no_of_which_one_is_rare(rows, faces, rarer):
    """Three of 38 rows are fewer than the fifth of the rows that a class of scores has."""
    learned = opened(rows, faces).codes.learned
    scores = np.zeros((ROWS, 2))
    along = rows.codes.values[learned, 0].numpy()
    scores[learned[np.argsort(along)[-rarer:]]] = 1
    training = opened(LabelledCodes(rows.codes, scores, NAMES, rows.layers), faces)
    found = rows.codes.values[learned] @ training.network.unit_directions().detach()[0]
    yes = scores[learned, 0] > 0
    assert found[yes].mean() > found[~yes].mean()


@pytest.mark.parametrize(
    ("count", "scores", "why"),
    [
        (9, None, "0.2 of 7 rows is 1 a class"),
        (ROWS, 1.0, "all 38 scores are 1"),
        (ROWS, [1.0] + [0.0] * 39, "rows above"),
    ],
)
def test_rows_that_give_no_start_are_refused_before_faces_are_made(rows, count, scores, why):
    found = rows.scores[:count].copy()
    if scores is not None:
        found[:, 1] = scores
    few = LabelledCodes(rows.codes.select(slice(0, count)), found, NAMES, rows.layers)
    with pytest.raises(SpecError, match=f": these rows give no linear SVM to start from .*{why}.*--start random"):
        opened(few, None)
    opened(few, None, start="random")


def test_the_learning_rate_rises_and_falls_in_cycles():
    config = TrainConfig(steps=100, warm_up=20, cycles=2, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in range(100)]
    assert np.all(np.diff(rates[:21]) > 0)
    assert rates[20] == rates[60] == pytest.approx(1.0)
    assert np.all(np.diff(rates[20:60]) < 0)
    assert rates[59] < 0.01
    assert learning_rate(TrainConfig(steps=50), 5) == pytest.approx(1e-3)


def test_what_cannot_be_trained(rows, faces):
    with pytest.raises(SpecError, match="40 rows, 39 of them held out, are too few"):
        opened(rows, faces, held_out=39)
    with pytest.raises(SpecError, match="this training makes faces: give"):
        TrainConfig(**FEW, start="random").open(rows, torch.device("cpu")).advance(1)


def test_a_loss_that_is_not_finite_ends_it(rows, faces):
    training = opened(rows, faces, start="random")
    training.network.rows_2.bias.data.fill_(float("inf"))
    with pytest.raises(SpecError, match=r"the loss \w+ is not finite at step 0"):
        training.advance(1)


def test_the_start_is_of_rows_to_learn_from_alone(rows, faces):
    held = opened(rows, faces).codes.held_out
    scores = rows.scores.copy()
    scores[held] = 1e3
    others = LabelledCodes(rows.codes, scores, NAMES, rows.layers)
    first = [opened(each, faces).network.direction_MW for each in (rows, others)]
    assert torch.equal(*first)


class OthersToo:
    """In place of helpers: it computes the parts in another order, and of what was pickled."""

    def __init__(self, faces) -> None:
        self.faces, self.computed = faces, 0

    def compute(self, parts, here):
        self.computed += len(parts)
        found = {place: pickle.loads(pickle.dumps(parts[place]))(self.faces) for place in reversed(range(len(parts)))}
        return [found[place] for place in range(len(parts))]


@pytest.mark.parametrize("edits", ["one", "all"])
def test_parts_that_others_compute_change_no_bit(rows, faces, edits):
    asked = {"edits_of_a_row": edits, "batch_size": 3, "steps": 2}
    alone, others = opened(rows, faces, **asked), OthersToo(faces)
    helped = opened(rows, faces.with_helpers(others), **asked)
    assert alone.advance(2) == helped.advance(2)
    assert others.computed >= 2 * alone.config.parts(len(NAMES))
    for name, value in alone.tensors().items():
        assert torch.equal(helped.tensors()[name], value), name
    assert alone.metrics() == helped.metrics()


def test_a_part_is_small_when_it_is_sent(rows, faces):
    """Not with all the rows that its codes are views of."""
    sent = []
    monkey = OthersToo(faces)
    monkey.compute = lambda parts, here: sent.extend(parts) or [here(part) for part in parts]
    opened(rows, faces.with_helpers(monkey), crossovers=0, steps=1).advance(1)
    code = rows.layers * rows.codes.values.shape[-1] * 4
    assert max(len(pickle.dumps(part)) for part in sent) < 1.5 * code + 20_000
