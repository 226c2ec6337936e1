"""The encoder's head against scikit-learn and a planted map; its jitter against hand-made moves."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from pipeline.errors import ModelFileError, SpecError
from pipeline.photos import encoder_head, jitter
from pipeline.photos.encoder import Encoder
from pipeline.photos.encoder_features import FEATURES, PictureFeatures

WIDTHS, W, RANK = (20, 5), 12, 4


@pytest.fixture(scope="module")
def rows():
    """Features and latents (250 rows, 50 of them held out) of a linear map of rank 4 with noise."""
    noise = np.random.default_rng(5)
    f_NF = (noise.standard_normal((250, sum(WIDTHS))) * noise.uniform(0.1, 30, sum(WIDTHS)) + 7).astype(np.float32)
    f_NF[:, 3] = 1.0  # one that does not vary
    map_FW = noise.standard_normal((sum(WIDTHS), RANK)) @ noise.standard_normal((RANK, W)) / 30
    w_NW = (f_NF @ map_FW + 0.5 * noise.standard_normal((250, W))).astype(np.float32)
    return f_NF[:200], w_NW[:200], f_NF[200:], w_NW[200:]


def applied(head, f_NF):
    """By hand."""
    mean, scale, down, up, intercept = (head.tensors[name].double().numpy() for name in
                                        ("mean", "scale", "down", "up", "intercept"))  # fmt: skip
    return ((f_NF - mean) * scale) @ down @ up + intercept


def test_of_full_rank_it_is_the_ridge_regression_of_scikit_learn(rows):
    f_NF, w_NW, f_HF, _ = rows
    head = encoder_head.fit(*rows, WIDTHS, W)
    deviation_F = f_NF.std(axis=0, dtype=np.float64)
    groups = (slice(0, WIDTHS[0]), slice(WIDTHS[0], None))
    least_F = np.concatenate([np.full(width, 0.2 * np.sqrt((deviation_F[group] ** 2).mean())) for width, group in
                              zip(WIDTHS, groups, strict=True)])  # fmt: skip
    scale_F = np.repeat(1 / np.sqrt(WIDTHS), WIDTHS) / np.maximum(deviation_F, least_F)
    model = Ridge(alpha=200 * head.metrics["alpha"]).fit(f_NF * scale_F, w_NW)
    np.testing.assert_allclose(applied(head, f_HF), model.predict(f_HF * scale_F), atol=0.03)
    assert head.tensors["down"].dtype == head.tensors["up"].dtype == torch.float16


def test_its_figures_are_those_of_the_held_out_rows(rows):
    f_HF, w_HW = rows[2:]
    head = encoder_head.fit(*rows, WIDTHS, W)
    found_HW = applied(head, f_HF)
    assert head.metrics["distance"] == pytest.approx(np.linalg.norm(found_HW - w_HW, axis=1).mean(), rel=1e-6)
    own_mean = r2_score(w_HW, found_HW, multioutput="variance_weighted")
    assert head.metrics["explained"] == pytest.approx(own_mean, abs=0.02)
    assert head.metrics["faces"] == 200


def test_a_rank_keeps_what_a_map_of_that_rank_needs(rows):
    found = {rank: encoder_head.fit(*rows, WIDTHS, rank).metrics["explained"] for rank in (1, RANK, W)}
    assert found[RANK] == pytest.approx(found[W], abs=0.01)
    assert found[1] < found[RANK] - 0.1
    least_squares = LinearRegression().fit(*rows[:2])
    assert found[W] >= r2_score(rows[3], least_squares.predict(rows[2]), multioutput="variance_weighted") - 0.01


def test_pictures_that_are_all_the_same_teach_nothing(rows):
    same = np.ones((30, 25), dtype=np.float32)
    with pytest.raises(SpecError, match="all these pictures have the same features"):
        encoder_head.fit(same, rows[1][:30], rows[2], rows[3], WIDTHS, W)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"up": None}, "without the tensor up"), ({"scale": torch.ones(3)}, r"scale of the encoder has the shape \(3,\)")],
)
def test_tensors_that_do_not_fit_are_named(changed, message):
    shapes = {"mean": (512,), "scale": (512,), "down": (512, 2), "up": (2, 8), "intercept": (8,)}
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()} | changed
    with pytest.raises(ModelFileError, match=message):
        Encoder(["tiny"], {name: value for name, value in tensors.items() if value is not None}, 3)


def test_a_move_is_the_roll_of_the_picture_inside_of_it():
    x_3HW = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    moved = jitter._moved(x_3HW, 3 / 32, -2 / 32, 1.0, 0.0)
    assert torch.allclose(moved[:, 4:-4, 4:-4], x_3HW.roll((-2, 3), (1, 2))[:, 4:-4, 4:-4], atol=1e-5)
    turned = jitter._moved(x_3HW, 0.0, 0.0, 1.0, np.pi / 2)
    assert torch.allclose(turned, x_3HW.rot90(1, (1, 2)), atol=1e-4)


def test_a_larger_scale_enlarges():
    x_3HW = torch.zeros(3, 32, 32)
    x_3HW[:, 12:20, 12:20] = 1
    assert jitter._moved(x_3HW, 0.0, 0.0, 1.5, 0.0)[0].sum() == pytest.approx(144, rel=0.05)


def test_jitter_is_of_seed_and_index_alone_and_mild():
    ramp = torch.linspace(-1, 1, 128)
    x_3HW = torch.stack([ramp.expand(128, 128), ramp[:, None].expand(128, 128), torch.zeros(128, 128)])
    one, again, other = (jitter.jittered(x_3HW, 3, index) for index in (7, 7, 8))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    many = torch.stack([jitter.jittered(x_3HW, 3, index) for index in range(12)])
    assert 0.005 < (many - x_3HW).abs().mean() < 0.03


def test_features_of_several_networks_lie_behind_each_other():
    found = PictureFeatures(["colours", "tiny"])
    x_N3HW = torch.rand(2, 3, 32, 32) * 2 - 1
    assert found.widths == (1728, 512)
    both = found(x_N3HW)
    assert torch.equal(both[:, 1728:], PictureFeatures(["tiny"])(x_N3HW))
    smaller = torch.nn.functional.interpolate(x_N3HW, (24, 24), mode="bilinear", antialias=True)
    assert torch.allclose(both[:, :1728], smaller.flatten(1), atol=1e-5)
    assert set(FEATURES) >= {*found.names}
