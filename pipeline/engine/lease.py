"""One driver at a time: a lease file that says who is at work, renewed while the work goes on.

A dead holder on this host is taken over at once (its process, told by pid and start time, is gone, or the machine was
started again since); a holder on another host when its lease has run out.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from pipeline.errors import Busy, StoreError
from pipeline.tables import store

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
SETTLE_SECONDS = 0.3

log = logging.getLogger(__name__)


class Lease:
    """Hold the lease at `url` for the length of a `with` block.

    Raises:
        Busy: a live driver holds it; the message says who.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = uuid.uuid4().hex
        self._released = threading.Event()
        self._lost = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        store.make_directory(self.url.rsplit("/", 1)[0])
        if not store.create_exclusive(self.url, self._record()):
            self._take_over()
        self._renewing.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._released.set()
        self._renewing.join()
        try:
            if self._is_ours():
                store.delete(self.url)
        except StoreError as error:
            log.warning("the lease could not be given back, it runs out by itself: %s", error)

    def check(self) -> None:
        """Raise Busy where another driver has taken the lease in the meantime."""
        if self._lost.is_set():
            raise Busy(f"another driver took over {self.url} while this one was out of reach; it goes on with the work")

    def _take_over(self) -> None:
        record = holder(self.url)
        if record is not None and (why := _alive(record)):
            raise Busy(
                f"another driver is at work here: process {record['pid']} on {record['host']}, {why} ({self.url}); "
                "wait for it, or stop it and run the same command again"
            )
        store.delete(self.url)
        created = store.create_exclusive(self.url, self._record())
        time.sleep(SETTLE_SECONDS)  # another driver may have found the same dead holder: the last one to write stays
        if not (created and self._is_ours()):
            raise Busy(f"another driver took over {self.url} at the same moment; wait for it to finish")

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                if not self._is_ours():
                    self._lost.set()
                    return
                store.write_atomic(self.url, self._record())
            except StoreError as error:
                log.warning("the lease could not be renewed: %s", error)

    def _is_ours(self) -> bool:
        record = holder(self.url)
        return record is not None and record["token"] == self.token

    def _record(self) -> bytes:
        record = {
            "host": socket.gethostname(),
            "boot": _boot(),
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "expires": time.time() + LEASE_SECONDS,
            "token": self.token,
        }
        return json.dumps(record, sort_keys=True).encode()


def holder(url: str) -> dict[str, Any] | None:
    """Who holds the lease, or None where nobody does."""
    record: dict[str, Any] | None = store.read_json(url)
    return record


def is_live(record: dict[str, Any]) -> bool:
    """Whether the holder is (as far as this host can tell) still at work."""
    return _alive(record) is not None


def _alive(record: dict[str, Any]) -> str | None:
    here = record["host"] == socket.gethostname()
    if here and record["boot"] == _boot():
        try:
            same = abs(psutil.Process(record["pid"]).create_time() - record["started"]) < 1.0
        except psutil.NoSuchProcess:
            return None
        return "still running" if same else None
    if here:
        return None
    left = record["expires"] - time.time()
    return f"its lease runs for another {left:.0f} s" if left > 0 else None


def _boot() -> str:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.exists() else str(int(psutil.boot_time()))
