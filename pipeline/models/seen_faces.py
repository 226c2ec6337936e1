"""What was seen of the faces that an editor made, so that none is made again to be scored and shown.

Shapes: N rows; `...` stands for the shape of one value of a column.
"""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator


class SeenFaces:
    """A FaceScorer as an editor uses it, that keeps what it sees, by code, until it is told to forget.

        seen = SeenFaces(faces, ("smile", "old", "judge_smile", "judge_old", "pixels", "picture"))
        trace = IALS(directions, seen, at_once=seen.at_once).edit(codes, requests)
        columns = seen.look(trace.at(3), there)     # of the faces of step 3 only those are made that nobody saw

    Args:
        faces: the editor looks with its family without prefix.
        columns: of `FaceScorer.look`, what is to be seen of faces.
        all_steps: whether all of them are taken from the passes that compute gradients, so that no face of a step is
            made again; else those alone that the editor asks for, which is less work where few steps are looked at.
    """

    def __init__(self, faces: FaceScorer, columns: Collection[str], all_steps: bool = False) -> None:
        self._faces, self._columns, self._all_steps = faces, tuple(columns), all_steps
        self._seen: dict[bytes, Mapping[str, NDArray]] = {}
        self._blank: Mapping[str, NDArray] | None = None

    @property
    def generator(self) -> Generator:
        return self._faces.generator

    @property
    def at_once(self) -> int | None:
        return self._faces.at_once

    def __call__(self, codes: Codes, attributes: Collection[str] | None = None) -> dict[str, Tensor]:
        """Scores (N,) by attribute, differentiable as those of the FaceScorer are."""
        wanted = self._columns if self._all_steps and codes.values.requires_grad else ()
        scores, columns = self._faces.search(codes, attributes=attributes, columns=wanted)
        if not wanted:
            columns = {name: scores[name].detach().float().cpu().numpy() for name in self._columns if name in scores}
        self._keep(columns, enumerate(_keys(codes)))
        return scores

    def styles(self, codes: Codes) -> Tensor:
        """As `FaceScorer.styles`."""
        return self._faces.styles(codes)

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """As `FaceScorer.masks`."""
        return self._faces.masks(x_N3HW)

    def look(self, codes: Codes, slots: NDArray[np.bool_]) -> dict[str, NDArray]:
        """The columns (N, ...) of the rows in `slots`, a mask (N,), and 0 for the others. What was seen is taken as it
        was; the faces of which one column was not are made in one pass, of N rows.
        """
        keys = _keys(codes)
        known = [len(self._seen.get(key, ())) == len(self._columns) for key in keys]
        new = slots & ~np.array(known)
        if new.any() or self._blank is None:
            found = self._faces.look(codes.only(new), self._columns)
            self._keep(found, ((row, keys[row]) for row in np.flatnonzero(new).tolist()))
        assert self._blank is not None
        rows = [self._seen[key] if there else self._blank for key, there in zip(keys, slots.tolist(), strict=True)]
        return {name: np.stack([row[name] for row in rows]) for name in self._blank}

    def _keep(self, columns: Mapping[str, NDArray], rows: Iterable[tuple[int, bytes]]) -> None:
        if len(columns) == len(self._columns):
            self._blank = {name: np.zeros_like(columns[name][0]) for name in self._columns}
        for row, key in rows:
            if len(columns) >= len(self._seen.get(key, ())):
                self._seen[key] = {name: column[row] for name, column in columns.items()}

    def forget(self) -> None:
        """Let go what was seen."""
        self._seen.clear()


class SomeScores:
    """`SeenFaces` whose scores are those of some attributes, where no others are asked for."""

    def __init__(self, faces: SeenFaces, attributes: Collection[str]) -> None:
        self.generator, self.at_once = faces.generator, faces.at_once
        self._faces, self._attributes = faces, attributes

    def __call__(self, codes: Codes, attributes: Collection[str] | None = None) -> dict[str, Tensor]:
        return self._faces(codes, self._attributes if attributes is None else attributes)

    def styles(self, codes: Codes) -> Tensor:
        """As `FaceScorer.styles`."""
        return self._faces.styles(codes)

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """As `FaceScorer.masks`."""
        return self._faces.masks(x_N3HW)


def _keys(codes: Codes) -> list[bytes]:
    return [row.tobytes() for row in codes.values.detach().cpu().numpy()]
