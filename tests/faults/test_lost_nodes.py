"""Nodes that go and come."""

from . import steering
from .whole import assert_whole, summary

DEATHS = 5


def test_a_node_goes_while_it_works_and_another_comes(job, cluster, undisturbed):
    job.hold_all()
    driver = job.start("--workers", "4")
    driver.when(lambda: len(set(job.began())) == 4, "four workers were at work")
    cluster.remove(cluster.nodes[0])
    cluster.add()
    driver.when(lambda: len(set(job.began())) == 6, "the new node's workers were at work")
    job.go()
    assert driver.ended() == 0, driver.said()
    assert len(job.began()) == steering.SHARDS + 2  # what the two lost workers had begun, and nothing else, twice
    assert summary(job.out, job.verb)["workers_lost"] >= 2
    assert_whole(job.out, job.verb, undisturbed)


def test_a_shard_outlives_more_lost_nodes_than_dead_workers(job, cluster, undisturbed):
    job.give("hold-0")
    driver = job.start("--workers", "1")
    for loss in range(DEATHS + 1):
        driver.when(lambda loss=loss: len(job.began(0)) == loss + 1, "shard 0 was begun again")
        cluster.remove(cluster.node_of(job.began(0)[-1]))
        cluster.add()
    driver.when(lambda: len(job.began(0)) == DEATHS + 2, "shard 0 was begun again")
    job.go()
    assert driver.ended() == 0, driver.said()
    assert_whole(job.out, job.verb, undisturbed)
