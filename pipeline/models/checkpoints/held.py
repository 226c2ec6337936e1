"""What the readers share: what they hand on, and what the shapes of tensors tell of a network."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.checkpoint import Architecture

STYLEGAN2 = {
    "mapping.activation": "lrelu", "mapping.lr_multiplier": 0.01,
    "mapping.w_avg_beta": 0.995, "synthesis.num_fp16_res": 0, "synthesis.conv_clamp": None,
    "synthesis.architecture": "skip", "synthesis.resample_filter": [1, 3, 3, 1], "synthesis.use_noise": True,
    "synthesis.activation": "lrelu", "synthesis.kernel_size": 3,
}  # fmt: skip
"""The options of stylegan2-ada-pytorch that shapes do not tell, and their values where nothing else is said."""


class NoGeneratorError(ModelFileError):
    """A file that is whole, and of something else than a generator."""


class Held(NamedTuple):
    """What a reader found: the fields of `Checkpoint`, without the digest."""

    architecture: Architecture
    options: dict[str, Any]
    tensors: dict[str, Tensor]
    form: str


Reader = Callable[[Any], Held | None]
"""Takes the content of a file; None where it is of another form. Raises ModelFileError where it is damaged."""


def stylegan2_options(tensors: Mapping[str, Tensor], **known: Any) -> dict[str, Any]:
    """The options of a StyleGAN2 with skip connections from its tensors, by NVIDIA's names.

    Raises ModelFileError where a tensor is missing.
    """
    layers = numbered(tensors, r"mapping\.fc(\d+)\.weight")
    blocks = numbered(tensors, r"synthesis\.b(\d+)\.conv1\.weight")
    if not layers or not blocks:
        raise ModelFileError("a StyleGAN2 without its mapping network or its blocks")
    w_dim = shape(tensors, f"mapping.fc{max(layers)}.weight", 2)[0]
    found = {
        "z_dim": shape(tensors, "mapping.fc0.weight", 2)[1],
        "c_dim": 0,
        "w_dim": w_dim,
        "img_resolution": max(blocks),
        "img_channels": shape(tensors, f"synthesis.b{max(blocks)}.torgb.weight", 4)[0],
        "mapping.num_layers": len(layers),
        "mapping.embed_features": w_dim,
        "mapping.layer_features": shape(tensors, "mapping.fc0.weight", 2)[0] if len(layers) > 1 else w_dim,
    }
    channels = {size: shape(tensors, f"synthesis.b{size}.conv1.weight", 4)[0] for size in blocks}
    return STYLEGAN2 | found | channel_options(channels) | known


def channel_options(channels: Mapping[int, int]) -> dict[str, int]:
    """`synthesis.channel_base` and `channel_max` of the channels at each size: min(base / size, max)."""
    most, largest = max(channels.values()), max(channels)
    narrower = {count * size for size, count in channels.items() if count < most}
    base = narrower.pop() if len(narrower) == 1 else most * largest
    if narrower or any(min(base // size, most) != count for size, count in channels.items()):
        raise ModelFileError(f"numbers of channels that do not halve as those of StyleGAN do: {dict(channels)}")
    return {"synthesis.channel_base": base, "synthesis.channel_max": most}


def numbered(tensors: Mapping[str, Any], pattern: str) -> list[int]:
    """The numbers in the names that a pattern with one group of digits matches."""
    found = (re.fullmatch(pattern, name) for name in tensors)
    return sorted({int(match[1]) for match in found if match and len(match[1]) <= 6})


def shape(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Of a tensor that must be there. Raises ModelFileError where it is not, or has another number of dimensions."""
    return tuple(tensor(tensors, name, dimensions).shape)


def tensor(tensors: Mapping[str, Tensor], name: str, dimensions: int) -> Tensor:
    """A tensor that must be there, with the errors of `shape`."""
    if name not in tensors:
        raise ModelFileError(f"the tensor {name} is missing")
    found = tensors[name]
    if found.dim() != dimensions or 0 in found.shape:
        raise ModelFileError(f"the tensor {name} has the shape {tuple(found.shape)}, which cannot be")
    return found


def sizes(largest: int) -> list[int]:
    """4, 8, 16, ... up to the image's size. Raises ModelFileError where that is no power of two, or beyond 4096."""
    if not (8 <= largest <= 4096 and math.log2(largest).is_integer()):
        raise ModelFileError(f"an image of {largest} px: it must be a power of two from 8 to 4096")
    return [2**i for i in range(2, int(math.log2(largest)) + 1)]
