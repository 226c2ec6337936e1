"""Where a job stands, from its books and tables alone: what is done, what runs, what failed, what was rejected."""

from collections import Counter
from typing import Any

from pipeline.engine.attempt import REJECTS
from pipeline.engine.books import Books
from pipeline.engine.coverage import not_derived
from pipeline.engine.lease import holder, why_alive
from pipeline.tables import Table, store


def state_of(out: str, verb: str) -> dict[str, Any] | None:
    """What the books of one job say now; None where it was never started. Raises StoreError where they are damaged."""
    books = Books(out, verb)
    stored = books.spec()
    if stored is None:
        return None
    outcomes, lease = books.outcomes().values(), holder(books.lease_url)
    alive = why_alive(lease) if lease else None
    done = [outcome for outcome in outcomes if outcome.ok]
    failed = sorted((outcome for outcome in outcomes if not outcome.ok), key=lambda outcome: outcome.shard)
    reasons, ends = Counter[str](), Counter(attempt.end for attempt in books.attempts())
    for outcome in done:
        reasons.update(outcome.rejects)
    suspects = Counter(books.suspects().values())
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
        "rejected": sum(reasons.values()),
        "rejects_by_reason": dict(sorted(reasons.items())),
        "bytes": sum(part.bytes for outcome in done for part in outcome.parts.values()),
        "attempts": dict(sorted(ends.items())),
        "errors": {str(outcome.shard): f"{outcome.error} ({outcome.attempts} attempts)" for outcome in failed},
        "last_run": books.summary(),
    }
