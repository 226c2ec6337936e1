"""SIGINT and SIGTERM while a job runs: both end it in good order, whichever line of code is running.

Python lets only the main thread set what a signal does: in other threads these functions do nothing.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM)

ABORT_AT = 3
"""The third signal after a run is summed up aborts what still hangs: its last write, or Ray."""

AGAIN_SECONDS = 0.02
"""After so long a signal is sent again whose KeyboardInterrupt was dropped."""

_late: list[int] = []


def late_signals() -> int:
    """How many came in this process once a run was summed up; whoever starts several runs should stop at one."""
    return len(_late)


@contextmanager
def preserve_signal_handlers() -> Iterator[None]:
    """No KeyboardInterrupt is lost within; afterwards SIGINT and SIGTERM do again what they did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    hook, again = sys.unraisablehook, list[threading.Timer]()
    sys.unraisablehook = _send_again(hook, again)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in again:
            if timer.is_alive():  # too late for this run: whoever starts several stops here
                timer.cancel()
                _late.append(signal.SIGTERM)
        for number, handler in before.items():
            signal.signal(number, handler)


def handle_sigterm() -> None:
    """From now on SIGTERM ends the run as Ctrl-C does: outcomes kept, summary written."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    _on(signal.SIGTERM, stop)


def count_signals() -> None:
    """From now on a signal is counted and no more, up to the third."""
    before = len(_late)

    def remember(number: int, frame: object) -> None:
        _late.append(number)
        if len(_late) - before >= ABORT_AT:
            raise KeyboardInterrupt

    for number in STOPS:
        _on(number, remember)


def _send_again(hook: Any, timers: list[threading.Timer]) -> Any:
    """A hook for exceptions that Python drops because a finaliser raised them: where a signal is handled in one (Ray's
    object references have them), its KeyboardInterrupt ends nothing. It is sent once more when the finaliser is done,
    as SIGTERM, which a run always handles; SIGINT is ignored by what a shell starts in the background.
    """

    def dropped(what: Any) -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            hook(what)
            return
        again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        again.daemon = True
        timers.append(again)
        again.start()

    return dropped


def _on(number: int, handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, handler)
