"""What every reader of generator files gives, and what networks are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from torch import Tensor

Architecture = Literal["stylegan2", "stylegan", "pggan", "stylegan3-t", "stylegan3-r"]
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)


@dataclass(frozen=True)
class Checkpoint:
    """A generator as a file holds it, before any network is built.

    Attributes:
        architecture: which network.
        options: what fixes the network, by the names of `init_kwargs` in stylegan2-ada-pytorch and stylegan3, those of
            the parts behind a dot: `z_dim`, `img_resolution`, `mapping.num_layers`, `synthesis.channel_base`. Defaults
            are filled in, so that a network guesses nothing.
        tensors: by the names of NVIDIA's `G_ema.state_dict()` for stylegan2 and stylegan3 (`synthesis.b4.const`), by
            those of genforce's `generator_smooth` for stylegan and pggan. Values as stored, not scaled. Where the
            file has no mean of w, `mapping.w_avg` (`truncation.w_avg`) is missing.
        form: what the file was read as, in words.
        digest: sha256 of the file, in hex.
    """

    architecture: Architecture
    options: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    form: str
    digest: str
