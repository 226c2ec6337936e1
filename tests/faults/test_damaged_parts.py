"""Parts that change after they were published: found, named, made again."""

import pytest

from jobs.__main__ import main

from . import damage
from .whole import assert_whole, parts

PART = "part-00002-of-00008.parquet"


@pytest.mark.parametrize("harm", damage.WAYS)
@pytest.mark.parametrize("table", ["squares", "rejects/powers"])
def test_a_damaged_part_is_named_by_verify_and_made_again(job, undisturbed, capsys, harm, table):
    job.finish("--local")
    harm(f"{job.out}/{table}/{PART}")
    assert main(["verify", job.out]) == 1
    said = capsys.readouterr().err
    assert f"{job.out}/{table}: {PART}" in said
    again = job.finish("--local")
    assert "7 done, 1 to run" in again.said()
    assert len(job.began(2)) == 2
    assert_whole(job.out, job.verb, undisturbed)


def test_damage_while_the_job_was_down_is_made_good_by_going_on(job, undisturbed):
    begun = job.start("--local", "--limit", "4")
    assert begun.ended() == 0, begun.said()
    assert len(parts(job.out)) == 12
    damage.truncated(f"{job.out}/cubes/{PART}")
    damage.deleted(f"{job.out}/squares/part-00001-of-00008.parquet")
    again = job.finish("--local")
    assert "2 done, 6 to run (4 never started, 1 part changed since, 1 part missing)" in again.said()
    assert_whole(job.out, job.verb, undisturbed)
