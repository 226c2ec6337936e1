"""Rows that break their micro-batch or are not finite: rejected alone, tried again alone."""

import pytest

from pipeline.tables import Table

from .whole import assert_whole, parts, summary

RAISES, NOT_FINITE = 17, 42
BAD = {RAISES, NOT_FINITE}


def rows(out: str, table: str) -> list[dict]:
    return Table.open(f"{out}/{table}").read().to_pylist()


@pytest.fixture
def poisoned(job):
    """A finished job that has set two rows aside, in shards 2 and 5."""
    job.give(f"raise-{RAISES}", f"infinite-{NOT_FINITE}")
    done = job.finish("--workers", "2")
    assert "64 rows = 62 published + 2 rejected (1 not finite, 1 raised) + 0 failed" in done.said()
    return job


def test_a_poison_row_is_set_aside_with_its_reason_and_traceback(poisoned, undisturbed):
    raised, infinite = rows(poisoned.out, "rejects/powers")
    assert (raised["index"], raised["reason"]) == (RAISES, "raised")
    assert raised["detail"] == "ArithmeticError: no power comes of this"
    assert "_compute" in raised["traceback"]
    assert str(poisoned.folder) not in raised["traceback"]
    assert (infinite["index"], infinite["reason"], infinite["detail"]) == (NOT_FINITE, "not finite", "cube")
    harmed = ("part-00002-of-00008.parquet", "part-00005-of-00008.parquet")
    assert_whole(poisoned.out, poisoned.verb, {**undisturbed, **only(parts(poisoned.out), harmed)})
    assert [row["index"] for row in rows(poisoned.out, "cubes")] == [i for i in range(64) if i not in BAD]


def only(found: dict[str, bytes], names: tuple[str, ...]) -> dict[str, bytes]:
    return {name: content for name, content in found.items() if name.endswith(names)}


def test_retry_rejected_takes_up_these_rows_alone_and_reseals(poisoned, undisturbed):
    before = len(poisoned.began())
    poisoned.go()
    poisoned.finish("--workers", "2", "--retry-rejected")
    assert len(poisoned.began()) == before + 2
    assert summary(poisoned.out, poisoned.verb)["counters"]["rows_computed"] == 2
    assert_whole(poisoned.out, poisoned.verb, undisturbed)


def test_retry_rejected_sets_aside_again_what_is_still_bad(poisoned, undisturbed):
    poisoned.withdraw(f"raise-{RAISES}")
    again = poisoned.finish("--workers", "1", "--retry-rejected")
    assert "64 rows = 63 published + 1 rejected (1 not finite) + 0 failed" in again.said()
    assert [row["index"] for row in rows(poisoned.out, "rejects/powers")] == [NOT_FINITE]
    poisoned.go()
    poisoned.finish("--workers", "1", "--retry-rejected")
    assert_whole(poisoned.out, poisoned.verb, undisturbed)


@pytest.mark.parametrize("then", [("--retry-rejected",), ()])
def test_retry_rejected_killed_in_the_middle_loses_nothing(poisoned, undisturbed, then):
    poisoned.go()
    poisoned.give("hold-5")
    driver = poisoned.start("--workers", "2", "--retry-rejected")
    driver.when(lambda: len(poisoned.began(5)) == 2 and len(rows_rejected(poisoned.out, 2)) == 0, "shard 2 was merged")
    driver.kill()
    poisoned.go()
    poisoned.finish("--workers", "1", *then)
    poisoned.finish("--workers", "1", "--retry-rejected")
    assert_whole(poisoned.out, poisoned.verb, undisturbed)


def rows_rejected(out: str, shard: int) -> list[int]:
    table = Table(f"{out}/rejects/powers")
    return table.read(columns=["index"], shards=[shard])["index"].to_pylist()


@pytest.mark.parametrize("then", [("--retry-rejected",), ()])
def test_retry_rejected_killed_between_two_parts_of_a_shard_loses_nothing(job, flaky_orders, undisturbed, then):
    """The rejects say that the row is well, one table has it, the other has it not."""
    job.out = f"flaky://{job.out}"
    job.give(f"raise-{RAISES}")
    job.finish("--workers", "1")
    job.go()
    (flaky_orders / "block-cubes+part-00002").touch()
    driver = job.start("--workers", "1", "--retry-rejected")
    driver.when(lambda: list(flaky_orders.glob("blocked-*")), "the second table's part was about to be published")
    driver.kill()
    job.end()
    (flaky_orders / "block-cubes+part-00002").unlink()
    job.finish("--workers", "1", *then)
    job.finish("--workers", "1", "--retry-rejected")
    assert_whole(job.out, job.verb, undisturbed)
