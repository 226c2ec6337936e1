"""One run's work: the shards given out, what became of them, and the books and tables opened and closed for it."""

from collections.abc import Callable
from copy import copy

from pipeline.engine.attempt import Outputs
from pipeline.engine.books import Books
from pipeline.engine.derive import derive, lacking
from pipeline.engine.job import Job
from pipeline.engine.journal import ERROR, PUBLISHED, Attempt
from pipeline.engine.outcome import Outcome
from pipeline.engine.plan import HALF_TAKEN_UP, OVERWRITTEN, Plan
from pipeline.engine.stage import Task
from pipeline.errors import Busy, Fenced, StoreError
from pipeline.tables import store


class Work:
    """`done` and `failed` by shard over the whole job, `ran` in this run; `rows`: how many of one to compute now.

    `lacking`: names of the derived outputs that are not there, as far as is known: all, until `derive` has made them.
    """

    def __init__(self, job: Job, books: Books, outputs: Outputs, plan: Plan) -> None:
        self.books, self.outputs = books, outputs
        self.done, self.failed, self.ran = dict(plan.done), dict[int, Outcome](), list[Outcome]()
        self.rows: dict[int, int] = {}
        self.lacking = [one.name for one in job.derived]
        self._job, self._plan = job, plan
        self._doubtful: set[int] = set()

    def begin(self, limit: int | None) -> list[Task]:
        """The tasks of this run. From now on the tables are not complete, and what a kill leaves half done is known."""
        plan = self._plan
        tasks = list(plan.remaining[:limit])
        given = {task.shard for task in tasks}
        self.done |= {shard: outcome for shard, outcome in plan.again.items() if shard not in given}
        self.rows = {task.shard: plan.again[task.shard].rejected if task.again else task.rows for task in tasks}
        before = self.books.suspects()
        suspects = {shard: why for shard, why in before.items() if shard not in self.done}
        suspects |= dict.fromkeys(given & plan.again.keys(), HALF_TAKEN_UP)
        if suspects != before:
            self.books.set_suspects(suspects)
        if tasks:
            for name, table in self.outputs.all.items():
                table.unseal()
                table.sweep(plan.hidden[name])
            for one in self._job.derived:
                if one.reads:
                    one.unseal(self.books)
        return tasks

    def journal(self, attempt: Attempt) -> None:
        """Keep a line about an attempt, and in mind that one whose worker was lost may yet publish."""
        self.books.journal(attempt)
        if attempt.end not in (PUBLISHED, ERROR):
            self._doubtful.add(attempt.shard)

    def record(self, outcome: Outcome) -> None:
        """Put an outcome on the books.

        Raises:
            Busy: it comes of a worker that found another driver's lease.
        """
        if outcome.fenced:
            self._hold()
        self.books.record(outcome)
        self.ran.append(outcome)
        (self.done if outcome.ok else self.failed)[outcome.shard] = outcome

    def end(self, say: Callable[[str], None]) -> None:
        """Close the books; a store that refuses is said, and costs only the reading of parts at the next start.

        Raises:
            Busy: the lease is another driver's: the books are its own now, and are left alone.
        """
        self._hold()
        made = {outcome.shard for outcome in self.ran if outcome.ok}
        try:
            self.books.flush()
            self.books.set_suspects({shard: why for shard, why in self.books.suspects().items() if shard not in made})
            self.books.compact({**self._plan.records, **self.failed, **self.done})
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
            copy(table).seal(records, facts, self._job.fingerprint, found)  # it goes, and its large manifest with it
        if self.outputs.checkpoints is not None:
            self.outputs.checkpoints.clear()

    def derive(self, say: Callable[[str], None]) -> None:
        """Where all is sealed: make the derived outputs that are lacking. Raises as `pipeline.engine.derive.derive`."""
        if len(self.done) < len(self._job.tasks):
            return
        try:
            derive(self._job, self._hold, say)
        finally:
            self.lacking = [one.name for one in lacking(self._job)]

    def _check_doubtful(self) -> None:
        """A worker that was given up may have published after the one that took its place: on another processor other
        bytes. The parts of such shards are read again."""
        overwritten = {shard for shard in self._doubtful & self.done.keys() if self._differs(self.done[shard])}
        if overwritten:
            self.books.set_suspects({**self.books.suspects(), **dict.fromkeys(overwritten, OVERWRITTEN)})
            raise StoreError(
                f"{len(overwritten)} shards were overwritten by workers that had been given up (the first: shard "
                f"{min(overwritten)}); the same command makes them again"
            )

    def _differs(self, outcome: Outcome) -> bool:
        parts = outcome.parts
        return any(table.sha256_of(parts[name]) != parts[name].sha256 for name, table in self.outputs.all.items())

    def _hold(self) -> None:
        try:
            if self.outputs.fence:
                self.outputs.fence.check()
        except Fenced as fenced:
            raise Busy(f"the lease of this driver is lost, nothing more is written: {fenced}") from fenced
        except StoreError:
            return  # it cannot be seen now whose it is: as far as is known, ours
