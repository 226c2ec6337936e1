"""A worker that outlives its driver and publishes late changes nothing."""

import pytest

from pipeline.tables import store
from tests.waiting import until

from .fake_cluster import DEAD_SOON, FakeCluster
from .services import BUCKET
from .whole import assert_whole, parts


@pytest.fixture(scope="module")
def shared_cluster(stores):
    """A cluster that soon takes a node for dead."""
    cluster = FakeCluster(config=DEAD_SOON)
    yield cluster
    cluster.close()


@pytest.mark.parametrize("scheme", ["", "flaky://", f"s3://{BUCKET}"])
def test_a_zombie_that_publishes_late_changes_nothing(job, cluster, stores, other_seed, scheme):
    """Its node was cut off, its driver died, and another driver made other rows (`--replace`) in the same place."""
    job.out = scheme + job.out
    job.give("late-2")
    driver = job.start("--workers", "1")
    driver.when(lambda: job.computed(2), "shard 2 was about to be published")
    (zombie,) = job.computed(2)
    node = cluster.node_of(zombie)
    with cluster.cut_off(node) as thaw:
        driver.kill()
        job.withdraw("late-2")
        cluster.await_death(node)
        job.finish("--workers", "1", "--replace", "--seed", "2")
        manifest = _manifest(job)
        assert cluster.is_at_work(zombie)
        thaw(zombie)
        until(lambda: not cluster.is_at_work(zombie), "the zombie came to its end")
        assert parts(job.out) == other_seed
        assert _manifest(job) == manifest
        assert_whole(job.out, job.verb, other_seed)


def _manifest(job) -> bytes:
    return store.read_bytes(store.join(job.out, "cubes", ".stylemill", "manifest.json"))
