"""The run of a job, as a story: agree on the spec, plan, work, seal, sum up."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from pipeline.engine.adopt import adopt
from pipeline.engine.attempt import REJECTS, Outputs
from pipeline.engine.books import Books
from pipeline.engine.fingerprint import differences
from pipeline.engine.job import Job
from pipeline.engine.lease import Lease
from pipeline.engine.outcome import Outcome
from pipeline.engine.owner import check, claim, disown
from pipeline.engine.plan import Plan, make_plan
from pipeline.engine.pool import Pool
from pipeline.engine.progress import Progress
from pipeline.engine.summary import Summary, summarise
from pipeline.errors import OutputDiffers
from pipeline.tables import Table, store

Say = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """How a run goes about it; none of these decides a row. `limit` is in shards."""

    dry_run: bool = False
    limit: int | None = None
    replace: bool = False
    max_rejects: int | None = None


def run(job: Job, pool: Pool, options: RunOptions, say: Say) -> Summary | None:
    """Run a job to its sealed tables, or as far as it gets. None after a dry run.

    Raises:
        OutputDiffers: the output holds another job's rows.
        Busy: another driver is at work on it.
        StylemillError: a worker cannot open its models, or the store refuses.
    """
    books = Books(job.out, job.verb)
    _check_spec(job, books, options)
    if options.dry_run:
        _say_plan(job, _dry_plan(job, books, options), say)
        return None
    pool.prepare()
    with Lease(books.lease_url) as lease:
        _check_spec(job, books, options)
        outputs = job.outputs()
        plan = _start(job, books, outputs, options, say)
        _say_plan(job, plan, say)
        return _work(job, books, outputs, plan, pool, options, lease, say)


# -- agree ------------------------------------------------------------------------------------------------------------


def _check_spec(job: Job, books: Books, options: RunOptions) -> None:
    """Raise OutputDiffers where rows of another spec are there already; a start that made none does not count."""
    stored = books.spec()
    if stored is None or options.replace or stored["fingerprint"] == job.fingerprint or not _begun(job, books):
        return
    facts = {**stored["spec"], **stored["resolved"], "stage": stored["stage"], "stage_version": stored["stage_version"]}
    raise OutputDiffers(
        f"{job.out} was made from another spec ({'; '.join(differences(facts, job.facts))}); "
        "choose another --out, ask for what is there, or pass --replace to make it anew"
    )


def _begun(job: Job, books: Books) -> bool:
    return bool(books.outcomes()) or any(Table(table.url).parts() for table in job.outputs().all.values())


def _dry_plan(job: Job, books: Books, options: RunOptions) -> Plan:
    stored, outputs = books.spec(), job.outputs()
    if stored is None or stored["fingerprint"] != job.fingerprint:
        if not options.replace:
            check(outputs.all.values(), job.verb, job.fingerprint)
        return make_plan(job.tasks, outputs, {}, fresh=True)
    return make_plan(job.tasks, outputs, books.outcomes(), books.damaged())


def _start(job: Job, books: Books, outputs: Outputs, options: RunOptions, say: Say) -> Plan:
    """Store the spec at the first start, put the job's name on its tables, take stock."""
    stored = books.spec()
    if stored is not None and stored["fingerprint"] != job.fingerprint:
        _clear(job, books, stored["tables"])
        stored = None
    if stored is None:
        if options.replace:
            _clear(job, books, outputs.all)
        check(outputs.all.values(), job.verb, job.fingerprint)
        books.create_spec(job.record())
    elif versions := differences(stored["versions"], job.versions):
        say(f"Note  package versions differ from the first start: {'; '.join(versions)}: bytes may differ")
    claim(outputs.all.values(), job.verb, job.fingerprint)
    outcomes = books.outcomes()
    books.compact(outcomes)
    plan = make_plan(job.tasks, outputs, outcomes, books.damaged())
    if plan.unrecorded:
        for outcome in adopt(plan.unrecorded, outputs):
            books.record(outcome)
        books.flush()
        plan = make_plan(job.tasks, outputs, books.outcomes(), books.damaged())
    if plan.remaining:
        for table in outputs.all.values():
            table.unseal()
            table.sweep()
    return plan


def _clear(job: Job, books: Books, names: Iterable[str]) -> None:
    """Delete the tables of an earlier spec, also those that the new one does not have, and its books."""
    for name in names:
        where = ("rejects", job.verb) if name == REJECTS else (name,)
        disown(Table(store.join(job.out, *where)))
    books.forget()


# -- work -------------------------------------------------------------------------------------------------------------


def _work(
    job: Job, books: Books, outputs: Outputs, plan: Plan, pool: Pool, options: RunOptions, lease: Lease, say: Say
) -> Summary:
    started = time.perf_counter()
    tasks = list(plan.remaining if options.limit is None else plan.remaining[: options.limit])
    rows_of = {task.shard: task.rows for task in tasks}
    done, failed, ran = dict(plan.done), dict[int, Outcome](), list[Outcome]()
    interrupted = False
    try:
        with _stop_signals(), closing(pool.map(job.stage, tasks, outputs)) if tasks else nullcontext(()) as outcomes:
            rows_left = sum(rows_of.values())
            with Progress(len(job.tasks), len(done), rows_left, pool.workers) as progress:
                for outcome in outcomes:
                    books.record(outcome)
                    ran.append(outcome)
                    (done if outcome.ok else failed)[outcome.shard] = outcome
                    progress.add(outcome, rows_of[outcome.shard], pool)
                    if outcome.halt:
                        break
                    lease.check()
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    finally:
        books.flush()
        books.set_damaged(books.damaged() - {outcome.shard for outcome in ran if outcome.ok})
    books.compact({**failed, **done})
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
        startup_seconds=pool.opened_at - started if pool.opened_at else 0.0,
        max_rejects=options.max_rejects,
        interrupted=interrupted,
    )
    if tasks or books.summary() is None:  # else the last run that did something stays on record
        books.write_summary({**summary.facts(), "weights": [dict(weight) for weight in job.weights]})
    _say_end(summary, failed, say)
    return summary


def _seal(job: Job, outputs: Outputs, done: dict[int, Outcome]) -> None:
    """All tables together, their manifests last; a table that is sealed already stays as it is."""
    facts: dict[str, Any] = {"verb": job.verb, "spec": dict(job.spec), "resolved": dict(job.resolved)}
    for name, table in outputs.all.items():
        if table.manifest() is None:
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
