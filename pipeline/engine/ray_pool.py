"""The pool on Ray: actors that the driver owns, one model load each, one shard a call. The only file that imports Ray.

Ray is asked to restart and retry nothing (`max_restarts=0, max_task_retries=0`): its own retries burn out while an
actor is being restarted, and hide what a shard costs. `WorkerGroup` does that.
"""

import atexit
import logging
import os
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

# The raylets' log (twenty lines for each worker that was killed) reaches the driver's stdout despite log_to_driver,
# through this filter, which is read when ray is imported. The pool itself reports what matters of it.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")

import ray
from ray.exceptions import AuthenticationError, RayActorError, RayError
from ray.job_config import JobConfig

from pipeline.engine.attempt import Attempt, Outputs, attempt, outcome_of
from pipeline.engine.capacity import check_capacity, worker_capacity
from pipeline.engine.cluster import Nodes, WorkerDied
from pipeline.engine.code_digest import import_path, running_code
from pipeline.engine.head import TOKEN_HELP, ClusterLost, answers, check_address
from pipeline.engine.helpers import HelperGroup
from pipeline.engine.journal import Journal
from pipeline.engine.machine import cores
from pipeline.engine.outcome import Outcome, Reached
from pipeline.engine.place import Place, this_place
from pipeline.engine.pool import AtWork
from pipeline.engine.stage import Stage, StageOfParts, Task, Trainer, Worker
from pipeline.engine.temp_dir import ray_temp_dir
from pipeline.engine.worker_deaths import cause, last_line
from pipeline.engine.worker_group import WorkerGroup, at_work
from pipeline.errors import SpecError, StylemillError

log = logging.getLogger(__name__)

HEAD_SECONDS = 40.0
"""How long a head may be silent. Ray ends the driver's process, whatever it holds, after 60."""

SPARE = 2
"""Workers that wait for room where there are to be as many as fit: what makes a cluster grow."""

TELL_SECONDS = 2.0
"""How often a worker reports how many rows of its shard are done; shorter shards report none."""

TOLD_A_SECOND = 50.0
"""So often a driver hears of that from all its workers."""

SIGNAL_SECONDS = 0.001
"""For so long, at most, SIGTERM may be as Ray sets it."""


@dataclass(frozen=True)
class _Helped:
    """A worker is to have so many helpers. stage: a reference. options: of their actors."""

    stage: Any
    helpers: int
    options: dict[str, float]


class _Actor:
    """Lives in a Ray worker process: opens the stage once, then runs shards."""

    def __init__(self, stage: Stage, outputs: Outputs, helped: _Helped) -> None:
        self._stage, self._outputs = stage, outputs
        self._worker: Worker | Trainer | None = None
        self._helpers = HelperGroup(_RayHelpers(helped), helped.helpers) if helped.helpers > 0 else None

    def place(self) -> Place:
        return this_place(ray.get_runtime_context().get_node_id())

    def open(self) -> StylemillError | None:
        """Open the models; an error meant for the user is a value here, any other one is Ray's to carry."""
        try:
            if self._outputs.lease_check:
                self._outputs.lease_check.check_visible()
            self._worker = self._stage.open()
        except StylemillError as error:
            return error
        return None

    def run(self, task: Task) -> Outcome:
        return outcome_of(self._attempt(task))

    def run_telling(self, task: Task, every: float) -> Iterator[Reached | Outcome]:
        """Run one task: how far it is, not more often than `every` seconds, and at last its outcome."""
        trying, told = self._attempt(task), time.monotonic()
        while True:
            try:
                reached = next(trying)
            except StopIteration as end:
                yield end.value
                return
            if time.monotonic() - told >= every:
                told = time.monotonic()
                yield reached

    def _attempt(self, task: Task) -> Attempt:
        if self._worker is None:
            raise RuntimeError("run before open")
        return attempt(self._worker, replace(task, helpers=self._helpers), self._outputs)


class _Helper:
    """Lives in a Ray worker process: opens the stage once, then computes parts of another worker's steps."""

    def __init__(self, stage: Stage) -> None:
        self._worker: Any = stage.open()

    def open(self) -> None:
        """Ready once the models are open."""

    def compute(self, part: Any) -> Any:
        return self._worker.compute(part)


class _RayHelpers:
    """Helpers on the cluster, as `HelperGroup` uses them. The worker that starts them owns them: they end with it."""

    def __init__(self, helped: _Helped) -> None:
        self._helped = helped

    def start(self) -> tuple[Any, Any]:
        helper = ray.remote(**self._helped.options)(_Helper).remote(self._helped.stage)
        return helper, helper.open.remote()

    def compute(self, helper: Any, part: Any) -> Any:
        return helper.compute.remote(part)

    def stop(self, helper: Any) -> None:
        ray.kill(helper)

    def wait(self, references: Sequence[Any], seconds: float) -> Sequence[Any]:
        return _ready(references, seconds)

    def result(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except RayError as error:
            raise WorkerDied(cause(type(error).__name__, str(error))) from error


class _SameCode(JobConfig):
    """Workers import our packages from where this driver has them.

    Ray puts the driver's current directory, whatever lies there, before all else on the import path of each worker,
    and leaves that only where the job has an uploaded working directory.
    """

    def __init__(self) -> None:
        super().__init__(_py_driver_sys_path=import_path())

    def _runtime_env_has_working_dir(self) -> bool:
        return True


class _RayCluster:
    """A Ray cluster that this process has joined, as `WorkerGroup` uses it: actors of `cpus` and `gpus` each."""

    def __init__(self, cpus: float, gpus: float) -> None:
        context = ray.get_runtime_context()
        self.head, self._node = context.gcs_address, context.get_node_id()
        self._options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        self._given: tuple[Any, Any, _Helped] | None = None
        self._actors, self._quick = 0, False
        self._answered_at = time.perf_counter()

    def give(self, stage: Stage, outputs: Outputs, helpers: int) -> None:
        """What each actor is started with, and how many helpers it may have."""
        of_stage = ray.put(stage)
        self._given = (of_stage, ray.put(outputs), _Helped(of_stage, helpers, self._options))

    def start(self) -> tuple[Any, Any, Any]:
        assert self._given is not None
        actor = ray.remote(**self._options)(_Actor).remote(*self._given)
        self._actors += 1
        return actor, actor.place.remote(), actor.open.remote()

    def run(self, worker: Any, task: Task) -> Any:
        """Where shards take their time, a generator: each wait for it ends with its next result."""
        if self._quick:
            return worker.run.remote(task)
        return worker.run_telling.remote(task, max(TELL_SECONDS, self._actors / TOLD_A_SECOND))

    def stop(self, worker: Any) -> None:
        self._actors -= 1
        if ray.is_initialized():
            ray.kill(worker)

    def wait(self, references: Sequence[Any], seconds: float) -> Sequence[Any]:
        return _ready(references, seconds)

    def result(self, reference: Any) -> Any:
        try:
            found = ray.get(next(reference) if isinstance(reference, ray.ObjectRefGenerator) else reference)
        except RayActorError as error:
            if error.actor_init_failed:
                why, here = last_line(str(error)), running_code()
                raise SpecError(f"a worker cannot start (has its node the stylemill of {here}?): {why}") from error
            raise WorkerDied(cause(type(error).__name__, str(error), error.preempted)) from error
        except RayError as error:
            raise WorkerDied(cause(type(error).__name__, str(error))) from error
        if isinstance(found, Outcome):
            self._quick = found.counters.get("seconds", TELL_SECONDS) < TELL_SECONDS
        return found

    def nodes(self) -> Nodes | None:
        """Ray is asked nothing while its head is silent: the call would not come back."""
        if answers(self.head):
            self._answered_at = time.perf_counter()
            nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
            if self._node in nodes:
                return nodes
            gone = "declared the driver's own node dead"
        elif time.perf_counter() - self._answered_at < HEAD_SECONDS:
            return None
        else:
            gone = f"has not answered for {HEAD_SECONDS:g} s"
        raise ClusterLost(
            f"the Ray cluster is lost: its head at {self.head} {gone}; what is finished is safe, "
            "and the same command continues on a running cluster"
        )


class RayPool:
    """`workers` actors of `cpus` and `gpus` each, on the cluster at `address` or on one started for this job.

    `workers` None: as many as the nodes have room for, as they come and go; on a cluster that was joined, a few more
    wait for room, which its autoscaler takes for what it is: demand. A shard that takes longer than `task_timeout`
    seconds costs its worker and one try; models that take ten times as long to open, and 600 s, cost the worker.
    """

    def __init__(
        self,
        workers: int | None,
        cpus: float,
        gpus: float = 0.0,
        address: str | None = None,
        task_timeout: float | None = None,
    ) -> None:
        self._asked, self._cpus, self._gpus, self._timeout = workers, cpus, gpus, task_timeout
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._owned = not ray.is_initialized()
        self._joins = not self._owned or self._address not in (None, "", "local")
        self.expected, self._running = workers or 1, False
        self._cluster: _RayCluster | None = None
        self._group: WorkerGroup | None = None

    # -- its state, for any thread ------------------------------------------------------------------------

    @property
    def workers(self) -> int:
        if self._group is None:
            return self.expected
        return self._group.size if self._running else self._group.most

    @property
    def lost(self) -> int:
        return self._group.lost if self._group else 0

    @property
    def lost_nodes(self) -> int:
        return len(self._group.lost_nodes) if self._group else 0

    @property
    def opened_at(self) -> float | None:
        return self._group.opened_at if self._group else None

    @property
    def waiting_for_resources(self) -> bool:
        return self._group is not None and self._group.waiting_for_resources

    def at_work(self) -> tuple[AtWork, ...]:
        """The running shards."""
        return at_work(self._group) if self._group else ()

    # -- the story ----------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Join or start the cluster.

        Raises:
            SpecError: there is none at the address, it does not let us in, none can be started here, or it can place
                none of the workers.
        """
        running_code()  # as it is now: files that are changed later are not this driver's any more
        if not ray.is_initialized():
            self._connect()
        self._cluster = _RayCluster(self._cpus, self._gpus)
        while (nodes := self._cluster.nodes()) is None:
            time.sleep(1.0)  # a busy head; one that stays silent is an error in the end
        places = check_capacity(nodes.values(), self._cpus, self._gpus)
        if self._asked is None:
            self.expected = places
        elif self._asked > places:
            log.warning("the cluster has room for %d of %d workers now; others join as nodes do", places, self._asked)

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]:
        """Run the tasks; outcomes come as they end.

        Raises:
            StylemillError: a worker runs other code or cannot open its models, or the cluster is lost.
        """
        if self._cluster is None:
            raise RuntimeError("map before prepare")
        self._cluster.give(stage, outputs, self._helpers(stage))
        spare = SPARE if self._asked is None and self._joins else 0
        self._group = WorkerGroup(self._cluster, self._wanted, self._timeout, spare)
        self._running = True
        try:
            with closing(self._group.map(tasks, journal)) as outcomes:
                yield from outcomes
        finally:
            self._running = False

    def close(self) -> None:
        """Stop the workers; the cluster too where this pool started it."""
        if self._group:
            self._group.dismiss()
        if self._owned and ray.is_initialized():
            _shut_down()

    def _helpers(self, stage: Stage) -> int:
        """Of the one worker of a stage whose steps have parts: with it, as many as workers are asked for."""
        parts = stage.parts if isinstance(stage, StageOfParts) else 1
        workers = self._asked or (parts if self._joins else 1)
        return min(workers, parts) - 1

    def _wanted(self, nodes: Nodes) -> int:
        return self._asked or max(1, worker_capacity(nodes.values(), self._cpus, self._gpus))

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        how = {"job_config": _SameCode(), "log_to_driver": False, "logging_level": logging.ERROR}
        if not self._address or self._address == "local":
            os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 leaves workers no time beside a busy process
            cpus = max(cores(), round((self._asked or 1) * self._cpus))
            ray.init(address="local", num_cpus=cpus, include_dashboard=False, _temp_dir=ray_temp_dir(), **how)
            return
        check_address(self._address)
        try:
            ray.init(address=self._address, **how)
        except AuthenticationError as error:
            raise SpecError(f"the Ray cluster at {self._address} cannot be joined: no token; {TOKEN_HELP}") from error
        except (ConnectionError, RuntimeError, ValueError, SystemExit) as error:  # Ray exits where no head answers
            why = "nothing answers" if isinstance(error, SystemExit) else error
            raise SpecError(f"the Ray cluster at {self._address} cannot be joined: {why}") from error


def _ready(references: Sequence[Any], seconds: float) -> list[Any]:
    """All that are ready; waits up to `seconds` for the first."""
    ready, _ = ray.wait(list(references), num_returns=1, timeout=seconds)
    if ready and len(references) > 1:
        ready, _ = ray.wait(list(references), num_returns=len(references), timeout=0)
    return list(ready)


def _shut_down() -> None:
    """Leave the cluster, with SIGTERM as it is: half way through a second or two, Ray sets it back to its default
    beneath Python. Only the main thread can undo that, so another one shuts down.

    Raises:
        KeyboardInterrupt: a signal did; nobody waits for that thread then, nor does Ray try once more at exit.
    """
    if threading.current_thread() is not threading.main_thread():
        ray.shutdown()
        return
    left: Future[None] = Future()

    def leave() -> None:
        try:
            left.set_result(ray.shutdown())
        except BaseException as error:
            left.set_exception(error)

    threading.Thread(target=leave, name="shutdown", daemon=True).start()
    try:
        while wait([left], SIGNAL_SECONDS).not_done:
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    except KeyboardInterrupt:
        atexit.unregister(ray.shutdown)
        raise
    left.result()
