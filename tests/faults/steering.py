"""One job of the steered stage: its output, its orders, its drivers."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil

from pipeline.engine.local_pool import LocalPool
from pipeline.engine.run import RunOptions, run
from tests.waiting import until

from . import steered
from .drivers import STEERED, Driver
from .whole import parts

ROWS, ROWS_PER_SHARD = 64, 8
SHARDS = ROWS // ROWS_PER_SHARD


def undisturbed(folder: Path, seed: int = 1) -> dict[str, bytes]:
    """The parts that the job makes where nothing goes wrong."""
    orders = folder / "no-orders"
    orders.mkdir()
    job = steered.powers(str(folder / "out"), str(orders), ROWS, ROWS_PER_SHARD, seed)
    assert run(job, LocalPool(), RunOptions(), lambda line: None).exit_code == 0
    return parts(job.out)


class Steering:
    """`give` and `withdraw` orders (see steered.py); `start` drivers, who work on `out` by the cluster at `address`."""

    verb = steered.VERB

    def __init__(self, folder: Path, address: str | None, out: str | None = None) -> None:
        self.folder, self.address = folder, address
        self.out = out or str(folder / "out")
        self.orders = folder / "orders"
        self.orders.mkdir(parents=True)
        self._drivers: list[Driver] = []
        self._seconds_ahead = 0.0
        self.words = ["--rows", str(ROWS), "--rows-per-shard", str(ROWS_PER_SHARD)]

    # -- orders -------------------------------------------------------------------------------------------------------

    def give(self, *orders: str) -> None:
        for order in orders:
            (self.orders / order).touch()

    def withdraw(self, *orders: str) -> None:
        for order in orders:
            (self.orders / order).unlink()

    def pace(self, seconds: float) -> None:
        """Each micro-batch takes so long from now on."""
        (self.orders / "pace.new").write_text(str(seconds))
        (self.orders / "pace.new").replace(self.orders / "pace")

    def advance_clock(self, seconds: float) -> None:
        """So much more time has passed, for the driver."""
        self._seconds_ahead += seconds
        (self.orders / "ahead.new").write_text(str(self._seconds_ahead))
        (self.orders / "ahead.new").replace(self.orders / steered.AHEAD)

    def hold_all(self) -> None:
        self.give(*(f"hold-{shard}" for shard in range(SHARDS)))

    def go(self) -> None:
        """Withdraw every order; the clock stays as it is."""
        for order in self.orders.iterdir():
            if not order.name.startswith(("began-", "computed-", steered.AHEAD)):
                with suppress(FileNotFoundError):
                    order.unlink()

    # -- what workers tell --------------------------------------------------------------------------------------------

    def began(self, shard: int | None = None) -> list[int]:
        """Process ids of the attempts that began, in order of time."""
        return _pids(self.orders.glob("began-*" if shard is None else f"began-{shard}-*"))

    def computed(self, shard: int) -> list[int]:
        """Process ids of the attempts that wait to publish late."""
        return _pids(self.orders.glob(f"computed-{shard}-*"))

    def published(self) -> int:
        """Shards whose last table is there (in a directory, or on a store that keeps its files in one)."""
        return len(list(Path(self.out.removeprefix("flaky://"), "cubes").glob("part-*.parquet")))

    # -- drivers ------------------------------------------------------------------------------------------------------

    def start(self, *words: str, **how) -> Driver:
        where = [] if "--local" in words else ["--address", str(self.address)]
        command = [*STEERED, "--out", self.out, "--orders", str(self.orders), *self.words, *where, *words]
        driver = Driver(command, self.folder / f"driver-{len(self._drivers)}.log", **how)
        self._drivers.append(driver)
        return driver

    def finish(self, *words: str) -> Driver:
        """The same command again, to its good end."""
        driver = self.start(*words)
        assert driver.ended() == 0, driver.said()
        return driver

    def end(self) -> None:
        """Leave no driver and no worker of this job behind."""
        for driver in self._drivers:
            driver.end()
        self.go()
        until(lambda: not [pid for pid in set(self.began()) if _works(pid)], "the job's workers were gone")


def _pids(marks) -> list[int]:
    return [int(mark.name.split("-")[2]) for mark in sorted(marks, key=lambda mark: int(mark.name.split("-")[3]))]


def _works(pid: int) -> bool:
    if pid == os.getpid():
        return False
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "ray::" in " ".join(process.cmdline())
    return False
