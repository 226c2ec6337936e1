"""Open choices made once (device, backend, threads, micro-batch, shard size); a resume takes what is stored."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import torch

from jobs.flags import say
from jobs.options import RUN_FIELDS, RunFlags
from pipeline.engine.job_records import JobRecords
from pipeline.engine.machine import cores
from pipeline.engine.workers import GB, Load, rows_of_a_shard, workers_here
from pipeline.errors import OutputDiffers, SpecError
from pipeline.models import backend
from pipeline.models.generators import Generator
from pipeline.stages.models import Runtime

T = TypeVar("T")

ROWS_PER_SHARD = {"cpu": 64, "cuda": 4096}
"""At most, of jobs that make pictures: some tens of seconds of work, lost when a worker is."""

CODES_PER_SHARD = {"cpu": 8192, "cuda": 65536}
"""At most, of jobs that make none."""

THREADS_ELSEWHERE = 2

CODES = Load(0.7 * GB, 0, 2048, threads=False)
"""The mapping network alone. Loads are as measured (python -m benchmarks.threads): peaks seen in one process are 0.6 GB
of `sample`, 1.4 and 1.9 GB of `dataset` in micro-batches of 2 and 4, 1.5 GB of `label` by the judge, 1.8 GB of `edit
ials` scored by both families and 1.6 GB in micro-batches of 4.
"""

VECTORS = Load(0.7 * GB, 0, 200_000, threads=False)
"""No network at all: codes moved along directions."""

FACES = Load(0.9 * GB, 0.35 * GB, 16)
"""Faces made and scored."""

GRADIENTS = Load(2.0 * GB, 0, 4, gradients=True)
"""Faces made and scored, with gradients; a CPU takes them one at a time."""

FITS = Load(0.7 * GB, 0, 1, threads=False)
"""Linear models fitted to codes."""

TRAINING = Load(1.2 * GB, 0, 1, alone=True)
"""Networks trained on codes: one task, whose worker has all cores."""

TRAINING_BY_FACES = Load(2.0 * GB, 0, 1, gradients=True, alone=True)
"""The same with faces that are made and scored, with gradients."""


def resolve(
    spec: RunFlags,
    verb: str,
    generator: Generator | None,
    rows: int,
    shards: int | None = None,
    load: Load = FACES,
    units: int | None = None,
    fewest: int | None = None,
    most: Mapping[str, int] = ROWS_PER_SHARD,
) -> tuple[Runtime, int, int | None]:
    """(runtime, rows per shard, workers): flags first, then the stored spec, then what is best for this machine.

    Workers are None where there are to be as many as there is room for.

    Args:
        generator: None where no network is run, and micro-batches are of one row.
        rows: of the job.
        shards: that it has; None where `rows` are to be cut into shards, by `rows_of_a_shard` and between `fewest`
            (by default as many as a worker's start is worth) and `most`.
        load: what a worker takes.
        units: of work, as `load` counts them; by default one for each row.

    Raises:
        OutputDiffers: the stored spec asks for what this machine cannot do.
    """
    there = _stored(spec, verb)

    def choose(name: str, asked: T | None, default: Callable[[], T]) -> T:
        return asked if asked is not None else there.get(name) or default()

    device = choose("device", None if spec.device == "auto" else spec.device, lambda: _device(spec))
    threads = choose("threads", spec.threads if load.threads else None, lambda: _threads(spec, device, load))
    try:
        _check_device(device, spec)
        resolution = generator.resolution if generator else 0
        passes = 0 if load.gradients or not load.threads else units or rows
        name: backend.Name = choose("backend", spec.backend, lambda: _backend(spec, device, passes, resolution))
        if not is_elsewhere(spec):
            backend.resolve(name, device)
    except SpecError as error:
        if there:
            raise OutputDiffers(
                f"{spec.out} was started with options that this machine does not support: {error}"
            ) from error
        raise
    if spec.precision == "bf16" and not is_elsewhere(spec) and backend.bf16_is_slow(device):
        say("Note  --precision bf16: this processor has no instructions for it; --precision fp32 is faster")
    batch_size = choose(
        "batch_size",
        spec.batch_size,
        lambda: backend.default_batch_size(resolution, device, name, load.gradients) if resolution else 1,
    )
    rows_per_shard = choose(
        "rows_per_shard", spec.rows_per_shard, lambda: _cut(rows, device, batch_size, load, fewest, most)
    )
    workers = _workers(spec, device)
    if _cpus_decide(spec, device):
        parts = math.ceil(rows / rows_per_shard) if shards is None else shards
        workers, why = workers_here(load, units or rows, parts, threads, load.worker_bytes(batch_size, resolution))
        if why and not spec.dry_run:
            say(f"Note  {why}")
    return Runtime(device, threads, name, spec.precision, batch_size), rows_per_shard, workers


def spec_facts(
    spec: RunFlags, runtime: Runtime, load: Load = FACES, verb: str | None = None, /, **more: Any
) -> dict[str, Any]:
    """The fields of the stored spec: the verb's own flags and the choices made, nothing on how the run is carried out.

    Jobs without faces have no threads there; those that were begun when they had go on with them, where `verb` is told.
    """
    own = {name: value for name, value in spec.model_dump(mode="json").items() if name not in RUN_FIELDS}
    how = asdict(runtime)
    if runtime.backend == "compiled":
        how["compiled_version"] = backend.COMPILED_VERSION
    if not load.threads and (verb is None or "threads" not in _stored(spec, verb)):
        del how["threads"]
    return {**own, **how, **more}


def _stored(spec: RunFlags, verb: str) -> Mapping[str, Any]:
    """The choices of the first start; none if there was none, or if all is to be made again."""
    stored = None if spec.replace else JobRecords(spec.out, verb).spec()
    return stored["spec"] if stored else {}


def _device(spec: RunFlags) -> str:
    if spec.gpus_per_worker is not None:
        return "cuda" if spec.gpus_per_worker else "cpu"
    if is_elsewhere(spec):
        raise SpecError("whether the cluster's workers have GPUs is not known here: pass --device cuda or --device cpu")
    return "cuda" if torch.cuda.is_available() else "cpu"


def _backend(spec: RunFlags, device: str, passes: int, resolution: int) -> backend.Name:
    """The default of `--backend`: compiled for a long enough job on CPUs, if there is a compiler.

    passes: forward passes of the generator without gradients, in the whole job.
    """
    if device != "cpu" or not resolution or not backend.worth_compiling(passes, resolution):
        return "eager"
    if is_elsewhere(spec):
        why = "this machine cannot tell whether the cluster's workers have a C++ compiler"
    elif not (why := backend.cannot_compile() or backend.cannot_keep_code()):
        say(
            f"Note  --backend compiled: for {passes:,} faces it is worth a minute of compilation on each kind of "
            "machine; --backend eager turns it off"
        )
        return "compiled"
    say(f"Note  --backend eager: compiled would be faster, but {why}; --backend compiled turns it on")
    return "eager"


def _check_device(device: str, spec: RunFlags) -> None:
    if device == "cuda" and not is_elsewhere(spec) and not torch.cuda.is_available():
        raise SpecError("--device cuda: PyTorch sees no GPU on this machine; pass --device cpu")
    if device != "cuda" and spec.precision == "tf32":
        raise SpecError("--precision tf32 needs an NVIDIA GPU; pass --precision fp32")


def is_elsewhere(spec: RunFlags) -> bool:
    """Whether the work is done by the nodes of a cluster that this process only joins."""
    address = spec.address or os.environ.get("RAY_ADDRESS")
    return not spec.local and address not in (None, "", "local")


def _cpus_decide(spec: RunFlags, device: str) -> bool:
    """Whether there are to be as many workers as the CPUs of this machine have room and work for."""
    return device == "cpu" and spec.workers in (None, "auto") and not spec.local and not is_elsewhere(spec)


def _workers(spec: RunFlags, device: str) -> int | None:
    if spec.local:
        return 1
    if spec.workers is not None:
        return None if spec.workers == "auto" else spec.workers
    if is_elsewhere(spec):
        return None  # the workers' machines may have other GPUs than this one
    return max(1, torch.cuda.device_count()) if device == "cuda" else 1


def _threads(spec: RunFlags, device: str, load: Load) -> int:
    """One on the CPUs of this machine: threads of one worker wait for each other, all of them for the one whose core
    other work has. `python -m benchmarks.threads` sets them side by side. One where no face is made, too.

    With --local there is no second worker: networks have all cores (`jobs.__main__` says how they wait). Beside GPUs
    the cores are shared out; workers that come as there is room, or on machines not seen from here, take few each.
    """
    if not load.threads:
        return 1
    if load.alone and device == "cpu" and not is_elsewhere(spec):
        return max(1, cores() // (_workers(spec, device) or 1))
    if is_elsewhere(spec):
        return THREADS_ELSEWHERE
    if device == "cpu":
        return cores() if spec.local else 1
    workers = _workers(spec, device)
    return THREADS_ELSEWHERE if workers is None else max(1, cores() // workers)


def _cut(rows: int, device: str, batch_size: int, load: Load, fewest: int | None, most: Mapping[str, int]) -> int:
    if device == "cuda":
        return max(1, most[device] // batch_size) * batch_size
    return rows_of_a_shard(rows, batch_size, load.start_units if fewest is None else fewest, most[device])
