"""The run of a job, as a story: agree on the spec, plan, work, seal, sum up."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from pipeline.engine.agree import check_spec, settle_in, take_stock
from pipeline.engine.attempt import Outputs
from pipeline.engine.books import Books
from pipeline.engine.estimate import estimate
from pipeline.engine.fence import Fence
from pipeline.engine.job import Job
from pipeline.engine.lease import Lease
from pipeline.engine.outcome import Outcome
from pipeline.engine.plan import HALF_TAKEN_UP, Plan, take_up_rejected
from pipeline.engine.pool import Pool
from pipeline.engine.progress import Progress
from pipeline.engine.summary import Summary, summarise
from pipeline.errors import StoreError

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes about it; none of these decides a row. `limit` is in shards; `calibrate` runs one and tells."""

    dry_run: bool = False
    limit: int | None = None
    replace: bool = False
    max_rejects: int | None = None
    retry_rejected: bool = False
    calibrate: bool = False


def run(job: Job, pool: Pool, options: RunOptions, say: Say) -> Summary | None:
    """Run a job to its sealed tables, or as far as it gets. None after a dry run.

    Raises:
        OutputDiffers: the output holds another job's rows.
        Busy: another driver is at work on it.
        StylemillError: a worker cannot open its models, or the store refuses.
    """
    books = Books(job.out, job.verb)
    check_spec(job, books, options.replace)
    if options.dry_run:
        _say_plan(job, _plan(job, books, job.outputs(), options), say)
        return None
    with Lease(books.lease_url) as lease:
        check_spec(job, books, options.replace)
        outputs = replace(job.outputs(), fence=Fence(lease.url, lease.token))
        plan = _plan(job, books, outputs, options)
        if plan.remaining:
            pool.prepare()  # before anything is cleared: a cluster that cannot do it costs nothing
        with _stop_signals():  # from here on, since Ray puts a handler of its own in place when it is joined
            plan = settle_in(job, books, outputs, options.replace, plan, say)
            if options.retry_rejected:
                plan = take_up_rejected(plan, outputs)
            _say_plan(job, plan, say)
            return _work(job, books, outputs, plan, pool, options, lease, say)


def _plan(job: Job, books: Books, outputs: Outputs, options: RunOptions) -> Plan:
    plan = take_stock(job, books, outputs, options.replace)
    return take_up_rejected(plan, outputs) if options.retry_rejected else plan


# -- work -------------------------------------------------------------------------------------------------------------


def _work(
    job: Job, books: Books, outputs: Outputs, plan: Plan, pool: Pool, options: RunOptions, lease: Lease, say: Say
) -> Summary:
    started = time.perf_counter()
    tasks = list(plan.remaining[: 1 if options.calibrate else options.limit])
    rows_of = {task.shard: task.rows for task in tasks}
    done, failed, ran = dict(plan.done), dict[int, Outcome](), list[Outcome]()
    interrupted = False
    if tasks:
        _open_tables(books, outputs, plan)
    try:
        with (
            closing(pool.map(job.stage, tasks, outputs, books.journal)) if tasks else nullcontext(()) as outcomes,
            Progress(len(job.tasks), len(done), sum(rows_of.values()), pool) as progress,
        ):
            for outcome in outcomes:
                books.record(outcome)
                ran.append(outcome)
                (done if outcome.ok else failed)[outcome.shard] = outcome
                progress.add(outcome, rows_of[outcome.shard])
                if outcome.halt:
                    break
                lease.check()
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    finally:
        _close_books(books, {**plan.records, **failed, **done}, {outcome.shard for outcome in ran if outcome.ok}, say)
    if len(done) == len(job.tasks):
        _seal(job, outputs, done)
    summary = summarise(
        verb=job.verb,
        fingerprint=job.fingerprint,
        table=job.main_table,
        tasks=job.tasks,
        done=done,
        failed=failed,
        ran=ran,
        seconds=time.perf_counter() - started,
        workers=pool.workers,
        workers_lost=pool.lost,
        nodes_lost=pool.lost_nodes,
        startup_seconds=pool.opened_at - started if pool.opened_at else 0.0,
        max_rejects=options.max_rejects,
        interrupted=interrupted,
    )
    if options.calibrate:
        for line in estimate(ran[0] if ran else None, sum(rows_of.values()), summary):
            say(line)
    _say_end(summary, failed, say)
    if tasks or books.summary() is None:  # else the last run that did something stays on record
        books.write_summary({**summary.facts(), "weights": [dict(weight) for weight in job.weights]})
    return summary


def _open_tables(books: Books, outputs: Outputs, plan: Plan) -> None:
    """From here on the tables are not complete; what a kill leaves half done is on the books beforehand."""
    for table in outputs.all.values():
        table.unseal()
        table.sweep()
    if half := {task.shard: HALF_TAKEN_UP for task in plan.remaining if task.only is not None}:
        books.set_suspects({**books.suspects(), **half})


def _close_books(books: Books, records: Mapping[int, Outcome], made: Set[int], say: Say) -> None:
    """Write what is known; a store that refuses is said, and costs only the reading of parts at the next start."""
    try:
        books.flush()
        books.set_suspects({shard: why for shard, why in books.suspects().items() if shard not in made})
        books.compact(records)
    except StoreError as error:
        say(f"Note  {error} (shards without a record are recognised by their parts)")


def _seal(job: Job, outputs: Outputs, done: dict[int, Outcome]) -> None:
    """All tables together, their manifests last; a table that is sealed already stays as it is."""
    facts: dict[str, Any] = {"verb": job.verb, "spec": dict(job.spec), "resolved": dict(job.resolved)}
    for name, table in outputs.all.items():
        if not table.sealed:
            table.seal([done[task.shard].parts[name] for task in job.tasks], facts, job.fingerprint)


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: outcomes kept, summary written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# -- say --------------------------------------------------------------------------------------------------------------


def _say_plan(job: Job, plan: Plan, say: Say) -> None:
    say(f"Plan  {job.verb} -> {job.out}   fingerprint {job.fingerprint[:6]}")
    say(f"      {plan}")


def _say_end(summary: Summary, failed: dict[int, Outcome], say: Say) -> None:
    for shard, outcome in sorted(failed.items())[:3]:
        say(f"Fail  shard {shard} after {outcome.attempts} attempts: {outcome.error}")
    if summary.exit_code == 130:
        say(f"Stop  interrupted: {summary.shards_done:,} shards are safe; the same command continues")
    elif summary.not_run or summary.failed:
        say("      the same command runs what is left")
    say(str(summary))
