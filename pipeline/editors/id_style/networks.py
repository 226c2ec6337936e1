"""The network of ID-Style: global directions, an instance-aware intensity, and how both make an edit (Eq. 1 to 5, 12).

Mohammadbagheri et al., "Identity-preserving Editing of Multiple Facial Attributes by Learning Global Edit Directions
and Local Adjustments", Sec. 3.3 and 3.5. At W = 512 and four attributes it has 789,918 parameters for 18 layers and
790,148 for 23; the paper says 793,946. The public code, which normalises the input of the intensity predictor and edits
fixed layers, has 791,894 (`masks_ML`).

Shapes: N rows, L layers of w+, W w_dim, M attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.editors.resumable import random_of
from pipeline.errors import SpecError

SPREAD = 0.1
"""Standard deviation of the numbers of a direction that starts at random."""
LINEAR = ("rows_1", "columns", "rows_2")
"""The linear layers of the intensity predictor, in order."""
Part = Literal["mixer", "positions", "layers"]
"""What can be left out, to see what it does (Table 3): `columns`, the positions at the input, or E_m."""


class IDStyle(nn.Module):
    """Edits of w+ for M attributes.

    Args:
        layers: L. width: W, an even number.
        attributes: names of the M attributes, each once.
        seed: of the first weights; a direction's depend on its attribute's name besides, and on no other attribute.
        without: a part that is left out.
        masks_ML: the form of the public code, which edits each attribute in these layers, 1 or 0; None to learn how
            much of a move each layer takes.

    Raises:
        SpecError: no attribute, one twice, or an odd width.
    """

    positions_LW: Tensor  # noqa: N815
    layer_ML: nn.Parameter | None  # noqa: N815
    masks_ML: Tensor | None  # noqa: N815
    columns: nn.Linear | None
    norm: nn.LayerNorm | None

    def __init__(
        self,
        layers: int,
        width: int,
        attributes: Sequence[str],
        seed: int,
        without: Part | None = None,
        masks_ML: Tensor | None = None,
    ) -> None:
        super().__init__()
        if not attributes or len(set(attributes)) < len(attributes) or width % 2:
            raise SpecError(f"attributes {', '.join(attributes) or '(none)'} and codes of {width} numbers: give each "
                            "attribute once, and codes of an even number")  # fmt: skip
        self.layers, self.width, self.attributes = layers, width, tuple(attributes)
        drawn = [torch.randn(width, generator=random_of(seed, name)) for name in attributes]
        self.direction_MW = nn.Parameter(SPREAD * torch.stack(drawn))
        learned = without != "layers" and masks_ML is None
        self.register_parameter("layer_ML", nn.Parameter(torch.zeros(len(attributes), layers)) if learned else None)
        self.register_buffer("masks_ML", masks_ML, persistent=False)
        self.norm = None if masks_ML is None else nn.LayerNorm(2 * width)
        random = random_of(seed, "intensity")
        self.rows_1 = _linear(2 * width, width, random)
        if without == "positions":
            self.rows_1 = _of_first(self.rows_1, width)
        self.columns = _linear(layers, layers, random)
        if without == "mixer":
            self.columns = None
        self.rows_2 = _linear(width, width, random)
        self.register_buffer("positions_LW", positions(layers, width), persistent=False)

    def intensity(self, ws_NLW: Tensor) -> Tensor:
        """l_ft of Eq. 1 and 2, (N, L, W), not negative: how much further each number of a direction is to go."""
        x_NLW = ws_NLW
        if self.rows_1.in_features > self.width:
            encoded_NLW = self.positions_LW.to(ws_NLW.dtype).expand(len(ws_NLW), -1, -1)
            x_NLW = torch.cat([ws_NLW, encoded_NLW], dim=2)
        if self.norm is not None:
            x_NLW = self.norm(x_NLW)
        x_NLW = functional.relu(self.rows_1(x_NLW))
        if self.columns is not None:
            x_NLW = functional.relu(self.columns(x_NLW.transpose(1, 2)).transpose(1, 2))
        return functional.relu(self.rows_2(x_NLW))

    def unit_directions(self) -> Tensor:
        """P_m / |P_m|_1, (M, W)."""
        return functional.normalize(self.direction_MW, p=1.0, dim=1)

    def forward(
        self, ws_NLW: Tensor, intensity_NLW: Tensor | None = None, places: Sequence[int] | None = None
    ) -> Tensor:
        """sigmoid(E_m) of Eq. 5 times delta w_m of Eq. 3, (N, M, L, W): what is added for attr_m = 1.

        intensity_NLW: that of these rows, where it is known. places: of the attributes that are wanted; all by default.
        """
        further_NLW = self.intensity(ws_NLW) if intensity_NLW is None else intensity_NLW
        direction_MW, layer_ML = self.unit_directions(), self.shares()
        if places is not None:
            direction_MW, layer_ML = direction_MW[places], layer_ML[places]
        # l_ft * P + P as (l_ft + 1) * P
        moved = (further_NLW + 1)[:, None] * direction_MW[None, :, None]
        return layer_ML[None, :, :, None] * moved

    def shares(self) -> Tensor:
        """sigmoid(E_m) or the masks, (M, L): how much of a move each layer takes; all of it where that is left out."""
        if self.masks_ML is not None:
            return self.masks_ML
        if self.layer_ML is None:
            return self.direction_MW.new_ones(len(self.attributes), self.layers)
        return self.layer_ML.sigmoid()

    def start_along(self, directions_MW: Tensor) -> None:
        """Start from these directions, of any length: that of a random start is given to them."""
        length = SPREAD * self.width**0.5
        with torch.no_grad():
            self.direction_MW.copy_(functional.normalize(directions_MW, dim=1) * length)

    def start_moving(self, length: float) -> None:
        """Start with edits that move each layer about so far: a direction's entries are about 1 / W, and from a random
        start the intensity takes long to grow as far. 0 leaves the random start."""
        if length > 0:
            with torch.no_grad():
                shares_ML = self.shares()
                shortest = self.unit_directions().norm(dim=1).mean() * shares_ML[shares_ML > 0].mean()
                self.rows_2.bias.add_(max(0.0, length / float(shortest) - 1.0))

    def named(self) -> dict[str, Tensor]:
        """The weights, those of an attribute by its name: `direction.smile`, `layers.smile` or `masks.smile`,
        `rows_1.weight`."""
        kept = {f"direction.{name}": self.direction_MW[place] for place, name in enumerate(self.attributes)}
        for kind, by_layer_ML in (("layers", self.layer_ML), ("masks", self.masks_ML)):
            if by_layer_ML is not None:
                kept |= {f"{kind}.{name}": by_layer_ML[place] for place, name in enumerate(self.attributes)}
        for name in (*LINEAR, "norm"):
            if (part := getattr(self, name)) is not None:
                kept |= {f"{name}.{which}": value for which, value in part.named_parameters()}
        return {name: value.detach() for name, value in kept.items()}

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Tensor]) -> IDStyle:
        """The network whose weights these are, float32, by the names of `named`.

        Raises:
            SpecError: a tensor is missing, has another shape, or is not finite.
        """
        attributes = sorted(name.removeprefix("direction.") for name in tensors if name.startswith("direction."))
        try:
            width, without = tensors["rows_2.bias"].numel(), _left_out(tensors)
            sized = f"layers.{attributes[0]}" if without == "mixer" else "columns.bias"
            layers = tensors[sized].numel()
            made = cls(layers, width, attributes, 0, without, _zero_masks(tensors, attributes, layers))
            found = {name: (value, tensors[name].float()) for name, value in made.named().items()}
        except KeyError as error:
            raise SpecError(f"these are not the tensors of ID-Style: there is no {error.args[0]}") from error
        for name, (value, its) in found.items():
            if its.shape != value.shape:
                raise SpecError(
                    f"these are not the tensors of ID-Style: {name} has the shape {tuple(its.shape)}, and "
                    f"{tuple(value.shape)} is that of {layers} layers of {width} numbers"
                )
            if not bool(its.isfinite().all()):
                raise SpecError(f"{name} of the artifact is not finite: train it again")
            value.copy_(its)
        return made.eval().requires_grad_(False)

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise SpecError where codes in w+ of this shape, (L, W), are not those that it was trained for."""
        if shape != (self.layers, self.width):
            raise SpecError(
                f"ID-Style was trained for {self.layers} layers of {self.width} numbers, these codes have "
                f"{shape[0]} of {shape[1]}: train it on latents of this generator"
            )


def positions(layers: int, width: int) -> Tensor:
    """The sinusoidal encoding of each layer, (L, W) float32: sin and cos of i / 10000^(2k / W) in turn."""
    rate_K = 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle_LK = torch.arange(layers, dtype=torch.float64)[:, None] * rate_K
    return torch.stack([angle_LK.sin(), angle_LK.cos()], dim=2).flatten(1).float()


def absmax(deltas: Tensor, dim: int) -> Tensor:
    """Eq. 12: along `dim`, the value whose absolute value is the largest; of equal ones the first."""
    if deltas.shape[dim] == 1:
        return deltas.squeeze(dim)
    return deltas.gather(dim, deltas.abs().argmax(dim=dim, keepdim=True)).squeeze(dim)


def combine(deltas_NMLW: Tensor, attr_NM: Tensor) -> Tensor:
    """What is added to each row, (N, L, W): Eq. 4 for attr in {-1, 0, 1}, and Eq. 12 for several attributes at once."""
    return absmax(attr_NM[:, :, None, None] * deltas_NMLW, dim=1)


def strongest(deltas_NMLW: Tensor, count: int) -> Tensor:
    """The same with only the `count` entries of each layer that are largest by absolute value, others 0 (Fig. 9)."""
    if count >= deltas_NMLW.shape[-1]:
        return deltas_NMLW
    kept = deltas_NMLW.abs().topk(count, dim=-1).indices
    return torch.zeros_like(deltas_NMLW).scatter(-1, kept, deltas_NMLW.gather(-1, kept))


def _zero_masks(tensors: Mapping[str, Tensor], attributes: Sequence[str], layers: int) -> Tensor | None:
    """(M, L), where these are weights of the form of the public code."""
    return torch.zeros(len(attributes), layers) if any(name.startswith("masks.") for name in tensors) else None


def _left_out(tensors: Mapping[str, Tensor]) -> Part | None:
    """Which part a network with these weights has not."""
    if any(name.startswith("masks.") for name in tensors):
        return None
    lacking = [part for part in ("columns.", "layers.") if not any(name.startswith(part) for name in tensors)]
    if lacking == ["columns."]:
        return "mixer"
    if lacking == ["layers."]:
        return "layers"
    weight = tensors["rows_1.weight"]
    return "positions" if weight.dim() == 2 and weight.shape[1] == tensors["rows_2.bias"].numel() else None


def _of_first(layer: nn.Linear, count: int) -> nn.Linear:
    """The same layer without the inputs behind the first ones, so that all parts start alike whatever is left out."""
    kept = nn.Linear(count, layer.out_features)
    with torch.no_grad():
        kept.weight.copy_(layer.weight[:, :count])
        kept.bias.copy_(layer.bias)
    return kept


def _linear(fan_in: int, fan_out: int, random: torch.Generator) -> nn.Linear:
    """A layer whose first weights, uniform within 1 / sqrt(fan_in) as PyTorch's, come from `random`."""
    layer, most = nn.Linear(fan_in, fan_out), fan_in**-0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-most, most, generator=random)
    return layer
