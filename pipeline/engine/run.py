"""Run a job: check the spec, plan, do the work, seal the tables, make what is derived from them, write the summary."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pipeline.engine.attempt import Outputs
from pipeline.engine.derive import lacking
from pipeline.engine.estimate import estimate
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease
from pipeline.engine.lease_check import LeaseCheck
from pipeline.engine.outcome import Outcome
from pipeline.engine.plan import Plan, retry_rejected
from pipeline.engine.pool import Pool
from pipeline.engine.prepare import check_spec, plan_job, prepare_outputs
from pipeline.engine.progress import Progress
from pipeline.engine.signals import count_signals, handle_sigterm, preserve_signal_handlers
from pipeline.engine.stage import Task
from pipeline.engine.summary import Summary, summarise
from pipeline.engine.work import Work
from pipeline.errors import Busy, StoreError, StylemillError

Say = Callable[[str], None]
_End: TypeAlias = tuple[bool, StylemillError | None]
"""Whether a part of a run was interrupted, and the error that ended it early, if any."""


@dataclass(frozen=True)
class RunOptions:
    """The options of a run; none of them changes a row. `limit` is in shards; `estimate` runs one shard to estimate."""

    dry_run: bool = False
    limit: int | None = None
    replace: bool = False
    max_rejects: int | None = None
    retry_rejected: bool = False
    estimate: bool = False


def run(job: Job, pool: Pool, options: RunOptions, say: Say) -> Summary | None:
    """Run a job until its tables are sealed, or as far as possible, and close the pool. None after a dry run.

    SIGINT or SIGTERM ends the work; the run is then summed up with exit code 130. Signals that come after the summary
    was made are only counted (`late_signals`), up to the third, which raises KeyboardInterrupt to end what hangs.

    Raises:
        KeyboardInterrupt: at the third late signal.
        OutputDiffers: the output holds another job's rows.
        Busy: another driver is running the job.
        StylemillError: a worker cannot open its models, or the store fails.
    """
    job_records = JobRecords(job.out, job.verb)
    check_spec(job, job_records, options.replace)
    if options.dry_run:
        _say_plan(job, _plan(job, job_records, job.outputs(), options), say, foresee=True)
        return None
    with preserve_signal_handlers(), closing(pool):
        handle_sigterm()
        with Lease(job_records.lease_url) as lease:
            check_spec(job, job_records, options.replace)
            outputs = replace(job.outputs(), lease_check=LeaseCheck(lease.url, lease.token))
            plan = _plan(job, job_records, outputs, options)
            if plan.remaining:
                pool.prepare()  # before anything is cleared, so that nothing is lost if the cluster cannot do the work
                handle_sigterm()  # again, because Ray sets a handler of its own when it is joined
            plan = prepare_outputs(job, job_records, outputs, options.replace, plan, say)
            if options.retry_rejected:
                plan = retry_rejected(plan)
            _say_plan(job, plan, say)
            return _work(job, Work(job, job_records, outputs, plan), pool, options, lease, say)


def _plan(job: Job, job_records: JobRecords, outputs: Outputs, options: RunOptions) -> Plan:
    plan = plan_job(job, job_records, outputs, options.replace)
    return retry_rejected(plan) if options.retry_rejected else plan


# -- work -------------------------------------------------------------------------------------------------------------


def _work(job: Job, work: Work, pool: Pool, options: RunOptions, lease: Lease, say: Say) -> Summary:
    started = time.perf_counter()
    tasks = work.begin(1 if options.estimate else options.limit)
    interrupted, error = _compute(job, work, pool, tasks, lease, say)
    if error is None:
        interrupted, error = _complete(work, interrupted, say)
    summary = summarise(
        verb=job.verb,
        fingerprint=job.fingerprint,
        table=job.main_table,
        tasks=job.tasks,
        work=work.rows,
        done=work.done,
        failed=work.failed,
        ran=work.ran,
        seconds=time.perf_counter() - started,
        workers=pool.workers,
        workers_lost=pool.lost,
        nodes_lost=pool.lost_nodes,
        startup_seconds=pool.opened_at - started if pool.opened_at else 0.0,
        max_rejects=options.max_rejects,
        interrupted=interrupted,
        lacking=work.lacking,
        error=error,
        unit=job.unit,
    )
    count_signals()
    if options.estimate:
        for line in estimate(work.ran[0] if work.ran else None, sum(work.rows.values()), summary, pool.expected):
            say(line)
    _say_end(job, summary, work.failed, say)
    last = _last_summary(work.job_records)
    # where nothing ran, the last summary stays; but there may be parts whose driver died before it recorded them
    before = (last.get("shards_done"), last.get("lacking", []))
    if tasks or error or before != (summary.shards_done, list(summary.lacking)):
        work.job_records.write_summary({**summary.facts(), "weights": [dict(weight) for weight in job.weights]})
    if error is not None:
        raise error
    return summary


def _compute(job: Job, work: Work, pool: Pool, tasks: Sequence[Task], lease: Lease, say: Say) -> _End:
    """Run the tasks, then end the work: its records are written."""
    interrupted, error = False, None
    try:
        with (
            closing(pool.map(job.stage, tasks, work.outputs, work.journal)) if tasks else nullcontext(()) as outcomes,
            _progress(job, work, pool) as progress,
        ):
            for outcome in outcomes:
                work.record(outcome)
                progress.add(outcome, work.rows[outcome.shard])
                if outcome.halt:
                    break
                lease.check()
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    except Busy:
        raise  # the output belongs to another driver now
    except StylemillError as raised:
        error = raised
    except Exception:
        work.end(say)
        raise
    work.end(say)
    return interrupted, error


def _complete(work: Work, interrupted: bool, say: Say) -> _End:
    """If all rows are there, seal the tables and make what is derived from them."""
    try:
        work.seal()
        if not interrupted:
            work.derive(say)
    except (KeyboardInterrupt, SystemExit):
        return True, None
    except Busy:
        raise
    except StylemillError as raised:
        return interrupted, raised
    return interrupted, None


def _progress(job: Job, work: Work, pool: Pool) -> Progress:
    rows = {task.shard: task.rows for task in job.tasks}
    kept = sum(rows[shard] - count for shard, count in work.rows.items())  # rows not to be computed again
    return Progress(
        pool,
        shards=len(rows),
        rows=sum(rows.values()),
        shards_done=len(work.done),
        rows_done=sum(rows[shard] for shard in work.done) + kept,
        rows_left=sum(work.rows.values()),
        unit=job.unit,
    )


def _last_summary(job_records: JobRecords) -> Mapping[str, Any]:
    """The summary of the run before; empty if there is none, or if it is damaged (it is then written again)."""
    try:
        return job_records.summary() or {}
    except StoreError:
        return {}


# -- say --------------------------------------------------------------------------------------------------------------


def _say_plan(job: Job, plan: Plan, say: Say, foresee: bool = False) -> None:
    """`foresee`: name the derived outputs that are still to be made, even if there are rows to compute first."""
    say(f"Plan  {job.verb} -> {job.out}   fingerprint {job.fingerprint[:6]}")
    say(f"      {plan}")
    if (foresee or not plan.remaining) and (names := [one.name for one in lacking(job)]):
        say(f"      still to make: {', '.join(names)}")


def _say_end(job: Job, summary: Summary, failed: dict[int, Outcome], say: Say) -> None:
    for shard, outcome in sorted(failed.items())[:3]:
        what = f"shard {shard}" if job.unit == "rows" else "the training"
        say(f"Fail  {what} after {outcome.attempts} attempts: {outcome.error}")
    if summary.exit_code == 130:
        safe = f"{summary.shards_done:,} shards are safe" if job.unit == "rows" else "the last checkpoint is safe"
        say(f"Stop  interrupted: {safe}; the same command continues")
    elif summary.not_run or summary.failed or summary.lacking:
        say("      the same command runs what is left")
    if summary.rejected and not summary.published:
        say(f"Note  not one row was published, all were rejected; each with its reason: {job.outputs().rejects.url}")
    say(str(summary))
