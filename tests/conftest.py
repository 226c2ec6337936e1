import logging
import os
import signal

import hypothesis
import pytest
from hypothesis import HealthCheck
from tyro._parsers import ParserSpecification
from tyro._singleton import MISSING_NONPROP

# A busy machine is no failure, and examples may share a directory.
hypothesis.settings.register_profile(
    "busy",
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("busy")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `stylemill` itself; read when torch is imported
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the other core is at work on other tests
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # what a shell starts in the background, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.fsync = lambda descriptor: None  # no test cuts the power, and most of the time of a tiny job is waiting for the disk


def parsers_kept() -> None:
    """What tyro reads of a verb's flags is the same for every command line, and takes 40 ms: it is kept from the first
    on, as these tests run thousands of commands in a process."""
    read, kept = ParserSpecification.from_callable_or_type, {}

    def kept_or_read(flags, **given):
        if given["parent_classes"] or given["default_instance"] is not MISSING_NONPROP:  # within those of a verb
            return read(flags, **given)
        key = (flags, given["description"])
        if key not in kept:
            kept[key] = read(flags, **given)
        return kept[key]

    ParserSpecification.from_callable_or_type = staticmethod(kept_or_read)


parsers_kept()

LONGEST = (
    "contract/test_jobs.py",
    "contract/test_edits.py",
    "contract/test_readers.py",
    "pipeline/engine/test_ray_pool.py",
    "jobs/test_dt_job.py",
    "jobs/test_measure.py",
    "jobs/test_streams.py",
    "jobs/test_reproduce.py",
    "jobs/test_directions_mean_gradient.py",
    "jobs/test_row_choice.py",
    "jobs/test_stores.py",
    "jobs/test_real_faces.py",
)
"""Files that take longest, begun first where two processes share the files: neither is to wait long for the other."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = {str(config.rootpath / "tests" / file): place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(str(item.path), len(LONGEST)))


@pytest.fixture(scope="module")
def cluster():
    """One Ray cluster for the tests of a file: pools join it and leave it running. One that stays for the whole session
    takes 4 % of a core while it has nothing to do."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()
