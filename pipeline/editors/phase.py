"""A part of a training: one network that is trained by Adam, whose rows are drawn by the seed and the epoch alone.

So a training that was stopped goes on with the same bits. Shapes: B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import SpecError
from pipeline.models.randomness import raw_words

BETAS = (0.9, 0.999)
MOMENTS = ("exp_avg", "exp_avg_sq")


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
    _order: tuple[int, NDArray[np.int64]] = field(default=(-1, np.empty(0, np.int64)), repr=False)

    def __post_init__(self) -> None:
        self.batch_size = min(self.batch_size, len(self.rows))
        self.parameters = tuple(self.network.parameters())
        self.optimiser = torch.optim.Adam(
            self.parameters, self.learning_rate, BETAS, weight_decay=self.weight_decay, fused=True
        )

    @property
    def steps_of_an_epoch(self) -> int:
        return len(self.rows) // self.batch_size

    @property
    def steps(self) -> int:
        epochs, steps = self.least
        return self.steps_of_an_epoch * (self.epochs or max(epochs, round(steps / self.steps_of_an_epoch)))

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
        kept = {}
        for name, parameter in self.network.named_parameters():
            kept[f"{self.name}.{name}"] = parameter.detach()
            for moment in MOMENTS:
                found = self.optimiser.state.get(parameter, {}).get(moment)
                kept[f"{self.name}.{name}.{moment}"] = torch.zeros_like(parameter) if found is None else found
        return kept

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Take up the state after so many steps. Raises SpecError where it is that of another network."""
        check_state({name: value for name, value in state.items() if name.startswith(f"{self.name}.")}, self.state())
        self.step = step
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                parameter.copy_(state[f"{self.name}.{name}"])
                moments = {moment: state[f"{self.name}.{name}.{moment}"].to(parameter) for moment in MOMENTS}
                count = torch.tensor(float(step), device=parameter.device)
                self.optimiser.state[parameter] = {"step": count, **moments}

    def _batch(self) -> NDArray[np.int64]:
        """Rows of the next step: an epoch takes each row once, in an order of its own; what fills no batch is left."""
        epoch, place = divmod(self.step, self.steps_of_an_epoch)
        if self._order[0] != epoch:
            words = raw_words(self.seed, epoch, len(self.rows), self.stream)
            self._order = epoch, self.rows[np.argsort(words, kind="stable")]
        return self._order[1][place * self.batch_size : (place + 1) * self.batch_size]


def check_state(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise SpecError where the state of a stopped training has not the names and shapes of what is to go on."""
    found, due = ({name: tuple(value.shape) for name, value in each.items()} for each in (state, wanted))
    if found != due:
        [first, *_] = sorted(name for name in found.keys() | due.keys() if found.get(name) != due.get(name))
        raise SpecError(
            f"the checkpoint is of another training: {first} is {found.get(first, 'missing')} there and "
            f"{due.get(first, 'missing')} here; delete the job's folder and run the same command again"
        )
