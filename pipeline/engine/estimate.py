"""Estimate a job from one shard: rows a second, hours, memory; `unknown` if nothing was measured."""

from pipeline.engine.duration import duration
from pipeline.engine.outcome import Outcome
from pipeline.engine.summary import Summary

GB = 1e9


def estimate(outcome: Outcome | None, rows: int, summary: Summary, workers: int | None = None) -> list[str]:
    """Lines for the person who asked with `--estimate`; `outcome` is that of the one shard of `rows` rows, if any ran.

    `workers`: how many the rest is to have; by default as many as this run had, and one shard has one.
    The rate is one worker's, from open models to published parts; other workers on the same machine share its cores
    and its memory bandwidth, so that hours are at best what is said.
    """
    if outcome is None or not outcome.ok or not outcome.counters.get("seconds"):
        why = "no shard was left to run" if outcome is None else f"the shard failed: {outcome.error}"
        return [f"Calib speed, hours and memory unknown: {why}"]
    rate = rows / outcome.counters["seconds"]
    left = summary.not_run
    shares = ", ".join(
        f"{name.removesuffix('_seconds').replace('_', ' ')} {100 * value / outcome.counters['seconds']:.0f} %"
        for name, value in sorted(outcome.counters.items())
        if name.endswith("_seconds")
    )
    workers = workers or summary.workers
    seconds = left / (rate * workers)
    them = f"{workers} worker{'' if workers == 1 else 's'}"
    memory, device = _memory(outcome, "peak_rss_bytes"), _memory(outcome, "peak_device_bytes")
    return [
        f"Calib one shard of {rows:,} rows: {rate:.2f} rows/s a worker ({shares})",
        f"      memory: {memory} a worker, on the device {device}",
        f"      left: {left:,} rows" + (f", {duration(seconds)} with {them} at that rate" if left else ""),
    ]


def _memory(outcome: Outcome, counter: str) -> str:
    found = outcome.counters.get(counter)
    return f"{found / GB:.2f} GB" if found else "unknown"
