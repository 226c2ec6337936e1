import pytest

from . import steering
from .fake_cluster import FakeCluster
from .services import services
from .steering import Steering


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """The proxy before an S3 server, and the orders of `flaky://`: known to every process that is started after it."""
    orders = tmp_path_factory.mktemp("flaky-orders")
    with services(orders) as proxy:
        yield proxy, orders


@pytest.fixture(scope="session")
def shared_cluster(stores):
    """One cluster for all fault tests: it takes seconds to start."""
    cluster = FakeCluster()
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared_cluster):
    """Two nodes of two CPUs, whatever the test before did to them."""
    shared_cluster.fill(2)
    return shared_cluster


@pytest.fixture
def s3(stores):
    """The S3 server, its errors switched off at the end."""
    proxy, _ = stores
    proxy.failed = 0
    yield proxy
    proxy.flaky = False


@pytest.fixture
def flaky_orders(stores):
    """Where `flaky://` finds its orders, empty again at the end."""
    _, orders = stores
    yield orders
    for order in orders.iterdir():
        order.unlink()


@pytest.fixture
def job(tmp_path, cluster):
    """A job of eight shards of the steered stage on the shared cluster."""
    steering = Steering(tmp_path, cluster.address)
    yield steering
    steering.end()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The parts of that job where nothing goes wrong."""
    return steering.undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def other_seed(tmp_path_factory):
    """The parts of that job with seed 2."""
    return steering.undisturbed(tmp_path_factory.mktemp("other-seed"), seed=2)
