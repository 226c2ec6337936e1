"""The codes that ID-Style learns from, each by its number, and the rows that are held out.

Shapes: L layers of w+, W w_dim.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.editors.id_style.crossovers import crossover
from pipeline.editors.resumable import Shuffle
from pipeline.editors.training import LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from pipeline.models.randomness import raw_words

ORDER, HELD_OUT = 21, 23
"""Streams of the seed."""


class LearnedCodes:
    """`crossovers` codes of each row that is not held out, or the row itself where there are none.

    held_out, learned: row numbers, rising.

    Raises:
        SpecError: fewer than two rows to learn from.
    """

    def __init__(self, rows: LabelledCodes, held_out: int, crossovers: int, batch_size: int, seed: int) -> None:
        if len(rows.codes) - held_out < 2:
            raise SpecError(f"{len(rows.codes)} rows, {held_out} of them held out, are too few: give some more")
        self._rows, self._each, self._seed = rows, crossovers, seed
        order = np.argsort(raw_words(seed, 0, len(rows.codes), HELD_OUT), kind="stable")
        self.held_out, self.learned = (np.sort(part) for part in np.split(order, [held_out]))
        self._shuffle = Shuffle(len(self.learned) * max(1, crossovers), batch_size, seed, ORDER)

    def to_start_from(self) -> tuple[Codes, NDArray[np.floating]]:
        """The rows to learn from as they are given, and their scores."""
        return self._rows.codes.select(torch.from_numpy(self.learned)), self._rows.scores[self.learned]

    def batch(self, step: int) -> list[int]:
        """Numbers of the codes of a step."""
        numbers: list[int] = self._shuffle.batch(step).tolist()
        return numbers

    def code(self, number: int) -> Tensor:
        """(L, W)."""
        if not self._each:
            return self.row(int(self.learned[number]))
        found = crossover(self._seed, number, len(self.learned), self._each, self._rows.layers)
        two = self._rows.codes.values[torch.from_numpy(self.learned[[found.row, found.other]])]
        return found.between(two, self._rows.layers)

    def row(self, row: int) -> Tensor:
        """(L, W), of one of all rows."""
        return self._rows.codes.values[row].expand(self._rows.layers, -1).clone()  # alone: it may go to a helper
