"""One run's work: the shards given out, what became of them, and the job's records and tables, updated for it."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace

from pipeline.engine.attempt import Outputs
from pipeline.engine.derive import derive, lacking
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.journal import ERROR, PUBLISHED, Attempt
from pipeline.engine.outcome import Outcome, merge_counters
from pipeline.engine.plan import HALF_RETRIED, OVERWRITTEN, Plan
from pipeline.engine.stage import Task
from pipeline.errors import Busy, LeaseLost, StoreError
from pipeline.tables import store


class Work:
    """`done` and `failed` by shard over the whole job, `ran` in this run; `rows`: how many of one to compute now.

    Where a shard's rejected rows alone are tried again, `done` counts its other rows too, `ran` does not.
    `lacking`: names of the derived outputs that are not there, as far as is known: all, until `derive` has made them.
    """

    def __init__(self, job: Job, job_records: JobRecords, outputs: Outputs, plan: Plan) -> None:
        self.job_records, self.outputs = job_records, outputs
        self.done, self.failed, self.ran = dict(plan.done), dict[int, Outcome](), list[Outcome]()
        self.rows: dict[int, int] = {}
        self.lacking = [one.name for one in job.derived]
        self._job, self._plan = job, plan
        self._doubtful: set[int] = set()
        self._retried: dict[int, Outcome] = {}

    def begin(self, limit: int | None) -> list[Task]:
        """The tasks of this run. From now on the tables are not complete, and what a kill leaves half done is known."""
        plan = self._plan
        tasks = list(plan.remaining[:limit])
        given = {task.shard for task in tasks}
        self.done |= {shard: outcome for shard, outcome in plan.again.items() if shard not in given}
        self.rows = {task.shard: plan.again[task.shard].rejected if task.again else task.rows for task in tasks}
        self._retried = {task.shard: plan.again[task.shard] for task in tasks if task.again}
        before = self.job_records.suspects()
        suspects = {shard: why for shard, why in before.items() if shard not in self.done}
        suspects |= dict.fromkeys(given & plan.again.keys(), HALF_RETRIED)
        if suspects != before:
            self.job_records.set_suspects(suspects)
        if tasks:
            for name, table in self.outputs.all.items():
                table.unseal()
                table.sweep(plan.hidden[name])
            for one in self._job.derived:
                if one.reads:
                    one.unseal(self.job_records)
        return tasks

    def journal(self, attempt: Attempt) -> None:
        """Keep a line about an attempt, and note a lost worker's shard: that worker may still publish."""
        self.job_records.journal(attempt)
        if attempt.end not in (PUBLISHED, ERROR):
            self._doubtful.add(attempt.shard)

    def record(self, outcome: Outcome) -> None:
        """Record an outcome.

        Raises:
            Busy: it comes of a worker that found another driver's lease.
        """
        if outcome.lease_lost:
            self._check_lease()
        self.ran.append(outcome)
        if outcome.ok and outcome.shard in self._retried:
            counters = dict(self._retried[outcome.shard].counters)
            merge_counters(counters, outcome.counters)
            outcome = replace(outcome, counters=counters)
        self.job_records.record(outcome)
        (self.done if outcome.ok else self.failed)[outcome.shard] = outcome

    def end(self, say: Callable[[str], None]) -> None:
        """Write the records. If the store fails, say so: the next start then reads the parts instead.

        Raises:
            Busy: the lease is another driver's: the records are its own now, and are left alone.
        """
        self._check_lease()
        made = {outcome.shard for outcome in self.ran if outcome.ok}
        try:
            self.job_records.flush()
            self.job_records.set_suspects(
                {shard: why for shard, why in self.job_records.suspects().items() if shard not in made}
            )
            self.job_records.compact({**self._plan.records, **self.failed, **self.done})
        except StoreError as error:
            say(f"Note  {error} (shards without a record are recognised by their parts)")

    def seal(self) -> None:
        """Where all is done: all tables together, their manifests last; a table that is sealed already stays as it is.

        Raises:
            StoreError: a part is missing or is not the one on record.
        """
        tasks = self._job.tasks
        if len(self.done) < len(tasks):
            return
        self._check_doubtful()
        unsealed = {name: table for name, table in self.outputs.all.items() if not table.sealed}
        listings = store.list_many([table.url for table in unsealed.values()])
        for (name, table), found in zip(unsealed.items(), listings, strict=True):
            records = [self.done[task.shard].parts[name] for task in tasks]
            facts = self._job.facts_of(name)
            copy(table).seal(
                records, facts, self._job.fingerprint, found
            )  # a copy, so that its large manifest is freed
        if self.outputs.checkpoints is not None:
            self.outputs.checkpoints.clear()

    def derive(self, say: Callable[[str], None]) -> None:
        """Where all is sealed: make the derived outputs that are lacking. Raises as `pipeline.engine.derive.derive`."""
        if len(self.done) < len(self._job.tasks):
            return
        try:
            derive(self._job, self._check_lease, say)
        finally:
            self.lacking = [one.name for one in lacking(self._job)]

    def _check_doubtful(self) -> None:
        """A worker that was given up may have published after its replacement, and on another processor that is other
        bytes. The parts of such shards are read again."""
        overwritten = {shard for shard in self._doubtful & self.done.keys() if self._differs(self.done[shard])}
        if overwritten:
            self.job_records.set_suspects({**self.job_records.suspects(), **dict.fromkeys(overwritten, OVERWRITTEN)})
            raise StoreError(
                f"{len(overwritten)} shards were overwritten by workers that had been given up (the first: shard "
                f"{min(overwritten)}); the same command makes them again"
            )

    def _differs(self, outcome: Outcome) -> bool:
        parts = outcome.parts
        return any(table.sha256_of(parts[name]) != parts[name].sha256 for name, table in self.outputs.all.items())

    def _check_lease(self) -> None:
        try:
            if self.outputs.lease_check:
                self.outputs.lease_check.check()
        except LeaseLost as lease_lost:
            raise Busy(f"the lease of this driver is lost, nothing more is written: {lease_lost}") from lease_lost
        except StoreError:
            return  # unknown now; taken to be ours
