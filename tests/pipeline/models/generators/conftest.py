import math

import numpy as np
import original_cases as cases
import pytest
import torch
from torch import nn

from pipeline.models.backend import Backend
from pipeline.models.generators.architectures import build
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.mobilestylegan import MappingNetwork, MobileStyleGAN, Synthesis
from pipeline.models.generators.stylegan2 import tiny_stylegan2


def random_mobilestylegan() -> MobileStyleGAN:
    """The architecture with random weights of the right order of magnitude: it needs no file."""
    random = np.random.Generator(np.random.Philox(3))
    with torch.device("meta"):
        shapes = nn.ModuleDict({"mapping": MappingNetwork(), "synthesis": Synthesis()}).state_dict()
    tensors = {}
    for name, meta in shapes.items():
        values = torch.from_numpy(random.standard_normal(tuple(meta.shape), dtype=np.float32))
        fan_in = math.prod(meta.shape[1:]) if meta.dim() > 1 and not name.endswith(("noise", "const")) else 100
        tensors[name] = values / fan_in**0.5 + (1 if name.endswith("affine.bias") else 0)
    return MobileStyleGAN("random-mobilestylegan", tensors, torch.full((512,), 0.1), Backend.eager())


@pytest.fixture(scope="session")
def tiny() -> Generator:
    return tiny_stylegan2(seed=0)


def small(case: str) -> Generator:
    """A small generator of original_cases.py."""
    return build(cases.checkpoint(case, cases.kept()[case]["shapes"]), case, Backend.eager())


@pytest.fixture(
    scope="session",
    params=["mobilestylegan", "stylegan2", "stylegan2-resnet", "stylegan", "stylegan3-t", "stylegan3-r"],
)
def generator(request: pytest.FixtureRequest, tiny: Generator) -> Generator:
    """Each architecture with styles in turn, with random weights."""
    if request.param == "mobilestylegan":
        return random_mobilestylegan()
    return tiny if request.param == "stylegan2" else small(request.param)
