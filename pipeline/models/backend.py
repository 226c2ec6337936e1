"""How a network is run: device, precision, threads, eager or compiled. Only this module makes that choice.

A choice is resolved once, at the first start of a job, and stored in its spec: on equal hardware the same backend,
precision, thread count and batch size give the same bytes.

`compiled` runs the large layers of a forward pass as code that TorchInductor writes and a C++ compiler (on a GPU,
Triton) translates, after up to a minute of compilation at the first use. Small layers and passes with gradients are
eager with either. `auto` is eager; a job that leaves the choice open takes compiled where that repays the minute
(`worth_compiling`).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from filelock import FileLock, Timeout

from pipeline.errors import SpecError

Name = Literal["eager", "compiled"]
Precision = Literal["fp32", "tf32", "bf16"]
NAMES: tuple[Name, ...] = get_args(Name)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

COMPILED_VERSION = 3
"""Of the code that is compiled. Raise it when a bit of its results changes: jobs store it, and a resume compares it."""
LARGE = 2**19
"""Numbers in one row of a layer's input, from which on the layer is compiled on a CPU: smaller ones gain nothing."""
PASSES_REPAID = 8192
"""Forward passes at 1024 px from which on a job repays compilation: see `worth_compiling`."""
LOCK_SECONDS = 120.0
"""How long a process waits for others that compile, once; then it compiles for itself."""
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Instructions for bfloat16, as /proc/cpuinfo names them on x86 and on ARM."""

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
        """On the CPU, in float32, without changing any setting of the process."""
        return cls("eager", torch.device("cpu"), "fp32")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of features and of the weights that they meet. Latents, styles and images stay in float32."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A layer, (state, styles) -> state, that will be called again and again with the same shapes."""
        if self.name == "eager":
            return function
        compiled = torch.compile(function, dynamic=False)
        known: set[torch.Size] = set()

        def run(state: tuple[torch.Tensor, ...], styles: torch.Tensor) -> Any:
            shape = state[0].shape
            if torch.is_grad_enabled() or (self.device.type == "cpu" and shape[1:].numel() < LARGE):
                return function(state, styles)
            if shape in known:
                return compiled(state, styles)
            known.add(shape)
            with _one_compiles(_code_key(function, state, self.dtype)):
                return compiled(state, styles)

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
        raise SpecError("precision tf32 needs an NVIDIA GPU: choose fp32 or bf16 on a CPU")
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
    """What a name stands for on this machine: `auto` for eager; any other is given back if it can run here.

    Raises:
        SpecError: the name is unknown, or `compiled` was asked for on a CPU where no C++ compiler works.
    """
    if name == "auto":
        return "eager"
    if name not in NAMES:
        raise SpecError(f"unknown backend {name!r}: choose one of auto, {', '.join(NAMES)}")
    if name == "compiled" and torch.device(device).type == "cpu" and (why := cannot_compile()):
        raise SpecError(
            f"backend compiled needs a C++ compiler, and {why}: install g++ and python3-dev, or choose eager"
        )
    return name


def worth_compiling(passes: int, resolution: int) -> bool:
    """Whether a CPU job repays compilation. It depends on the job alone, not on workers or cores,
    since the backend decides the bytes of the output.

    Args:
        passes: forward passes without gradients, one for each face, in the whole job.
        resolution: the generator's, in pixels of a side.

    Compiling took 27 to 34 s on two cores, and saved 0.02 s an image at 1024 px on both of them, two at a time
    (benchmarks/results/generator.md): `PASSES_REPAID` passes save about 160 s, five times that.
    """
    return passes * (resolution / 1024) ** 2 >= PASSES_REPAID


def bf16_is_slow(device: str | torch.device) -> bool:
    """Whether bf16 is slower than fp32: the processor has no instructions for it. False where that is not known."""
    info = Path("/proc/cpuinfo")
    if torch.device(device).type != "cpu" or not info.exists():
        return False
    return BF16_FLAGS.isdisjoint(info.read_text().split())


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
    return min(32, 2 * (1024 // resolution) ** 2)


def device_failed(error: Exception) -> bool:
    """Whether memory ran out or the device broke: an error that no row of a batch caused."""
    signs = ("CUDA error", "can't allocate memory", "not enough memory")
    return type(error).__name__ == "OutOfMemoryError" or any(sign in str(error) for sign in signs)


def cannot_compile() -> str:
    """Why no C++ code can be compiled here for Python; empty where it can. Tries it once, in less than a second."""
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")  # as TorchInductor looks for one
    found = shutil.which(name)
    return f"{name} is not here" if found is None else _failure(found)


@functools.cache
def _failure(compiler: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "try.cpp"
        source.write_text("#include <Python.h>\n#include <vector>\n")
        asked = [compiler, "-fsyntax-only", f"-I{sysconfig.get_path('include')}", str(source)]
        tried = subprocess.run(asked, capture_output=True, text=True, check=False)
    said = (tried.stderr.strip() or "no message").splitlines()[0]
    return "" if tried.returncode == 0 else f"{compiler} fails ({said})"


def _share_compiled_code() -> None:
    """Workers and later runs find what was compiled once, for the processor that they run on.

    Each layer and shape is a graph of its own: allow many. Raises SpecError where the folder cannot be made.
    """
    _made_code_folder()  # torch would fail on it when its compiler is imported
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 256)


def _code_folder() -> Path:
    """Where compiled code is kept; its variable is set for the processes that this one starts."""
    from pipeline.models.zoo.cache import home

    return Path(os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(home() / "inductor" / _processor())))


def _made_code_folder() -> Path:
    folder = _code_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(
            f"{folder}: {error.strerror or error}: no room for compiled code there; set TORCHINDUCTOR_CACHE_DIR to a "
            "directory of yours, or choose --backend eager"
        ) from error
    return folder


def _processor() -> str:
    """A folder's name for machine code of this kind of processor: a home directory may serve several."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else [platform.processor()]
    kind = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    return hashlib.sha256("\n".join([platform.machine(), *kind]).encode()).hexdigest()[:12]


def cannot_keep_code() -> str:
    """Why compiled code cannot be kept here; empty where it can."""
    folder = _code_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror or error})"


def _code_key(layer: Callable[..., Any], state: tuple[torch.Tensor, ...], dtype: torch.dtype) -> str:
    """A key that is equal for two layers if their compiled code is the same."""
    weights = [tuple(each.shape) for each in layer.parameters()] if isinstance(layer, torch.nn.Module) else []
    shapes = [tuple(each.shape) for each in state]
    layer_facts = (type(layer).__qualname__, getattr(layer, "clamp", None), weights, shapes, dtype)
    where = (state[0].device.type, _processor(), torch.get_num_threads(), torch.__version__, COMPILED_VERSION)
    return hashlib.sha256(repr((layer_facts, where)).encode()).hexdigest()[:24]


_waits = [True]
"""Whether this process still waits for others; not after it has waited in vain."""


@contextmanager
def _one_compiles(key: str) -> Iterator[None]:
    """Held while a layer is compiled for the first time: others that need it wait, and then find it in the cache.

    Where the code of this key was compiled before, and where no lock can be had, nobody waits.
    """
    folder = _made_code_folder()
    done, lock = folder / f"{key}.compiled", FileLock(folder / "stylemill.lock")
    if done.exists() or not _waits[0] or not _acquired(lock):
        yield
        return
    if done.exists():  # it was compiled while we waited
        lock.release()
        yield
        return
    try:
        yield
        with suppress(OSError):
            done.touch()
    finally:
        lock.release()


def _acquired(lock: FileLock) -> bool:
    """Whether the lock was acquired; False if its holder hangs or the file system has no locks."""
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except (Timeout, OSError, NotImplementedError):
        _waits[0] = False
        return False
    return True


def _keep_freed_memory() -> None:
    """Have glibc keep large blocks, for all threads alike. By default it returns each to the kernel when it is freed,
    and the page faults of the next one take as long as the arithmetic: features of one image are blocks of 67 MB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        for parameter, value in MALLOC_KEEPS.values():
            mallopt(parameter, value)
