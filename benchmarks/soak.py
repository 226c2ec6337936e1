"""Jobs on a cluster of several nodes, disturbed at random for as long as asked, then compared byte for byte.

    python -m benchmarks.soak --minutes 10 --seed 1

Each job is of squares and cubes or of tiny faces, and writes to a directory, to S3 or to a store of another kind. While
its driver is at work, workers, nodes and drivers are killed, stores fail, rows are poisoned, tasks hang, second drivers
come. Then parts of some are truncated, flipped or deleted. Last the same command finishes the job, undisturbed, and its
parts must be those of a run in which nothing went wrong. Ends with 1 where they are not, or where a process ended in a
way that is not promised.
"""

from __future__ import annotations

import logging
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import tyro

from benchmarks.machine import header
from jobs.__main__ import main as stylemill
from pipeline.engine.job_records import JobRecords
from tests.faults import damage, faces, steering
from tests.faults.drivers import Driver
from tests.faults.faces import Faces
from tests.faults.fake_cluster import FakeCluster
from tests.faults.flaky_s3 import FlakyS3
from tests.faults.services import BUCKET, services
from tests.faults.steering import Steering
from tests.faults.whole import parts, summary
from tests.waiting import until

RESULTS = Path(__file__).parent / "results" / "soak.md"
TASK_TIMEOUT_SECONDS = 6
JOB_SECONDS = 240
STOPS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PROMISED = {  # exit codes of a driver that was told so; 0 where it had just finished
    None: {0},
    signal.SIGKILL: {-signal.SIGKILL, 0},
    signal.SIGTERM: {130, 0},
    signal.SIGINT: {130, 0},
}


@dataclass
class Tally:
    """What was done, and what came of it. `wrong` must stay empty."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, number: int = 1) -> None:
        self.counts[what] += number


class Soak:
    """One cluster, its stores, and one job after another on them."""

    def __init__(self, seed: int, folder: Path, cluster: FakeCluster, s3: FlakyS3, orders: Path) -> None:
        self.chance, self.folder, self.cluster, self.s3, self.orders = random.Random(seed), folder, cluster, s3, orders
        self.tally = Tally()
        for name in ("powers", "faces"):
            (folder / name).mkdir()
        self.whole = {
            Steering.verb: steering.undisturbed(folder / "powers"),
            Faces.verb: faces.undisturbed(folder / "faces"),
        }

    def one_job(self, number: int) -> None:
        """Start, disturb, damage, finish, compare."""
        self.cluster.fill(2)
        job = self._job(number)
        poisoned = self._poison(job)
        try:
            self._disturb(job)
            if self.chance.random() < 0.5:
                self._damage(job)
            job.go()
            self._finish(job, poisoned)
            self._compare(job)
        finally:
            self._calm()
            job.go()
            job.end()
        shutil.rmtree(job.folder)

    # -- the job ------------------------------------------------------------------------------------------------------

    def _job(self, number: int) -> Steering | Faces:
        kind = self.chance.choices([Steering, Faces], [3, 1])[0]
        job = kind(self.folder / f"job-{number}", self.cluster.address)
        where = self.chance.choice(["a directory", "s3://", "flaky://"])
        if where == "s3://":
            job.out = f"s3://{BUCKET}/job-{number}"
        elif where == "flaky://":
            job.out = f"flaky://{job.out}"
        if isinstance(job, Steering):
            job.pace(self.chance.choice([0.1, 0.3]))
        self.tally.add(f"jobs of {'squares and cubes' if kind is Steering else 'tiny faces'}")
        self.tally.add(f"jobs on {where}")
        return job

    def _poison(self, job: Steering | Faces) -> bool:
        """Two rows that fail, and for some jobs a task that hangs once."""
        if isinstance(job, Steering) and self.chance.random() < 0.2:
            job.give(f"hang-{self.chance.randrange(steering.SHARDS)}")
            self.tally.add("tasks that hung")
        if self.chance.random() < 0.3:
            raises, infinite = self.chance.sample(range(48), 2)
            job.give(f"raise-{raises}", f"infinite-{infinite}")
            self.tally.add("rows poisoned", 2)
            return True
        return False

    def _start(self, job: Steering | Faces) -> Driver:
        self.tally.add("driver starts")
        workers = self.chance.randint(1, 4)
        return job.start("--workers", str(workers), "--task-timeout", str(TASK_TIMEOUT_SECONDS))

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def _disturb(self, job: Steering | Faces) -> None:
        """A few disturbances at random moments, while a driver is at work."""
        driver = self._start(job)
        for _ in range(self.chance.randint(3, 7)):
            time.sleep(self.chance.uniform(0.2, 2.0))
            if driver.process.poll() is not None:
                self._ended(driver, None)
                driver = self._start(job)
                continue
            what = self.chance.choices(
                [self._kill_worker, self._lose_node, self._stop_driver, self._second_driver, self._flaky_stores],
                [5, 2, 4, 1, 2],
            )[0]
            driver = what(job, driver)
        if self.chance.random() < 0.5:
            driver = self._stop_driver(job, driver)
        self._ended(driver, None)
        self._calm()

    def _kill_worker(self, job: Steering | Faces, driver: Driver) -> Driver:
        if worker := self._a_worker(driver):
            with suppress(psutil.NoSuchProcess):
                worker.kill()
                self.tally.add("workers killed")
        return driver

    def _lose_node(self, job: Steering | Faces, driver: Driver) -> Driver:
        if worker := self._a_worker(driver):
            with suppress(StopIteration):  # it has gone by itself
                self.cluster.remove(self.cluster.node_of(worker.pid))
                self.cluster.add()
                self.tally.add("nodes lost")
        return driver

    def _a_worker(self, driver: Driver) -> psutil.Process | None:
        """A worker of a driver, as soon as it has one; None where it ends before."""
        until(lambda: self.cluster.workers() or driver.process.poll() is not None, "a driver had workers")
        found = self.cluster.workers()
        return self.chance.choice(found) if found else None

    def _stop_driver(self, job: Steering | Faces, driver: Driver) -> Driver:
        """Killed, terminated or interrupted; the same command at once, with other workers."""
        number = self.chance.choice(STOPS)
        until_planned(driver)
        if driver.process.poll() is None:
            driver.tell(number)
            self.tally.add(f"drivers stopped by {number.name}")
        self._ended(driver, number)
        return self._start(job)

    def _second_driver(self, job: Steering | Faces, driver: Driver) -> Driver:
        """Turned away with 5 while the first holds the lease."""
        until_planned(driver)
        second = self._start(job)
        code = second.ended(JOB_SECONDS)
        self.tally.add(
            "second drivers turned away" if code == 5 else "second drivers that came when the first had ended"
        )
        if code not in (5, 0):
            self._wrong(f"a second driver ended with {code}", second)
        return driver

    def _stores_fail(self) -> bool:
        return self.s3.flaky or (self.orders / "every-third").exists()

    def _flaky_stores(self, job: Steering | Faces, driver: Driver) -> Driver:
        """From now on every third write fails, until the job is to be finished."""
        if job.out.startswith("s3://"):
            self.s3.flaky = True
        elif job.out.startswith("flaky://"):
            (self.orders / "every-third").touch()
        return driver

    def _calm(self) -> None:
        self.s3.flaky = False
        self.tally.add("writes failed by a store", self.s3.failed + len(list(self.orders.glob("failed-*"))))
        self.s3.failed = 0
        for order in self.orders.iterdir():
            order.unlink()

    def _ended(self, driver: Driver, told: signal.Signals | None) -> None:
        """Wait for a driver's end, which must be one that is promised."""
        code = driver.ended(JOB_SECONDS)
        if code == 1 and self._stores_fail():
            self.tally.add("drivers that ended with 1 while their store failed")
        elif code not in PROMISED[told]:
            self._wrong(f"a driver (told: {told}) ended with {code}", driver)

    def _damage(self, job: Steering | Faces) -> None:
        """Up to three parts go bad; `verify` must say so."""
        found = sorted(parts(job.out))
        harmed = self.chance.sample(found, min(len(found), self.chance.randint(1, 3)))
        for name in harmed:
            way = self.chance.choice(damage.WAYS)
            way(f"{job.out}/{name}")
            self.tally.add(f"parts {way.__name__}")
        if harmed and stylemill(["verify", job.out]) == 0:
            self.tally.wrong.append(f"{job.out}: verify found nothing wrong with {harmed}")

    # -- the end ------------------------------------------------------------------------------------------------------

    def _finish(self, job: Steering | Faces, poisoned: bool) -> None:
        self.tally.add("driver starts")
        driver = job.start("--workers", "2", *(["--retry-rejected"] if poisoned else []))
        if (code := driver.ended(JOB_SECONDS)) != 0:
            self._wrong(f"the finishing driver ended with {code}", driver)

    def _compare(self, job: Steering | Faces) -> None:
        whole, found, counts = self.whole[job.verb], parts(job.out), summary(job.out, job.verb)
        differing = [name for name in whole.keys() | found.keys() if whole.get(name) != found.get(name)]
        lost = counts["planned"] - counts["published"] - counts["rejected"]
        self.tally.add("jobs")
        self.tally.add("shards", counts["shards"])
        self.tally.add("rows planned", counts["planned"])
        self.tally.add("rows published", counts["published"])
        self.tally.add("rows lost", lost)
        self.tally.add("parts compared", len(whole))
        self.tally.add("parts that differ", len(differing))
        if isinstance(job, Steering):
            self.tally.add("attempts begun, of squares and cubes", len(job.began()))
        for attempt in JobRecords(job.out, job.verb).attempts():
            self.tally.add("attempts on record")
            self.tally.add(f"attempts on record that ended: {attempt.end}")
        if differing or lost:
            self.tally.wrong.append(f"{job.out}: {lost} rows lost, parts that differ: {sorted(differing)}")
        if stylemill(["verify", job.out]) != 0:
            self.tally.wrong.append(f"{job.out}: verify found it damaged")

    def _wrong(self, what: str, driver: Driver) -> None:
        self.tally.wrong.append(f"{what}; it said: {driver.said()}")
        print(f"Wrong: {self.tally.wrong[-1]}", file=sys.stderr)


def until_planned(driver: Driver) -> None:
    """Until the driver has said its plan, or ended: before that it has nothing to lose."""
    until(lambda: "Plan" in driver.said() or driver.process.poll() is not None, "a driver said its plan")


ORDER = (
    "jobs", "shards", "rows planned", "rows published", "rows lost", "parts compared", "parts that differ",
    "driver starts", "attempts on record",
)  # fmt: skip


def table(tally: Tally, seconds: float) -> str:
    """The tally as Markdown."""
    rest = sorted(name for name in tally.counts if name not in ORDER)
    lines = ["| | |", "| --- | --- |", f"| minutes | {seconds / 60:.1f} |"]
    lines += [f"| {name} | {tally.counts[name]:,} |" for name in (*ORDER, *rest)]
    lines.append(f"| ends that are not promised, or losses | {len(tally.wrong)} |")
    return "\n".join(lines) + "\n"


def main(minutes: float = 10, seed: int = 1) -> None:
    """Disturb, compare, print and keep the tally.

    Args:
        minutes: how long jobs are started; the last one is finished.
        seed: of what is done to which job; the moment at which it strikes is the machine's.
    """
    logging.disable(logging.INFO)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder, orders = Path(name), Path(name, "flaky-orders")
        orders.mkdir()
        with services(orders) as s3:
            cluster = FakeCluster()
            try:
                soak = Soak(seed, folder, cluster, s3, orders)
                number = 0
                while time.monotonic() - begun < minutes * 60:
                    soak.one_job(number)
                    number += 1
                    print(f"job {number}: {len(soak.tally.wrong)} wrong", file=sys.stderr)
            finally:
                cluster.close()
    command = header("python -m benchmarks.soak", f"--minutes {minutes:g} --seed {seed}")
    text = f"# Jobs disturbed at random\n\n{command}{table(soak.tally, time.monotonic() - begun)}"
    print(text)
    for what in soak.tally.wrong:
        print(f"Wrong: {what}", file=sys.stderr)
    if soak.tally.wrong:
        sys.exit(1)
    RESULTS.write_text(text)


if __name__ == "__main__":
    tyro.cli(main)
