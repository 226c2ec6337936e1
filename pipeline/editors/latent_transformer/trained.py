"""The networks of a Latent Transformer as an artifact holds them, ready for use.

Shapes: N rows, L layers of w+, W w_dim, D numbers of a code, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.editors.latent_transformer.networks import LEAK, OF_A_TRANSFORMER, PAIR
from pipeline.errors import SpecError

CLASSIFIER, TRANSFORMER = "classifier", "transformer"
RELEASED = ("layers", "biases")
SLOPE = "classifier.slope"
"""Of a LeakyReLU in C, in place of ReLU; of the public code."""


class TrainedNetworks:
    """T and C of the attributes by name, computed in float32 whatever the tensors are kept in.

    Raises:
        SpecError: a tensor is missing, or is not of numbers that fit the others.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = {name: value.float() for name, value in tensors.items()}
        named = (key.split(".", 1)[1].rsplit(".", 1)[0] for key in tensors if key.startswith(f"{TRANSFORMER}."))
        self.attributes = tuple(dict.fromkeys(named))
        if not self.attributes:
            raise SpecError("the artifact has no transformation of any attribute")
        for attribute in self.attributes:
            released = any(f"{TRANSFORMER}.{attribute}.{part}" in tensors for part in RELEASED)
            wanted = [f"{TRANSFORMER}.{attribute}.{part}" for part in (RELEASED if released else OF_A_TRANSFORMER)]
            wanted += [f"{CLASSIFIER}.{place}.{part}" for place in ("0", "1", f"out.{attribute}") for part in PAIR]
            if missing := [name for name in wanted if name not in tensors]:
                raise SpecError(f"the artifact lacks {missing[0]}: train it again")

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise SpecError where a tensor is not finite, or they do not take codes of this shape."""
        if bad := [name for name, value in self._tensors.items() if not bool(value.isfinite().all())]:
            raise SpecError(f"{bad[0]} of the artifact is not finite: train it again")
        code = torch.zeros(shape)
        for attribute in self.attributes:
            try:
                fits = self.displacement(code, attribute).shape == shape
                fits = fits and self.logit(code.flatten()[None], attribute).shape == (1,)
            except RuntimeError:
                fits = False
            if not fits:
                raise SpecError(
                    f"the tensors of {attribute} in the artifact do not take codes of {shape}: train it again"
                )

    def logit(self, codes_ND: Tensor, attribute: str) -> Tensor:
        """C(z)[j], (N,)."""
        x_NH = self._activated(functional.linear(codes_ND, *self._pair(f"{CLASSIFIER}.0")))
        x_NH = self._activated(functional.linear(x_NH, *self._pair(f"{CLASSIFIER}.1")))
        weight_H, bias = self._pair(f"{CLASSIFIER}.out.{attribute}")
        return x_NH @ weight_H + bias

    def displacement(self, z_NW: Tensor, attribute: str) -> Tensor:
        """H_j(z) of one code, of its shape: (W,), or (L, W) in w+. Raises SpecError where it is of another shape."""
        if (layers_LWW := self._tensors.get(f"{TRANSFORMER}.{attribute}.layers")) is not None:
            biases_LW = self._tensors[f"{TRANSFORMER}.{attribute}.biases"]
            self._check(z_NW, tuple(biases_LW.shape))
            return torch.matmul(layers_LWW, z_NW[..., None])[..., 0] + biases_LW
        weight_1, bias_1, weight_2, bias_2 = (
            self._tensors[f"{TRANSFORMER}.{attribute}.{part}"] for part in OF_A_TRANSFORMER
        )
        self._check(z_NW, (*z_NW.shape[:-1], weight_1.shape[1]))
        hidden_NH = functional.leaky_relu(functional.linear(z_NW, weight_1, bias_1), LEAK)
        return functional.linear(hidden_NH, weight_2, bias_2)

    def _activated(self, x_NH: Tensor) -> Tensor:
        """Between the layers of C."""
        slope = self._tensors.get(SLOPE)
        return functional.relu(x_NH) if slope is None else functional.leaky_relu(x_NH, float(slope))

    def _check(self, z_NW: Tensor, shape: tuple[int, ...]) -> None:
        if tuple(z_NW.shape) != shape:
            raise SpecError(f"the artifact is for codes of {shape} numbers, these have {tuple(z_NW.shape)}")

    def _pair(self, name: str) -> tuple[Tensor, Tensor]:
        return self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
