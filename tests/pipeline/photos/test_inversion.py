"""Inversion: its losses are their formulas, rows are on their own, and a face of the generator is found again."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis

from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.photos import inversion_losses as losses
from pipeline.photos import likeness
from pipeline.photos.inversion import Inverter, Settings, resized
from pipeline.photos.inversion_quality import Gate, compare
from pipeline.photos.prior import Prior, prior_of
from tests.kept_generator import kept_generator


@pytest.fixture(scope="module")
def generator():
    with kept_generator():
        yield generators.load("stylegan2-tiny")


@pytest.fixture(scope="module")
def prior(generator):
    return prior_of(generator)


@pytest.fixture(scope="module")
def faces(generator):
    """Three codes in w, (N, L, W), and their pictures."""
    ws_NLW = generator.map(torch.from_numpy(standard_normal(5, range(3), generator.z_dim)))
    return ws_NLW, generator.synthesize(Codes("w+", ws_NLW))


def start_of(generator, rows: int) -> torch.Tensor:
    return generator.w_avg.expand(rows, generator.num_ws, -1)


def inverter(generator, prior, **settings) -> Inverter:
    return Inverter(generator, prior, likeness.load("tiny"), Settings(**settings))


# -- what is minimised ------------------------------------------------------------------------------------------------


def test_losses_are_their_formulas():
    draw = np.random.default_rng(1)
    x, y = draw.uniform(-1, 1, (2, 2, 3, 8, 8))
    face = draw.random((2, 1, 8, 8)) < 0.4
    weights = np.where(face, 1, 0.25)
    weights /= weights.mean(axis=(1, 2, 3), keepdims=True)
    found = losses.weights_of(torch.from_numpy(face).double(), 0.25)
    np.testing.assert_allclose(found, weights)
    pixel = losses.pixel_loss(torch.from_numpy(x), torch.from_numpy(y), found)
    np.testing.assert_allclose(pixel, ((x - y) ** 2 * weights).mean(axis=(1, 2, 3)))

    stages = [draw.random((2, 1, 4, 4)), draw.random((2, 1, 2, 2))]
    want = 0
    for stage in stages:
        side = 8 // stage.shape[2]
        blocks = weights.reshape(2, 1, stage.shape[2], side, stage.shape[3], side).mean(axis=(3, 5))
        want += (stage * blocks).sum(axis=(1, 2, 3)) / blocks.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.perceptual_loss([torch.from_numpy(one) for one in stages], found), want)

    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in draw.standard_normal((2, 3, 5)))
    got = losses.identity_loss(torch.from_numpy(one), torch.from_numpy(other))
    np.testing.assert_allclose(got, 1 - np.einsum("ne,ne->n", one, other))
    v = draw.standard_normal((3, 4, 5))
    np.testing.assert_allclose(losses.spread_loss(torch.from_numpy(v)), v.var(axis=1).mean(axis=1))


def test_the_prior_is_the_distance_of_mahalanobis():
    draw = np.random.default_rng(2)
    samples = draw.standard_normal((400, 6)) @ draw.standard_normal((6, 6)) + 3
    prior = Prior(torch.from_numpy(samples))
    ws = torch.from_numpy(draw.standard_normal((2, 3, 6))).float()
    inverse = np.linalg.inv(np.cov(samples.T))
    want = [np.mean([mahalanobis(w, samples.mean(axis=0), inverse) ** 2 / 6 for w in row]) for row in ws.double()]
    np.testing.assert_allclose(losses.prior_loss(prior.whitened(ws)), want, rtol=1e-3)
    torch.testing.assert_close(prior.coloured(prior.whitened(ws)), ws, rtol=1e-4, atol=1e-4)


def test_sampled_codes_have_a_prior_of_one(generator, prior):
    ws_NLW = generator.map(torch.from_numpy(standard_normal(9, range(200), generator.z_dim)))
    assert float(losses.prior_loss(prior.whitened(ws_NLW)).mean()) == pytest.approx(1, abs=0.1)


# -- the descent ------------------------------------------------------------------------------------------------------


def test_a_face_of_the_generator_is_found_again(generator, prior, faces):
    x_13HW = faces[1][1:2]
    found = inverter(generator, prior, steps=40)(x_13HW, start_of(generator, 1))
    made = generator.synthesize(Codes("w+", found.ws))
    mean = generator.synthesize(Codes("w+", start_of(generator, 1)))
    apart, before = ((y_13HW - x_13HW).square().mean() for y_13HW in (made, mean))
    assert apart < 0.2 * before
    assert found.steps.tolist() == [40]


def test_the_identity_and_the_prior_are_followed_where_they_count(generator, prior, faces):
    x_N3HW = faces[1][:1]
    plain, near = (
        inverter(generator, prior, steps=10, lambda_prior=weight)(x_N3HW, start_of(generator, 1)).ws
        for weight in (0.0, 10.0)
    )
    assert losses.prior_loss(prior.whitened(near)) < 0.8 * losses.prior_loss(prior.whitened(plain))
    find = inverter(generator, prior)
    v_NLW = prior.whitened(start_of(generator, 1))
    without, with_it = (find.losses(v_NLW, find.target(x_N3HW), asked)[0] for asked in (False, True))
    assert with_it > without


def test_all_steps_in_w_leave_the_rows_of_w_plus_equal(generator, prior, faces):
    found = inverter(generator, prior, steps=6, in_w=1.0)(faces[1][:1], start_of(generator, 1))
    assert (found.ws == found.ws[:, :1]).all()
    apart = inverter(generator, prior, steps=6, in_w=0.5)(faces[1][:1], start_of(generator, 1))
    assert (apart.ws != apart.ws[:, :1]).any()


def test_a_row_has_the_same_bits_whoever_is_beside_it(generator, prior, faces):
    find = inverter(generator, prior, steps=5)
    together = find(faces[1], start_of(generator, 3))
    for row in range(3):
        assert torch.equal(find(faces[1][row : row + 1], start_of(generator, 1)).ws[0], together.ws[row])


@pytest.mark.parametrize("at_once", [1, None])
def test_a_row_stops_at_its_distance_and_others_go_on(at_once, generator, prior, faces):
    find = inverter(generator, prior, steps=40, until=0.02)
    find.at_once = at_once
    near = faces[0][:1] + 0.02
    found = find(faces[1][:2], torch.cat([near, start_of(generator, 1)]))
    assert found.steps[0] == 0 < found.steps[1] < 40
    torch.testing.assert_close(found.ws[:1], near, rtol=1e-4, atol=1e-4)
    assert (found.distances <= 0.02).all()
    seen = likeness.load("tiny").distance
    made = generator.synthesize(Codes("w+", found.ws))
    torch.testing.assert_close(seen.between(seen(made), seen(faces[1][:2])), found.distances, rtol=1e-3, atol=1e-5)


def test_padding_takes_no_step_and_a_row_that_is_not_finite_stays_alone(generator, prior, faces):
    find = inverter(generator, prior, steps=3)
    broken = faces[1].clone()
    broken[1] = torch.nan
    found = find(broken, start_of(generator, 3), (True, True, False))
    assert found.steps.tolist() == [3, 3, 0]
    assert torch.isfinite(found.ws).flatten(1).all(dim=1).tolist() == [True, False, True]
    assert torch.equal(found.ws[0], find(faces[1][:1], start_of(generator, 1)).ws[0])


def test_what_does_not_fit_is_said(generator, prior, faces):
    find = inverter(generator, prior)
    with pytest.raises(SpecError, match="3 pictures and 2 starts"):
        find(faces[1], start_of(generator, 2))
    with pytest.raises(SpecError, match="one step or more"):
        replace(Settings(), steps=0)


def test_pictures_are_reduced_by_means_of_blocks():
    x_N3HW = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(resized(x_N3HW, 4), x_N3HW.view(1, 3, 4, 2, 4, 2).mean(dim=(3, 5)))
    assert resized(x_N3HW, 12).shape == (1, 3, 12, 12)


# -- what is kept -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lpips", "apart", "lost", "reason"),
    [
        (0.1, 0.3, False, ""),
        (0.1, None, False, ""),
        (0.3, 0.3, False, "not alike"),
        (float("nan"), 0.3, False, "not alike"),
        (0.1, 0.7, False, "another person"),
        (0.1, None, True, "no face any more"),
    ],
)
def test_what_is_left_out_has_its_reason(lpips, apart, lost, reason):
    assert Gate(0.2, 0.6).reason(lpips, apart, lost) == reason


def test_a_face_is_lost_where_the_photo_alone_has_one():
    bright, dark = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 3, 32, 32), -1.0)
    x_N3HW, y_N3HW = torch.cat([bright, bright, dark, dark]), torch.cat([bright, dark, dark, dark])
    there_N = np.array([True, True, True, False])
    found = compare(x_N3HW, y_N3HW, there_N, likeness.load("tiny"), classifiers.load("tiny", ("smile",)))
    assert found["face_lost"].tolist() == [False, True, False, False]
    assert [one is None for one in found["identity_dlib"]] == [False, True, True, True]
