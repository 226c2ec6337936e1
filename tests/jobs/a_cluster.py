"""A cluster as `ray start` makes it: a head that drives (no CPUs) and workers, with a token, on the loopback alone."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from tests.waiting import LONG

BIN = Path(sys.executable).parent
TOKEN = "a-token-of-the-tests"


class Cluster:
    """`with Cluster(workers=2) as cluster`: every process of it, and no other, is gone afterwards."""

    def __init__(self, workers: int, cpus: int = 1) -> None:
        self._workers, self._cpus = workers, cpus
        self._nodes: list[subprocess.Popen] = []
        self._home = Path(tempfile.mkdtemp(prefix="sm-"))  # short: sockets lie in it

    def __enter__(self) -> "Cluster":
        try:
            self._come_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _come_up(self) -> None:
        with ExitStack() as reserved:
            ports = [reserved.enter_context(_Reserved()).port for _ in range(3 + 4 * (1 + self._workers))]
        gcs, dashboard, client, *rest = map(str, ports)
        self.address = f"http://127.0.0.1:{dashboard}"
        own = [rest[place : place + 4] for place in range(0, len(rest), 4)]
        head = ["--head", "--port", gcs, "--include-dashboard", "true", "--dashboard-host", "127.0.0.1"]
        head += ["--dashboard-port", dashboard, "--ray-client-server-port", client, "--num-cpus", "0"]
        self._start(*head, ports=own[0])
        self._wait(lambda: self._alive() == 1, "the head")
        for place, ports_of_one in enumerate(own[1:], 1):
            self._start("--address", f"127.0.0.1:{gcs}", "--num-cpus", str(self._cpus), ports=ports_of_one)
            self._wait(lambda place=place: self._alive() == 1 + place, f"worker {place}")

    def __exit__(self, *raised: object) -> None:
        for _ in range(2):  # what was starting something when it was killed may have left that behind
            for process in self._processes():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        for node in self._nodes:
            node.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Of a terminal from which the cluster is used: nothing of the one that the tests run in, but the token."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "STYLEMILL_", "AWS_"))
        }
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        return {**kept, "PATH": path, "HOME": str(self._home), "RAY_USAGE_STATS_ENABLED": "0", **token, **more}

    def _start(self, *words: str, ports: list[str]) -> None:
        names = (
            "dashboard-agent-listen-port",
            "dashboard-agent-grpc-port",
            "metrics-export-port",
            "runtime-env-agent-port",
        )
        own = [word for name, port in zip(names, ports, strict=True) for word in (f"--{name}", port)]
        own += ["--temp-dir", str(self._home / f"{len(self._nodes)}")]  # else a node unpacks code under another's feet
        command = [str(BIN / "ray"), "start", "--block", "--node-ip-address", "127.0.0.1", *own, *words]
        command += ["--object-store-memory", str(100 * 2**20), "--disable-usage-stats"]
        with (self._home / f"node-{len(self._nodes)}.log").open("wb") as log:
            node = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment(), start_new_session=True)
        self._nodes.append(node)

    def _processes(self) -> list[psutil.Process]:
        """What was started here and what that started, told by the home directory that it has, also without a parent;
        Ray's workers write over theirs and are told by their parents."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("HOME") == str(self._home):
                    found += [process, *process.children(recursive=True)]
        return found

    def _alive(self) -> int:
        request = urllib.request.Request(
            f"{self.address}/nodes?view=summary", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                nodes = json.load(answer)["data"]["summary"]
        except OSError:
            return 0
        return sum(node["raylet"].get("state") == "ALIVE" for node in nodes)

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + LONG
        while not ready():
            for place, node in enumerate(self._nodes):
                assert node.poll() is None, (self._home / f"node-{place}.log").read_text()
            assert time.monotonic() < deadline, f"{what} did not come up in {LONG:g} s"
            time.sleep(0.1)


class _Reserved:
    """A free port, held until the block ends so that the next one is another."""

    def __enter__(self) -> "_Reserved":
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        return self

    def __exit__(self, *raised: object) -> None:
        self._socket.close()
