"""Sparse directions: the L1 penalty on standardised channels, its two forms, and the C that is chosen."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.directions.choose import Cell
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.directions.method import FitInputs
from pipeline.directions.sparse_hyperplane import FACTORS, fit_sparse, path, smallest_c, standardised
from pipeline.directions.sparse_svm import Config, _sparsest
from pipeline.directions.unreliable import RIGHT, count_held_out
from pipeline.errors import SpecError
from tests.pipeline.directions.made import codes

ROWS, WIDTH, USED = 600, 80, (3, 17, 40)


def channels(seed=0, noise=0.1):
    """x (N, D) whose channels differ 300 times in spread, scores of three of them, and the spreads (D,)."""
    draw = np.random.default_rng(seed)
    sd_D = np.geomspace(0.09, 27.0, WIDTH)
    u_ND = draw.standard_normal((ROWS, WIDTH))
    x_ND = (u_ND * sd_D + draw.standard_normal(WIDTH) * 5).astype(np.float32)
    return x_ND, u_ND[:, USED] @ [1.0, -1.0, 0.7] + noise * draw.standard_normal(ROWS), sd_D


@pytest.mark.parametrize("C", [0.003, 0.05])
def test_the_solution_fulfils_the_conditions_of_the_least_objective(C):
    """Where a coefficient is not 0, the loss falls along it as fast as the penalty rises; elsewhere no faster. The
    intercept is penalised as a channel is.
    """
    x_ND, scores, _ = channels(noise=1.0)
    positive_N = scores > 1.5
    assert 0.1 < positive_N.mean() < 0.3
    plane = fit_sparse(x_ND, positive_N, C)
    u_ND = np.column_stack([standardised(x_ND)[0], np.ones(ROWS)])
    c_D = np.append(plane.c, plane.b)
    y_N = np.where(positive_N, 1, -1)
    weight_N = ROWS / 2 / np.where(positive_N, positive_N.sum(), (~positive_N).sum())
    margin_N = np.maximum(0, 1 - y_N * (u_ND @ c_D))
    slope_D = -2 * C * (weight_N * y_N * margin_N) @ u_ND
    used = c_D != 0
    assert used[:-1].any()
    assert not used.all()
    np.testing.assert_allclose(slope_D[used], -np.sign(c_D[used]), atol=0.02)
    assert np.abs(slope_D[~used]).max() <= 1.02


def test_the_path_begins_where_the_first_channel_is_used():
    x_ND, scores, _ = channels()
    for share in (0.02, 0.5):
        positive_N = scores >= np.quantile(scores, 1 - share)
        least = smallest_c(x_ND, positive_N)
        assert np.count_nonzero(fit_sparse(x_ND, positive_N, 1.05 * least).c) >= 1
        with pytest.raises(NoHyperplane, match="leaves no channel"):
            fit_sparse(x_ND, positive_N, 0.95 * least)
        np.testing.assert_allclose(path(x_ND, positive_N), np.multiply(FACTORS, least), rtol=0.05)
    with pytest.raises(NoHyperplane, match="the same mean in each"):
        path(np.ones((8, 3), np.float32), np.arange(8) < 2)


def test_the_channels_behind_the_scores_are_found_and_both_forms_say_what_they_are():
    x_ND, scores, sd_D = channels()
    fit = Config().fit(FitInputs(codes(x_ND, "s"), scores, "smile", generator="g", classifier="c"))
    move, normal = fit.direction, fit.hyperplane
    largest = np.argsort(-np.abs(move.vector / sd_D))[:3]
    assert set(largest.tolist()) == set(USED)
    assert (move.vector == 0).mean() > 0.5
    np.testing.assert_array_equal(move.vector == 0, normal.vector == 0)
    used = list(USED)
    ratio = move.vector[used].astype(np.float64) / normal.vector[used]
    np.testing.assert_allclose(ratio / ratio[0], sd_D[used] ** 2 / sd_D[used[0]] ** 2, rtol=0.2)
    assert (move.method, move.space, move.generator, move.classifier) == ("svm-l1", "s", "g", "c")
    assert normal.method == "svm-l1-normal"
    side_N = normal.distance(codes(x_ND, "s")).numpy() > 0
    assert (side_N == (scores >= 0)).mean() == pytest.approx(move.accuracies["all"], abs=1e-9)
    assert move.accuracies == normal.accuracies
    assert move.accuracies["validation"] > 0.93


def test_a_move_from_the_mean_crosses_both_boundaries_in_one_place():
    x_ND, scores, _ = channels(noise=1.0)
    fit = Config(C=0.05, threshold=0.8).fit(FitInputs(codes(x_ND, "s"), scores, "smile"))
    train = Config(threshold=0.8).classes(scores, 0).train.rows
    mean_1D = x_ND[train].mean(axis=0, dtype=np.float64, keepdims=True)
    steps = -float(fit.direction.distance(codes(mean_1D, "s"))[0])
    crossed = mean_1D + steps * fit.direction.vector
    assert abs(float(fit.hyperplane.distance(codes(crossed, "s"))[0])) < 1e-3


def test_the_smallest_c_within_a_standard_error_of_the_best_is_chosen():
    cells = [Cell(C, 0.5, 200, 0.5, share) for C, share in ((1, 0.7), (2, 0.885), (4, 0.9), (8, 0.88), (16, np.nan))]
    assert _sparsest(tuple(cells)).C == 2
    with pytest.raises(NoHyperplane, match="give more rows, or --C"):
        _sparsest((Cell(1, 0.5, 200, np.nan, np.nan),))
    x_ND, scores, _ = channels(noise=0.5)
    fit = Config().fit(FitInputs(codes(x_ND, "s"), scores, "smile"))
    assert fit.direction.C == _sparsest(fit.tried).C
    assert [cell.C for cell in fit.tried] == sorted(cell.C for cell in fit.tried)


def test_both_classes_weigh_the_same_and_rows_kept_aside_are_judged_by_the_hyperplane():
    x_ND, scores, _ = channels(noise=0.3)
    config = Config(C=0.05, threshold=2.2)
    assert (scores > 2.2).mean() < 0.15
    found, classes = config.fit(FitInputs(codes(x_ND, "s"), scores, "smile")), config.classes(scores, 0)
    kept = classes.validation
    plane, move = found.hyperplane, found.direction
    right_N = (x_ND[kept.rows] @ plane.vector + plane.intercept > 0) == kept.positive
    assert right_N[kept.positive].mean() > 0.8
    assert right_N.mean() == move.accuracies["validation"]
    by_the_move_N = (x_ND[kept.rows] @ move.vector + move.intercept > 0) == kept.positive
    assert by_the_move_N[kept.positive].mean() < right_N[kept.positive].mean()
    counted = count_held_out(config, found, FitInputs(codes(x_ND, "s"), scores, "smile"))
    assert counted == dict(zip(RIGHT, (right_N[kept.positive].sum(), right_N[~kept.positive].sum()), strict=True))


def test_any_number_of_threads_gives_the_same_bits():
    x_ND, scores, _ = channels()
    found = []
    for threads in (1, 2, 1):
        with threadpool_limits(threads):
            found.append(Config().fit(FitInputs(codes(x_ND, "s"), scores, "old")))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].direction.vector, other.direction.vector)
        assert found[0].tried == other.tried


def test_a_channel_that_never_moves_counts_for_nothing():
    x_ND, scores, _ = channels()
    x_ND[:, 5] = 7.0
    fit = Config(C=0.05).fit(FitInputs(codes(x_ND, "s"), scores, "smile"))
    assert fit.direction.vector[5] == 0


def test_what_cannot_be_fitted():
    x_ND, scores, _ = channels()
    with pytest.raises(NoHyperplane, match="at C 1e-09 the L1 penalty leaves no channel"):
        Config(C=1e-9).fit(FitInputs(codes(x_ND, "s"), scores, "smile"))
    with pytest.raises(SpecError, match="all 600 rows are of the positive class"):
        fit_sparse(x_ND, np.ones(ROWS, dtype=bool), 1.0)
    with pytest.raises(SpecError, match="too few to choose C from"):
        Config(threshold=np.sort(scores)[-4]).check(scores, 0)
