"""A job from start to seal, in-process: promises 3, 4, 6 and 7."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.layout import cut, cut_chosen, tasks
from pipeline.engine.lease import Lease, holder
from pipeline.engine.local_pool import LocalPool
from pipeline.errors import Busy, OutputDiffers, SpecError, StoreError
from pipeline.tables import PartWriter, Table, store
from tests.waiting import until


def test_planned_is_published_and_rejected_and_failed(bench):
    summary = bench.run(LocalPool(), bench.job(reject_every=5, fail_on=(2,)))
    assert summary.exit_code == 1
    assert (summary.published, summary.rejected, summary.failed) == (18, 6, 8)
    assert summary.planned == summary.published + summary.rejected + summary.failed
    assert summary.rejects_by_reason == {"a multiple": 6}
    assert any("shard 2 after 3 attempts: ZeroDivisionError" in line for line in bench.said)
    assert Table.open(f"{bench.out}/labels").manifest() is None
    assert bench.attempts() == 3 + 3


def test_rejects_name_row_and_reason(bench):
    bench.run(LocalPool(), bench.job(reject_every=7))
    rejects = Table.open(f"{bench.out}/rejects/squares").read().to_pylist()
    assert [row["index"] for row in rejects] == [0, 7, 14, 21, 28]
    assert rejects[1] == {"index": 7, "stage": "squares", "reason": "a multiple", "detail": "of 7", "traceback": ""}


def test_resume_runs_what_is_left_and_says_why(bench):
    bench.run(LocalPool(), limit=1)
    assert bench.said[-1].startswith("Stop  1/4 shards")
    before = bench.part_bytes()
    bench.run(LocalPool(), bench.job(fail_on=(2,)))
    summary = bench.run(LocalPool())
    assert "3 done, 1 to run (1 failed last time)" in bench.said[1]
    assert summary.exit_code == 0
    assert before.items() <= bench.part_bytes().items()
    assert bench.attempts() == 1 + (1 + 3 + 1) + 1


def test_a_finished_job_runs_nothing_and_keeps_its_manifest(bench):
    bench.run(LocalPool())
    manifest = Path(bench.out, "labels/.stylemill/manifest.json").read_bytes()
    summary = bench.run(LocalPool())
    assert "all done" in bench.said[1]
    assert summary.exit_code == 0
    assert bench.attempts() == 4
    assert Path(bench.out, "labels/.stylemill/manifest.json").read_bytes() == manifest


@pytest.mark.parametrize(
    ("table", "damage", "why"),
    [
        ("labels", Path.unlink, "1 part missing"),
        ("rejects/squares", Path.unlink, "1 part missing"),
        ("labels", lambda part: part.write_bytes(part.read_bytes()[:-40]), "1 part changed since"),
    ],
)
def test_a_part_that_is_missing_or_cut_off_is_made_again_alike(bench, table, damage, why):
    bench.run(LocalPool(), bench.job(reject_every=5))
    before = bench.part_bytes()
    damage(Path(bench.out, table, "part-00001-of-00004.parquet"))
    bench.run(LocalPool(), bench.job(reject_every=5))
    assert f"3 done, 1 to run ({why}" in bench.said[1]
    assert bench.part_bytes() == before


def test_parts_of_nobody_are_refused(bench):
    bench.run(LocalPool())
    shutil.rmtree(Path(bench.out, ".stylemill"))
    Path(bench.out, "labels/.stylemill/owner.json").unlink()
    with pytest.raises(OutputDiffers, match="that no 'squares' job"):
        bench.run(LocalPool())
    with pytest.raises(OutputDiffers, match="that no 'squares' job"):
        bench.run(LocalPool(), dry_run=True)


def test_lost_books_are_written_again_from_the_parts(bench):
    bench.run(LocalPool())
    before = bench.part_bytes()
    shutil.rmtree(Path(bench.out, ".stylemill"))
    summary = bench.run(LocalPool())
    assert (summary.exit_code, summary.published, bench.attempts()) == (0, 32, 4)
    assert bench.part_bytes() == before


def test_replace_is_resumed_by_the_same_command(bench):
    bench.run(LocalPool())
    bench.run(LocalPool(), bench.job(seed=2, rows=16), replace=True, limit=1)
    attempts = bench.attempts()
    summary = bench.run(LocalPool(), bench.job(seed=2, rows=16), replace=True)
    assert "1 done, 1 to run" in bench.said[1]
    assert (summary.exit_code, bench.attempts()) == (0, attempts + 1)
    assert len(bench.part_bytes()) == 4  # of two tables; none of the four parts that each had


def test_a_start_that_made_no_row_blocks_no_other_spec(bench):
    bench.run(LocalPool(), bench.job(fail_on=(0,)), limit=1)
    shutil.rmtree(Path(bench.out, ".stylemill/squares/outcomes"))
    assert bench.run(LocalPool(), bench.job(seed=2)).exit_code == 0


def test_a_lease_that_another_takes_is_noticed_and_one_that_cannot_be_renewed_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.engine.lease.RENEW_SECONDS", 0.01)
    url = str(tmp_path / "lease.json")
    with Lease(url) as lease:
        first = holder(url)["expires"]
        real, failures = store.write_atomic, []

        def fails_once(url, content):
            if not failures:
                failures.append(url)
                raise StoreError("out of reach")
            real(url, content)

        monkeypatch.setattr(store, "write_atomic", fails_once)
        until(lambda: failures and holder(url)["expires"] > first, "the lease was renewed")
        lease.check()
        others = json.dumps({**holder(url), "token": "another"})

        def noticed():
            Path(url).write_text(others)  # again where a renewal that had begun before wrote over it
            return not lease._renewing.is_alive()

        until(noticed, "the renewing ended")
        with pytest.raises(Busy, match="another driver took over"):
            lease.check()
    assert holder(url)["token"] == "another"


def test_a_store_that_fails_one_shard_does_not_stop_the_others(bench, monkeypatch):
    monkeypatch.setattr("pipeline.engine.attempt.STORE_PAUSE_SECONDS", 0)
    fail_publishing(monkeypatch, "part-00001", StoreError("out of reach for now"))
    summary = bench.run(LocalPool())
    assert (summary.exit_code, summary.shards_done, summary.failed, summary.not_run) == (1, 3, 8, 0)


def test_a_full_disk_stops_the_run(bench, monkeypatch):
    monkeypatch.setattr("pipeline.engine.attempt.STORE_PAUSE_SECONDS", 0)
    full = StoreError("the disk is full")
    full.__cause__ = OSError(errno.ENOSPC, "no space")
    fail_publishing(monkeypatch, "part-00001", full)
    summary = bench.run(LocalPool())
    assert (summary.exit_code, summary.shards_done, summary.failed, summary.not_run) == (1, 1, 8, 16)


def fail_publishing(monkeypatch, part, error):
    real = PartWriter.publish

    def publish(self):
        if part in self.url:
            raise error
        real(self)

    monkeypatch.setattr(PartWriter, "publish", publish)


def test_too_many_rejects_is_exit_code_3(bench):
    assert bench.run(LocalPool(), bench.job(reject_every=5), max_rejects=6).exit_code == 3
    assert bench.run(LocalPool(), bench.job(reject_every=5), max_rejects=7).exit_code == 0


def test_changed_versions_are_one_line(bench):
    bench.run(LocalPool(), limit=1)
    spec = Path(bench.out, ".stylemill/squares/spec.json")
    spec.write_text(spec.read_text().replace('"numpy": "1"', '"numpy": "0"'))
    bench.run(LocalPool())
    assert bench.said[0].startswith("Note  package versions differ from the first start: numpy: 0 there, 1 asked")


@given(st.integers(1, 400), st.integers(1, 9), st.integers(1, 9), st.integers(0, 50))
def test_shards_of_a_range_from_any_row_begin_on_micro_batches(rows, batch_size, batches, first):
    layout = cut(rows, batch_size * batches, batch_size, first)
    shards = tasks(layout)
    assert [index for task in shards for index in range(task.first, task.stop)] == list(range(first, first + rows))
    assert all(task.first % batch_size == 0 for task in shards[1:])
    assert all(task.rows <= batch_size * batches for task in shards)
    assert layout.facts == {"rows": rows, "rows_per_shard": batch_size * batches, "first_index": first}


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(1, 9), st.integers(1, 5))
def test_chosen_rows_are_cut_by_the_micro_batches_that_they_are_in(chosen, batch_size, batches):
    indices = np.array(sorted(chosen))
    layout, present = cut_chosen(indices, batch_size * batches, batch_size)
    inside = [[index for index in sorted(chosen) if index in layout.indices(shard)] for shard in range(layout.shards)]
    assert [index for some in inside for index in some] == sorted(chosen)
    assert [len(some) for some in inside] == present
    touched = [{index // batch_size for index in some} for some in inside]
    assert all(len(some) == batches for some in touched[:-1])
    assert 1 <= len(touched[-1]) <= batches
    assert sum(map(len, touched)) == len(set.union(*touched))  # no micro-batch is in two shards
    assert layout.rows == len(chosen)


def test_shards_off_the_micro_batch_are_refused():
    with pytest.raises(SpecError, match="pass --rows-per-shard 8"):
        cut(100, 9, 4)
