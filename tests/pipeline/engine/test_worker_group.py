"""The workers on a cluster that a test makes up: workers die, nodes vanish, heads fall silent; time is simulated."""

import heapq
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import worker_group as worker_group_module
from pipeline.engine.capacity import worker_capacity
from pipeline.engine.cluster import WorkerDied
from pipeline.engine.code_digest import running_code
from pipeline.engine.head import ClusterLost
from pipeline.engine.outcome import Outcome
from pipeline.engine.place import Place
from pipeline.engine.pool import ATTEMPTS, DEATHS, LOST_NODES
from pipeline.engine.stage import Task
from pipeline.engine.versions import versions
from pipeline.engine.worker_deaths import cause
from pipeline.engine.worker_group import WorkerGroup
from pipeline.errors import SpecError

KILLED = "The actor is dead because its worker process has died."
NOTICE_SECONDS = 1.0


class Clock:
    """Time that passes only where something waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Actor:
    def __init__(self, name: str) -> None:
        self.name, self.node, self.free_at, self.alive = name, None, 0.0, True
        self.calls: list[object] = []


class MadeUpCluster:
    """Nodes of so many CPUs, one for a worker. `fate(task, actor)` says how a shard goes: seconds, and an outcome or
    an exception. A lost node is known as such a while after its workers' errors.
    """

    def __init__(self, clock: Clock, nodes: dict[str, int], fate) -> None:
        self.clock, self.free, self.fate = clock, dict(nodes), fate
        self.alive = {name: {"CPU": float(cpus)} for name, cpus in nodes.items()}
        self.events: list[tuple[float, int, object, object]] = []
        self.ready: dict[object, object] = {}
        self.actors: list[Actor] = []
        self.waiting: list[tuple[Actor, object, object]] = []
        self.ran: Counter[int] = Counter()
        self.silent_since = None
        self.number = 0

    def _at(self, when, reference, result):
        self.number += 1
        heapq.heappush(self.events, (when, self.number, reference, result))

    def start(self):
        actor = Actor(f"actor-{len(self.actors)}")
        self.actors.append(actor)
        placed, opened = object(), object()
        self.waiting.append((actor, placed, opened))
        self._place()
        return actor, placed, opened

    def _place(self):
        for entry in list(self.waiting):
            actor, placed, opened = entry
            node = next((name for name in self.alive if self.free[name] > 0), None)
            if node is None:
                return
            self.waiting.remove(entry)
            self.free[node] -= 1
            actor.node, actor.free_at = node, self.clock.now + 2.0
            self._at(self.clock.now + 1.0, placed, Place(actor.name, node, versions(), running_code()))
            self._at(actor.free_at, opened, None)
            actor.calls += [placed, opened]

    def run(self, actor, task):
        reference = object()
        actor.calls.append(reference)
        seconds, result = self.fate(task, actor)
        self.ran[task.shard] += 1
        actor.free_at = max(actor.free_at, self.clock.now) + seconds
        if not actor.alive:
            actor.free_at, result = self.clock.now, WorkerDied(cause("ActorDiedError", KILLED))
        self._at(actor.free_at, reference, result)
        return reference

    def lose(self, node):
        """Every call on it fails as if its processes had been killed; a while later it is not alive."""
        self.events = [
            (when, number, ref, result) for when, number, ref, result in self.events if not self._on(node, ref)
        ]
        heapq.heapify(self.events)
        for actor in self.actors:
            if actor.node == node and actor.alive:
                actor.alive = False
                for reference in actor.calls:
                    if reference not in self.ready:
                        self._at(self.clock.now, reference, WorkerDied(cause("ActorDiedError", KILLED)))
        self.free[node] = 0
        self._at(self.clock.now + NOTICE_SECONDS, None, lambda: self.alive.pop(node, None))

    def _on(self, node, reference):
        return any(reference in actor.calls for actor in self.actors if actor.node == node)

    def join(self, node, cpus):
        self.alive[node], self.free[node] = {"CPU": float(cpus)}, cpus
        self._place()

    def stop(self, actor):
        self.waiting = [entry for entry in self.waiting if entry[0] is not actor]
        if actor.node in self.alive and actor.alive:
            self.free[actor.node] += 1
        actor.alive, actor.node = False, actor.node
        self._place()

    def wait(self, references, seconds):
        until = self.clock.now + seconds
        while not any(reference in self.ready for reference in references):
            if not self.events or self.events[0][0] > until:
                self.clock.now = until
                return []
            when, _, reference, result = heapq.heappop(self.events)
            self.clock.now = max(self.clock.now, when)
            if reference is None:
                result()
            else:
                self.ready[reference] = result
        return [reference for reference in references if reference in self.ready]

    def result(self, reference):
        result = self.ready[reference]
        if isinstance(result, Exception):
            raise result
        return result

    def nodes(self):
        if self.silent_since is None:
            return dict(self.alive)
        if self.clock.now - self.silent_since > 40:
            raise ClusterLost("the Ray cluster is lost")
        return None


@pytest.fixture
def clock(monkeypatch):
    made_up = Clock()
    monkeypatch.setattr(worker_group_module, "time", made_up)
    return made_up


def tasks(number):
    return [Task(shard, number, 8 * shard, 8 * shard + 8) for shard in range(number)]


def fine(task, actor):
    return 10.0, Outcome(task.shard)


def drive(group, number, each=lambda outcome: None):
    journal, outcomes = [], {}
    for outcome in group.map(tasks(number), journal.append):
        assert outcome.shard not in outcomes
        outcomes[outcome.shard] = outcome
        each(outcome)
    assert sorted(outcomes) == list(range(number))
    return outcomes, journal


def died(task, actor):
    return 1.0, WorkerDied(cause("ActorDiedError", KILLED))


def test_all_shards_run_once_and_all_workers_are_let_go(clock):
    cluster = MadeUpCluster(clock, {"a": 2, "b": 2}, fine)
    group = WorkerGroup(cluster, lambda nodes: 4)
    outcomes, journal = drive(group, 20)
    assert all(outcome.ok for outcome in outcomes.values())
    assert set(cluster.ran.values()) == {1}
    assert (group.most, group.size, group.lost, len(cluster.actors)) == (4, 0, 0, 4)
    assert cluster.free == {"a": 2, "b": 2}
    assert [record.number for record in journal] == [1] * 20
    assert clock.now < 1000 + 2 + 20 / 4 * 10 + 5


def test_workers_that_have_no_place_wait_while_the_others_go_on(clock):
    cluster = MadeUpCluster(clock, {"a": 1}, fine)
    group = WorkerGroup(cluster, lambda nodes: 3)
    drive(group, 5)
    assert (group.most, set(cluster.ran.values())) == (3, {1})


def test_idle_workers_leave_their_room_to_others(clock):
    cluster = MadeUpCluster(
        clock, {"a": 3}, lambda task, actor: (100.0 if task.shard == 0 else 1.0, Outcome(task.shard))
    )
    group = WorkerGroup(cluster, lambda nodes: 3)
    free = []
    drive(group, 3, lambda outcome: free.append(cluster.free["a"]))
    assert free[-1] == 2  # while shard 0 was at work, the other two places were given back


def test_a_shard_that_kills_is_given_up_after_five_and_the_others_are_done(clock):
    cluster = MadeUpCluster(clock, {"a": 2}, lambda task, actor: (died if task.shard == 1 else fine)(task, actor))
    group = WorkerGroup(cluster, lambda nodes: 2)
    outcomes, journal = drive(group, 8)
    assert [shard for shard, outcome in outcomes.items() if not outcome.ok] == [1]
    assert "5 workers died on this shard, shard 1" in outcomes[1].error
    assert [record.end for record in journal if record.shard == 1] == ["worker lost"] * DEATHS
    assert [record.number for record in journal if record.shard == 1] == [1, 2, 3, 4, 5]
    assert (group.lost, len(group.lost_nodes)) == (DEATHS, 0)


def test_lost_nodes_have_no_limit_though_they_are_known_late(clock):
    cluster = MadeUpCluster(clock, {"n0": 1}, fine)
    group = WorkerGroup(cluster, lambda nodes: 1)
    for number in range(20):
        cluster._at(clock.now + 5 + 15 * number, None, lambda number=number: cluster.lose(f"n{number}"))
        cluster._at(clock.now + 8 + 15 * number, None, lambda number=number: cluster.join(f"n{number + 1}", 1))
    outcomes, journal = drive(group, 3)
    assert all(outcome.ok for outcome in outcomes.values())
    assert len(group.lost_nodes) > DEATHS
    assert {record.end for record in journal} == {"published", "node lost"}


def test_a_shard_that_takes_its_nodes_down_is_the_last_and_is_given_up(clock):
    cluster = MadeUpCluster(
        clock, {"n0": 1}, lambda task, actor: (1e9 if task.shard == 0 else 10.0, Outcome(task.shard))
    )
    real = cluster.run

    def run(actor, task):
        reference = real(actor, task)
        if task.shard == 0:
            number = int(actor.node[1:])
            assert number < 2 * LOST_NODES, "it is never given up"
            cluster._at(clock.now + 5, None, lambda: cluster.lose(f"n{number}"))
            cluster._at(clock.now + 8, None, lambda: cluster.join(f"n{number + 1}", 1))
        return reference

    cluster.run = run
    group = WorkerGroup(cluster, lambda nodes: 1)
    ended = []
    outcomes, journal = drive(group, 4, lambda outcome: ended.append((outcome.shard, len(group.lost_nodes))))
    assert [shard for shard, _ in ended][-1] == 0
    assert ended[0][1] <= 4  # the others did not wait for all of its losses
    assert "20 nodes were lost" in outcomes[0].error
    assert len(group.lost_nodes) == LOST_NODES
    assert [record.end for record in journal if record.shard == 0] == ["node lost"] * LOST_NODES
    assert all(outcomes[shard].ok for shard in (1, 2, 3))


def test_a_worker_that_hangs_is_replaced_and_the_try_counted(clock):
    hangs = Counter()

    def fate(task, actor):
        hangs[task.shard] += 1
        return (1e9 if task.shard == 2 or (hangs[task.shard] == 1 and task.shard == 3) else 1.0), Outcome(task.shard)

    cluster = MadeUpCluster(clock, {"a": 2}, fate)
    outcomes, journal = drive(WorkerGroup(cluster, lambda nodes: 2, task_timeout=30.0), 6)
    assert (outcomes[2].error, outcomes[2].attempts) == ("no result after 30 s (--task-timeout)", ATTEMPTS)
    assert [shard for shard, outcome in outcomes.items() if not outcome.ok] == [2]
    assert [record.end for record in journal if record.shard == 2] == ["timeout"] * ATTEMPTS
    assert all(30 <= record.seconds < 32 for record in journal if record.end == "timeout")


def test_the_clock_of_the_second_shard_in_hand_starts_when_the_first_has_ended(clock):
    cluster = MadeUpCluster(clock, {"a": 1}, lambda task, actor: (20.0, Outcome(task.shard)))
    outcomes, journal = drive(WorkerGroup(cluster, lambda nodes: 1, task_timeout=30.0), 6)
    assert all(outcome.ok for outcome in outcomes.values())
    assert {record.end for record in journal} == {"published"}


def test_nodes_that_join_are_used_and_lost_ones_not_waited_for(clock):
    cluster = MadeUpCluster(clock, {"a": 1}, fine)
    group = WorkerGroup(cluster, lambda nodes: max(1, worker_capacity(nodes.values(), 1, 0)))
    sizes = []
    cluster._at(clock.now + 50, None, lambda: cluster.join("b", 3))
    cluster._at(clock.now + 100, None, lambda: cluster.lose("b"))
    outcomes, _ = drive(group, 60, lambda outcome: sizes.append(group.size))
    assert all(outcome.ok for outcome in outcomes.values())
    assert (sizes[0], max(sizes), sizes[-3]) == (1, 4, 1)
    assert group.lost == 3


@pytest.mark.parametrize(("task_timeout", "seconds"), [(20.0, 600), (100.0, 1000)])
def test_a_worker_that_hangs_while_it_opens_its_models_is_replaced(clock, monkeypatch, task_timeout, seconds):
    cluster = MadeUpCluster(clock, {"a": 1}, fine)
    wait = cluster.wait
    monkeypatch.setattr(
        cluster, "wait", lambda references, limit: wait([ref for ref in references if not hangs(ref)], limit)
    )

    def hangs(reference):
        return reference in cluster.actors[0].calls[1:2]  # what `open` of the first returns

    group = WorkerGroup(cluster, lambda nodes: 1, task_timeout=task_timeout)
    outcomes, _ = drive(group, 2)
    assert all(outcome.ok for outcome in outcomes.values())
    assert (group.lost, len(cluster.actors)) == (1, 2)
    assert 1000 + seconds < clock.now < 1000 + seconds + 40


def test_workers_that_all_hang_while_they_open_their_models_end_the_run(clock, monkeypatch):
    cluster = MadeUpCluster(clock, {"a": 2}, fine)
    wait = cluster.wait
    monkeypatch.setattr(
        cluster,
        "wait",
        lambda references, limit: wait(
            [ref for ref in references if not any(ref in actor.calls[1:2] for actor in cluster.actors)], limit
        ),
    )
    with pytest.raises(
        SpecError, match=r"5 workers in a row died while opening .*: its models were not open after 600 s"
    ):
        drive(WorkerGroup(cluster, lambda nodes: 2, task_timeout=5.0), 3)


def test_spare_workers_are_demand_and_make_a_cluster_grow(clock):
    cluster = MadeUpCluster(clock, {"n0": 1}, fine)
    group = WorkerGroup(cluster, lambda nodes: max(1, worker_capacity(nodes.values(), 1, 0)), spare=2)
    demand, sizes, joining = [], [], set()

    def autoscaler():
        demand.append(len(cluster.waiting))
        if cluster.waiting and len(joining) < 3:
            joining.add(node := f"n{len(joining) + 1}")
            cluster._at(clock.now + 20, None, lambda: cluster.join(node, 1))

    for seconds in range(5, 200, 5):
        cluster._at(clock.now + seconds, None, autoscaler)
    drive(group, 60, lambda outcome: sizes.append(group.size))
    assert joining == {"n1", "n2", "n3"}
    assert (demand[0], max(demand)) == (2, 2)
    assert (sizes[0], max(sizes), group.most) == (1, 4, 4)  # those that only wait are no workers
    assert set(cluster.ran.values()) == {1}
    assert (group.lost, group.size, cluster.waiting) == (0, 0, [])


def test_spare_workers_go_when_the_queue_is_empty(clock):
    cluster = MadeUpCluster(clock, {"a": 1}, fine)
    group = WorkerGroup(cluster, lambda nodes: 1, spare=2)
    waiting = []
    drive(group, 6, lambda outcome: waiting.append(len(cluster.waiting)))
    assert (waiting[0], waiting[-1]) == (2, 0)
    assert (group.most, group.lost, len(cluster.actors)) == (1, 0, 3)


def test_workers_that_die_while_opening_are_bounded_in_a_row(clock, monkeypatch):
    cluster = MadeUpCluster(clock, {"a": 1}, fine)
    real = cluster.result

    def result(reference):
        if real(reference) is None:  # what `open` returns
            raise WorkerDied(cause("ActorDiedError", KILLED))
        return real(reference)

    monkeypatch.setattr(cluster, "result", result)
    with pytest.raises(SpecError, match=f"{DEATHS} workers in a row died while opening their models"):
        drive(WorkerGroup(cluster, lambda nodes: 1), 3)
    assert DEATHS <= len(cluster.actors) <= DEATHS + 2


def test_a_silent_head_is_waited_for_and_then_given_up(clock):
    cluster = MadeUpCluster(clock, {"a": 2}, lambda task, actor: (5.0, Outcome(task.shard)))
    seen = []

    def fall_silent(outcome):
        seen.append(outcome.shard)
        cluster.silent_since = cluster.silent_since or clock.now

    group = WorkerGroup(cluster, lambda nodes: 2)
    with pytest.raises(ClusterLost):
        drive(group, 1000, fall_silent)
    assert len(seen) > 8  # what the workers finished in the meantime has come
    assert (group.size, group.at_work) == (0, ())


def test_room_is_waited_for_and_said(clock):
    cluster = MadeUpCluster(clock, {"a": 0}, fine)
    group = WorkerGroup(cluster, lambda nodes: 2, task_timeout=20.0)
    said = []
    for seconds in range(0, 60, 4):
        cluster._at(clock.now + seconds, None, lambda: said.append(group.waiting_for_resources))
    cluster._at(clock.now + 5000, None, lambda: cluster.join("b", 1))
    outcomes, _ = drive(group, 3)
    assert (len(outcomes), group.lost) == (3, 0)  # to wait for a place is not to open models
    assert (said[0], said[-1], group.waiting_for_resources) == (False, True, False)


def test_shards_at_work_are_seen_with_their_workers(clock):
    cluster = MadeUpCluster(clock, {"a": 2}, fine)
    group = WorkerGroup(cluster, lambda nodes: 2)
    seen = []
    cluster._at(clock.now + 8, None, lambda: seen.extend(worker_group_module.at_work(group)))
    drive(group, 4)
    assert sorted((entry.shard, entry.worker) for entry in seen) == [(0, "actor-0"), (2, "actor-1")]  # 1 is in hand
    assert all(5 < entry.seconds < 7 for entry in seen)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 6))
def test_whatever_dies_every_shard_ends_once_and_honestly(seed, number, workers):
    """Random kills, lost nodes, errors, hangs and broken devices: budgets hold, nothing is lost, doubled or leaked."""
    chance, clock = random.Random(seed), Clock()
    poison = {shard for shard in range(number) if chance.random() < 0.1}

    def fate(task, actor):
        if task.shard in poison or chance.random() < 0.05:
            return died(task, actor)
        roll = chance.random()
        if roll < 0.05:
            return 1e9, Outcome(task.shard)
        if roll < 0.15:
            return 3.0, Outcome(task.shard, error="no", broken=chance.random() < 0.3)
        return chance.uniform(0.1, 20), Outcome(task.shard)

    before, worker_group_module.time = worker_group_module.time, clock
    try:
        cluster = MadeUpCluster(clock, {"head": 2}, fate)
        for node in range(10):
            cluster._at(clock.now + chance.uniform(0, 200), None, lambda node=node: cluster.join(f"n{node}", 2))
            cluster._at(clock.now + chance.uniform(200, 400), None, lambda node=node: cluster.lose(f"n{node}"))
        group = WorkerGroup(cluster, lambda nodes: workers, task_timeout=30.0)
        outcomes, journal = drive(group, number)
    finally:
        worker_group_module.time = before
    assert group.size == 0
    ends = {shard: Counter(record.end for record in journal if record.shard == shard) for shard in range(number)}
    for shard, outcome in outcomes.items():
        assert outcome.ok == (ends[shard]["published"] == 1)
        assert ends[shard]["error"] + ends[shard]["timeout"] <= ATTEMPTS
        assert ends[shard]["worker lost"] <= DEATHS
        if not outcome.ok:
            spent = ends[shard]["error"] + ends[shard]["timeout"] == ATTEMPTS
            assert spent or ends[shard]["worker lost"] == DEATHS
        numbers = [record.number for record in journal if record.shard == shard]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert poison <= {shard for shard, outcome in outcomes.items() if not outcome.ok}
