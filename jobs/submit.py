"""`stylemill submit`: run a verb on a cluster through Ray's job server, and follow it."""

import logging
import os
import re
import shlex
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import tyro
from pydantic import Field

from jobs.flags import Spec, parse, say
from jobs.follow import follow
from jobs.remote import checked
from pipeline.errors import SpecError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

CHECKOUT = Path(__file__).parents[1]
ANSWER_SECONDS = 10.0
STOP_SECONDS = 60
"""What a stopped driver has to write its records and release its lease, before Ray kills it; Ray's own is 3."""


class SubmitSpec(Spec):
    """Run a verb on a cluster, through its job server (the dashboard's port, 8265), and follow it to its end. The exit
    code is that of the verb. The job goes on if this command ends before it (Ctrl-C, a closed laptop).

    Example: stylemill submit --address http://127.0.0.1:8265 -- dataset --rows 64 --device cpu --out /tmp/faces
    """

    VERB = "submit"

    address: str | None = Field(
        None, description="The job server, http://HEAD:8265. Default: RAY_API_SERVER_ADDRESS, else RAY_ADDRESS."
    )
    working_dir: str | None = Field(
        None,
        description="A checkout to upload and to run, or `none`: what is installed on the nodes. "
        "Default: the checkout that this stylemill runs from, if it does.",
    )
    env: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = Field(
        (), description="NAME=VALUE, or NAME for its local value. Once for each variable."
    )
    submission_id: str | None = Field(None, pattern=r"^[\w.-]+$", description="A name for the job. Default: Ray's.")
    no_wait: bool = Field(False, description="Print the job's name and do not follow it.")
    follow: str | None = Field(None, description="Follow the job of this name; submit nothing.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code of the verb behind `--`."""
    flags, words = _split(argv)
    spec = parse(SubmitSpec, flags)
    if spec.follow:
        if words:
            raise SpecError("--follow attaches to a job that was sent; leave out `--` and what comes after it")
        address, client = _connect(spec.address)
        return _follow(client, spec.follow, address)
    words = checked(words)
    working_dir, environment = _working_dir(spec.working_dir), _environment(spec.env)
    address, client = _connect(spec.address)
    job = _send(client, address, spec.submission_id, words, working_dir, environment)
    say(f"Sent  {words[0]} to {address} as {job}; the code is {working_dir or 'what the nodes have'}")
    if spec.no_wait:
        print(job)
        say(f"      follow it: {_follow_command(address, job)}")
        return 0
    return _follow(client, job, address)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(argv)
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place + 1 :]


# -- what travels -----------------------------------------------------------------------------------------------------


def _working_dir(asked: str | None) -> Path | None:
    """The checkout to upload, None for what is installed on the nodes."""
    if asked == "none" or (asked is None and not (CHECKOUT / "pyproject.toml").exists()):
        return None
    path = CHECKOUT if asked is None else Path(asked).expanduser().absolute()
    if not (path / "jobs" / "__main__.py").is_file():
        raise SpecError(f"--working-dir {asked} is not a checkout of stylemill: it has no jobs/__main__.py")
    return path


def _environment(asked: Sequence[str]) -> dict[str, str]:
    """Variables for the driver and its workers. A message names a variable and never shows what it holds."""
    found = {}
    for word in asked:
        name, given, value = word.partition("=")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise SpecError("--env takes NAME=VALUE or NAME, and one that was given has no name of a variable")
        if not given and name not in os.environ:
            raise SpecError(f"--env {name}: it is not set here; set it, or give --env {name}=VALUE")
        found[name] = value if given else os.environ[name]
    return found


def _send(
    client: "JobSubmissionClient",
    address: str,
    name: str | None,
    words: Sequence[str],
    working_dir: Path | None,
    environment: dict[str, str],
) -> str:
    """Hand the job over; the name that it has on the cluster.

    `exec`, for the signal of `ray job stop` goes to the process that Ray started, which must be the driver.
    """
    program = "python -m jobs" if working_dir else "stylemill"
    runtime: dict[str, Any] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment}}
    if working_dir:
        runtime["working_dir"] = str(working_dir)
    with _one_line(address):
        try:
            job: str = client.submit_job(
                entrypoint=f"exec {program} {shlex.join(words)}",
                submission_id=name,
                runtime_env=runtime,
                metadata={"job_name": f"stylemill {words[0]}"},
            )
        except (RuntimeError, ValueError) as error:
            raise _refused(str(error), name, working_dir, address) from error
    return job


def _refused(text: str, name: str | None, working_dir: Path | None, address: str) -> SpecError:
    if name and f"{name} already exists" in text:
        return SpecError(
            f"the cluster has had a job {name} already: choose another --submission-id, or follow that one: "
            f"{_follow_command(address, name)}"
        )
    if re.search("request body size|exceeds the maximum size|status code 413", text):
        return SpecError(
            f"{working_dir} is too large to upload (100 MiB at most, zipped): list in its .rayignore what a job does "
            "without, or install stylemill on the nodes and pass --working-dir none"
        )
    lines = [line for line in text.splitlines() if line.strip(" .")]
    return SpecError(f"{address} refused the job: {lines[-1].strip() if lines else 'it gave no reason'}")


# -- the job server ---------------------------------------------------------------------------------------------------


def _connect(asked: str | None) -> tuple[str, "JobSubmissionClient"]:
    """The job server's address and a client that has spoken with it.

    Raises:
        SpecError: nothing answers there, or the token is not accepted.
    """
    address = asked or os.environ.get("RAY_API_SERVER_ADDRESS") or os.environ.get("RAY_ADDRESS")
    if asked and urlsplit(asked).scheme not in ("http", "https"):
        raise SpecError(f"--address {asked}: the job server is a URL, as http://HEAD:8265 (the port of the dashboard)")
    if address and address != "auto":
        _check_port(address)
        os.environ["RAY_API_SERVER_ADDRESS"] = address  # Ray prefers it to what it is told
    _use_token()
    from ray.exceptions import RpcError
    from ray.job_submission import JobSubmissionClient

    _quiet_ray()
    with _one_line(address or "auto"):
        try:
            client = JobSubmissionClient(address)
        except ConnectionError:
            raise
        except (RuntimeError, ValueError, KeyError, OSError, RpcError) as error:
            raise SpecError(f"{address} answers, but it is not Ray's job server: give http://HEAD:8265") from error
    return client.get_address(), client


def _check_port(address: str) -> None:
    """Raise within seconds where nothing listens; Ray's client waits as long as the network does, or a minute."""
    try:
        url = urlsplit(address if "://" in address else f"//{address}")
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError as error:
        raise SpecError(f"{address} is not a URL: {error}") from error
    if not url.hostname:
        raise SpecError(f"{address} names no host: give http://HEAD:8265")
    try:
        socket.create_connection((url.hostname, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise SpecError(_unreachable(address, error.strerror or str(error))) from error


def _unreachable(address: str, reason: str) -> str:
    if address == "auto":
        return "no Ray runs on this machine: give --address http://HEAD:8265"
    return (
        f"no job server answers at {address} ({reason.lower()}): is the head up, and the port of its dashboard "
        "reachable from here? `ray dashboard cluster.yaml` brings it to http://127.0.0.1:8265"
    )


def _use_token() -> None:
    """Use a token that is there, unless RAY_AUTH_MODE says otherwise, as ray.init() does."""
    if "RAY_AUTH_MODE" not in os.environ and _token_source():
        os.environ["RAY_AUTH_MODE"] = "token"


def _token_source() -> str | None:
    """Where Ray takes the token from."""
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        if os.environ.get(name):
            return name
    kept = Path.home() / ".ray" / "auth_token"
    return str(kept) if kept.is_file() else None


@contextmanager
def _one_line(address: str) -> Iterator[None]:
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        source = _token_source()
        sent = f"does not accept the token of {source}" if source else "wants a token, and there is none here"
        raise SpecError(
            f"{address} {sent}: copy the head's ~/.ray/auth_token to ~/.ray/auth_token, or name the file in "
            "RAY_AUTH_TOKEN_PATH, and set RAY_AUTH_MODE=token"
        ) from error
    except OSError as error:
        raise SpecError(_unreachable(address, type(error).__name__)) from error


def _quiet_ray() -> None:
    """Ray prints much about packing; errors come as exceptions."""
    for name in ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
        logging.getLogger(name).setLevel(logging.ERROR)


# -- following --------------------------------------------------------------------------------------------------------


def _follow(client: "JobSubmissionClient", job: str, address: str) -> int:
    again = _follow_command(address, job)
    try:
        with _one_line(address):
            return follow(client, job, again)
    except KeyboardInterrupt:
        say(f"\nStop  {job} goes on; this command no longer follows it. Follow it: {again}")
        say(f"      Stop it: ray job stop --address {address} {job}")
        return 130


def _follow_command(address: str, job: str) -> str:
    return f"stylemill submit --address {address} --follow {job}"
