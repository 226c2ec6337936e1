import numpy as np
import pytest

from pipeline.directions.choose import best, check_choosable, ladder, try_all
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.errors import SpecError
from tests.pipeline.directions.made import faces

GRID = {"Cs": (1e-4, 1e-2, 1.0), "fractions": (0.02, 0.25, 0.5)}


def test_the_best_agreement_is_chosen_and_the_whole_grid_told():
    x_ND, scores, _ = faces(4000, 40, seed=1)
    cells = try_all(x_ND, scores, **GRID)
    assert [(cell.C, cell.rows_per_class) for cell in cells] == [
        (C, count) for count in (150, 1000, 2000) for C in (1e-4, 1e-2, 1.0)
    ]
    assert best(cells) == max(cells, key=lambda cell: cell.agreement)
    assert all(0 < cell.agreement <= 1 and 0.5 < cell.validation <= 1 for cell in cells)


def test_a_margin_takes_the_largest_c_that_agrees_nearly_as_well():
    x_ND, scores, _ = faces(4000, 40, seed=1)
    cells = try_all(x_ND, scores, **GRID)
    most = best(cells)
    for margin in (0.1, 0.3, 2.0):
        loose = best(cells, margin)
        near = [c.C for c in cells if c.fraction == most.fraction and c.agreement >= most.agreement - margin]
        assert (loose.C, loose.fraction) == (max(near), most.fraction)
    assert loose.C == 1.0 > most.C


def test_agreement_is_the_cosine_of_two_halves():
    """Two copies of the same faces dealt apart would agree wholly; scores of nothing agree by chance only."""
    draw = np.random.default_rng(0)
    x_ND, scores, _ = faces(3000, 100, seed=3)
    [nothing] = try_all(draw.standard_normal((3000, 100)), draw.standard_normal(3000), (1e-2,), (0.25,))
    assert abs(nothing.agreement) < 0.4
    [something] = try_all(x_ND, scores, (1e-2,), (0.25,))
    assert something.agreement > 0.7


def test_never_fewer_than_150_a_class_where_there_are_as_many():
    x_ND, scores, _ = faces(2000, 10)
    assert {cell.rows_per_class for cell in try_all(x_ND, scores, (1e-3,), (0.02, 0.05, 0.07))} == {150}
    small = try_all(x_ND[:200], scores[:200], (1e-3,), (0.02, 0.5))
    assert {(cell.rows_per_class, cell.fraction) for cell in small} == {(100, 0.5)}


def test_a_threshold_parts_all_rows_of_both_halves():
    """Labels of yes and no, few of them yes: by rank both classes would hold the same label."""
    x_ND, scores, _ = faces(3000, 20)
    labels = (scores > np.quantile(scores, 0.75)).astype(float)
    with pytest.raises(SpecError, match="give a threshold"):
        try_all(x_ND, labels, **GRID)
    cells = try_all(x_ND, labels, **GRID, threshold=0.5)
    assert [(cell.C, cell.rows_per_class, cell.fraction) for cell in cells] == [
        (C, 750, 0.25) for C in (1e-4, 1e-2, 1.0)
    ]
    assert all(0.5 < cell.agreement <= 1 for cell in cells)
    assert len({cell.agreement for cell in cells}) == 3


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
    cells = try_all(x_ND, labels, ladder(x_ND), threshold=0.5, balanced=balanced)
    assert best(cells) in cells
    assert all(np.isfinite(cell.agreement) for cell in cells)


def test_a_cell_without_a_hyperplane_is_passed_over(monkeypatch):
    from pipeline.directions import choose as module

    x_ND, scores, _ = faces(400, 10)
    real = module.fit

    def fit(x_ND, positive_N, C, *more):
        if C > 1e-2:
            raise NoHyperplane("none")
        return real(x_ND, positive_N, C, *more)

    monkeypatch.setattr(module, "fit", fit)
    cells = try_all(x_ND, scores, **GRID)
    assert best(cells, 1.0 - 1e-9).C == 1e-2
    assert [np.isnan(cell.agreement) for cell in cells] == [cell.C > 1e-2 for cell in cells]
    with pytest.raises(SpecError, match="no hyperplane separates the two classes, at any C"):
        best(try_all(x_ND, scores, (1.0,), (0.5,)))


def test_it_is_seeded():
    x_ND, scores, _ = faces(1500, 30)
    assert try_all(x_ND, scores, **GRID, seed=5) == try_all(x_ND, scores, **GRID, seed=5)
    assert try_all(x_ND, scores, **GRID, seed=5) != try_all(x_ND, scores, **GRID, seed=6)


def test_what_cannot_be_chosen_from():
    x_ND, scores, _ = faces(100, 4)
    with pytest.raises(SpecError, match="100 codes and 99 scores"):
        try_all(x_ND, scores[1:], (1.0,))
    with pytest.raises(SpecError, match="nothing to choose from"):
        try_all(x_ND, scores, ())
    with pytest.raises(SpecError, match=r"the fraction is 0.7"):
        try_all(x_ND, scores, (1.0,), (0.7,))
