"""Waiting for what must come, with a deadline; no test sleeps for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(happened: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """The first true answer of `happened`. Raises TimeoutError, naming what did not come to pass."""
    deadline = time.monotonic() + seconds
    while not (answer := happened()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.01)
    return answer
