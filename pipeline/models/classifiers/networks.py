"""The networks that a family stands on: loaded once each from the zoo, run eager or compiled, remembered by digest."""

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.models import zoo

Network = Callable[[Tensor], dict[str, Tensor]]


class Networks:
    """Hands out networks by name.

    digests: name of each network handed out -> digest of its weights.
    """

    def __init__(self, device: str | torch.device = "cpu", backend: str = "eager") -> None:
        self.device = torch.device(device)
        self.backend = backend
        self.digests: dict[str, str] = {}
        self._weights: dict[str, zoo.Weights] = {}

    def program(self, name: str, *outputs: str) -> Network:
        """A network with a graph, cut down to these outputs: (N, C, h, w) -> {output: tensor}.

        Raises ModelFileError if it has not been pulled, is damaged, or has no such output.
        """
        program = self._load(name).program().select(*outputs).to(self.device).eval()
        if self.backend != "compiled":
            return program
        compiled: Network = torch.compile(program, dynamic=False)
        return compiled

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a network whose architecture is ours, float32, on this device. Raises ModelFileError."""
        return {key: value.to(self.device, torch.float32) for key, value in self._load(name).tensors.items()}

    def _load(self, name: str) -> zoo.Weights:
        if name not in self._weights:
            self._weights[name] = zoo.load(name)
            self.digests[name] = self._weights[name].digest
        return self._weights[name]
