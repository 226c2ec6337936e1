"""A StyleGAN2 of the published sizes with random weights, for measurements of speed."""

import torch
from torch import nn

from pipeline.models.backend import Backend
from pipeline.models.generators.mapping import MappingNetwork
from pipeline.models.generators.stylegan2 import Shape, StyleGAN2, Synthesis


def random_stylegan2(resolution: int, chosen: Backend) -> StyleGAN2:
    """With the channels of the published networks, and weights from a seed; affine layers give styles around 1."""
    shape = Shape(resolution)
    with torch.device("meta"):
        parts = nn.ModuleDict({"mapping": MappingNetwork(shape.mapping), "synthesis": Synthesis(shape)})
    random = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(each.shape, generator=random) for name, each in parts.state_dict().items()}
    ones = {name: torch.ones_like(each) for name, each in tensors.items() if name.endswith("affine.bias")}
    return StyleGAN2(f"stylegan2-{resolution}", shape, tensors | ones, torch.zeros(512), chosen)
