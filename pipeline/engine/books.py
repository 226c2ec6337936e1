"""The bookkeeping of one job, in DIR/.stylemill/VERB: spec, outcomes, lease, summary.

A dot folder, because readers of Parquet open every other file below a table. Outcomes are flushed in batches, each
flush one small file named RUN-FLUSH, so that a later line about a shard always sorts after an earlier one.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.engine.outcome import Outcome
from pipeline.errors import StoreError
from pipeline.tables import store

FLUSH_SECONDS = 2.0
FLUSH_OUTCOMES = 100


class Books:
    """Read and write the records of job `verb` on directory URL `out`."""

    def __init__(self, out: str, verb: str) -> None:
        self.url = store.join(out, ".stylemill", verb)
        self.lease_url = store.join(self.url, "lease.json")
        self._outcomes_url = store.join(self.url, "outcomes")
        self._pending: list[Outcome] = []
        self._flushed_at = time.monotonic()
        self._run: int | None = None
        self._flushes = 0

    # -- the spec, written once ---------------------------------------------------------------------------------------

    def spec(self) -> dict[str, Any] | None:
        """What was asked at the first start, or None where the job has not been started here."""
        return store.read_json(store.join(self.url, "spec.json"))

    def create_spec(self, spec: Mapping[str, Any]) -> None:
        """Store the spec; it is created, never overwritten.

        Raises:
            StoreError: another driver stored one in the meantime.
        """
        store.make_directory(self._outcomes_url)
        url = store.join(self.url, "spec.json")
        if not store.create_exclusive(url, _pretty(spec)):
            raise StoreError(f"{url} appeared while this job was starting; run the same command again")

    def forget(self) -> None:
        """Remove spec, outcomes and summary: the job starts afresh (`--replace`). The lease stays."""
        for name in self._outcome_files():
            store.delete(store.join(self._outcomes_url, name))
        for name in ("summary.json", "damaged.json", "spec.json"):
            store.delete(store.join(self.url, name))

    # -- outcomes -----------------------------------------------------------------------------------------------------

    def outcomes(self) -> dict[int, Outcome]:
        """The last outcome of each shard."""
        last: dict[int, Outcome] = {}
        for name in self._outcome_files():
            url = store.join(self._outcomes_url, name)
            for number, line in enumerate((store.read_bytes(url) or b"").decode().splitlines(), start=1):
                try:
                    outcome = Outcome.from_json(line)
                except (ValueError, KeyError, TypeError) as error:
                    raise StoreError(
                        f"{url} line {number} is not an outcome ({error}); "
                        "delete the file: its shards are then recognised by their parts"
                    ) from error
                last[outcome.shard] = outcome
        return last

    def record(self, outcome: Outcome) -> None:
        """Keep an outcome; it is on disk after the next flush."""
        self._pending.append(outcome)
        due = time.monotonic() - self._flushed_at >= FLUSH_SECONDS
        if due or len(self._pending) >= FLUSH_OUTCOMES:
            self.flush()

    def flush(self) -> None:
        """Write the outcomes kept so far."""
        self._flushed_at = time.monotonic()
        if self._pending:
            self._write(self._pending)
            self._pending = []

    def compact(self, outcomes: Mapping[int, Outcome]) -> None:
        """Put all outcomes into one file: a job that was resumed a hundred times opens as fast as a new one."""
        before = self._outcome_files()
        if len(before) > 1:
            self._write([outcomes[shard] for shard in sorted(outcomes)])
            for name in before:
                store.delete(store.join(self._outcomes_url, name))

    def _write(self, outcomes: list[Outcome]) -> None:
        if self._run is None:
            files = self._outcome_files()
            self._run = 1 + max((int(name.split("-")[0]) for name in files), default=0)
        url = store.join(self._outcomes_url, f"{self._run:06d}-{self._flushes:06d}.jsonl")
        store.write_atomic(url, "".join(outcome.to_json() + "\n" for outcome in outcomes).encode())
        self._flushes += 1

    def _outcome_files(self) -> list[str]:
        return sorted(name for name in store.list_names(self._outcomes_url) if name.endswith(".jsonl"))

    # -- parts that `verify` found damaged ----------------------------------------------------------------------------

    def damaged(self) -> set[int]:
        """Shards to be made again though their parts are there."""
        return set(store.read_json(store.join(self.url, "damaged.json")) or [])

    def set_damaged(self, shards: Iterable[int]) -> None:
        """Remember damaged shards, or forget them where there are none left."""
        url, listed = store.join(self.url, "damaged.json"), sorted(set(shards))
        if listed:
            store.write_atomic(url, store.canonical_json(listed))
        else:
            store.delete(url)

    # -- the summary --------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any] | None:
        """How the last run ended, or None."""
        return store.read_json(store.join(self.url, "summary.json"))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        store.write_atomic(store.join(self.url, "summary.json"), _pretty(summary))


def _pretty(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def verbs(out: str) -> list[str]:
    """The jobs that have been started on `out`."""
    return store.list_directories(store.join(out, ".stylemill"))
