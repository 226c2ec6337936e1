"""Where a job stands, from its records and tables alone: what is done, what runs, what failed, what was rejected."""

from collections import Counter
from typing import Any

from pipeline.engine.attempt import REJECTS
from pipeline.engine.consistency import not_derived
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import holder, why_alive
from pipeline.tables import Table, store


def state_of(out: str, verb: str) -> dict[str, Any] | None:
    """The state of one job; None if it was never started. Raises StoreError if its records are damaged."""
    job_records = JobRecords(out, verb)
    stored = job_records.spec()
    if stored is None:
        return None
    outcomes, lease = job_records.outcomes().values(), holder(job_records.lease_url)
    alive = why_alive(lease) if lease else None
    done = [outcome for outcome in outcomes if outcome.ok]
    failed = sorted((outcome for outcome in outcomes if not outcome.ok), key=lambda outcome: outcome.shard)
    reasons, ends = Counter[str](), Counter(attempt.end for attempt in job_records.attempts())
    for outcome in done:
        reasons.update(outcome.rejects)
    suspects = Counter(job_records.suspects().values())
    derived = stored.get("derived", {})
    places = [("rejects", verb) if name == REJECTS else (name,) for name in stored["tables"] if name not in derived]
    lacking = list(not_derived(out, verb))
    sealed = all(Table(store.join(out, *place)).sealed for place in places)
    return {
        "verb": verb,
        "fingerprint": stored["fingerprint"],
        "complete": len(done) == stored["shards"] and not suspects and sealed and not lacking,
        "sealed": sealed,
        "derived": list(derived),
        "lacking": lacking,
        "running": {"pid": lease["pid"], "host": lease["host"], "why": alive} if lease and alive else None,
        "shards": stored["shards"],
        "shards_done": len(done),
        "shards_failed": len(failed),
        "shards_to_make_again": dict(suspects),
        "planned": stored["planned"],
        "unit": "steps" if stored.get("artifact") else "rows",
        "rejected": sum(reasons.values()),
        "rejects_by_reason": dict(sorted(reasons.items())),
        "bytes": sum(part.bytes for outcome in done for part in outcome.parts.values()),
        "attempts": dict(sorted(ends.items())),
        "errors": {str(outcome.shard): f"{outcome.error} ({outcome.attempts} attempts)" for outcome in failed},
        "last_run": job_records.summary(),
    }
