"""Where a training keeps its state, so that a killed one goes on: DIR/.stylemill/VERB/checkpoints/.

A checkpoint is named FINGERPRINT-STEP-SHA256, each shortened: that of another job, and a damaged one, are skipped.
"""

import hashlib
import logging
import re
from dataclasses import dataclass

from pipeline.engine.lease_check import LeaseCheck
from pipeline.tables import store

NAME = re.compile(r"([0-9a-f]{16})-(\d{9})-([0-9a-f]{16})\.checkpoint")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoints:
    """Those of the job of this fingerprint; `lease_check` keeps a worker that was given up from writing any."""

    url: str
    fingerprint: str
    lease_check: LeaseCheck | None = None

    def save(self, step: int, content: bytes) -> None:
        """Keep the state after so many steps, in place of an earlier one. Raises LeaseLost and StoreError."""
        if self.lease_check:
            self.lease_check.check()
        before = store.list_names(self.url)
        name = f"{self.fingerprint[:16]}-{step:09d}-{_digest(content)}.checkpoint"
        store.write_atomic(store.join(self.url, name), content)
        store.delete_many([store.join(self.url, other) for other in before if other != name])

    def last(self) -> tuple[int, bytes] | None:
        """The number of steps and the state of the latest one that is whole, None where there is none."""
        for name in sorted(store.list_names(self.url), reverse=True):
            place = NAME.fullmatch(name)
            if place is None or place[1] != self.fingerprint[:16]:
                continue
            content = store.read_bytes(store.join(self.url, name))
            if content is not None and _digest(content) == place[3]:
                return int(place[2]), content
            log.warning("%s is damaged and is skipped", store.join(self.url, name))
        return None

    def step(self) -> int:
        """Of the latest one, by its name alone; 0 where there is none."""
        places = [NAME.fullmatch(name) for name in store.list_names(self.url)]
        return max((int(place[2]) for place in places if place and place[1] == self.fingerprint[:16]), default=0)

    def clear(self) -> None:
        """Delete them all."""
        store.delete_many([store.join(self.url, name) for name in store.list_names(self.url)])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
