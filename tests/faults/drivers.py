"""Drivers as a person starts them: processes with a command line, a terminal's worth of output and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.waiting import LONG, until

REPOSITORY = Path(__file__).parents[2]
JOB = [sys.executable, "-m", "jobs"]
STEERED = [sys.executable, "-m", "tests.faults.steered_job"]


class Driver:
    """One driver process. What it says goes to a file, so that it can be read while it runs."""

    def __init__(
        self,
        command: list[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._log = log

        def as_in_a_terminal() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # in a shell's background it is ignored, and that is inherited
            if prepare is not None:
                prepare()

        environment = {**os.environ, "RAY_ADDRESS": "local", **(environment or {})}
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                cwd=REPOSITORY,
                env=environment,
                preexec_fn=as_in_a_terminal,  # noqa: PLW1509
            )

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def ended(self, seconds: float = LONG) -> int:
        """The exit code, as soon as it is there."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the driver did not end in {seconds:g} s; it said: {self.said()}") from None

    def when(self, happened: Callable[[], object], what: str, seconds: float = LONG) -> None:
        """Wait for something that must come while this driver is running."""

        def look() -> bool:
            if happened():
                return True
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode} before {what}: {self.said()}")
            return False

        until(look, what, seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> None:
        """Leave nothing running, whatever the test came to."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
