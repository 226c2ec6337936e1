"""What every style-based generator offers, whatever its architecture.

Shapes: N rows, Z z_dim, L layers (num_ws), W w_dim, S style channels of all layers, C channels, 3HW pixels.
"""

from __future__ import annotations

import abc
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.codes import SPACES, Codes, Space
from pipeline.models.generators.mapping import mean_w


class StyleLayer(NamedTuple):
    """One modulated layer: its name, its number of style channels, and the row of w+ that it takes."""

    name: str
    width: int
    row: int


class ModulatedLayer(nn.Module):
    """One layer of a synthesis network: takes (state, s_NC) to the next state.

    Attributes:
        affine: w (N, W) -> style channels (N, width).
        width: the number of its style channels.
    """

    def __init__(self, affine: nn.Module, width: int):
        super().__init__()
        self.affine = affine
        self.width = width

    def prepare(self) -> None:
        """Called once when the weights are in place: compute what depends on them alone."""

    def lay_out(self) -> None:
        """Called once after that, on the device and in its precision: bring weights into the order that is fast."""


State = TypeVar("State", bound=tuple[Tensor, ...])


def select(state: State, rows: slice | Tensor) -> State:
    """Some rows of a synthesis state, which is a named tuple of batch-first tensors."""
    return type(state)(*(tensor[rows] for tensor in state))


class Generator(nn.Module, abc.ABC):
    """z -> w -> s -> image: deterministic, batched, differentiable with respect to its codes. Its weights are frozen.

    Attributes:
        name: as in the registry.
        fingerprint: hex digest of the weights, `w_avg` and the version of the architecture's code.
        spaces: the latent spaces that `synthesize` takes.
        z_dim, w_dim, num_ws: Z, W and L.
        resolution: pixels of a side at full size.
        sizes: the sizes that `image` gives, in pixels of a side.
        style_layers: the modulated layers, in the order of their channels in s.
        w_avg: (W,) mean of w.
        backend: how the layers are run.
    """

    spaces: tuple[Space, ...] = SPACES
    z_dim: int
    w_dim: int
    num_ws: int
    resolution: int
    sizes: tuple[int, ...]
    w_avg: Tensor
    mapping: nn.Module
    """z (N, Z) -> w (N, W), untruncated."""
    synthesis: nn.Module
    """The parameters of all modulated layers."""

    def __init__(self, name: str, digest: str, backend: Backend):
        super().__init__()
        self.name = name
        self.fingerprint = digest
        self.backend = backend

    def load_weights(
        self,
        tensors: Mapping[str, Tensor],
        w_avg: Tensor | None,
        layers: Mapping[str, ModulatedLayer],
        rows: Sequence[int],
    ) -> None:
        """Last step of an architecture's constructor: weights in place, frozen, and each layer ready to run.

        Args:
            tensors: all weights, by the names of the architecture's parameters and buffers, which may be on the meta
                device until here.
            w_avg: (W,); None to take the mean w of some thousands of seeded z.
            layers: in the order in which they run.
            rows: the row of w+ of each layer.

        Raises:
            ModelFileError: a tensor is missing, unknown or of another shape.
        """
        try:
            self.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
        except RuntimeError as error:
            what = str(error).splitlines()[1].strip()
            raise ModelFileError(f"the weights of {self.name} do not fit {type(self).__name__}: {what}") from None
        w_avg = mean_w(self.mapping, self.z_dim) if w_avg is None else w_avg.float().clone()
        self.register_buffer("w_avg", w_avg, persistent=False)
        self.requires_grad_(False).eval()
        for layer in layers.values():
            layer.prepare()
        self.to(self.backend.device)
        for name, parameter in self.synthesis.named_parameters():
            if ".affine." not in name:
                layout = torch.channels_last if parameter.dim() == 4 else torch.preserve_format
                parameter.data = parameter.data.to(self.backend.dtype, memory_format=layout)
        for layer in layers.values():
            layer.lay_out()
        self.style_layers = tuple(
            StyleLayer(name, layer.width, row) for (name, layer), row in zip(layers.items(), rows, strict=True)
        )
        self._affines = tuple(layer.affine for layer in layers.values())
        self._steps = tuple(self.backend.wrap(layer) for layer in layers.values())

    @property
    @abc.abstractmethod
    def stylegan2_rows(self) -> tuple[int, ...]:
        """Of each row of w+ the row of a StyleGAN2 that works at the same size, (L,): papers name rows of StyleGAN2."""

    @abc.abstractmethod
    def start(self, rows: int) -> Any:
        """The state of N rows before the first layer: a named tuple of batch-first tensors (see `select`)."""

    def run(self, s_NS: Tensor, state: State, first: int, last: int) -> State:
        """The state after the layers first, ..., last - 1 (indices of `style_layers`)."""
        styles = s_NS.split([layer.width for layer in self.style_layers], dim=1)
        for step, s_NC in zip(self._steps[first:last], styles[first:last], strict=True):
            state = step(state, s_NC)
        return state

    def maps(self, state: Any, s_NS: Tensor, layer: int) -> Tensor:
        """(N, C, h, w): the feature maps that a layer takes from the state before it, each times its style channel.

        layer: index of `style_layers`, of which C is the width.
        """
        starts = [0, *itertools.accumulate(one.width for one in self.style_layers)]
        s_NC = s_NS[:, starts[layer] : starts[layer + 1]]
        features_NChw: Tensor = self._channels_first(state)
        return features_NChw * s_NC[:, :, None, None].to(features_NChw.dtype)

    @abc.abstractmethod
    def _channels_first(self, state: Any) -> Tensor:
        """The features of a state, (N, C, h, w)."""

    @abc.abstractmethod
    def image(self, state: Any, size: int | None = None) -> Tensor:
        """x (N, 3, size, size), float32 in about [-1, 1], of the state after the last layer.

        Raises:
            SpecError: this generator has no such size.
        """

    def map(self, z_NZ: Tensor, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """ws (N, L, W) of z, truncated: w_avg + psi (w - w_avg) in the first `cutoff` rows of w+, or in all of them.

        Raises:
            SpecError: psi is not finite, or cutoff is outside 0..L.
        """
        return self.truncate(self._broadcast(self.mapping(z_NZ)), psi, cutoff)

    def truncate(self, ws_NLW: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        """Bring ws towards w_avg, as `map` does, with the same errors."""
        if not math.isfinite(psi):
            raise SpecError(f"psi is {psi}: give a finite number, 1 for no truncation")
        self.check_cutoff(cutoff)
        if psi == 1.0:
            return ws_NLW
        cutoff = self.num_ws if cutoff is None else cutoff
        return torch.cat([self.w_avg.lerp(ws_NLW[:, :cutoff], psi), ws_NLW[:, cutoff:]], dim=1)

    def styles(self, ws_NLW: Tensor) -> Tensor:
        """s (N, S): each layer's affine transform of its row of w+."""
        pairs = zip(self._affines, self.style_layers, strict=True)
        return torch.cat([affine(ws_NLW[:, layer.row]) for affine, layer in pairs], dim=1)

    def truncated(self, z_NZ: Tensor, psi: float, cutoff: int | None = None) -> Codes:
        """Codes of z, truncated as by `map`, with its errors: in w+, where there is one."""
        return Codes("w+", self.map(z_NZ, psi, cutoff))

    def styles_of(self, codes: Codes) -> Tensor:
        """s (N, S) of codes in any space; z is not truncated.

        Raises:
            SpecError: the codes have not the shape of this generator's space.
        """
        self.check_codes(codes)
        match codes.space:
            case "z":
                return self.styles(self._broadcast(self.mapping(codes.values)))
            case "w":
                return self.styles(self._broadcast(codes.values))
            case "w+":
                return self.styles(codes.values)
            case "s":
                return codes.values

    def synthesize(self, codes: Codes, size: int | None = None) -> Tensor:
        """x (N, 3, size, size), float32 in about [-1, 1], not clamped.

        Raises:
            SpecError: the codes do not fit this generator, or it has no such size.
        """
        size = self.check_size(size)
        state = self.run(self.styles_of(codes), self.start(len(codes)), 0, len(self.style_layers))
        return self.image(state, size)

    def shape_of(self, space: Space) -> tuple[int, ...]:
        """Of one row of codes in a space."""
        match space:
            case "z":
                return (self.z_dim,)
            case "w":
                return (self.w_dim,)
            case "w+":
                return (self.num_ws, self.w_dim)
            case "s":
                return (self.num_styles,)

    def check_codes(self, codes: Codes) -> None:
        """Raises SpecError where this generator has no such space, or where codes in it have another shape."""
        if codes.space not in self.spaces:
            raise SpecError(f"{self.name} takes codes in {', '.join(self.spaces)}, not in {codes.space}")
        expected, found = self.shape_of(codes.space), tuple(codes.values.shape[1:])
        if found != expected:
            raise SpecError(f"a row of {codes.space} has the shape {expected} in {self.name}, these have {found}")

    @property
    def num_styles(self) -> int:
        """S, the number of style channels of all layers."""
        return sum(layer.width for layer in self.style_layers)

    def check_cutoff(self, cutoff: int | None) -> int | None:
        """`cutoff` as it is. Raises SpecError where this generator has not so many rows of w+."""
        if cutoff is not None and not 0 <= cutoff <= self.num_ws:
            raise SpecError(f"cutoff is {cutoff}: {self.name} has {self.num_ws} rows of w+")
        return cutoff

    def check_size(self, size: int | None) -> int:
        """`size`, or the full resolution for None. Raises SpecError for a size that this generator does not give."""
        if size is None:
            return self.resolution
        if size not in self.sizes:
            raise SpecError(f"{self.name} makes images of {', '.join(map(str, self.sizes))} px, not of {size}")
        return size

    def _pooled(self, x_N3HW: Tensor, size: int | None) -> Tensor:
        """The image of a network whose last features are one at full resolution, in float32, reduced by averages.

        Raises:
            SpecError: there is no such size, or these are not the features after the last layer.
        """
        size = self.check_size(size)
        if x_N3HW.shape[1:] != (3, self.resolution, self.resolution):
            raise SpecError(f"an image needs the state after all {len(self.style_layers)} layers")
        x = x_N3HW.float() if x_N3HW.dtype == torch.bfloat16 else x_N3HW
        return functional.avg_pool2d(x, self.resolution // size)

    def _broadcast(self, w_NW: Tensor) -> Tensor:
        return w_NW.unsqueeze(1).expand(-1, self.num_ws, -1)


def fingerprint(architecture: str, tensors: Mapping[str, Tensor], w_avg: Tensor | None) -> str:
    """Hex digest of an architecture's version, of tensors with their names, dtypes and shapes, and of the mean w.

    A mean w that is computed is left out: its last bits depend on the machine.
    """
    named = dict(tensors) if w_avg is None else {**tensors, "w_avg": w_avg}
    digest = hashlib.sha256(architecture.encode())
    for name in sorted(named):
        tensor = named[name].detach().cpu().contiguous()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
