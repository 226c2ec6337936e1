"""Make what a job derives from its tables: under the lease, after the tables are sealed, before Done is printed."""

import logging
from collections.abc import Callable

from pipeline.engine.derived import Derived
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.errors import NotMade, StoreError, StylemillError
from pipeline.tables import store

log = logging.getLogger(__name__)


def lacking(job: Job) -> list[Derived]:
    """Those that are missing, damaged, or made from other rows than those that the job's tables hold now."""
    return [one for one in job.derived if not _is_made(job, one)]


def derive(job: Job, check_lease: Callable[[], None], say: Callable[[str], None]) -> None:
    """Make those that are lacking, one after another; `check_lease` raises where the lease is lost.

    Raises:
        NotMade: one could not be made, by a defect of ours.
        StylemillError: its own reason, or the store's.
    """
    for one in lacking(job):
        url = store.join(job.out, one.name)
        try:
            made = one.make(JobRecords(job.out, job.verb), job.fingerprint, job.derived_facts(one), check_lease)
        except StylemillError:
            raise
        except Exception as error:
            log.warning("%s could not be made", url, exc_info=error)
            raise NotMade(
                f"{url} could not be made ({type(error).__name__}: {error}); the rows are safe, and the same command "
                "makes it"
            ) from error
        say(f"Made  {url}: {made}")


def _is_made(job: Job, one: Derived) -> bool:
    try:
        facts = job.derived_facts(one)
    except StoreError:  # a table that it is made of is not sealed
        return False
    return one.is_made(JobRecords(job.out, job.verb), job.fingerprint, facts)
