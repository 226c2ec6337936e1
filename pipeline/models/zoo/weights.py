"""Weights in hand: from the cache, or from a user's own file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.zoo import cache, catalogue, shared, userfile
from pipeline.models.zoo.entry import Entry
from pipeline.models.zoo.formats import safetensors

if TYPE_CHECKING:
    from pipeline.models.program import Program


@dataclass(frozen=True)
class Weights:
    """A network's tensors in their own dtype, its graph where it has one, and the digest that stands for it.

    From the cache, tensors are views of the mapped file: copy before writing to them.
    """

    name: str
    tensors: dict[str, Tensor]
    graph: dict[str, Any] | None
    digest: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def program(self) -> "Program":
        """The network that the graph describes. Raises ModelFileError where the file carries tensors alone."""
        from pipeline.models.program import Program

        if self.graph is None:
            raise ModelFileError(f"{self.name}: holds tensors and no graph, so it cannot be run by itself")
        return Program.from_parts(self.graph, self.tensors, self.name)


def load(
    name: str,
    device: torch.device | str = "cpu",
    sha256: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Weights:
    """A network of the catalogue by name, or a user's own file by path or fsspec URL, checked by digest and then read.

    Catalogue entries come from the local cache, memory-mapped and offline; where `STYLEMILL_ZOO` is set, one that is
    missing is first copied from there. A file's digest may be given as `sha256` or as `PATH#sha256=HEX`; `options` go
    to its reader (`outputs` and `input_hw` of a graph, as in the catalogue).

    Raises:
        ModelFileError: unknown name, not pulled yet, damaged, another digest, or not of the form that its reader knows.
    """
    if not userfile.is_file_name(name):
        return _from_cache(catalogue.find(name), device)
    file = userfile.read(name, sha256, options)
    tensors = {key: value.to(device) for key, value in file.parts.tensors.items()}
    return Weights(file.name, tensors, file.parts.graph, file.sha256, {"format": file.format, "bytes": file.bytes})


def _from_cache(entry: Entry, device: torch.device | str) -> Weights:
    card = cache.read_card(entry)
    if card is None and shared.url():
        with cache.lock(entry.source):
            card = cache.read_card(entry)
            if card is None and shared.download(entry):
                card = cache.read_card(entry)
    if card is None:
        where = f" in {cache.home()}" + (f" nor in {shared.url()}" if shared.url() else "")
        raise ModelFileError(f"{entry.name} is not{where}: run `stylemill models pull {entry.name}`")
    cache.check(entry, card)
    folder = cache.folder(entry)
    graph = json.loads((folder / cache.GRAPH).read_bytes()) if cache.GRAPH in card["files"] else None
    tensors = safetensors.open_mapped(folder / cache.WEIGHTS, entry.name, device)
    return Weights(entry.name, tensors, graph, entry.digest, card)
