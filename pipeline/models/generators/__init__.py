"""Generators by name.

`load("mobilestylegan-ffhq")` for one of the registry, `load("stylegan2-tiny")` for a random one that tests use.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.errors import SpecError
from pipeline.models import backend as backends
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.generators.generator import Generator, StyleLayer, select

__all__ = ["GENERATORS", "Codes", "Generator", "StyleLayer", "load", "select"]


def _mobilestylegan_ffhq(backend: Backend) -> Generator:
    from pipeline.models import zoo
    from pipeline.models.generators import w_avg
    from pipeline.models.generators.mobilestylegan import MobileStyleGAN

    name = "mobilestylegan-ffhq"
    return MobileStyleGAN(name, zoo.load(name).tensors, w_avg.load(name), backend)


def _stylegan2_tiny(backend: Backend) -> Generator:
    from pipeline.models.generators.stylegan2 import tiny_stylegan2

    return tiny_stylegan2(seed=0, backend=backend)


GENERATORS: dict[str, Callable[[Backend], Generator]] = {
    "mobilestylegan-ffhq": _mobilestylegan_ffhq,
    "stylegan2-tiny": _stylegan2_tiny,
}


def load(
    name: str,
    device: str | torch.device = "cpu",
    backend: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
) -> Generator:
    """A generator, ready to run.

    Args:
        name: a key of GENERATORS.
        device, backend, precision, threads: as in `pipeline.models.backend.choose`.

    Raises:
        SpecError: the name is unknown, or the backend cannot be had on this device.
        ModelFileError: its weights are not in the cache, or are damaged.
    """
    if name not in GENERATORS:
        raise SpecError(f"unknown generator {name!r}: choose one of {', '.join(GENERATORS)}")
    return GENERATORS[name](backends.choose(backend, device, precision, threads))
