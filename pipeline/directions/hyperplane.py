"""The linear SVM: the separating hyperplane of two classes, with hinge loss, by scikit-learn.

    minimise over w, b    1/2 |w|^2 + C sum_i max(0, 1 - y_i (<w, x_i> + b)),    y_i = +1 or -1

`fit` solves it by LIBLINEAR's dual coordinate descent, whose time grows with the rows and not with their square;
`fit_by_libsvm` is the public InterFaceGAN code's solver. LIBLINEAR adds b^2 / 2 to the objective, in units of the rows'
mean length: on classes of like size and C of 1e-3 and more the normals are the same (cosine above 0.9999).

Shapes: N rows, D numbers a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError

Floats = NDArray[np.float64]

INTERCEPT_SCALING = 1.5
"""In units of the rows' mean length, which is about 7 in w: 10 on rows that are centred and not scaled."""
TOLERANCE, PASSES = 1e-3, 10_000
"""Where LIBLINEAR stops. At C = 1 on 7,000 rows the limit is met, with a cosine of 0.9998 to the exact normal."""
NOWHERE = 1e-12
"""|w|^2 in units of C and rows, below which w has no direction."""


class NoHyperplane(SpecError):
    """The classes lie so that no hyperplane is better than none."""


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """<normal, x> + intercept = 0, positive on the side of the positive class.

    normal: (D,) float64 of unit norm. intercept: divided by the norm of w, as the normal is. margin: 1 / |w|.
    """

    normal: Floats
    intercept: float
    C: float
    margin: float

    def distance(self, x_ND: NDArray[np.floating]) -> Floats:
        """(N, D) -> signed distance (N,) to the hyperplane."""
        return x_ND @ self.normal + self.intercept


def fit(
    x_ND: NDArray[np.floating],
    positive_N: NDArray[np.bool_],
    C: float,
    balanced: bool = False,
    tolerance: float = TOLERANCE,
    passes: int = PASSES,
) -> Hyperplane:
    """The hyperplane of the lowest objective; the same bits each time, whatever the number of threads.

    At the limit of passes scikit-learn's ConvergenceWarning is given, and the hyperplane reached is returned.

    Args:
        x_ND: the rows of both classes.
        positive_N: which are of the positive class.
        C: SVM regularisation, for codes as they are, not scaled.
        balanced: C of each class is weighted by the rows over twice those of the class.
        tolerance, passes: where the solver stops.

    Raises:
        SpecError: C is not positive and finite, one class has no row, or all rows are the same point.
        NoHyperplane: the classes lie so that no hyperplane is better than none.
    """
    from sklearn.svm import LinearSVC

    check_fit(positive_N, C)
    mean_D = x_ND.mean(axis=0, dtype=np.float64)
    rows_ND = x_ND - mean_D
    scale = float(np.sqrt(np.square(rows_ND).sum(axis=1).mean()))  # not by BLAS, whose last bit follows its threads
    if scale <= 1e-6 * float(np.abs(mean_D).max()):
        raise SpecError(f"all {len(positive_N)} codes are the same point: no hyperplane separates them")
    rows_ND /= scale
    model = LinearSVC(
        loss="hinge", dual=True, C=C * scale**2, intercept_scaling=INTERCEPT_SCALING, tol=tolerance, max_iter=passes,
        class_weight="balanced" if balanced else None, random_state=0,
    )  # fmt: skip
    model.fit(rows_ND, positive_N)
    w_D = model.coef_[0] / scale
    b = float(model.intercept_[0]) - float(mean_D @ w_D)
    return _hyperplane(w_D, b, C, len(positive_N))


def fit_by_libsvm(x_ND: NDArray[np.floating], positive_N: NDArray[np.bool_], C: float) -> Hyperplane:
    """As the public code fits: `SVC(kernel="linear")`. Its time grows with the square of the rows.

    Raises:
        SpecError, NoHyperplane: as `fit`.
    """
    from sklearn.svm import SVC

    check_fit(positive_N, C)
    model = SVC(kernel="linear", C=C).fit(x_ND, positive_N)
    return _hyperplane(model.coef_[0].astype(np.float64), float(model.intercept_[0]), C, len(positive_N))


def mean_square(x_ND: NDArray[np.floating]) -> float:
    """Mean squared length of the rows about their mean; by no BLAS, whose last bits follow its threads."""
    square = np.einsum("nd,nd->", x_ND, x_ND, dtype=np.float64) / len(x_ND)
    return float(square - np.square(x_ND.mean(axis=0, dtype=np.float64)).sum())


def check_fit(positive_N: NDArray[np.bool_], C: float) -> None:
    """Raise SpecError where C is not positive and finite, or one class has no row."""
    if not (np.isfinite(C) and C > 0):
        raise SpecError(f"C is {C}: give a positive number")
    count = int(positive_N.sum())
    if not 0 < count < len(positive_N):
        only = "positive" if count else "negative"
        raise SpecError(f"all {len(positive_N)} rows are of the {only} class: a hyperplane needs rows of both")


def _hyperplane(w_D: Floats, b: float, C: float, rows: int) -> Hyperplane:
    norm = float(np.linalg.norm(w_D))
    if not np.isfinite(norm) or norm**2 < NOWHERE * C * rows:
        raise NoHyperplane(f"no hyperplane separates the two classes of {rows} rows")
    return Hyperplane(w_D / norm, b / norm, C, 1.0 / norm)
