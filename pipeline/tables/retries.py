"""Transient errors of a store, and retries.

A dropped connection, a throttled request or an input/output error of a network disk is tried again; a full disk, a
missing bucket or a refused permission is not: a person has to act on those.
"""

import errno
import functools
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    wait_exponential_jitter,
)

Args = ParamSpec("Args")
Result = TypeVar("Result")

TRIES = 4
SECONDS = 5.0  # no further try is begun after these

log = logging.getLogger(__name__)

_NUMBERS = (
    errno.EAGAIN,
    errno.EBUSY,
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EINTR,
    errno.EIO,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENETUNREACH,
    errno.EPIPE,
    errno.ESTALE,
    errno.ETIMEDOUT,
    getattr(errno, "EREMOTEIO", errno.EIO),  # what s3fs makes of "500", on Linux
)
_NEVER = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError)
_STATUSES = (408, 409, 425, 429)  # with all of 5xx but 501, "not implemented"
_CODES = ("IncompleteBody", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException")
_NAMES = (  # of botocore and aiohttp, which need not be installed
    "ClientConnectionError",
    "ClientPayloadError",
    "FlexibleChecksumError",  # an answer that was cut off on its way
    "ConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ResponseParserError",
)


def with_retries(operation: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs) -> Result:
    """Call it, and again after 0.1, 0.3 and 0.9 s (and up to 0.2 s more) while it fails with a transient error.

    The operation must be one that may be done twice. Raises what its last try raised.
    """
    begun = time.monotonic()
    try:
        return operation(*args, **kwargs)  # alone: to count tries takes longer than to read a small file
    except Exception as error:
        if not is_transient(error):
            raise
        failed = [error]

    @functools.wraps(operation)
    def again(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        if failed:
            raise failed.pop()
        return operation(*args, **kwargs)

    return _RETRYING.copy(stop=_stop(SECONDS - (time.monotonic() - begun)))(again, *args, **kwargs)


def is_transient(error: BaseException) -> bool:
    """Whether the same request may well succeed in a moment."""
    if isinstance(error, _NEVER):
        return False
    if (status := http_status(error)) is not None:
        return status in _STATUSES or (status >= 500 and status != 501) or _code(error) in _CODES
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NUMBERS
    return any(kind.__name__ in _NAMES for kind in type(error).__mro__)


def http_status(error: BaseException) -> int | None:
    """The status with which an object store answered, also where the error was translated; None where it has none."""
    for one in _with_causes(error):
        for number in (
            _response(one).get("ResponseMetadata", {}).get("HTTPStatusCode"),
            getattr(one, "status", None),
            getattr(one, "status_code", None),
            getattr(one, "code", None),
        ):
            if isinstance(number, int) and 100 <= number < 600:
                return number
    return None


def _code(error: BaseException) -> str | None:
    """The name that S3 gives to an error."""
    for one in _with_causes(error):
        if code := _response(one).get("Error", {}).get("Code"):
            return str(code)
    return None


def _response(error: BaseException) -> dict[str, Any]:
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _stop(seconds: float) -> stop_any:
    return stop_after_attempt(TRIES) | stop_after_delay(seconds)


_RETRYING = Retrying(
    stop=_stop(SECONDS),
    wait=wait_exponential_jitter(initial=0.1, exp_base=3, max=2, jitter=0.2),
    retry=retry_if_exception(is_transient),
    before_sleep=before_sleep_log(log, logging.INFO),
    reraise=True,
)
