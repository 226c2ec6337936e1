"""What a metric of edited faces offers: it sees each face once, and compares it with its source.

Shapes: N rows, 3HW pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.metrics.metric import Metric
from pipeline.metrics.number import Number


class Faces(NamedTuple):
    """Faces as a metric is given them.

    scores: the judge's, (N,) each, by attribute.
    pictures: (N, 3, H, W) in [-1, 1] on the models' device, of the size that classifiers look at: 512 px, or the
        generator's where that is less. None where no metric looks at them.
    there: (N,) which of them are faces, the others are padding, so that a network always sees batches of one size; a
        metric that takes one face at a time passes over them. None where all are.
    """

    scores: Mapping[str, NDArray]
    pictures: Tensor | None
    there: NDArray[np.bool_] | None = None

    def looked_at(self) -> Tensor:
        """The pictures, for a metric that `looks`."""
        assert self.pictures is not None, "a metric with `looks` is given pictures"
        return self.pictures

    def no_padding(self) -> NDArray[np.bool_]:
        """`there`, also where all are faces."""
        return np.ones(len(self.looked_at()), dtype=bool) if self.there is None else self.there


def spread(values: NDArray[np.float64], there_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, ...) of values of the rows that are there, the others NaN."""
    found = np.full((len(there_N), *values.shape[1:]), np.nan)
    found[there_N] = values
    return found


class Comparison(Protocol):
    """A metric with its networks open.

    fingerprint: hex digest of all that decides its numbers besides the scores; empty where nothing else does.
    networks: names of its networks in the catalogue.
    """

    @property
    def fingerprint(self) -> str: ...

    @property
    def networks(self) -> tuple[str, ...]: ...

    def see(self, faces: Faces) -> Any:
        """What it keeps of N faces until they are compared, a source with several steps."""
        ...

    def compare(self, source: Any, edited: Any, attributes: Sequence[str]) -> Mapping[str, tuple[NDArray[Any], ...]]:
        """Batches of N rows for `Metric.measure`, by what was measured (a column of the tables); row i is of face i.

        source, edited: what was seen of them. attributes: the edited ones, mostly one, as the classifiers call them;
        they may not know all of them. What is measured may depend on nothing else.
        """
        ...


class FaceMetric(Metric[Any], Protocol):
    """A metric of edited faces beside their sources; `of_faces.py` lists them.

    about: what it says, for the help of `stylemill measure`.
    table: of its partial numbers.
    packages: whose versions can move its numbers.
    measures: what it measures, by the column `measured` of the tables; empty is a number that is called as the metric.
    always: whether it is measured without being asked for.
    looks: whether it looks at pictures, and not at the judge's scores alone. Then it is of the rows that were edited;
        else also of those that stand at their source, as no edit was needed or possible.
    by_part: whether its batches are so small that those of a whole part of a table are measured at once; else those of
        each micro-batch are, and put together.
    """

    @property
    def about(self) -> str: ...

    @property
    def table(self) -> str: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    @property
    def measures(self) -> Mapping[str, Number]: ...

    @property
    def always(self) -> bool: ...

    @property
    def looks(self) -> bool: ...

    @property
    def by_part(self) -> bool: ...

    def open(self, device: str, judge: str) -> Comparison:
        """Its networks on a device. judge: the family that measures; beside a tiny one others may be tiny too.

        Raises:
            ModelFileError: a network has not been pulled, or is damaged.
            SpecError: a package is not installed.
        """
        ...
