"""rosinality's `.pt` of stylegan2-pytorch, converted from TensorFlow's or trained there, and bare state dicts of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.held import Held, numbered, sizes, stylegan2_options, tensor
from pipeline.models.pickles import is_tensor, tensor_of

MARKS = ("style.1.weight", "conv1.conv.weight", "to_rgb1.conv.weight")


def read(content: Any) -> Held | None:
    """The averaged generator, `g_ema`, or `g` where there is no other, or what is a state dict itself."""
    if type(content) is not dict:
        return None
    for key in ("g_ema", "g"):
        if is_rosinality(content.get(key)):
            tensors = stylegan2_tensors(content[key], content.get("latent_avg"))
            how = "trained" if "args" in content or "g_optim" in content else "converted"
            return Held("stylegan2", stylegan2_options(tensors), tensors, f"rosinality's checkpoint ({how}), {key}")
    if is_rosinality(content):
        tensors = stylegan2_tensors(content, None)
        return Held("stylegan2", stylegan2_options(tensors), tensors, "a state dict of rosinality's generator")
    return None


def is_rosinality(state: Any) -> bool:
    """Whether it is a state dict of rosinality's generator."""
    return type(state) is dict and all(is_tensor(state.get(mark)) for mark in MARKS)


def stylegan2_tensors(state: Mapping[Any, Any], latent_avg: Any) -> dict[str, Tensor]:
    """A state dict of rosinality's generator by NVIDIA's names.

    Args:
        state: names to tensors.
        latent_avg: (W,), or with a row for each layer, of which the mean is taken; None where there is none.

    Raises:
        ModelFileError: a tensor is missing, of a strange shape, or not known.
    """
    held = {name: tensor_of(value) for name, value in state.items() if is_tensor(value)}
    largest = 4 * 2 ** (1 + max(numbered(held, r"to_rgbs\.(\d+)\.conv\.weight"), default=-1))
    blocks = sizes(largest)
    tensors: dict[str, Tensor] = {}
    for number in numbered(held, r"style\.(\d+)\.weight"):
        for kind, dimensions in (("weight", 2), ("bias", 1)):
            tensors[f"mapping.fc{number - 1}.{kind}"] = tensor(held, f"style.{number}.{kind}", dimensions)
    tensors["synthesis.b4.const"] = tensor(held, "input.input", 4)[0]
    for block, size in enumerate(blocks):
        target = f"synthesis.b{size}"
        tensors |= _conv(held, f"convs.{2 * block - 1}" if block else "conv1", f"{target}.conv1", 2 * block)
        if block:
            tensors |= _conv(held, f"convs.{2 * block - 2}", f"{target}.conv0", 2 * block - 1)
        tensors |= _to_rgb(held, f"to_rgbs.{block - 1}" if block else "to_rgb1", f"{target}.torgb")
    if is_tensor(latent_avg):
        rows = tensor_of(latent_avg)
        tensors["mapping.w_avg"] = rows.reshape(-1, rows.shape[-1]).mean(dim=0) if rows.dim() else rows
    _check_taps(held)
    return tensors


def _conv(held: Mapping[str, Tensor], source: str, target: str, noise: int) -> dict[str, Tensor]:
    return {
        f"{target}.weight": tensor(held, f"{source}.conv.weight", 5)[0],
        f"{target}.affine.weight": tensor(held, f"{source}.conv.modulation.weight", 2),
        f"{target}.affine.bias": tensor(held, f"{source}.conv.modulation.bias", 1),
        f"{target}.noise_strength": tensor(held, f"{source}.noise.weight", 1)[0],
        f"{target}.noise_const": tensor(held, f"noises.noise_{noise}", 4)[0, 0],
        f"{target}.bias": tensor(held, f"{source}.activate.bias", 1),
    }


def _to_rgb(held: Mapping[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    return {
        f"{target}.weight": tensor(held, f"{source}.conv.weight", 5)[0],
        f"{target}.affine.weight": tensor(held, f"{source}.conv.modulation.weight", 2),
        f"{target}.affine.bias": tensor(held, f"{source}.conv.modulation.bias", 1),
        f"{target}.bias": tensor(held, f"{source}.bias", 4).flatten(),
    }


def _check_taps(held: Mapping[str, Tensor]) -> None:
    """Raises ModelFileError where a filter of up-sampling is not 1, 3, 3, 1."""
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for name, found in held.items():
        if re.fullmatch(r".*\.(blur|upsample)\.kernel", name):
            same = found.shape == (4, 4) and torch.allclose(found.float(), torch.outer(taps, taps), atol=1e-6)
            if not same:
                raise ModelFileError(f"{name} is another filter than 1, 3, 3, 1, which is not supported")
