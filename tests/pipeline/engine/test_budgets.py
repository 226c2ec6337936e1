"""What a shard may cost: tries of the work, dead workers, lost nodes; and what a worker died of."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.budgets import Deaths, Shards
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import ATTEMPTS, DEATHS
from pipeline.engine.stage import Task
from pipeline.engine.worker_deaths import DoubtfulDeath, DoubtfulDeaths, cause


def shards(number=3):
    return Shards(Task(shard, number, 8 * shard, 8 * shard + 8) for shard in range(number))


def test_an_error_is_tried_again_after_all_others_and_three_times():
    queue = shards(2)
    ends = []
    while queue.unfinished:
        task = queue.take()
        ends.append((task.shard, queue.tried(task, Outcome(task.shard, error="no"))))
    assert [shard for shard, _ in ends] == [0, 1] * ATTEMPTS
    assert all(final is None for _, final in ends[:-2])
    assert [(final.error, final.attempts) for _, final in ends[-2:]] == [("no", ATTEMPTS)] * 2


def test_what_stops_all_others_is_tried_again_before_them():
    queue = shards(2)
    assert queue.tried(queue.take(), Outcome(0, error="the disk is full", halt=True)) is None
    assert queue.take().shard == 0


def test_an_error_that_no_try_can_mend_ends_the_shard():
    queue = shards(1)
    assert queue.tried(queue.take(), Outcome(0, error="no", retry=False)).attempts == 1


def test_a_doubtful_death_holds_the_shard_alone_and_a_lost_node_sets_it_free():
    queue = shards(2)
    for _ in range(DEATHS):
        assert queue.died(queue.take(), "killed", doubtful=True) is None
    assert (queue.waiting, queue.unfinished) == (1, 2)  # shard 0 waits for the answer, shard 1 does not
    assert queue.resolve_doubt(0, node_lost=True) is None
    assert (queue.waiting, queue.take().shard) == (2, 0)
    for _ in range(DEATHS - 1):
        assert queue.resolve_doubt(0, node_lost=False) is None
    final = queue.died(Task(0, 2, 0, 8), "killed", doubtful=False)
    assert "workers died on this shard" in final.error


def test_from_the_third_lost_node_on_a_shard_comes_after_all_others():
    queue = shards(3)
    for _ in range(3):
        task = queue.take()
        assert (task.shard, queue.node_lost(task)) == (0, None)
    assert [queue.take().shard for _ in range(3)] == [1, 2, 0]


def test_an_answer_about_a_shard_that_has_ended_changes_nothing():
    queue = shards(1)
    queue.died(queue.take(), "out of reach", doubtful=True)
    assert queue.tried(queue.take(), Outcome(0)).ok
    assert queue.resolve_doubt(0, node_lost=False) is None
    assert queue.unfinished == 0


@given(st.lists(st.sampled_from(["ok", "error", "died", "doubt", "node", "answer killed", "answer lost"]), max_size=80))
def test_the_account_of_a_shard_adds_up(events):
    """Deaths that count are those that are sure, and those in doubt until they are excused; nothing is ever lost."""
    queue = shards(1)
    tries = deaths = doubts = 0
    final = None
    for event in events:
        if event.startswith("answer"):
            if not doubts:
                continue
            doubts -= 1
            deaths -= event == "answer lost"
            final = queue.resolve_doubt(0, node_lost=event == "answer lost")
        elif not queue.waiting:
            continue
        elif event == "node":
            queue.put_back(queue.take())
        elif event in ("died", "doubt"):
            deaths += 1
            doubts += event == "doubt"
            final = queue.died(queue.take(), "killed", doubtful=event == "doubt")
        else:
            tries += 1
            final = queue.tried(queue.take(), Outcome(0, error=None if event == "ok" else "no"))
        given_up = deaths >= DEATHS and not doubts
        assert (final is not None) == (event == "ok" or tries == ATTEMPTS or given_up)
        if final is not None:
            assert (queue.unfinished, queue.waiting) == (0, 0)
            return
        assert queue.unfinished == 1
        assert queue.waiting == (0 if deaths >= DEATHS else 1)


def test_successes_close_the_account_of_openings():
    openings = Deaths(limit=2)
    openings.count(-1, doubtful=False)
    openings.close(-1)
    openings.count(-1, doubtful=False)
    assert not openings.spent(-1)


LEFT = "The actor died unexpectedly.\n\tpid: 7\nThe actor died because its node has died. Node Id: 0d67"
KILLED = (
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker"
)


def test_what_a_worker_died_of():
    assert cause("ActorDiedError", LEFT).node_lost
    assert cause("ActorDiedError", "taken", preempted=True).node_lost
    killed = cause("ActorDiedError", KILLED)
    assert (killed.node_lost, killed.seconds > 0) == (False, True)
    assert "its process died" in killed.why
    memory = cause("OutOfMemoryError", "Task was killed due to the node running low on memory.")
    assert (memory.node_lost, memory.seconds) == (False, 0.0)
    assert "out of memory" in memory.why
    assert cause("ActorUnavailableError", "Socket closed").seconds > killed.seconds
    assert cause("RaySystemError", "one\nand another\n\n").why == "and another"


def test_a_doubt_is_settled_by_the_node_or_by_time():
    doubts = DoubtfulDeaths()
    doubts.add(DoubtfulDeath(0, "a", 10.0, None))
    doubts.add(DoubtfulDeath(1, "b", 10.0, None))
    doubts.add(DoubtfulDeath(2, "a", 20.0, None))
    assert [(doubt.key, lost) for doubt, lost in doubts.resolved({"a"}, 5.0)] == [(1, True)]
    assert [(doubt.key, lost) for doubt, lost in doubts.resolved({"a"}, 15.0)] == [(0, False)]
    assert bool(doubts)
    assert [(doubt.key, lost) for doubt, lost in doubts.resolved(set(), 15.0)] == [(2, True)]
    assert not doubts


def test_a_worker_that_died_before_it_had_a_place_is_excused_where_a_node_goes():
    """Ray places workers on a node that is dead and not yet known to be, one after another."""
    doubts = DoubtfulDeaths()
    for _ in range(5):
        doubts.add(DoubtfulDeath(-1, "", 20.0, None, frozenset({"a", "b"})))
    assert list(doubts.resolved({"a", "b"}, 10.0)) == []
    assert [lost for _, lost in doubts.resolved({"a", "c"}, 15.0)] == [True] * 5
    doubts.add(DoubtfulDeath(-1, "", 20.0, None, frozenset({"a", "c"})))
    assert [lost for _, lost in doubts.resolved({"a", "c", "d"}, 20.0)] == [False]
