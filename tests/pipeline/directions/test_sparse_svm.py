"""Sparse directions: the L1 penalty on standardised channels, its two forms, and the C that is chosen."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.directions.choose import Cell
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.directions.sparse_hyperplane import fit_sparse, standardised
from pipeline.directions.sparse_svm import Config, _sparsest
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


def objective(c_D, b, u_ND, positive_N, C):
    """LIBLINEAR's in float64: the intercept is penalised as a channel is."""
    weight_N = np.where(positive_N, len(u_ND) / 2 / positive_N.sum(), len(u_ND) / 2 / (~positive_N).sum())
    margin_N = np.maximum(0, 1 - np.where(positive_N, 1, -1) * (u_ND @ c_D + b))
    return np.abs(c_D).sum() + abs(b) + C * (weight_N * margin_N**2).sum()


def test_no_step_away_lowers_the_objective():
    x_ND, scores, _ = channels(noise=1.0)
    positive_N = scores > 0.5
    plane = fit_sparse(x_ND, positive_N, 0.05)
    u_ND, *_ = standardised(x_ND)
    least = objective(plane.c, plane.b, u_ND, positive_N, 0.05)
    draw = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 1e-1):
        for _ in range(50):
            c_D, b = plane.c + size * draw.standard_normal(WIDTH), plane.b + size * draw.standard_normal()
            assert objective(c_D, b, u_ND, positive_N, 0.05) >= least - 1e-4 * least
    moved = objective(plane.c + 0.5 * (plane.c != 0), plane.b, u_ND, positive_N, 0.05)
    assert moved > least * 1.01


def test_the_channels_behind_the_scores_are_found_and_both_forms_say_what_they_are():
    x_ND, scores, sd_D = channels()
    fit = Config().fit(codes(x_ND, "s"), scores, "smile", generator="g", classifier="c")
    move, normal = fit.direction, fit.hyperplane
    largest = np.argsort(-np.abs(move.vector / sd_D))[:3]
    assert set(largest.tolist()) == set(USED)
    assert (move.vector == 0).mean() > 0.5
    np.testing.assert_array_equal(move.vector == 0, normal.vector == 0)
    used = list(USED)
    ratio = move.vector[used].astype(np.float64) / normal.vector[used]
    np.testing.assert_allclose(ratio / ratio[0], sd_D[used] ** 2 / sd_D[used[0]] ** 2, rtol=0.2)
    assert (move.method, move.space, move.generator, move.classifier) == ("svm-l1", "s", "g", "c")
    side_N = normal.distance(codes(x_ND, "s")).numpy() > 0
    assert (side_N == (scores >= 0)).mean() == pytest.approx(move.accuracies["all"], abs=1e-9)
    assert move.accuracies == normal.accuracies
    assert move.accuracies["validation"] > 0.93


def test_a_move_from_the_mean_crosses_both_boundaries_in_one_place():
    x_ND, scores, _ = channels(noise=1.0)
    fit = Config(C=0.05, threshold=0.8).fit(codes(x_ND, "s"), scores, "smile")
    train = Config(threshold=0.8).classes(scores, 0).train.rows
    mean_1D = x_ND[train].mean(axis=0, dtype=np.float64, keepdims=True)
    steps = -float(fit.direction.distance(codes(mean_1D, "s"))[0])
    crossed = mean_1D + steps * fit.direction.vector
    assert abs(float(fit.hyperplane.distance(codes(crossed, "s"))[0])) < 1e-3


def test_the_sparsest_of_the_good_is_chosen():
    cells = [Cell(C, 0.5, 200, 0.5, share) for C, share in ((1, 0.7), (2, 0.885), (4, 0.9), (8, 0.88), (16, np.nan))]
    assert _sparsest(tuple(cells)).C == 2
    with pytest.raises(NoHyperplane, match="give more rows, or --C"):
        _sparsest((Cell(1, 0.5, 200, np.nan, np.nan),))
    x_ND, scores, _ = channels(noise=0.5)
    fit = Config().fit(codes(x_ND, "s"), scores, "smile")
    assert fit.direction.C == _sparsest(fit.tried).C
    assert [cell.C for cell in fit.tried] == sorted(cell.C for cell in fit.tried)


def test_both_classes_weigh_the_same_and_rows_kept_aside_are_judged_by_the_hyperplane():
    x_ND, scores, _ = channels(noise=0.3)
    config = Config(C=0.05, threshold=2.2)
    assert (scores > 2.2).mean() < 0.15
    found, classes = config.fit(codes(x_ND, "s"), scores, "smile").direction, config.classes(scores, 0)
    kept = classes.validation
    right_N = (config.held_out(found, x_ND, scores, classes) > 0) == kept.positive
    assert right_N[kept.positive].mean() > 0.8
    assert right_N.mean() == found.accuracies["validation"]


def test_any_number_of_threads_gives_the_same_bits():
    x_ND, scores, _ = channels()
    found = []
    for threads in (1, 2, 1):
        with threadpool_limits(threads):
            found.append(Config().fit(codes(x_ND, "s"), scores, "old"))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].direction.vector, other.direction.vector)
        assert found[0].tried == other.tried


def test_a_channel_that_never_moves_counts_for_nothing():
    x_ND, scores, _ = channels()
    x_ND[:, 5] = 7.0
    fit = Config(C=0.05).fit(codes(x_ND, "s"), scores, "smile")
    assert fit.direction.vector[5] == 0


def test_what_cannot_be_fitted():
    x_ND, scores, _ = channels()
    with pytest.raises(NoHyperplane, match="at C 1e-09 the L1 penalty leaves no channel"):
        Config(C=1e-9).fit(codes(x_ND, "s"), scores, "smile")
    with pytest.raises(SpecError, match="all 600 rows are of the positive class"):
        fit_sparse(x_ND, np.ones(ROWS, dtype=bool), 1.0)
    with pytest.raises(SpecError, match="too few to choose C from"):
        Config(threshold=np.sort(scores)[-4]).check(scores, 0)
