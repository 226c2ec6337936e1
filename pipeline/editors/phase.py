"""A part of a training: one network that is trained by Adam, whose rows are drawn by the seed and the epoch alone.

So a training that was stopped goes on with the same bits. Shapes: B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.editors.resumable import Shuffle, load_optimiser_state, optimiser_state

BETAS = (0.9, 0.999)


@dataclass
class Phase:
    """One network that is trained by Adam for so many epochs; None for as many as `least` asks for: epochs and steps.

    loss: rows (B,) -> loss, and the numbers to report. stream: tells its row order from that of other phases.
    """

    name: str
    network: nn.Module
    loss: Callable[[Tensor], tuple[Tensor, Mapping[str, Tensor]]]
    rows: NDArray[np.int64]
    batch_size: int
    epochs: int | None
    learning_rate: float
    seed: int
    stream: int
    least: tuple[int, int]
    weight_decay: float = 0.0
    step: int = 0

    def __post_init__(self) -> None:
        self._shuffle = Shuffle(len(self.rows), self.batch_size, self.seed, self.stream)
        self.parameters = tuple(self.network.parameters())
        self.optimiser = torch.optim.Adam(
            self.parameters, self.learning_rate, BETAS, weight_decay=self.weight_decay, fused=True
        )

    @property
    def steps(self) -> int:
        (epochs, steps), of_an_epoch = self.least, self._shuffle.steps
        return of_an_epoch * (self.epochs or max(epochs, round(steps / of_an_epoch)))

    def advance(self) -> Mapping[str, Tensor]:
        """One step; what there is to report of it."""
        loss, said = self.loss(torch.from_numpy(self._batch()).to(self.parameters[0].device))
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.step += 1
        return said

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, by name."""
        return optimiser_state(self.network, self.optimiser, f"{self.name}.")

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Take up the state after so many steps. Raises SpecError where it is that of another network."""
        own = {name: value for name, value in state.items() if name.startswith(f"{self.name}.")}
        load_optimiser_state(self.network, self.optimiser, own, step, f"{self.name}.")
        self.step = step

    def _batch(self) -> NDArray[np.int64]:
        return self.rows[self._shuffle.batch(self.step)]
