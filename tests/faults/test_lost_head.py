"""The head of the cluster dies: nobody is left to ask, so the run ends, and says what to do."""

import pytest

from .fake_cluster import FakeCluster
from .whole import assert_whole


@pytest.fixture
def doomed(stores):
    """A cluster of its own for the one test that takes its head away."""
    cluster = FakeCluster(nodes=1)
    yield cluster
    cluster.close()


def test_a_dead_head_ends_the_run_with_1_in_a_sentence(job, doomed, undisturbed):
    job.address, elsewhere = doomed.address, job.address
    job.give(*(f"hold-{shard}" for shard in range(3, 8)))
    driver = job.start("--workers", "2")
    driver.when(lambda: job.published() == 3 and len(set(job.began())) == 2, "three shards were published")
    doomed.kill_head()
    assert driver.ended() == 1, driver.said()
    assert "the same command continues" in driver.said()
    assert "Traceback" not in driver.said()
    job.go()
    job.address = elsewhere
    assert " 0 done," not in job.finish("--workers", "2").said()
    assert_whole(job.out, job.verb, undisturbed)
