"""The records of one job, in DIR/.stylemill/VERB: spec, outcomes, attempts, lease, summary.

A dot folder, because readers of Parquet open every other file below a table. Outcomes are flushed in batches, each
flush one small file named RUN-FLUSH, so that a later line about a shard always sorts after an earlier one; the journal
of attempts is flushed with them. If a flush fails, nothing is lost: the lines wait for the next one, and
shards without a line are recognised by their parts.
"""

import hashlib
import io
import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from pipeline.engine.journal import Attempt
from pipeline.engine.outcome import Outcome
from pipeline.errors import StoreError
from pipeline.tables import store

FLUSH_SECONDS = 2.0
FLUSH_SECONDS_AT_MOST = 30.0
FLUSHES_BEFORE_SLOWER = 60
FLUSH_LINES = 1000
LINES_FILE = re.compile(r"\d{6,}-\d{6,}\.jsonl")

Fields: TypeAlias = Mapping[str, type | tuple[type, ...]]
SPEC: Fields = {
    "fingerprint": str,
    "spec": dict,
    "resolved": dict,
    "stage": str,
    "stage_version": int,
    "tables": list,
    "shards": int,
    "planned": int,
    "versions": dict,
}
FILE: Fields = {"bytes": int, "sha256": str, "made_of": str}
SUMMARY: Fields = {"exit_code": int, "seconds": (int, float), "rows_per_second": (int, float), "workers_lost": int}
"""What is read of them, and its types."""
SAFE = "delete it, which is safe: "

log = logging.getLogger(__name__)


class JobRecords:
    """Read and write the records of job `verb` on directory URL `out`."""

    def __init__(self, out: str, verb: str) -> None:
        self.out, self.verb = out, verb
        self.url = store.join(out, ".stylemill", verb)
        self.lease_url = store.join(self.url, "lease.json")
        self.checkpoints_url = store.join(self.url, "checkpoints")
        self._outcomes_url = store.join(self.url, "outcomes")
        self._attempts_url = store.join(self.url, "attempts")
        self._pending: list[Outcome] = []
        self._journal: list[Attempt] = []
        self._flushed_at = time.monotonic()
        self._run: int | None = None
        self._flushes = 0

    # -- the spec, written once ---------------------------------------------------------------------------------------

    def spec(self) -> dict[str, Any] | None:
        """What was asked at the first start, or None where the job has not been started here.

        Raises:
            StoreError: the file is there and is no spec.
        """
        url = store.join(self.url, "spec.json")
        remedy = f"{SAFE}all parts stay, and the same command writes it again"
        return store.read_object(url, "a job's spec", SPEC, remedy)

    def create_spec(self, spec: Mapping[str, Any]) -> None:
        """Store the spec; it is created, never overwritten.

        Raises:
            StoreError: another driver stored one in the meantime.
        """
        store.make_directory(self._outcomes_url)
        store.make_directory(self._attempts_url)
        url = store.join(self.url, "spec.json")
        if not store.create_exclusive(url, _pretty(spec)):
            raise StoreError(f"{url} appeared while this job was starting; run the same command again")

    def forget(self) -> None:
        """Remove all but the lease, and the derived files: the job starts afresh (`--replace`)."""
        for url in (self._outcomes_url, self._attempts_url):
            store.delete_many([store.join(url, name) for name in _lines_files(url)])
        with suppress(StoreError):  # a damaged list names no files
            store.delete_many([store.join(self.out, name) for name in self.files()])
        store.delete_many([store.join(self.checkpoints_url, name) for name in store.list_names(self.checkpoints_url)])
        for name in ("summary.json", "suspects.json", "files.json", "spec.json"):
            store.delete(store.join(self.url, name))

    # -- outcomes -----------------------------------------------------------------------------------------------------

    def outcomes(self) -> dict[int, Outcome]:
        """The last outcome of each shard."""
        last: dict[int, Outcome] = {}
        urls = [store.join(self._outcomes_url, name) for name in _lines_files(self._outcomes_url)]
        for url, content in zip(urls, store.read_many(urls), strict=True):
            for number, line in enumerate(io.BytesIO(content or b""), start=1):
                try:
                    outcome = Outcome.from_json(line)
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    raise StoreError(
                        f"{url} line {number} is not an outcome ({error}): "
                        f"{SAFE}its shards are then recognised by their parts"
                    ) from error
                last[outcome.shard] = outcome
        return last

    def record(self, outcome: Outcome) -> None:
        """Keep an outcome; it is in the store after the next flush, and where that fails, after a later one."""
        self._pending.append(outcome)
        pause = min(FLUSH_SECONDS * max(1.0, self._flushes / FLUSHES_BEFORE_SLOWER), FLUSH_SECONDS_AT_MOST)
        due = time.monotonic() - self._flushed_at >= pause
        if due or len(self._pending) + len(self._journal) >= FLUSH_LINES:
            try:
                self.flush()
            except StoreError as error:
                log.warning("outcomes wait for the next flush: %s", error)

    def journal(self, attempt: Attempt) -> None:
        """Keep a line about an attempt; it is flushed with the outcomes."""
        self._journal.append(attempt)

    def attempts(self) -> Iterator[Attempt]:
        """The journal, in the order in which it was written; lines of another version are left out."""
        urls = [store.join(self._attempts_url, name) for name in _lines_files(self._attempts_url)]
        for content in store.read_many(urls):
            for line in (content or b"").splitlines():
                with suppress(ValueError, TypeError):
                    yield Attempt(**json.loads(line))

    def flush(self) -> None:
        """Write the outcomes and attempts kept so far. Raises StoreError; they are kept then."""
        self._flushed_at = time.monotonic()
        if self._pending:
            self._write(self._outcomes_url, self._pending)
            self._pending = []
        if self._journal:
            self._write(self._attempts_url, self._journal)
            self._journal = []

    def compact(self, outcomes: Mapping[int, Outcome]) -> None:
        """Put all outcomes into one file: a job that was resumed a hundred times opens as fast as a new one."""
        before = _lines_files(self._outcomes_url)
        if len(before) > 1:
            self._write(self._outcomes_url, [outcomes[shard] for shard in sorted(outcomes)])
            store.delete_many([store.join(self._outcomes_url, name) for name in before])

    def _write(self, place: str, lines: Sequence[Outcome | Attempt]) -> None:
        if self._run is None:
            files = [*_lines_files(self._outcomes_url), *_lines_files(self._attempts_url)]
            self._run = 1 + max((int(name.split("-")[0]) for name in files), default=0)
        url = store.join(place, f"{self._run:06d}-{self._flushes:06d}.jsonl")
        content = io.BytesIO()  # 100 MB for 100,000 outcomes, held once
        content.writelines(line.to_json().encode() + b"\n" for line in lines)
        store.write_atomic(url, content.getvalue())
        self._flushes += 1

    # -- shards to be made again though their parts are there ---------------------------------------------------------

    def suspects(self) -> dict[int, str]:
        """Shard -> why its parts are not to be trusted."""
        url, remedy = store.join(self.url, "suspects.json"), "delete it and run verify, which finds damaged parts again"
        listed = store.read_object(url, "a list of shards to make again", {}, remedy) or {}
        try:
            return {int(shard): str(why) for shard, why in listed.items()}
        except ValueError as error:
            raise StoreError(f"{url} names {error.args[0]!r} as a shard: {remedy}") from error

    def set_suspects(self, suspects: Mapping[int, str]) -> None:
        """Remember suspects, or forget them where there are none left."""
        url = store.join(self.url, "suspects.json")
        if suspects:
            store.write_atomic(url, store.canonical_json({str(shard): suspects[shard] for shard in sorted(suspects)}))
        else:
            store.delete(url)

    def has_checkpoints(self) -> bool:
        """Whether a training has kept its state here."""
        return bool(store.list_names(self.checkpoints_url))

    # -- derived files ------------------------------------------------------------------------------------------------

    def files(self) -> dict[str, dict[str, Any]]:
        """By name the bytes and sha256 of each derived file, and the fingerprint of what it was made of.

        Raises StoreError where the list is damaged.
        """
        url, remedy = store.join(self.url, "files.json"), "delete it, and the same command makes the files again"
        listed = store.read_object(url, "a list of files", {}, remedy) or {}
        for record in listed.values():
            if not isinstance(record, dict) or not all(isinstance(record.get(n), kind) for n, kind in FILE.items()):
                raise StoreError(f"{url} is not a list of files: damaged; {remedy}")
        return dict(listed)

    def record_file(self, name: str, content: bytes | None, made_of: str = "") -> None:
        """Put a derived file on record, which is complete from now on; or off it, where there is no content."""
        try:
            listed = self.files()
        except StoreError:  # damaged: the others are made again
            listed = {}
        before = dict(listed)
        listed.pop(name, None)
        if content is not None:
            listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "made_of": made_of}
        if listed != before:
            store.write_atomic(store.join(self.url, "files.json"), _pretty(listed))

    # -- the summary --------------------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any] | None:
        """How the last run ended, or None. Raises StoreError where the file is there and is no summary."""
        url, remedy = store.join(self.url, "summary.json"), f"{SAFE}the next run writes it again"
        return store.read_object(url, "a run's summary", SUMMARY, remedy)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        store.write_atomic(store.join(self.url, "summary.json"), _pretty(summary))


def _lines_files(url: str) -> list[str]:
    """Of what `JobRecords` has written; other files there are ignored."""
    return sorted(name for name in store.list_names(url) if LINES_FILE.fullmatch(name))


def _pretty(facts: Mapping[str, Any]) -> bytes:
    return (json.dumps(facts, indent=1, sort_keys=True) + "\n").encode()


def verbs(out: str) -> list[str]:
    """The jobs that have been started on `out`."""
    return store.list_directories(store.join(out, ".stylemill"))
