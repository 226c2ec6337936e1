"""One job of the tiny networks: its output, its model file, its orders, its drivers."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

from jobs.__main__ import main
from pipeline.models.generators import GENERATORS

from . import tiny_job
from .drivers import Driver
from .whole import parts

WORDS = ["--classifiers", "tiny", "--images", "png", "--size", "32", "--rows", "48", "--rows-per-shard", "8"]
WORDS += ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--device", "cpu"]


def undisturbed(folder: Path) -> dict[str, bytes]:
    """The parts that the job makes where nothing goes wrong, in this process."""
    (folder / "model").write_text("0")
    out = str(folder / "out")
    with mock.patch.dict(GENERATORS):
        tiny_job.register(str(folder / "model"))
        assert main(["dataset", "--generator", tiny_job.FROM_FILE, *WORDS, "--out", out, "--local"]) == 0
    return parts(out)


class Faces:
    """`start` drivers, who work on `out` by the cluster at `address`, or have one each; `model` is the generator's
    file."""

    verb = "dataset"

    def __init__(self, folder: Path, address: str | None) -> None:
        self.folder, self.out = folder, str(folder / "out")
        self._where = ["--address", address] if address else []
        self.model, self.orders = folder / "model", folder / "orders"
        self.orders.mkdir(parents=True)
        self.model.write_text("0")
        self._drivers: list[Driver] = []

    def give(self, *orders: str) -> None:
        for order in orders:
            (self.orders / order).touch()

    def go(self) -> None:
        """Withdraw every order."""
        for order in self.orders.iterdir():
            if not order.name.startswith("began-"):
                order.unlink()

    def began(self) -> list[int]:
        """Process ids of the attempts that began."""
        return [int(mark.name.split("-")[2]) for mark in self.orders.glob("began-*")]

    def start(self, *words: str) -> Driver:
        program = [sys.executable, "-m", "tests.faults.tiny_job", str(self.model), str(self.orders)]
        command = [*program, *WORDS, "--out", self.out, *self._where, *words]
        self._drivers.append(Driver(command, self.folder / f"driver-{len(self._drivers)}.log"))
        return self._drivers[-1]

    def finish(self, *words: str) -> Driver:
        """The same command again, to its good end."""
        driver = self.start(*words)
        assert driver.ended() == 0, driver.said()
        return driver

    def published(self) -> int:
        """Shards whose last table is there."""
        return len([name for name in parts(self.out) if name.startswith("labels/")])

    def end(self) -> None:
        """Leave no driver behind."""
        for driver in self._drivers:
            driver.end()
