"""Derived outputs: made under the lease once the tables are sealed, before the job is done; made again where one is
missing, damaged, or made from other rows; no shard is computed for them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import schemas
from jobs.__main__ import main
from pipeline.engine.derived import DerivedFile, DerivedTable
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import holder
from pipeline.engine.local_pool import LocalPool
from pipeline.errors import Busy, NotMade, OutputDiffers, SpecError, StoreError
from pipeline.tables import Table

SCHEMA = schemas.labels(("total",))


class Sum:
    """A job of squares whose derived outputs are their sum, as a table and as a text, and what was asked."""

    def __init__(self, bench) -> None:
        self.bench, self.out, self.made = bench, bench.out, []

    def job(self, facts=None, fails=(), **how):
        table = DerivedTable("sums", SCHEMA, lambda: self.rows("sums", fails), ("labels",), facts or {})
        text = DerivedFile("sum.txt", lambda: self.content("sum.txt", fails), ("labels",), facts or {})
        asked = DerivedTable("asked", SCHEMA, lambda: self.rows("asked", fails))
        return replace(self.bench.job(**how), derived=[asked, table, text])

    def run(self, job=None, **options):
        self.made.clear()
        return self.bench.run(LocalPool(), job or self.job(), **options)

    def rows(self, name, fails):
        if name in fails:
            raise fails[name]
        self.made.append(name)
        held = holder(JobRecords(self.out, "squares").lease_url)
        assert held is not None
        value = [7.0] if name == "asked" else [self.total()]
        return SCHEMA.rows({"index": [0], "total": value, "age_years": value, "yaw_degrees": value})

    def content(self, name, fails):
        if name in fails:
            raise fails[name]
        self.made.append(name)
        return f"{self.total():g}\n".encode()

    def total(self) -> float:
        return sum(Table(f"{self.out}/labels").read()["square"].to_pylist()) if self.sealed() else -1.0

    def sealed(self) -> bool:
        return Table(f"{self.out}/labels").sealed

    def found(self) -> tuple[float, float]:
        table = Table.open(f"{self.out}/sums")
        table.require_sealed()
        return table.read()["total"].to_pylist()[0], float(Path(self.out, "sum.txt").read_text())


TOTAL = float(sum(i * i for i in range(32)))
ALL = ["asked", "sums", "sum.txt"]


@pytest.fixture
def sums(bench):
    return Sum(bench)


def states(out, capsys) -> dict:
    capsys.readouterr()
    main(["status", out, "--json-lines"])
    return json.loads(capsys.readouterr().out)


def test_they_are_made_of_the_sealed_tables_before_the_job_is_done(sums, capsys):
    assert sums.run().exit_code == 0
    assert sums.made == ALL
    assert sums.found() == (TOTAL, TOTAL)
    said = [line.split()[0] for line in sums.bench.said]
    assert said[-4:] == ["Made", "Made", "Made", "Done"]
    manifest = Table.open(f"{sums.out}/sums").require_sealed()
    assert manifest["fingerprint"] == sums.job().fingerprint
    assert manifest["facts"]["resolved"]["labels_digest"] == Table.open(f"{sums.out}/labels").digest
    spec = JobRecords(sums.out, "squares").spec()
    assert spec["tables"] == ["rejects", "labels", "asked", "sums"]
    assert spec["derived"] == {"asked": [], "sums": ["labels"], "sum.txt": ["labels"]}
    assert states(sums.out, capsys)["complete"]
    assert main(["verify", sums.out]) == 0
    assert sums.run().exit_code == 0
    assert sums.made == []
    assert sums.bench.attempts() == 4


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0 if path.suffix == ".json" else len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("way", [Path.unlink, cut_off, flipped])
@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("sums/part-00000-of-00001.parquet", ["sums"]),
        ("sums/.stylemill/manifest.json", ["sums"]),
        ("sum.txt", ["sum.txt"]),
        (".stylemill/squares/files.json", ["sum.txt"]),
    ],
)
def test_what_is_missing_or_damaged_is_told_and_made_again(sums, capsys, file, names, way):
    sums.run()
    path, before = Path(sums.out, file), Path(sums.out, file).read_bytes()
    way(path)
    assert main(["verify", sums.out]) == 1
    assert not Path(sums.out, ".stylemill/squares/suspects.json").exists()
    sums.run(dry_run=True)
    assert sums.bench.said[-1] == f"      still to make: {', '.join(names)}"
    assert sums.run().exit_code == 0
    assert sums.made == names
    assert path.read_bytes() == before
    assert sums.bench.attempts() == 4
    assert main(["verify", sums.out]) == 0
    assert states(sums.out, capsys)["complete"]


def test_those_made_from_other_rows_are_made_again(sums, capsys):
    assert sums.run(sums.job(reject_every=5)).exit_code == 0
    less = sums.found()[0]
    assert less < TOTAL
    with pytest.raises(NotMade):  # the rejected rows are tried again, and the sum is not made
        sums.run(sums.job(fails={"sums": ZeroDivisionError("no sum")}), retry_rejected=True)
    assert not states(sums.out, capsys)["complete"]
    assert Table(f"{sums.out}/sums").manifest() is None
    assert main(["verify", sums.out]) == 1
    assert sums.run().exit_code == 0
    assert sums.made == ["sums", "sum.txt"]  # what was asked stays
    assert sums.found() == (TOTAL, TOTAL)


def test_those_made_of_other_facts_are_made_again(sums):
    sums.run(sums.job({"labels": "a"}))
    sums.run(sums.job({"labels": "b"}))
    assert sums.made == ["sums", "sum.txt"]


@pytest.mark.parametrize("how", [{"limit": 3}, {"fail_on": (2,)}])
def test_none_is_made_of_a_part_of_the_rows(sums, capsys, how):
    limit = how.pop("limit", None)
    assert sums.run(sums.job(**how), limit=limit).exit_code == (0 if limit else 1)
    assert sums.made == []
    assert sums.bench.said[-1].startswith("Stop  3/4 shards")
    assert not states(sums.out, capsys)["complete"]
    assert sums.run().exit_code == 0
    assert sums.made == ALL


@pytest.mark.parametrize(
    ("error", "raises", "line", "code"),
    [
        (ZeroDivisionError("no sum"), NotMade, r"sums could not be made \(ZeroDivisionError: no sum\)", 1),
        (SpecError("no row to sum"), SpecError, "no row to sum", 2),
        (StoreError("the disk is full"), StoreError, "the disk is full", 1),
    ],
)
def test_a_failure_is_one_of_the_job_and_the_same_command_makes_it(sums, capsys, error, raises, line, code):
    with pytest.raises(raises, match=line):
        sums.run(sums.job(fails={"sums": error}))
    assert sums.made == ["asked"]
    assert sums.bench.said[-1].startswith("Stop  4/4 shards | 32 rows = 32 published")
    assert "| not made: sums, sum.txt |" in sums.bench.said[-1]
    state = states(sums.out, capsys)
    assert not state["complete"]
    assert state["sealed"]
    assert set(state["lacking"]) == {"sums is not made yet", "sum.txt is not made yet"}
    assert (state["last_run"]["exit_code"], state["last_run"]["lacking"]) == (code, ["sums", "sum.txt"])
    assert main(["verify", sums.out]) == 1
    assert sums.run().exit_code == 0
    assert sums.bench.said[1:3] == ["      4 shards, 32 rows: all done", "      still to make: sums, sum.txt"]
    assert sums.made == ["sums", "sum.txt"]
    assert sums.bench.attempts() == 4
    assert states(sums.out, capsys)["last_run"]["exit_code"] == 0


def test_a_stop_while_one_is_made_ends_with_130(sums):
    summary = sums.run(sums.job(fails={"sums": KeyboardInterrupt()}))
    assert (summary.exit_code, summary.lacking) == (130, ("sums", "sum.txt"))
    assert sums.run().exit_code == 0
    assert sums.found() == (TOTAL, TOTAL)


def test_a_driver_that_lost_its_lease_leaves_them_alone(sums):
    """Another driver took over while the sum was computed: this one writes neither the sum nor the records."""

    def rows():
        url = Path(JobRecords(sums.out, "squares").lease_url)
        url.write_text(json.dumps({**json.loads(url.read_text()), "token": "another's"}))
        return sums.rows("sums", {})

    job = replace(sums.job(), derived=[DerivedTable("sums", SCHEMA, rows, ("labels",))])
    with pytest.raises(Busy, match="the lease of this driver is lost"):
        sums.run(job)
    assert Table(f"{sums.out}/sums").parts() == {}
    assert JobRecords(sums.out, "squares").summary() is None


def test_another_jobs_table_is_refused_before_anything_runs_and_replaced_when_asked(sums):
    Table.create(f"{sums.out}/sums", SCHEMA, rows=1, rows_per_shard=1).publish(0, _one_row())
    with pytest.raises(OutputDiffers, match="sums holds parts that no 'squares' job on this directory made"):
        sums.run()
    assert sums.bench.attempts() == 0
    assert sums.run(replace=True).exit_code == 0
    assert sums.found() == (TOTAL, TOTAL)


def test_replacing_a_job_deletes_what_was_derived_from_it(sums):
    sums.run()
    bare = replace(sums.bench.job(seed=2), derived=[])
    assert sums.run(bare, replace=True).exit_code == 0
    assert Table(f"{sums.out}/sums").parts() == {}
    assert not Path(sums.out, "sum.txt").exists()
    assert main(["verify", sums.out]) == 0


def test_a_dry_run_names_them_and_makes_none(sums):
    sums.run(dry_run=True)
    assert sums.bench.said[-1] == "      still to make: asked, sums, sum.txt"
    assert not Path(sums.out).exists()


def _one_row():
    return SCHEMA.rows({"index": [0], "total": [1.0], "age_years": [1.0], "yaw_degrees": [1.0]})
