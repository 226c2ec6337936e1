import numpy as np
import pytest

from pipeline.directions.choose import check_choosable, choose
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.errors import SpecError
from tests.pipeline.directions.made import faces

GRID = {"Cs": (1e-4, 1e-2, 1.0), "fractions": (0.02, 0.25, 0.5)}


def test_the_best_agreement_is_chosen_and_the_whole_grid_told():
    x_ND, scores, _ = faces(4000, 40, seed=1)
    choice = choose(x_ND, scores, **GRID)
    assert [(cell.C, cell.rows_per_class) for cell in choice.grid] == [
        (C, count) for count in (300, 1000, 2000) for C in (1e-4, 1e-2, 1.0)
    ]
    best = max(choice.grid, key=lambda cell: cell.agreement)
    assert (choice.C, choice.fraction) == (best.C, best.fraction)
    assert all(0 < cell.agreement <= 1 and 0.5 < cell.validation <= 1 for cell in choice.grid)


def test_a_margin_takes_the_largest_c_that_agrees_nearly_as_well():
    x_ND, scores, _ = faces(4000, 40, seed=1)
    strict = choose(x_ND, scores, **GRID)
    best = max(strict.grid, key=lambda cell: cell.agreement)
    for margin in (0.1, 0.3, 2.0):
        loose = choose(x_ND, scores, **GRID, margin=margin)
        near = [c.C for c in loose.grid if c.fraction == best.fraction and c.agreement >= best.agreement - margin]
        assert (loose.C, loose.fraction) == (max(near), best.fraction)
    assert loose.C == 1.0 > strict.C


def test_agreement_sees_what_accuracy_hardly_does():
    """C = 1 on a quarter of the rows: halves disagree wholly, yet each tells the other's classes apart as well."""
    x_ND, scores, _ = faces(4000, 200, seed=2)
    cells = {(cell.C, cell.rows_per_class): cell for cell in choose(x_ND, scores, **GRID).grid}
    poor, good = cells[1.0, 1000], cells[1e-4, 1000]
    assert good.agreement - poor.agreement > 0.5
    assert abs(good.validation - poor.validation) < 0.05


def test_agreement_is_the_cosine_of_two_halves():
    """Two copies of the same faces dealt apart would agree wholly; scores of nothing agree by chance only."""
    draw = np.random.default_rng(0)
    x_ND, scores, _ = faces(3000, 100, seed=3)
    nothing = choose(draw.standard_normal((3000, 100)), draw.standard_normal(3000), (1e-2,), (0.25,))
    assert abs(nothing.grid[0].agreement) < 0.4
    assert choose(x_ND, scores, (1e-2,), (0.25,)).grid[0].agreement > 0.7


def test_never_fewer_than_300_a_class_where_there_are_as_many():
    x_ND, scores, _ = faces(2000, 10)
    assert {cell.rows_per_class for cell in choose(x_ND, scores, (1e-3,), (0.02, 0.05, 0.1)).grid} == {300}
    small = choose(x_ND[:400], scores[:400], (1e-3,), (0.02, 0.5))
    assert {(cell.rows_per_class, cell.fraction) for cell in small.grid} == {(200, 0.5)}


def test_a_threshold_parts_all_rows_of_both_halves():
    """Labels of yes and no, few of them yes: by rank both classes would hold the same label."""
    x_ND, scores, _ = faces(3000, 20)
    labels = (scores > np.quantile(scores, 0.75)).astype(float)
    with pytest.raises(SpecError, match="give a threshold"):
        choose(x_ND, labels, **GRID)
    choice = choose(x_ND, labels, **GRID, threshold=0.5)
    assert [(cell.C, cell.rows_per_class, cell.fraction) for cell in choice.grid] == [
        (C, 750, 0.25) for C in (1e-4, 1e-2, 1.0)
    ]
    assert all(0.5 < cell.agreement <= 1 for cell in choice.grid)
    assert len({cell.agreement for cell in choice.grid}) == 3


def test_what_cannot_be_chosen_from_is_known_before():
    check_choosable(np.arange(8.0))
    check_choosable(np.array([0.0, 1] * 20), threshold=0.5)
    with pytest.raises(SpecError, match="7 rows are too few to choose from, 8 is the least"):
        check_choosable(np.arange(7.0))
    with pytest.raises(SpecError, match="give a threshold"):
        check_choosable(np.array([0.0] * 90 + [1] * 10))
    with pytest.raises(SpecError, match=r"leaves \d rows? above|there is one class only"):
        check_choosable(np.array([0.0] * 90 + [1]), threshold=0.5)
    with pytest.raises(SpecError, match="leaves 3 rows above and 90 below, 4 of each is the least to choose C from"):
        check_choosable(np.array([0.0] * 90 + [1] * 3), threshold=0.5)
    check_choosable(np.array([0.0] * 90 + [1] * 4), threshold=0.5)


@pytest.mark.parametrize("share", [0.01, 0.026, 0.05])
@pytest.mark.parametrize(("rows", "width"), [(400, 40), (1000, 512)])
@pytest.mark.parametrize("balanced", [False, True])
def test_rare_labels_are_chosen_for(rows, width, share, balanced):
    """No cell ends the choice of the others, and each half has its part of the few."""
    draw = np.random.default_rng(rows)
    x_ND = draw.standard_normal((rows, width))
    scores = x_ND[:, 0] + 0.5 * draw.standard_normal(rows)
    labels = (scores >= np.quantile(scores, 1 - share)).astype(float)
    check_choosable(labels, threshold=0.5)
    choice = choose(x_ND, labels, threshold=0.5, balanced=balanced)
    assert choice.C in {cell.C for cell in choice.grid}
    assert all(np.isfinite(cell.agreement) for cell in choice.grid)


def test_a_cell_without_a_hyperplane_is_passed_over(monkeypatch):
    from pipeline.directions import choose as module

    x_ND, scores, _ = faces(400, 10)
    real = module.fit

    def fit(x_ND, positive_N, C, *more):
        if C > 1e-2:
            raise NoHyperplane("none")
        return real(x_ND, positive_N, C, *more)

    monkeypatch.setattr(module, "fit", fit)
    choice = choose(x_ND, scores, **GRID, margin=1.0)
    assert choice.C == 1e-2
    assert [np.isnan(cell.agreement) for cell in choice.grid] == [cell.C > 1e-2 for cell in choice.grid]
    with pytest.raises(SpecError, match="no hyperplane tells the two classes apart better than none does, at any C"):
        choose(x_ND, scores, (1.0,), (0.5,))


def test_it_is_seeded():
    x_ND, scores, _ = faces(1500, 30)
    assert choose(x_ND, scores, **GRID, seed=5) == choose(x_ND, scores, **GRID, seed=5)
    assert choose(x_ND, scores, **GRID, seed=5) != choose(x_ND, scores, **GRID, seed=6)


def test_as_released_tries_nothing():
    x_ND, scores, _ = faces(100, 4)
    choice = choose(x_ND, scores, as_released=True)
    assert (choice.C, choice.fraction, choice.grid) == (1.0, 0.02, ())


def test_what_cannot_be_chosen_from():
    x_ND, scores, _ = faces(100, 4)
    with pytest.raises(SpecError, match="100 codes and 99 scores"):
        choose(x_ND, scores[1:])
    with pytest.raises(SpecError, match="nothing to choose from"):
        choose(x_ND, scores, Cs=())
    with pytest.raises(SpecError, match=r"the fraction is 0.7"):
        choose(x_ND, scores, fractions=(0.7,))
