"""How many workers a job gets on the CPUs of this machine, and why not more: cores, memory, and what there is to do."""

import math
from dataclasses import dataclass

from pipeline.engine.machine import cores, free_memory

GB = 1e9
DRIVER_BYTES = 1.5 * GB
"""For this process, Ray's processes and other programs."""

SHARDS = 16
"""So many shards at least, where a shard is worth it: enough to keep 16 workers busy, and to lose little with one."""


@dataclass(frozen=True)
class Load:
    """What a job takes of a CPU worker.

    open_bytes: of memory, with the models open. row_bytes: more for each row of a micro-batch at 1024 px.
    start_units: of work (rows, faces made, codes moved, or fits) that one thread does in some five seconds: fewer do
    not pay for a further worker, which makes the start two seconds longer (benchmarks/results/overhead.md).
    gradients: whether features are kept for a pass back.
    threads: whether more than one helps: their number decides bytes then, since sums are split by it. Where none does,
    there is always one, whatever --threads says. alone: whether the job is one task, whose worker has all cores.
    """

    open_bytes: float
    row_bytes: float
    start_units: int
    gradients: bool = False
    threads: bool = True
    alone: bool = False

    def worker_bytes(self, batch_size: int, resolution: int) -> float:
        """At most, about, for micro-batches of that many rows of a generator of that many pixels a side."""
        return self.open_bytes + self.row_bytes * batch_size * (resolution / 1024) ** 2


def rows_of_a_shard(rows: int, batch_size: int, fewest: int, most: int) -> int:
    """How `rows` are cut: a sixteenth of them as a power of two, from `fewest` to `most`, in whole micro-batches.

    It depends on the job alone and on no machine: the same command makes the same parts everywhere.
    """
    share = 2 ** int(math.log2(max(1, rows // SHARDS)))
    return max(1, min(most, max(fewest, share)) // batch_size) * batch_size


def workers_here(load: Load, units: int, shards: int, threads: int, worker_bytes: float) -> tuple[int, str]:
    """(workers, why they are fewer than the cores have room for, or nothing)."""
    have, free = cores(), free_memory()
    room = max(1, have // threads)
    limits = [
        (
            max(1, shards),
            f"the job has {_count(shards, 'shard')}",
        ),
        (
            max(1, math.ceil(units / load.start_units)),
            "the work is done before another would have its models open",
        ),
        (
            max(1, int((free - DRIVER_BYTES) / worker_bytes)),
            f"{free / GB:.1f} GB of memory are free, and each may take {worker_bytes / GB:.1f} GB "
            "(--workers N overrides it)",
        ),
    ]
    fewest, why = min(limits, key=lambda limit: limit[0])
    if fewest >= room:
        return room, ""
    return fewest, f"{_count(fewest, 'worker')} of {_count(threads, 'thread')} on {_count(have, 'core')}: {why}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
