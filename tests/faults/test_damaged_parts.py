"""Parts that change after they were published: found, named, made again."""

from pathlib import Path

import pytest

from jobs.__main__ import main

from .whole import assert_whole, parts

PART = "part-00002-of-00008.parquet"


def truncated(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-40])


def flipped(part: Path) -> None:
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(bytes(content))


def deleted(part: Path) -> None:
    part.unlink()


@pytest.mark.parametrize("damage", [truncated, flipped, deleted])
@pytest.mark.parametrize("table", ["squares", "rejects/powers"])
def test_a_damaged_part_is_named_by_verify_and_made_again(job, undisturbed, capsys, damage, table):
    job.finish("--local")
    damage(Path(job.out, table, PART))
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
    truncated(Path(job.out, "cubes", PART))
    deleted(Path(job.out, "squares", "part-00001-of-00008.parquet"))
    again = job.finish("--local")
    assert "2 done, 6 to run (4 never started, 1 part changed since, 1 part missing)" in again.said()
    assert_whole(job.out, job.verb, undisturbed)
