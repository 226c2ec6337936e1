"""From a planned job to an exit code: the pool it asked for, the run, the last line."""

import dataclasses
import shlex
import sys

from jobs.flags import command_of, say
from jobs.locations import is_in_memory
from jobs.options import RunFlags
from pipeline.engine.job import Job
from pipeline.engine.pool import Pool
from pipeline.engine.run import RunOptions, run
from pipeline.engine.signals import late_signals

INTERRUPTED = 130


def launch(job: Job, workers: int | None, spec: RunFlags) -> int:
    """Run the job; the exit code as docs/promises.md lists them."""
    if is_in_memory(job.out):
        say(f"Note  {job.out} is in the memory of this process: it is lost when the process ends")
    names = (field.name for field in dataclasses.fields(RunOptions))
    options = RunOptions(**{name: getattr(spec, name) for name in names})
    summary = run(job, _pool(spec, workers, job), options, say)
    return summary.exit_code if summary else 0


def run_step(spec: RunFlags) -> int:
    """Run a verb as from the command line, which is printed, so that it can be pasted and resumed alone. The exit code;
    130 also where a signal came too late to interrupt it.
    """
    from jobs.__main__ import main as stylemill

    words = command_of(spec)
    say(f"Step  {shlex.join(['stylemill', *words])}")
    before = late_signals()
    code = stylemill(words)
    return INTERRUPTED if late_signals() > before else code


def command() -> str:
    """The command line of this process, as it could be pasted."""
    return shlex.join(["stylemill", *sys.argv[1:]])


def _pool(spec: RunFlags, workers: int | None, job: Job) -> Pool:
    if spec.local or spec.dry_run:
        from pipeline.engine.local_pool import LocalPool

        return LocalPool()
    from pipeline.engine.ray_pool import RayPool

    gpus = spec.gpus_per_worker if spec.gpus_per_worker is not None else float(job.spec["device"] == "cuda")
    return RayPool(
        workers, cpus=job.spec.get("threads", 1), gpus=gpus, address=spec.address, task_timeout=spec.task_timeout
    )
