"""The journal of a run: one line of JSON for each attempt, written by the driver beside the outcomes.

For an engineer who asks which host was slow, what was killed, and how often a shard was tried. It decides nothing.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

PUBLISHED = "published"
ERROR = "error"
TIMEOUT = "timeout"
WORKER_LOST = "worker lost"
NODE_LOST = "node lost"


@dataclass(frozen=True)
class Attempt:
    """One try at a shard. `number` counts from 1 within a run, lost workers too; `started` is in seconds since 1970.

    `worker` is "host:pid", `node` Ray's node id; both empty where unknown. `end` is one of the words above.
    """

    shard: int
    number: int
    worker: str
    node: str
    started: float
    seconds: float
    end: str
    error: str | None = None
    traceback: str | None = None
    counters: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


Journal: TypeAlias = Callable[[Attempt], None]
