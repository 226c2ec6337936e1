"""What a training needs to go on with the same bits after a stop: row orders by the seed, and an optimiser's state.

Shapes: N things to learn from, B of a step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import SpecError
from pipeline.models.randomness import raw_words

ADAM, ADABELIEF = ("exp_avg", "exp_avg_sq"), ("exp_avg", "exp_avg_var")
"""The moments that an optimiser keeps of each parameter."""


class Shuffle:
    """Numbers of N things in batches: an epoch takes each once, in an order of its own; what fills no batch is left.

    count: N. batch_size: B, or N where that is less. stream: tells this order from others of the same seed.
    """

    def __init__(self, count: int, batch_size: int, seed: int, stream: int) -> None:
        self._count, self._size, self._seed, self._stream = count, min(batch_size, count), seed, stream
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return self._count // self._size

    def batch(self, step: int) -> NDArray[np.int64]:
        """(B,): those of a step, counted from the start of the training."""
        epoch, place = divmod(step, self.steps)
        if self._order[0] != epoch:
            words = raw_words(self._seed, epoch, self._count, self._stream)
            self._order = epoch, np.argsort(words, kind="stable")
        return self._order[1][place * self._size : (place + 1) * self._size]


def random_of(seed: int, name: str) -> torch.Generator:
    """Random numbers for first weights, which depend on the seed and a name alone."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def optimiser_state(
    network: nn.Module, optimiser: torch.optim.Optimizer, prefix: str = "", moments: Sequence[str] = ADAM
) -> dict[str, Tensor]:
    """The weights by name, and their moments by name and moment, 0 before the first step. prefix: of all names."""
    kept = {}
    for name, parameter in _named(network, prefix):
        kept[name] = parameter.detach()
        for moment in moments:
            found = optimiser.state.get(parameter, {}).get(moment)
            kept[f"{name}.{moment}"] = torch.zeros_like(parameter) if found is None else found
    return kept


def load_optimiser_state(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: Mapping[str, Tensor],
    step: int,
    prefix: str = "",
    moments: Sequence[str] = ADAM,
) -> None:
    """Take up what `optimiser_state` gave after so many steps of a network whose parameters are all the optimiser's.

    Raises:
        SpecError: it has not the names and shapes of this network.
    """
    _check(state, optimiser_state(network, optimiser, prefix, moments))
    known = {}
    for place, (name, parameter) in enumerate(_named(network, prefix)):
        with torch.no_grad():
            parameter.copy_(state[name])
        known[place] = {
            "step": torch.tensor(float(step)),
            **{moment: state[f"{name}.{moment}"].clone() for moment in moments},
        }
    # Adam counts its steps with each parameter, AdaBelief in each group.
    groups = [{**group, "step": step} for group in optimiser.state_dict()["param_groups"]]
    optimiser.load_state_dict({"state": known, "param_groups": groups})


def _named(network: nn.Module, prefix: str) -> list[tuple[str, nn.Parameter]]:
    return [(prefix + name, parameter) for name, parameter in network.named_parameters()]


def _check(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise SpecError where the state of a stopped training has not the names and shapes of what is to go on."""
    found, due = ({name: tuple(value.shape) for name, value in each.items()} for each in (state, wanted))
    if found != due:
        [first, *_] = sorted(name for name in found.keys() | due.keys() if found.get(name) != due.get(name))
        raise SpecError(
            f"the checkpoint is of another training: {first} is {found.get(first, 'missing')} there and "
            f"{due.get(first, 'missing')} here; delete the job's folder and run the same command again"
        )
