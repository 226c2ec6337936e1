"""The tiny generator, opened once in a process: a command opens it twice, which takes longer than all that it makes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from pipeline.models import generators
from pipeline.models.backend import Backend
from pipeline.models.generators import Generator

TINY = "stylegan2-tiny"


@contextmanager
def kept_generator() -> Iterator[None]:
    """One that was changed since, in its weights or their type, is opened anew."""
    kept: dict[Backend, tuple[Generator, list]] = {}
    opened = generators.GENERATORS[TINY]

    def kept_or_opened(backend: Backend) -> Generator:
        if backend.name != "eager":
            return opened(backend)
        found = kept.get(backend)
        if found is None or state_of(found[0]) != found[1]:
            generator = opened(backend)
            found = kept[backend] = (generator, state_of(generator))
        return found[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(generators.GENERATORS, TINY, kept_or_opened)
        yield


def state_of(generator: Generator) -> list:
    """What any change of it moves: of each module its own attributes, of each tensor which it is, how often it was
    written, and what it comes to."""
    modules = [(module.training, *map(id, vars(module).values())) for module in generator.modules()]
    return [*modules, *map(facts_of, generator.parameters()), *map(facts_of, generator.buffers())]


def facts_of(tensor: torch.Tensor) -> tuple:
    which = (id(tensor), tensor.data_ptr(), tensor.dtype, tensor.requires_grad, tensor.grad is None)
    return (*which, tensor._version, float(tensor.detach().sum()))
