"""The steered stage as a verb of the command line: its errors, signals and exit codes are those of any other job.

python -m tests.faults.steered_job --out DIR --orders DIR --rows 64 --rows-per-shard 8 --workers 2 --address HOST:PORT
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from jobs import __main__ as command_line
from jobs.flags import say
from pipeline.engine import print_interval
from pipeline.engine.pool import Pool
from pipeline.engine.run import RunOptions, run
from tests.waiting import LONG

from . import steered
from .steered import AHEAD


def main(argv: Sequence[str]) -> int:
    flags = _flags(argv)
    print_interval.EVERY_SECONDS = print_interval.APART_SECONDS = 1.0
    job = steered.powers(flags.out, flags.orders, flags.rows, flags.rows_per_shard, flags.seed)
    options = RunOptions(limit=flags.limit, replace=flags.replace, retry_rejected=flags.retry_rejected)
    summary = run(job, _pool(flags), options, say)
    return summary.exit_code if summary else 0


def _flags(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--out", "--orders"):
        parser.add_argument(name, required=True)
    for name, default in (("--rows", 64), ("--rows-per-shard", 8), ("--seed", 1), ("--workers", 1), ("--limit", None)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--task-timeout", type=float)
    parser.add_argument("--gpus", type=float, default=0.0)
    parser.add_argument("--address")
    for name in ("--retry-rejected", "--replace", "--local"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args(argv)


def _pool(flags: argparse.Namespace) -> Pool:
    if flags.local:
        from pipeline.engine.local_pool import LocalPool

        return LocalPool()
    from ray import cloudpickle

    from pipeline.engine import head, worker_group
    from pipeline.engine.ray_pool import RayPool

    cloudpickle.register_pickle_by_value(steered)  # Ray's workers cannot import a test's modules
    worker_group.time = Clock(Path(flags.orders, AHEAD))
    head.CONNECT_SECONDS = head.ANSWER_SECONDS = LONG
    return RayPool(flags.workers, 1, flags.gpus, flags.address, flags.task_timeout)


class Clock:
    """In place of `time` where the driver looks at how long a worker takes: ahead by the seconds that a file holds."""

    sleep = staticmethod(time.sleep)

    def __init__(self, ahead: Path) -> None:
        self._ahead = ahead

    def perf_counter(self) -> float:
        ahead = self._ahead.read_text() if self._ahead.exists() else ""
        return time.perf_counter() + float(ahead or 0)


if __name__ == "__main__":
    sys.modules["jobs.powers"] = sys.modules[__name__]
    command_line.VERBS[steered.VERB] = "squares and cubes"
    command_line.end(command_line.main([steered.VERB, *sys.argv[1:]]))
