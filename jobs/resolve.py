"""Open choices made once (device, backend, threads, micro-batch, shard size); a resume takes what is stored."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import torch

from jobs.options import RUN_FIELDS, RunFlags
from pipeline.engine.books import Books
from pipeline.errors import OutputDiffers, SpecError
from pipeline.models import backend
from pipeline.models.generators import Generator
from pipeline.stages.models import Runtime

T = TypeVar("T")

ROWS_PER_SHARD = {"cpu": 64, "cuda": 4096}
"""Of jobs that make pictures: some tens of seconds of work, lost at most when a worker is."""

THREADS_ELSEWHERE = 2


def resolve(
    spec: RunFlags,
    verb: str,
    generator: Generator,
    default_rows: Mapping[str, int] = ROWS_PER_SHARD,
    gradients: bool = False,
) -> tuple[Runtime, int, int | None]:
    """(runtime, rows per shard, workers): flags first, then the stored spec, then this machine's best.

    Workers are None where there are to be as many as there is room for. `gradients`: whether features are kept for a
    backward pass.

    Raises:
        OutputDiffers: the stored spec asks for what this machine cannot do.
    """
    stored = None if spec.replace else Books(spec.out, verb).spec()
    there: Mapping[str, Any] = stored["spec"] if stored else {}

    def choose(name: str, asked: T | None, default: Callable[[], T]) -> T:
        return asked if asked is not None else there.get(name) or default()

    device = choose("device", None if spec.device == "auto" else spec.device, lambda: _device(spec))
    workers = _workers(spec, device)
    threads = choose("threads", spec.threads, lambda: _threads(spec, workers))
    try:
        _check_device(device, spec)
        name: backend.Name = choose("backend", spec.backend, lambda: backend.resolve("auto", device))
        backend.resolve(name, device)
    except SpecError as error:
        if stored:
            raise OutputDiffers(f"{spec.out} was begun with what this machine cannot do: {error}") from error
        raise
    batch_size = choose(
        "batch_size", spec.batch_size, lambda: backend.default_batch_size(generator.resolution, device, name, gradients)
    )
    whole_batches = max(1, default_rows[device] // batch_size) * batch_size
    rows_per_shard = choose("rows_per_shard", spec.rows_per_shard, lambda: whole_batches)
    return Runtime(device, threads, name, spec.precision, batch_size), rows_per_shard, workers


def spec_facts(spec: RunFlags, runtime: Runtime, **more: Any) -> dict[str, Any]:
    """What goes into the stored spec: the verb's own flags and the choices made, none of how the run goes about it."""
    own = {name: value for name, value in spec.model_dump(mode="json").items() if name not in RUN_FIELDS}
    return {**own, **asdict(runtime), **more}


def _device(spec: RunFlags) -> str:
    if spec.gpus_per_worker is not None:
        return "cuda" if spec.gpus_per_worker else "cpu"
    if _is_elsewhere(spec):
        raise SpecError("this machine cannot tell what the cluster's workers have: pass --device cuda or --device cpu")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_device(device: str, spec: RunFlags) -> None:
    if device == "cuda" and not _is_elsewhere(spec) and not torch.cuda.is_available():
        raise SpecError("--device cuda: PyTorch sees no GPU on this machine; pass --device cpu")
    if device != "cuda" and spec.precision == "tf32":
        raise SpecError("--precision tf32 is one of NVIDIA GPUs; pass --precision fp32")


def _is_elsewhere(spec: RunFlags) -> bool:
    """Whether the work is done by the nodes of a cluster that this process only joins."""
    address = spec.address or os.environ.get("RAY_ADDRESS")
    return not spec.local and address not in (None, "", "local")


def _workers(spec: RunFlags, device: str) -> int | None:
    if spec.local:
        return 1
    if spec.workers is not None:
        return None if spec.workers == "auto" else spec.workers
    if _is_elsewhere(spec):
        return None  # this machine's GPUs, or their lack, say nothing of those that work
    return max(1, torch.cuda.device_count()) if device == "cuda" else 1


def _threads(spec: RunFlags, workers: int | None) -> int:
    """The cores shared out; workers that come as there is room, or on machines not seen from here, take few each."""
    if workers is None or _is_elsewhere(spec):
        return THREADS_ELSEWHERE
    return max(1, (os.cpu_count() or 1) // workers)
