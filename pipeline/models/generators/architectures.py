"""A generator from a checkpoint, one line an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.backend import Backend
from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.generators import pggan, stylegan, stylegan2, stylegan3
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.mapping import check_class
from pipeline.models.generators.noise import STORED, Noise
from pipeline.models.generators.options import Options


def build(
    checkpoint: Checkpoint, name: str, backend: Backend, *, chosen: int | None = None, noise: Noise = STORED
) -> Generator:
    """The generator that a checkpoint holds.

    Args:
        checkpoint: as a reader gives it.
        name: what the generator is called, in errors too.
        backend: how the layers are run.
        chosen: the class of all rows, which a network with classes needs.
        noise: which noise the network adds, if it has any. Class and noise are part of the fingerprint.

    Raises:
        ModelFileError: the network is none that is supported, or tensors do not fit its options.
        SpecError: a class is missing, or is none that the network has.
    """
    if checkpoint.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelFileError(f"{name} is of the architecture {checkpoint.architecture!r}; supported are {known}")
    options = Options(name, checkpoint.options)
    check_class(name, options.whole("c_dim", least=0), chosen)
    return ARCHITECTURES[checkpoint.architecture](name, options, checkpoint.tensors, backend, chosen, noise)


def _stylegan2(
    name: str, options: Options, tensors: Mapping[str, Tensor], backend: Backend, chosen: int | None, noise: Noise
) -> Generator:
    own, w_avg = stylegan2.named(tensors, name)
    return stylegan2.StyleGAN2(name, stylegan2.Shape.of(options), noise.applied(own), w_avg, backend, chosen)


def _stylegan3(
    name: str, options: Options, tensors: Mapping[str, Tensor], backend: Backend, chosen: int | None, noise: Noise
) -> Generator:
    own = {key: tensor for key, tensor in tensors.items() if key != "mapping.w_avg"}
    w_avg = tensors.get("mapping.w_avg")
    shape = stylegan3.Shape.of(options)
    try:
        return stylegan3.StyleGAN3(name, shape, own, w_avg, backend, chosen)
    except (ValueError, OverflowError, ZeroDivisionError) as error:
        raise ModelFileError(f"{name}: cutoffs and stop bands of which no filters can be made: {error}") from error


def _stylegan(
    name: str, options: Options, tensors: Mapping[str, Tensor], backend: Backend, chosen: int | None, noise: Noise
) -> Generator:
    shape = stylegan.Shape.of(options)
    own, w_avg = stylegan.named(tensors, options)
    return stylegan.StyleGAN(name, shape, noise.applied(own), w_avg, backend)


def _pggan(
    name: str, options: Options, tensors: Mapping[str, Tensor], backend: Backend, chosen: int | None, noise: Noise
) -> Generator:
    return pggan.PGGAN(name, pggan.Shape.of(options), pggan.named(tensors, options), backend)


ARCHITECTURES: dict[str, Callable[..., Any]] = {
    "stylegan2": _stylegan2,
    "stylegan3-t": _stylegan3,
    "stylegan3-r": _stylegan3,
    "stylegan": _stylegan,
    "pggan": _pggan,
}
