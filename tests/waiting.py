"""Waiting for what must come: no test sleeps for a fixed time, or fails because the machine is busy with other work."""

import time
from collections.abc import Callable
from typing import TypeVar

LONG = 300.0
"""Seconds: the deadline of whatever a test waits for. A busy machine may stand still for half a minute."""

T = TypeVar("T")


def until(happened: Callable[[], T], what: str, seconds: float = LONG) -> T:
    """The first true answer of `happened`. Raises TimeoutError, naming what did not happen."""
    deadline = time.monotonic() + seconds
    while not (answer := happened()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s it was not true that {what}")
        time.sleep(0.01)
    return answer
