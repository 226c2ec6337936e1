"""Which shards take far longer than the others: three times their median, and ten seconds at least."""

import statistics
from collections import deque
from collections.abc import Iterable

from pipeline.engine.pool import AtWork

TIMES_MEDIAN = 3.0
AT_LEAST_SECONDS = 10.0
REMEMBERED = 1001


class Stragglers:
    """Learns from the shards that ended lately how long one takes; before the first, nothing is slow."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=REMEMBERED)

    def finished(self, seconds: float) -> None:
        self._seconds.append(seconds)

    def slow(self, at_work: Iterable[AtWork]) -> list[AtWork]:
        """The stragglers among these, the longest first."""
        finished = list(self._seconds)  # a copy in one step: another thread appends
        if not finished:
            return []
        limit = max(TIMES_MEDIAN * statistics.median(finished), AT_LEAST_SECONDS)
        late = [shard for shard in at_work if shard.seconds > limit]
        return sorted(late, key=lambda shard: (-shard.seconds, shard.shard))
