"""The sparse hyperplane between two classes of style codes: a linear SVM with an L1 penalty (Style Intervention, 3.1).

    minimise over c, b    |c|_1 + |b| + C sum_i v_i max(0, 1 - y_i (<c, u_i> + b))^2,    u = (x - mean) / sd

y_i is +1 or -1, and v_i weighs both classes alike. LIBLINEAR penalises b as it does a channel. Style channels differ
some hundred times in spread, so the penalty is fair only on standardised ones. The solution c has two forms in the
units of the codes:

    normal  c / sd    of the hyperplane: <normal, x> tells the classes apart.
    move    c * sd    the step that changes <c, u> by a given amount with the least change of u. Along the normal the
                      channels that hardly ever move get the largest steps, and the pictures fall apart.

Shapes: N rows, D numbers a row.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.directions.hyperplane import NoHyperplane, check_fit

Floats = NDArray[np.float64]

BYTES_OF_A_NUMBER = 4 + 8 + 16 + 16
"""Of memory for each number of the rows that are fitted: a copy, standardised in float64, and LIBLINEAR's own form of
them twice, since for the L1 penalty it transposes the rows. Measured: 44.03 (3,000 rows of 6,752)."""
TOLERANCE, PASSES = 1e-4, 2000
"""Where LIBLINEAR stops; scikit-learn's tolerance, and twice its passes."""
FACTORS = (1.5, 3.0, 6.0, 12.0, 24.0, 48.0)
"""The path of C, in units of the smallest C that uses a channel."""


@dataclass(frozen=True, eq=False)
class SparseHyperplane:
    """c (D,), b, and the mean and standard deviation (D,) of the rows that it was fitted on; sd is 1 where a channel is
    constant. converged: whether the solver came to its end."""

    c: Floats
    b: float
    mean: Floats
    sd: Floats
    C: float
    converged: bool = True

    @property
    def normal(self) -> Floats:
        """(D,) of the hyperplane, in the units of the codes, not normalised."""
        return self.c / self.sd

    @property
    def move(self) -> Floats:
        """(D,) where to move codes, not normalised."""
        return self.c * self.sd

    @property
    def intercept(self) -> float:
        """Of `normal`: <normal, x> + intercept is 0 on the hyperplane."""
        return self.b - float(np.sum(self.normal * self.mean))

    @property
    def sparsity(self) -> float:
        """Share of the numbers of c that are 0 (Table 1)."""
        return float((self.c == 0).mean())

    def side(self, x_ND: NDArray[np.floating]) -> Floats:
        """(N,) above 0 on the side of the positive class. Only the channels that count are read."""
        used = np.flatnonzero(self.c)
        return np.einsum("nd,d->n", x_ND[:, used], self.normal[used], dtype=np.float64) + self.intercept


def path(x_ND: NDArray[np.floating], positive_N: NDArray[np.bool_]) -> tuple[float, ...]:
    """The Cs to choose from, rising, to two digits: FACTORS times the smallest that uses a channel. Raises
    NoHyperplane."""
    least = smallest_c(x_ND, positive_N)
    return tuple(float(f"{factor * least:.2g}") for factor in FACTORS)


def smallest_c(x_ND: NDArray[np.floating], positive_N: NDArray[np.bool_]) -> float:
    """The C from which on a channel is used: there the loss falls by 1 along a channel at c = 0, b = 0, as fast as the
    penalty rises. (scikit-learn's `l1_min_c` knows no class weights.)

    Raises:
        NoHyperplane: the two classes have the same mean in every channel.
    """
    rows_ND, _, _ = standardised(x_ND)
    positive = int(positive_N.sum())
    weight_N = len(rows_ND) * np.where(positive_N, 0.5 / positive, -0.5 / (len(rows_ND) - positive))
    steepest = float(np.abs(np.einsum("nd,n->d", rows_ND, weight_N)).max())
    if steepest <= 1e-9 * len(rows_ND):  # equal means, but for rounding
        raise NoHyperplane(f"no channel tells the {len(rows_ND)} rows apart: both classes have the same mean in each")
    return 0.5 / steepest


def fit_sparse(x_ND: NDArray[np.floating], positive_N: NDArray[np.bool_], C: float) -> SparseHyperplane:
    """The hyperplane of the lowest objective, by LIBLINEAR's primal coordinate descent; the same bits each time.

    Args:
        x_ND: the rows of both classes, in any units.
        positive_N: which are of the positive class.
        C: SVM regularisation, for standardised codes.

    Raises:
        SpecError: C is not positive and finite, or one class has no row.
        NoHyperplane: C is so small that no channel counts.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    check_fit(positive_N, C)
    rows_ND, mean_D, sd_D = standardised(x_ND)
    model = LinearSVC(
        penalty="l1", loss="squared_hinge", dual=False, C=C, class_weight="balanced", tol=TOLERANCE, max_iter=PASSES,
        random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(rows_ND, positive_N)
    c_D = model.coef_[0].astype(np.float64)
    if not c_D.any():
        raise NoHyperplane(f"at C {C:g} the L1 penalty leaves no channel that tells the {len(positive_N)} rows apart")
    converged = not any(issubclass(one.category, ConvergenceWarning) for one in said)
    return SparseHyperplane(c_D, float(model.intercept_[0]), mean_D, sd_D, C, converged)


def standardised(x_ND: NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """The rows with mean 0 and standard deviation 1 in each channel, (N, D); the means and the deviations (D,)."""
    mean_D = x_ND.mean(axis=0, dtype=np.float64)
    rows_ND = x_ND - mean_D
    sd_D = np.sqrt(np.einsum("nd,nd->d", rows_ND, rows_ND) / len(rows_ND))
    sd_D = np.where(sd_D > 1e-6 * np.abs(mean_D), sd_D, 1.0)
    rows_ND /= sd_D
    return rows_ND, mean_D, sd_D
