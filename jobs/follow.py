"""A job on a cluster, followed to its end: its log as it comes, then the exit code of its verb.

Ray sends the log from its beginning at each connection, so that what was shown already is passed over after a lost one.
"""

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from jobs.flags import say
from pipeline.errors import SpecError, StylemillError

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

GIVE_UP_SECONDS = 300.0
RETRY_SECONDS = 2.0
QUIET_SECONDS = 120.0
"""A connection without data for so long is renewed: a lost one gives no error."""

NO_SUCH_COMMAND = (126, 127)


class ConnectionLost(StylemillError):
    """The cluster could not be reached any more; how the job ended is not known."""

    exit_code = 1


class Screen:
    """Shows a log that is sent again from its beginning; every character comes out once."""

    def __init__(self) -> None:
        self._shown = self._place = 0

    def rewind(self) -> None:
        """The log comes from its beginning now."""
        self._place = 0

    def show(self, text: str) -> None:
        new = text[max(0, self._shown - self._place) :]
        self._place += len(text)
        self._shown = max(self._shown, self._place)
        if new:
            sys.stdout.write(new)
            sys.stdout.flush()


def follow(client: "JobSubmissionClient", job: str, again: str) -> int:
    """Show the job's log until it ends; the exit code of its verb, 130 if it was stopped, 1 if Ray ended it.

    Args:
        again: the command that follows it again.

    Raises:
        ConnectionLost: the cluster did not answer for GIVE_UP_SECONDS.
        SpecError: it has no such job.
    """
    code = exit_code(_until_its_end(client, job, again))
    say(f"Ended {job}: exit code {code}")
    return code


def exit_code(info: "JobDetails") -> int:
    """The verb's own exit code. Ray's command line makes 1 of any other than 0; the job's record keeps it."""
    if info.status == "SUCCEEDED":
        return 0
    if info.status == "STOPPED":
        return 130
    code: int | None = info.driver_exit_code
    if code is None:
        reason = (info.message or "it gave no reason").strip().splitlines()[-1]
        say(f"Fail  Ray could not run the job to its end: {reason}")
        return 1
    if code in NO_SUCH_COMMAND:
        say("Fail  the head has no such command: start Ray there with the environment activated that has stylemill")
    return 128 - code if code < 0 else code


def _until_its_end(client: "JobSubmissionClient", job: str, again: str) -> "JobDetails":
    screen, lost_at = Screen(), None
    while True:
        info = _info(client, job)
        if info is None:
            if lost_at is None:
                lost_at = time.monotonic()
                say(f"Note  the connection is lost; trying again for {GIVE_UP_SECONDS / 60:.0f} minutes")
            if time.monotonic() - lost_at > GIVE_UP_SECONDS:
                raise ConnectionLost(
                    f"the cluster does not answer any more; the job may go on. Look again with: {again}"
                )
            time.sleep(RETRY_SECONDS)
            continue
        lost_at = None
        screen.rewind()
        if info.status.is_terminal():
            screen.show(_whole_log(client, job))
            return info
        asyncio.run(_tail(client, job, screen))


def _info(client: "JobSubmissionClient", job: str) -> "JobDetails | None":
    """The job's record, None where the cluster does not answer."""
    try:
        return client.get_job_info(job)
    except OSError:
        return None
    except RuntimeError as error:
        if "status code 404" in str(error):
            raise SpecError(f"the cluster has no job {job}; `ray job list` shows those it has") from error
        return None


def _whole_log(client: "JobSubmissionClient", job: str) -> str:
    """Empty where it is gone with its node: how the job ended is known all the same."""
    with suppress(OSError, RuntimeError):
        log: str = client.get_job_logs(job)
        return log
    return ""


async def _tail(client: "JobSubmissionClient", job: str, screen: Screen) -> None:
    """Show the log as it comes, until the stream ends, breaks, or is quiet for too long."""
    from aiohttp import ClientError

    lines = client.tail_job_logs(job)
    while True:
        try:
            text = await asyncio.wait_for(anext(lines), QUIET_SECONDS)
        except (StopAsyncIteration, ClientError, OSError, RuntimeError, TimeoutError):
            await asyncio.sleep(0.2)  # the job's record is written a moment after its log ends
            return
        screen.show(text)
