"""A proxy before an S3 server that answers every third PUT with an error, by turns before and after it was done."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERRORS = ((503, "SlowDown", "Please reduce your request rate."), (500, "InternalError", "We encountered an error."))
NOT_PASSED_ON = ("connection", "transfer-encoding", "content-length", "expect", "date", "server")


class FlakyS3:
    """`address` of the proxy; `flaky` switches the errors on; `failed` counts them."""

    def __init__(self, behind: str) -> None:
        self.flaky, self.failed = False, 0
        self._puts = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, urlsplit(behind)))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fault(self, method: str) -> tuple[bool, tuple[int, str, str]] | None:
        """Whether the request is done all the same, and the error to answer; None where nothing is wrong."""
        if method != "PUT" or not self.flaky or (number := next(self._puts)) % 3:
            return None
        self.failed += 1
        return self.failed % 2 == 0, ERRORS[number % 2]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def flaky_s3(behind: str) -> Iterator[FlakyS3]:
    """A proxy before the server at this address, for the length of a block."""
    proxy = FlakyS3(behind)
    try:
        yield proxy
    finally:
        proxy.close()


def _handler(proxy: FlakyS3, behind) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self._body()
            fault = proxy.fault(self.command)
            if fault is None or fault[0]:
                status, headers, content = self._pass_on(body)
            if fault is not None:
                status, code, message = fault[1]
                headers = [("Content-Type", "application/xml")]
                content = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self._answer(status, headers, content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve  # noqa: N815

        def log_message(self, *words: object) -> None:
            """Nothing is said."""

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(pieces)

        def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection(behind.hostname, behind.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
            connection.request(self.command, self.path, body, {**headers, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, answer.getheaders(), content

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            length = {name.lower(): value for name, value in headers}.get("content-length")
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return Handler
