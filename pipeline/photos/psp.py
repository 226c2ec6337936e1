"""The encoders of pSp (Richardson et al., CVPR 2021) and e4e (Tov et al., SIGGRAPH 2021), of their public files.

Both are an IR-SE50 with a feature pyramid and a small network for each row of w+. pSp's give the rows; of e4e's the
first gives a w, and each further one what its row differs from it by. Nothing in a file is executed.

Shapes: N rows, L layers (num_ws), W w_dim, C channels, h and w pixels of a map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ModelFileError
from pipeline.models import pickles
from pipeline.models.classifiers.crops import Crop

TYPES = {"GradualStyleEncoder": False, "Encoder4Editing": True}
"""By the name that a file gives, whether rows are differences from the first."""
PIXELS = 256
UNITS = (3, 4, 14, 3)
"""Residual units of each block, of which the first halves its maps."""
PYRAMID = (6, 20, 23)
"""The units whose maps go on: at 64, 32 and 16 px."""
MIDDLE, FINE = 3, 7
"""The first rows that look at the maps of 32 and of 64 px."""
RGB = 3
LICENCE = (
    "unknown: that of whoever trained it (the code of pSp and e4e is under the MIT licence; their weights of faces "
    "learned from FFHQ, CC BY-NC-SA 4.0: non-commercial)"
)
CITATION = (
    "Richardson et al., Encoding in Style: a StyleGAN Encoder for Image-to-Image Translation, CVPR 2021; Tov et al., "
    "Designing an Encoder for StyleGAN Image Manipulation, SIGGRAPH 2021"
)
WHOLE = Crop(0.0, 0.0, 1.0, 1.0, PIXELS, PIXELS)


@dataclass(frozen=True, eq=False)
class PublicEncoder:
    """What a file holds: tensors by the public code's names, latent_avg (L, W) among them, and which of TYPES it is."""

    tensors: dict[str, Tensor]
    type: str


class PspEncoder(nn.Module):
    """Codes of pictures.

    num_ws, w_dim: L and W.

    Raises:
        ModelFileError: a tensor is missing, or its shape is not that of such an encoder.
    """

    def __init__(self, public: PublicEncoder, device: str | torch.device = "cpu") -> None:
        super().__init__()
        self.differences = TYPES[public.type]
        for name, value in public.tensors.items():
            self.register_buffer(_plain(name), value.to(device, torch.float32))
        self.num_ws, self.w_dim = public.tensors["latent_avg"].shape
        try:
            self.encode(torch.zeros(1, RGB, PIXELS, PIXELS, device=device))
        except (AttributeError, RuntimeError, ValueError) as error:
            what = str(error).splitlines()[0].replace("__", ".")
            raise ModelFileError(f"the tensors do not make an encoder of {public.type}: {what}") from error

    @torch.no_grad()
    def encode(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], aligned as the faces of FFHQ -> codes in w+ (N, L, W)."""
        x_NChw = self._conv("input_layer.0", WHOLE(x_N3HW), padding=1)
        x_NChw = self._prelu("input_layer.2", self._norm("input_layer.1", x_NChw))
        starts = {sum(UNITS[:block]) for block in range(len(UNITS))}
        kept = []
        for unit in range(sum(UNITS)):
            x_NChw = self._unit(f"body.{unit}", x_NChw, 2 if unit in starts else 1)
            if unit in PYRAMID:
                kept.append(x_NChw)
        fine, middle, coarse = kept
        middle = self._added(coarse, self._conv("latlayer1", middle))
        fine = self._added(middle, self._conv("latlayer2", fine))
        maps = [coarse] * MIDDLE + [middle] * (FINE - MIDDLE) + [fine] * (self.num_ws - FINE)
        rows_NLW = torch.stack([self._style(f"styles.{row}", seen) for row, seen in enumerate(maps)], dim=1)
        if self.differences:
            rows_NLW = torch.cat([rows_NLW[:, :1], rows_NLW[:, :1] + rows_NLW[:, 1:]], dim=1)
        codes_NLW: Tensor = rows_NLW + self._tensor("latent_avg")
        return codes_NLW

    def _unit(self, name: str, x_NChw: Tensor, stride: int) -> Tensor:
        """A residual unit with squeeze and excitation."""
        if self._has(f"{name}.shortcut_layer.0.weight"):
            short = self._norm(
                f"{name}.shortcut_layer.1", self._conv(f"{name}.shortcut_layer.0", x_NChw, stride=stride)
            )
        else:
            short = x_NChw[:, :, ::stride, ::stride]
        name = f"{name}.res_layer"
        x_NChw = self._conv(f"{name}.1", self._norm(f"{name}.0", x_NChw), padding=1)
        x_NChw = self._conv(f"{name}.3", self._prelu(f"{name}.2", x_NChw), stride=stride, padding=1)
        x_NChw = self._norm(f"{name}.4", x_NChw)
        squeezed = self._conv(f"{name}.5.fc1", x_NChw.mean(dim=(2, 3), keepdim=True)).relu()
        return x_NChw * self._conv(f"{name}.5.fc2", squeezed).sigmoid() + short

    def _style(self, name: str, x_NChw: Tensor) -> Tensor:
        """(N, W): convolutions that halve the maps down to one pixel, and a linear layer of equalised learning rate."""
        place = 0
        while x_NChw.shape[2] > 1:
            x_NChw = functional.leaky_relu(self._conv(f"{name}.convs.{place}", x_NChw, stride=2, padding=1))
            place += 2
        weight, bias = self._tensor(f"{name}.linear.weight"), self._tensor(f"{name}.linear.bias")
        return functional.linear(x_NChw.flatten(1), weight / weight.shape[1] ** 0.5, bias)

    @staticmethod
    def _added(small_NChw: Tensor, large_NChw: Tensor) -> Tensor:
        size = large_NChw.shape[2:]
        return functional.interpolate(small_NChw, size=size, mode="bilinear", align_corners=True) + large_NChw

    def _conv(self, name: str, x_NChw: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        bias = self._tensor(f"{name}.bias") if self._has(f"{name}.bias") else None
        return functional.conv2d(x_NChw, self._tensor(f"{name}.weight"), bias, stride, padding)

    def _norm(self, name: str, x_NChw: Tensor) -> Tensor:
        mean, var, weight, bias = (
            self._tensor(f"{name}.{one}") for one in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x_NChw, mean, var, weight, bias)

    def _prelu(self, name: str, x_NChw: Tensor) -> Tensor:
        return functional.prelu(x_NChw, self._tensor(f"{name}.weight"))

    def _has(self, name: str) -> bool:
        return _plain(name) in self._buffers

    def _tensor(self, name: str) -> Tensor:
        return self.get_buffer(_plain(name))


def _plain(name: str) -> str:
    """As a buffer may be called."""
    return name.replace(".", "__")


def read(data: bytes, file: str) -> PublicEncoder:
    """The encoder of a `.pt` of pSp or e4e.

    Raises:
        ModelFileError: it is none, is damaged, or its encoder is of another type.
    """
    if not pickles.is_pickle(data):
        raise ModelFileError(f"{file}: it is not a file of torch.save, as pSp and e4e write")
    content = pickles.load(data, file)
    held = content if type(content) is dict else {}
    state, options = held.get("state_dict"), held.get("opts")
    if type(state) is not dict or type(options) is not dict:
        raise ModelFileError(f"{file}: it has no state_dict and opts: it is not a checkpoint of pSp or e4e")
    tensors = {
        name.removeprefix("encoder."): pickles.tensor_of(value).float()
        for name, value in state.items()
        if type(name) is str and name.startswith("encoder.") and pickles.is_tensor(value)
    }
    kind = _type_of(options, tensors, file)
    rows = 1 + max((int(found[1]) for name in tensors if (found := re.match(r"styles\.(\d{1,3})\.", name))), default=0)
    if rows <= FINE:
        raise ModelFileError(f"{file}: it has networks for {rows} rows of w+, and more than {FINE} were expected")
    width = tensors["styles.0.linear.bias"].shape[0] if "styles.0.linear.bias" in tensors else 0
    mean_LW = torch.zeros(rows, width)
    if options.get("start_from_latent_avg"):
        mean_LW = _mean(held.get("latent_avg"), rows, width, file)
    return PublicEncoder({**tensors, "latent_avg": mean_LW}, kind)


def _type_of(options: Mapping[Any, Any], tensors: Mapping[str, Tensor], file: str) -> str:
    kind = options.get("encoder_type")
    if kind not in TYPES:
        raise ModelFileError(f"{file}: its encoder is of the type {kind!r}; {' and '.join(TYPES)} are read")
    first = tensors.get("input_layer.0.weight")
    if first is not None and first.shape[1] != RGB:
        raise ModelFileError(
            f"{file}: its encoder looks at {first.shape[1]} channels, as ReStyle's, which looks again and again: only "
            "encoders of one look are read"
        )
    return str(kind)


def _mean(found: Any, rows: int, width: int, file: str) -> Tensor:
    """(L, W)."""
    if not pickles.is_tensor(found):
        raise ModelFileError(f"{file}: its codes start from latent_avg, which is not there")
    mean = pickles.tensor_of(found).float().reshape(-1, width)
    if len(mean) not in (1, rows):
        raise ModelFileError(f"{file}: latent_avg has {len(mean)} rows, and the encoder {rows}")
    return mean.expand(rows, width).contiguous()
