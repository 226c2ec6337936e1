"""Whether the head of a Ray cluster answers, told in a second or two and without Ray.

Ray's own start tries for 80 seconds where nothing listens, prints a warning a second where the token is wrong, and
ends the whole process where a head stays away for 60 seconds. So it is asked here first, with the same small question
(`CheckAlive`) that Ray asks.
"""

import os
import socket
from pathlib import Path

import grpc

from pipeline.errors import SpecError, StylemillError

CHECK_ALIVE = "/ray.rpc.NodeInfoGcsService/CheckAlive"
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
NO_HEAD = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
TOKEN_HELP = (
    "give this host the cluster's token (RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token; RAY_AUTH_MODE=token)"
)


class ClusterLost(StylemillError):
    """The cluster went away under a run."""

    exit_code = 1


def check_address(address: str) -> None:
    """See that a cluster can be joined at `address`; of HOST:PORT, that a Ray head answers there and takes our token.

    Raises:
        SpecError: it cannot, with the reason and what to do.
    """
    if address.startswith("ray://"):
        host = address.removeprefix("ray://").split(":")[0] or "HOST"
        raise SpecError(
            f"{address} is Ray's client protocol, which this driver does not speak: from a machine outside the cluster "
            f"run `stylemill submit --address http://{host}:8265 -- ...`; on a node of it pass --address {host}:6379"
        )
    host, colon, port = address.rpartition(":")
    if not colon:
        return  # "auto" and the like: Ray finds the address itself
    if not port.isdigit() or not host:
        raise SpecError(f"--address {address} is neither HOST:PORT (the head's, 6379 by default) nor auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SpecError(
            f"nothing listens at {address} ({error}): name the head of a running Ray cluster (ray start --head), "
            "or leave out --address to start one here"
        ) from error
    status, details = _ask(address, ANSWER_SECONDS)
    if status is grpc.StatusCode.UNAUTHENTICATED:
        held = "the token of this host is not the cluster's" if token() else "this host has no token"
        raise SpecError(f"the Ray cluster at {address} wants a token, and {held}: {TOKEN_HELP}")
    if status in NO_HEAD:
        raise SpecError(
            f"{address} answers, but it is not a Ray head ({details}): the head's port is 6379 by default, not the "
            "dashboard's 8265 or the client's 10001"
        )


def answers(address: str, seconds: float = 2.0) -> bool:
    """Whether the head is there."""
    status, _ = _ask(address, seconds)
    return status not in NO_HEAD


def token() -> str | None:
    """The token that Ray would send from this host."""
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return None
    if given := os.environ.get("RAY_AUTH_TOKEN"):
        return given.strip()
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    return (path.read_text().strip() or None) if path.is_file() else None


def _ask(address: str, seconds: float) -> tuple[grpc.StatusCode, str]:
    held = token()
    metadata = [("authorization", f"Bearer {held}")] if held else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(CHECK_ALIVE)(b"", timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            return error.code(), str(error.details()).split(":")[-1].strip()
    return grpc.StatusCode.OK, ""
