"""Addresses where no cluster can be joined are refused at once, with the reason."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from pipeline.engine.head import CHECK_ALIVE, answers, check_address, token
from pipeline.errors import SpecError
from tests.waiting import LONG


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    for name in ("CONNECT_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(f"pipeline.engine.head.{name}", LONG)


@pytest.fixture(autouse=True)
def no_token(monkeypatch, tmp_path):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@contextmanager
def head(wants=None):
    """What answers as the head of a cluster does, one with the token `wants`."""

    def alive(request, context):
        if wants and ("authorization", f"Bearer {wants}") not in [
            tuple(pair) for pair in context.invocation_metadata()
        ]:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken: Authentication token is missing")
        return b""

    service, method = CHECK_ALIVE.strip("/").split("/")
    handler = grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(alive)})
    server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@contextmanager
def something_else():
    """A server of another kind."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            try:
                while True:
                    connection, _ = listening.accept()
                    connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                    connection.close()
            except OSError:
                return  # closed

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_a_head_that_answers_is_joined():
    with head() as address:
        check_address(address)
        assert answers(address, LONG)
    assert not answers(address)
    check_address("auto")


def test_where_nothing_listens():
    with head() as address:
        pass
    with pytest.raises(SpecError, match=f"nothing listens at {address} .*leave out --address to start one here"):
        check_address(address)


def test_where_something_else_listens():
    with something_else() as address, pytest.raises(SpecError, match=f"{address} answers, but it is not a Ray head"):
        check_address(address)


def test_rays_client_protocol_is_refused_with_what_to_do():
    with pytest.raises(SpecError, match=r"stylemill submit --address http://head:8265 .* pass --address head:6379"):
        check_address("ray://head:10001")


@pytest.mark.parametrize("address", ["head:", "head:x", ":6379", "http://head"])
def test_what_is_no_address(address):
    with pytest.raises(SpecError, match="neither HOST:PORT"):
        check_address(address)


def test_a_cluster_with_a_token(monkeypatch, tmp_path):
    with head(wants="secret") as address:
        with pytest.raises(SpecError, match=r"wants a token, and this host has no token: .*RAY_AUTH_TOKEN"):
            check_address(address)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "guess")
        with pytest.raises(SpecError, match="the token of this host is not the cluster's"):
            check_address(address)
        assert answers(address, LONG)  # it is there all the same
        monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
        check_address(address)


def test_where_the_token_is_found(monkeypatch, tmp_path):
    assert token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of the home\n")
    assert token() == "of the home"
    (tmp_path / "elsewhere").write_text("of a file\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "elsewhere"))
    assert token() == "of a file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    assert token() == "given"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert token() is None
