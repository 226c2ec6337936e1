"""The run of a job, as a story: agree on the spec, plan, work, seal, sum up."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from pipeline.engine.adopt import adopt
from pipeline.engine.attempt import Outputs
from pipeline.engine.books import Books
from pipeline.engine.fingerprint import differences
from pipeline.engine.job import Job
from pipeline.engine.lease import Lease
from pipeline.engine.outcome import Outcome
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
    _check_spec(job, books, options, say)
    if options.dry_run:
        _say_plan(job, _plan(job, books, job.outputs(), options), say)
        return None
    with Lease(books.lease_url):
        outputs = job.outputs()
        plan = _start(job, books, outputs, options, say)
        _say_plan(job, plan, say)
        return _work(job, books, outputs, plan, pool, options, say)


# -- agree ------------------------------------------------------------------------------------------------------------


def _check_spec(job: Job, books: Books, options: RunOptions, say: Say) -> None:
    stored = books.spec()
    if stored is None or options.replace:
        return
    facts = {**stored["spec"], **stored["resolved"], "stage": stored["stage"], "stage_version": stored["stage_version"]}
    changed = differences(facts, job.facts)
    if changed:
        raise OutputDiffers(
            f"{job.out} was made from another spec ({'; '.join(changed)}); "
            "choose another --out, ask for what is there, or pass --replace to make it anew"
        )
    versions = differences(stored["versions"], job.versions)
    if versions:
        say(f"Note  package versions differ from the first start: {'; '.join(versions)}: bytes may differ")


def _plan(job: Job, books: Books, outputs: Outputs, options: RunOptions) -> Plan:
    if options.replace:
        return make_plan(job.tasks, outputs, {}, fresh=True)
    if books.spec() is None:
        _refuse_foreign(job, outputs)
    return make_plan(job.tasks, outputs, books.outcomes(), books.damaged())


def _start(job: Job, books: Books, outputs: Outputs, options: RunOptions, say: Say) -> Plan:
    if options.replace:
        books.forget()
        for table in outputs.all.values():
            table.clear()
    if books.spec() is None:
        _refuse_foreign(job, outputs)
        books.create_spec(job.record())
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
            store.make_directory(table.url)
            table.unseal()
            table.sweep()
    return plan


def _refuse_foreign(job: Job, outputs: Outputs) -> None:
    for name, table in outputs.all.items():
        if Table(table.url).parts():
            raise OutputDiffers(
                f"{table.url} holds parts that no '{job.verb}' job on {job.out} made; "
                f"choose another --out, or pass --replace to delete table {name} and make it anew"
            )


# -- work -------------------------------------------------------------------------------------------------------------


def _work(job: Job, books: Books, outputs: Outputs, plan: Plan, pool: Pool, options: RunOptions, say: Say) -> Summary:
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
    except (KeyboardInterrupt, SystemExit):
        interrupted = True
    finally:
        books.flush()
        books.set_damaged(books.damaged() - {outcome.shard for outcome in ran if outcome.ok})
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
