"""How a network is run: device, precision, threads, compiled or eager. The one place where that choice lives.

A choice is resolved once, at the first start of a job, and stored in its spec: the same backend, precision, thread
count and batch size on equal hardware give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from pipeline.errors import SpecError

Name = Literal["compiled", "eager"]
Precision = Literal["fp32", "tf32", "bf16"]
NAMES = ("auto", "compiled", "eager")
PRECISIONS = ("fp32", "tf32", "bf16")

F = TypeVar("F", bound=Callable[..., object])


@dataclass(frozen=True)
class Backend:
    """A resolved choice."""

    name: Name
    device: torch.device
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """Of features and of the weights that meet them. Latents and styles stay in float32."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @classmethod
    def eager(cls) -> Backend:
        """On the CPU, in float32, as the process is set up."""
        return cls("eager", torch.device("cpu"), "fp32")

    def wrap(self, function: F) -> F:
        """A function of tensors alone, ready to be called again and again with few shapes."""
        return function


def choose(
    name: str = "auto", device: str | torch.device = "cpu", precision: str = "fp32", threads: int | None = None
) -> Backend:
    """Resolve a choice and set the process up for it (threads, float32 arithmetic on GPU).

    Raises:
        SpecError: an unknown name, or a choice that this machine or device cannot have.
    """
    device = torch.device(device)
    if precision not in PRECISIONS:
        raise SpecError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(f"the device {device} was asked for, but PyTorch sees no GPU here")
    if device.type != "cuda" and precision == "tf32":
        raise SpecError(f"precision tf32 is one of NVIDIA GPUs, not of {device}")
    resolved = resolve(name, device)
    if threads is not None:
        torch.set_num_threads(threads)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.deterministic = True
    return Backend(resolved, device, precision)  # type: ignore[arg-type]


def resolve(name: str, device: str | torch.device) -> Name:
    """`auto` becomes `compiled` where that can run, else `eager`."""
    if name not in NAMES:
        raise SpecError(f"unknown backend {name!r}: choose one of {', '.join(NAMES)}")
    return "eager" if name == "auto" else name  # type: ignore[return-value]
