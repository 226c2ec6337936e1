"""How a network is run: device, precision, threads, eager or compiled. The one place where that choice lives.

A choice is resolved once, at the first start of a job, and stored in its spec: on equal hardware the same backend,
precision, thread count and batch size give the same bytes.

`auto` is `eager`, because it was measured (benchmarks/results/generator.md): on a CPU the eager layers, channels-last
and with memory that is kept, are faster than OpenVINO and need no C++ compiler. `compiled` gains a little more in
forward passes of two rows or more, after some time for compiling; passes with gradients stay eager, which is faster.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from pipeline.errors import SpecError

Name = Literal["eager", "compiled"]
Precision = Literal["fp32", "tf32", "bf16"]
NAMES: tuple[Name, ...] = get_args(Name)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

MALLOC_KEEPS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_ARENA_MAX": (-8, 1)}
"""Parameters of glibc's mallopt, with their numbers in malloc.h."""


@dataclass(frozen=True)
class Backend:
    """A resolved choice."""

    name: Name
    device: torch.device
    precision: Precision

    @classmethod
    def eager(cls) -> Backend:
        """On the CPU, in float32, with the process as it is."""
        return cls("eager", torch.device("cpu"), "fp32")

    @property
    def dtype(self) -> torch.dtype:
        """Of features, and of the weights that meet them. Latents, styles and images stay in float32."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function of tensors that will be called again and again with the same shapes, ready to run."""
        if self.name == "eager":
            return function
        compiled = torch.compile(function, dynamic=False)

        def run(*tensors: Any) -> Any:
            return (function if torch.is_grad_enabled() else compiled)(*tensors)

        return run


def choose(
    name: str = "auto", device: str | torch.device = "cpu", precision: str = "fp32", threads: int | None = None
) -> Backend:
    """Resolve a choice, and set this process up for it: threads, memory, the arithmetic of GPUs, the compiler's cache.

    Raises:
        SpecError: an unknown name, or a choice that this machine or device cannot have.
    """
    device = torch.device(device)
    if device.type not in ("cpu", "cuda"):
        raise SpecError(f"unknown device {device}: choose cpu or cuda")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(f"the device {device} was asked for, but PyTorch sees no GPU here")
    if precision not in PRECISIONS:
        raise SpecError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if precision == "tf32" and device.type != "cuda":
        raise SpecError("precision tf32 is one of NVIDIA GPUs: choose fp32 or bf16 on a CPU")
    resolved = resolve(name, device)
    if threads is not None:
        torch.set_num_threads(threads)
    if device.type == "cpu":
        _keep_freed_memory()
    else:
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
    if resolved == "compiled":
        _share_compiled_code()
    return Backend(resolved, device, precision)


def resolve(name: str, device: str | torch.device) -> Name:
    """What `auto` stands for on this machine; any other name is given back if it can run here.

    Raises:
        SpecError: the name is unknown, or `compiled` was asked for on a CPU without a C++ compiler.
    """
    if name == "auto":
        return "eager"
    if name not in NAMES:
        raise SpecError(f"unknown backend {name!r}: choose one of auto, {', '.join(NAMES)}")
    if name == "compiled" and torch.device(device).type == "cpu" and not _cpp_compiler():
        raise SpecError("backend compiled needs a C++ compiler, and there is none here: install g++, or choose eager")
    return name


def default_batch_size(resolution: int, device: str | torch.device, name: Name, gradients: bool = False) -> int:
    """Rows of a micro-batch that run well: on a CPU few, since more are no faster and each takes 0.5 GB at 1024 px.

    Args:
        resolution: the generator's, in pixels of a side.
        device: `cpu` or `cuda`.
        name: the backend.
        gradients: whether features are kept for a backward pass: above 1 GB a row at 1024 px.
    """
    if torch.device(device).type == "cuda":
        return min(256, (8 if gradients else 16) * (1024 // resolution) ** 2)
    return min(32, (4 if name == "compiled" else 2) * (1024 // resolution) ** 2)


def device_failed(error: Exception) -> bool:
    """Whether memory ran out or the device broke: what no row of a batch is to blame for."""
    signs = ("CUDA error", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or any(sign in str(error) for sign in signs)


def _cpp_compiler() -> str | None:
    candidates = (os.environ.get("CXX"), "g++", "clang++", "c++")
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def _share_compiled_code() -> None:
    """Workers and later runs find what was compiled once. Each layer and shape is a graph of its own: allow many."""
    from pipeline.models.zoo.cache import home

    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home() / "inductor"))
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 256)


def _keep_freed_memory() -> None:
    """Have glibc keep large blocks, for all threads alike. By default it returns each to the kernel when it is freed,
    and the page faults of the next one take as long as the arithmetic: features of one image are blocks of 67 MB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        for parameter, value in MALLOC_KEEPS.values():
            mallopt(parameter, value)
