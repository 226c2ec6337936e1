"""Generators by name.

`load("mobilestylegan-ffhq")` for one of the registry, `load("stylegan2-tiny")` for a random one that tests use,
`load("mine.pkl")` for one of your own: a file of which nothing is executed (see `pipeline.models.checkpoints`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from pipeline.errors import SpecError
from pipeline.models import backend as backends
from pipeline.models.backend import Backend
from pipeline.models.checkpoints.reference import Reference, is_file_name
from pipeline.models.codes import Codes
from pipeline.models.generators.generator import Generator, StyleLayer, select

__all__ = [
    "GENERATORS",
    "Codes",
    "Generator",
    "StyleLayer",
    "canonical",
    "identity",
    "load",
    "makes_aligned_faces",
    "select",
]


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


def canonical(name: str) -> str:
    """The name that stands for a generator in records: of a file its absolute path or URL, with its digest.

    Raises as `pipeline.models.checkpoints.files.pinned`.
    """
    if name in GENERATORS or not is_file_name(name):
        return name
    from pipeline.models.checkpoints import files

    return str(files.pinned(Reference.parse(name)))


def identity(name: str) -> str:
    """What tells a generator in rows: its name; of a file, named as `canonical` does, its digest and options."""
    return name if name in GENERATORS or not is_file_name(name) else Reference.parse(name).identity


def makes_aligned_faces(name: str) -> bool:
    """Whether a generator is known to make faces that are aligned as those of FFHQ, or said to by its owner."""
    return not is_file_name(name) or Reference.parse(name).faces


def _of_file(name: str, backend: Backend) -> Generator:
    from pipeline.models.checkpoints import files
    from pipeline.models.generators.architectures import build
    from pipeline.models.generators.noise import Noise

    reference = files.pinned(Reference.parse(name))
    noise = Noise.parse(reference.noise)
    return build(files.read(reference), str(reference), backend, chosen=reference.chosen, noise=noise)


def load(
    name: str,
    device: str | torch.device = "cpu",
    backend: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
) -> Generator:
    """A generator, ready to run.

    Args:
        name: a key of GENERATORS; or a file, as `pipeline.models.checkpoints.reference` says.
        device, backend, precision, threads: as in `pipeline.models.backend.choose`.

    Raises:
        SpecError: the name is unknown, or the backend cannot be had on this device.
        ModelFileError: its weights are not in the cache, or are damaged; a file is no generator that is known here.
    """
    if name in GENERATORS:
        return GENERATORS[name](backends.choose(backend, device, precision, threads))
    if is_file_name(name):
        return _of_file(name, backends.choose(backend, device, precision, threads))
    raise SpecError(f"unknown generator {name!r}: choose one of {', '.join(GENERATORS)}, or name a file")
