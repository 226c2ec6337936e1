"""The networks that a family stands on: loaded once each from the zoo, remembered by digest.

They run eager: compiling gained next to nothing on a CPU, since nearly all of their time is in convolutions.
"""

import torch
from torch import Tensor

from pipeline.models import zoo
from pipeline.models.program import Program


class Networks:
    """Hands out networks by name.

    digests: name of each network handed out -> digest of its weights. sources: of a user's own, path or URL and digest.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self.digests: dict[str, str] = {}
        self.sources: dict[str, str] = {}
        self._weights: dict[str, zoo.Weights] = {}

    def program(self, name: str, *outputs: str) -> Program:
        """A network with a graph, cut down to these outputs: (N, C, h, w) -> {output: tensor}.

        Raises ModelFileError if it has not been pulled, is damaged, or has no such output.
        """
        return self._load(name).program().select(*outputs).to(self.device).eval()

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a network whose architecture is ours, float32, on this device. Raises ModelFileError."""
        return {key: value.to(self.device, torch.float32) for key, value in self._load(name).tensors.items()}

    def _load(self, name: str) -> zoo.Weights:
        if name not in self._weights:
            self._weights[name] = zoo.load(name)
            self.digests[name] = self._weights[name].digest
        return self._weights[name]
