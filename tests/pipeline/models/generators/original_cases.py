"""Generators whose outputs by the public implementations are kept beside this file, and their weights.

The weights need no file: each tensor is drawn by Philox from its name.

Shapes: N rows, L layers (num_ws), W w_dim, 3HW pixels.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.randomness import standard_normal

KEPT = Path(__file__).with_name("originals.json")
ROWS = 3
PSI, CUTOFF = 0.7, 3

MAPPING = {
    "mapping.num_layers": 8, "mapping.embed_features": None, "mapping.layer_features": None,
    "mapping.activation": "lrelu", "mapping.lr_multiplier": 0.01,
}  # fmt: skip
SYNTHESIS = {
    "synthesis.channel_base": 512, "synthesis.channel_max": 24, "synthesis.num_fp16_res": 0,
    "synthesis.architecture": "skip", "synthesis.resample_filter": [1, 3, 3, 1], "synthesis.conv_clamp": None,
    "synthesis.kernel_size": 3, "synthesis.use_noise": True, "synthesis.activation": "lrelu",
}  # fmt: skip
GENERATOR = {"z_dim": 48, "c_dim": 0, "w_dim": 40, "img_resolution": 32, "img_channels": 3}
STYLEGAN2 = {**GENERATOR, **MAPPING, **SYNTHESIS}

STYLEGAN3 = {
    **GENERATOR, "mapping.num_layers": 2, "mapping.lr_multiplier": 0.01, "mapping.w_avg_beta": 0.998,
    "synthesis.channel_base": 512, "synthesis.channel_max": 20, "synthesis.num_layers": 14, "synthesis.num_critical": 2,
    "synthesis.first_cutoff": 2, "synthesis.first_stopband": 2**2.1, "synthesis.last_stopband_rel": 2**0.3,
    "synthesis.margin_size": 10, "synthesis.output_scale": 0.25, "synthesis.num_fp16_res": 4,
    "synthesis.conv_kernel": 3, "synthesis.filter_size": 6, "synthesis.lrelu_upsampling": 2,
    "synthesis.use_radial_filters": False, "synthesis.conv_clamp": 256, "synthesis.magnitude_ema_beta": 0.999,
}  # fmt: skip
STYLEGAN = {
    **GENERATOR, "mapping.num_layers": 8, "mapping.layer_features": 40, "mapping.activation": "lrelu",
    "mapping.lr_multiplier": 0.01, "synthesis.fused_scale": "auto", "synthesis.use_noise": True,
    "synthesis.activation": "lrelu", "synthesis.resample_filter": [1, 2, 1], "synthesis.channel_base": 512,
    "synthesis.channel_max": 24,
}  # fmt: skip
PGGAN = {
    "z_dim": 48, "c_dim": 0, "img_resolution": 32, "img_channels": 3, "synthesis.fused_scale": False,
    "synthesis.activation": "lrelu", "synthesis.channel_base": 512, "synthesis.channel_max": 24,
}  # fmt: skip

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "stylegan2": ("stylegan2", STYLEGAN2),
    "stylegan2-orig": ("stylegan2", {**STYLEGAN2, "synthesis.architecture": "orig"}),
    "stylegan2-resnet": ("stylegan2", {**STYLEGAN2, "synthesis.architecture": "resnet", "synthesis.conv_clamp": 1.5}),
    "stylegan2-classes": ("stylegan2", {
        **STYLEGAN2, "c_dim": 5, "mapping.embed_features": 30, "mapping.layer_features": 36, "mapping.num_layers": 3,
    }),
    "stylegan2-small": ("stylegan2", {
        **STYLEGAN2, "z_dim": 32, "w_dim": 32, "mapping.num_layers": 1, "synthesis.use_noise": False,
        "synthesis.conv_clamp": 0.8, "img_resolution": 8,
    }),
    "stylegan2-256": ("stylegan2", {**STYLEGAN2, "img_resolution": 256, "synthesis.channel_base": 1024}),
    "stylegan2-1024": ("stylegan2", {
        **STYLEGAN2, "img_resolution": 1024, "mapping.num_layers": 2, "synthesis.channel_base": 4096,
        "synthesis.channel_max": 8, "synthesis.conv_clamp": 256,
    }),
    "stylegan3-t": ("stylegan3-t", STYLEGAN3),
    "stylegan3-r": ("stylegan3-r", {
        **STYLEGAN3, "synthesis.conv_kernel": 1, "synthesis.use_radial_filters": True, "img_resolution": 64,
    }),
    "stylegan3-classes": ("stylegan3-t", {
        **STYLEGAN3, "c_dim": 5, "synthesis.num_layers": 6, "synthesis.num_critical": 1, "synthesis.margin_size": 4,
        "synthesis.filter_size": 4, "synthesis.conv_clamp": 1.5, "synthesis.output_scale": 1,
        "synthesis.first_cutoff": 3,
    }),
    "stylegan": ("stylegan", STYLEGAN),
    "stylegan-fused": ("stylegan", {
        **STYLEGAN, "img_resolution": 16, "mapping.num_layers": 3, "mapping.layer_features": 36,
        "synthesis.fused_scale": True,
    }),
    "stylegan-128": ("stylegan", {**STYLEGAN, "img_resolution": 128, "synthesis.channel_base": 1024}),
    "pggan": ("pggan", PGGAN),
    "pggan-128": ("pggan", {**PGGAN, "img_resolution": 128, "z_dim": 64, "synthesis.channel_base": 1024}),
}  # fmt: skip
CLASS = 3
"""Of the networks with classes."""


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor drawn from its name alone, of an order of magnitude as trained ones have it."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    values = standard_normal(seed, [0], int(np.prod(shape, dtype=int))).reshape(shape)
    if name.startswith(("mapping.fc", "mapping.dense")):
        values = values * (100 if name.endswith("weight") else 20)
    elif name.endswith("affine.bias"):
        values = values * 0.2 + 1
    elif name.endswith("input.transform"):
        values = values * 0.05 + np.eye(3)
    elif name.endswith("magnitude_ema"):
        values = np.abs(values) + 0.5
    elif name.endswith(("bias", "noise_strength", "apply_noise.weight", "torgb.weight", "phases", "w_avg")):
        values = values * 0.3
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def kept() -> dict[str, Any]:
    """By case: the names and shapes of its tensors, and the outputs of `outputs`."""
    return json.loads(KEPT.read_text())


def checkpoint(case: str, shapes: dict[str, list[int]]) -> Checkpoint:
    architecture, options = CASES[case]
    tensors = {name: weight(name, tuple(shape)) for name, shape in shapes.items()}
    return Checkpoint(architecture, options, tensors, "weights drawn from their names", "0" * 64)


def latents(z_dim: int) -> Tensor:
    return torch.from_numpy(standard_normal(1, range(ROWS), z_dim))


def varied(ws_NLW: Tensor) -> Tensor:
    """Codes in w+ whose rows differ."""
    layers_L1 = torch.arange(ws_NLW.shape[1], dtype=ws_NLW.dtype)[:, None]
    return ws_NLW * (1 + 0.3 * torch.cos(layers_L1))


def some_pixels(x_N3HW: Tensor) -> Tensor:
    """Of row 0 the upper and left borders and the middle, of the last row the lower and right ones: 32 px of each."""
    step, last = x_N3HW.shape[-1] // 32 or 1, x_N3HW[-1]
    lines = [x_N3HW[0, :, 0], x_N3HW[0, :, :, 0], x_N3HW[0, :, x_N3HW.shape[-1] // 2], last[:, -1], last[:, :, -1]]
    return torch.stack([line[:, ::step] for line in lines])
