"""Parts that change while nobody is at work: made again by going on."""

from . import damage
from .whole import assert_whole, parts

PART = "part-00002-of-00008.parquet"


def test_damage_while_the_job_was_down_is_made_good_by_going_on(job, undisturbed):
    begun = job.start("--local", "--limit", "4")
    assert begun.ended() == 0, begun.said()
    assert len(parts(job.out)) == 12
    damage.truncated(f"{job.out}/cubes/{PART}")
    damage.deleted(f"{job.out}/squares/part-00001-of-00008.parquet")
    again = job.finish("--local")
    assert "2 done, 6 to run (4 never started, 1 part changed since, 1 part missing)" in again.said()
    assert_whole(job.out, job.verb, undisturbed)
