"""The linear SVM: the separating hyperplane of two classes, with hinge loss and a free intercept.

    minimise over w, b    1/2 |w|^2 + C sum_i max(0, 1 - y_i (<w, x_i> + b)),    y_i = +1 or -1

This is the problem that LibSVM's `SVC(kernel="linear")` solves, at a cost that grows with the rows and not with their
square: an augmented Lagrangian on the margins, each of its smooth sub-problems solved by semismooth Newton steps
(Yan and Li, "An efficient augmented Lagrangian based method for linear equality and inequality constrained SVM", 2019).
Only rows whose multiplier is strictly between 0 and C enter a Newton system, and these are few.

It stops on a certificate, not on a count of steps. The multipliers give a lower bound of the objective, and since the
objective is 1-strongly convex in w, the cosine between the normal found and the exact one is at least
1 - gap / |w|^2: `tolerance` is the bound on that last term.

Shapes: N rows, D numbers a row, J rows in the Newton system.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError

Floats = NDArray[np.float64]

MAX_OUTER = 30
GROWTH = 4.0
"""Of the penalty, from one sub-problem to the next."""
WIDEST = 1e6
"""Of the penalty, in units of C."""
NOWHERE = 1e-12
"""|w|^2 in units of C and rows, below which w has no direction."""
EASY = 0.1
"""C in units of the scaled rows, up to which a fit starts from nothing; from there on from a loose fit with C / 10."""
LOOSE = 0.1
MAX_NEWTON = 100


class NotConverged(SpecError):
    """The tolerance was not reached."""


@dataclass(frozen=True, eq=False)
class Hyperplane:
    """<normal, x> + intercept = 0, positive on the side of the positive class.

    normal: (D,) float64 of unit norm. intercept: divided by the norm of w, as the normal is. margin: 1 / |w|.
    multipliers: (N,) in [0, C], LibSVM's alpha; a start for a fit with another C. gap: the bound of 1 - cosine.
    """

    normal: Floats
    intercept: float
    C: float
    margin: float
    multipliers: Floats
    gap: float
    steps: int

    def distance(self, x_ND: NDArray[np.floating]) -> Floats:
        """(N, D) -> signed distance (N,) to the hyperplane."""
        return x_ND @ self.normal + self.intercept


class Points:
    """The rows of both classes, centred and scaled once for every C that is fitted on them.

    dtype: of the arithmetic; float32 takes half of the time and reaches a tolerance of 1e-3.

    The intercept is free, so that a shift of all rows moves it alone. The scale makes C and the steps unitless.

    Raises:
        SpecError: one class has no row, or all rows are the same point.
    """

    def __init__(
        self, x_ND: NDArray[np.floating], positive_N: NDArray[np.bool_], dtype: type[np.floating] = np.float64
    ):
        count = int(positive_N.sum())
        if not 0 < count < len(positive_N):
            only = "positive" if count else "negative"
            raise SpecError(f"all {len(positive_N)} rows are of the {only} class: a hyperplane needs rows of both")
        self.mean = x_ND.mean(axis=0, dtype=np.float64)
        self.x_ND: NDArray[np.floating] = np.subtract(x_ND, self.mean, dtype=dtype, casting="same_kind")
        self.scale = float(np.linalg.norm(self.x_ND)) / len(self.x_ND) ** 0.5
        if self.scale <= 1e-6 * float(np.abs(self.mean).max()):
            raise SpecError(f"all {len(positive_N)} codes are the same point: no hyperplane separates them")
        self.x_ND /= dtype(self.scale)
        self.sign_N: Floats = np.where(positive_N, 1.0, -1.0)

    def project(self, w_D: Floats) -> Floats:
        """<w, x> of each row, (N,)."""
        return (self.x_ND @ w_D.astype(self.x_ND.dtype)).astype(np.float64)

    def combine(self, weights_N: Floats) -> Floats:
        """The sum of the rows with these weights, (D,)."""
        return (weights_N.astype(self.x_ND.dtype) @ self.x_ND).astype(np.float64)


def fit(points: Points, C: float, tolerance: float = 1e-5, start: Hyperplane | None = None) -> Hyperplane:
    """The hyperplane of the lowest objective.

    Args:
        points: the rows of both classes.
        C: the price of a row on the wrong side, as LibSVM's (for codes as they are, not scaled).
        tolerance: the cosine of the normal with the exact one is at least 1 - tolerance.
        start: a hyperplane of the same points with another C.

    Raises:
        SpecError: C is not positive and finite, or the classes lie so that w = 0 is best.
        NotConverged: the tolerance is not reached.
    """
    if not (np.isfinite(C) and C > 0):
        raise SpecError(f"C is {C}: give a positive number, 1 as in the public code")
    sign_N = points.sign_N
    price = C * points.scale**2
    if start is None and price > EASY:
        start = fit(points, C / 10, max(tolerance, LOOSE))
    alpha_N = np.full_like(sign_N, price / 2) if start is None else start.multipliers * (price / start.C)
    w_D, b = points.combine(sign_N * alpha_N), 0.0
    sigma, steps, gap, precision = price, 0, np.inf, 1e-2
    for _ in range(MAX_OUTER):
        slack = _Slack(points, alpha_N, price, sigma)
        w_D, b, alpha_N, taken = _newton(slack, w_D, b, precision)
        steps += taken
        balanced_N = _balanced(alpha_N, sign_N)
        dual_D = points.combine(sign_N * balanced_N)
        projection_N = points.project(dual_D)
        best_b = _intercept(projection_N, sign_N)
        hinge = float(np.maximum(0.0, 1.0 - sign_N * (projection_N + best_b)).sum())
        norm2 = float(dual_D @ dual_D)
        apart = norm2 + price * hinge - float(balanced_N.sum())
        if max(norm2, 1e-3 * apart) < NOWHERE * price * len(sign_N):
            raise SpecError(f"no hyperplane tells the two classes of {len(sign_N)} rows apart better than none does")
        gap = apart / norm2 if norm2 > 0 else np.inf
        if gap <= tolerance:
            norm = float(np.sqrt(norm2))
            normal_D = dual_D / norm
            intercept = points.scale * best_b / norm - float(points.mean @ normal_D)
            return Hyperplane(
                normal_D, intercept, C, points.scale / norm, balanced_N * (C / price), max(gap, 0.0), steps
            )
        sigma = min(GROWTH * sigma, WIDEST * price)
        precision = min(0.3 * precision, 0.1 * float(np.sqrt(max(gap, 0.0))))
    raise NotConverged(
        f"the SVM with C = {C:g} on {len(sign_N)} rows did not converge in {steps} steps (1 - cosine may be "
        f"{gap:.1e}): give a smaller C"
    )


@dataclass(frozen=True)
class _Slack:
    """The sub-problem: hinges replaced by their Moreau envelopes of width price / sigma, shifted by the multipliers."""

    points: Points
    multipliers: Floats
    price: float
    sigma: float

    def slopes(self, margin_N: Floats) -> Floats:
        """The new multipliers at these margins y (<w, x> + b), which are the slopes of the envelopes."""
        return np.clip(self.multipliers + self.sigma * (1.0 - margin_N), 0.0, self.price)


def _newton(slack: _Slack, w_D: Floats, b: float, precision: float) -> tuple[Floats, float, Floats, int]:
    """Minimise 1/2 |w|^2 + envelopes from (w, b): the minimiser, its multipliers and the steps taken.

    The intercept is brought to its best value before each step, so that the steps see a function of w alone.
    precision: of the gradient, relative to |w|.
    """
    points, sign_N = slack.points, slack.points.sign_N
    rounding = float(np.finfo(points.x_ND.dtype).eps)
    projection_N = points.project(w_D)
    steps = 0
    while True:
        b = _best_b(slack, projection_N, b)
        margin_N = sign_N * (projection_N + b)
        alpha_N = slack.slopes(margin_N)
        gradient_D = w_D - points.combine(sign_N * alpha_N)
        small = max(precision * float(np.linalg.norm(w_D)), rounding * float(alpha_N.sum()))
        if float(np.linalg.norm(gradient_D)) <= small or steps == MAX_NEWTON:
            return w_D, b, alpha_N, steps
        steps += 1
        free_N = (alpha_N > 0.0) & (alpha_N < slack.price)
        step_D, step_b = _solve(points.x_ND[free_N].astype(np.float64), slack.sigma, -gradient_D)
        moved_N = points.project(step_D)
        t = _line_search(slack, margin_N, sign_N * (moved_N + step_b), float(w_D @ step_D), float(step_D @ step_D))
        w_D, b, projection_N = w_D + t * step_D, b + t * step_b, projection_N + t * moved_N


def _best_b(slack: _Slack, projection_N: Floats, b: float) -> float:
    """The best intercept of the sub-problem for these <w, x>: where both classes' multipliers have the same sum.

    Their difference falls with b, piecewise linearly: Newton steps, kept between the ends known, or their middle.
    """
    sign_N = slack.points.sign_N
    low, high = -np.inf, np.inf
    for _ in range(200):
        alpha_N = slack.slopes(sign_N * (projection_N + b))
        more = float(sign_N @ alpha_N)
        if abs(more) <= 1e-14 * float(alpha_N.sum()):
            break
        low, high = (b, high) if more > 0 else (low, b)
        free = int(((alpha_N > 0.0) & (alpha_N < slack.price)).sum())
        step = b + more / (slack.sigma * free) if free else (b + 1.0 if more > 0 else b - 1.0)
        if not low < step < high:
            step = 0.5 * (low + high) if np.isfinite(low) and np.isfinite(high) else step + (step - b)
        if step in (low, high):
            break
        b = step
    return b


def _solve(x_JD: Floats, sigma: float, right_D: Floats) -> tuple[Floats, float]:
    """The Newton step: (diag(I, 0) + sigma [x 1]^T [x 1]) (step_D, step_b) = (right_D, 0), by rows or by columns."""
    free, width = x_JD.shape
    if free == 0:
        return right_D, 0.0
    mean_D: Floats = x_JD.mean(axis=0)
    centred_JD: Floats = x_JD - mean_D  # what is left after step_b = -<mean, step_D> is put in
    if free < width:
        system = centred_JD @ centred_JD.T
        system[np.diag_indices(free)] += 1.0 / sigma
        step_D: Floats = right_D - centred_JD.T @ np.linalg.solve(system, centred_JD @ right_D)
    else:
        system = sigma * (centred_JD.T @ centred_JD)
        system[np.diag_indices(width)] += 1.0
        step_D = np.asarray(np.linalg.solve(system, right_D), dtype=np.float64)
    return step_D, -float(mean_D @ step_D)


def _line_search(slack: _Slack, margin_N: Floats, moved_N: Floats, along: float, length2: float) -> float:
    """How far to go: a root of the slope, which rises along the step. along = <w, step>, length2 = |step|^2."""

    def slope(t: float) -> float:
        return along + t * length2 - float(slack.slopes(margin_N + t * moved_N) @ moved_N)

    start, low, high = slope(0.0), 0.0, 1.0
    enough = 0.1 * abs(start)
    value = slope(high)
    while value < -enough and high < 1e6:
        low, high = high, 2.0 * high
        value = slope(high)
    t = high
    while abs(value) > enough and high - low > 1e-12 * high:
        t = 0.5 * (low + high)
        value = slope(t)
        low, high = (t, high) if value < 0 else (low, t)
    return t


def _balanced(alpha_N: Floats, sign_N: Floats) -> Floats:
    """The multipliers with the same sum for both classes, as the free intercept demands: the larger side is scaled."""
    positive_N = sign_N > 0
    above, below = float(alpha_N[positive_N].sum()), float(alpha_N[~positive_N].sum())
    least = min(above, below)
    return alpha_N * np.where(positive_N, least / max(above, 1e-300), least / max(below, 1e-300))


def _intercept(projection_N: Floats, sign_N: Floats) -> float:
    """The best intercept for a normal: the middle of all minimisers of the sum of hinges, as LibSVM chooses it.

    Each row bends the sum once, at y - <w, x>, and adds 1 to its slope there: the slope goes from minus the number of
    positive rows through 0 to the number of negative ones.
    """
    bends_N = sign_N - projection_N
    positive = int((sign_N > 0).sum())
    bends_N.partition((positive - 1, positive))
    return float(bends_N[positive - 1] + bends_N[positive]) / 2.0
