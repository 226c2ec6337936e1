"""Derived outputs and artifacts in a bucket: made, sealed, verified, and made again as in a directory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from training import STEPS, VERB, steps_of, train

import schemas
from benchmarks.s3_server import s3_server
from jobs.__main__ import main
from pipeline.engine.derived import DerivedFile, DerivedTable
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.run import RunOptions, run
from pipeline.stages.models import read_artifact
from pipeline.tables import Artifact, Table, store

SCHEMA = schemas.labels(("total",))


@pytest.fixture(scope="module")
def bucket():
    with s3_server("outputs"):
        yield "s3://outputs"


def is_complete(out: str, capsys) -> bool:
    capsys.readouterr()
    assert main(["status", out, "--json-lines"]) == 0
    return json.loads(capsys.readouterr().out)["complete"]


@pytest.mark.slow
def test_derived_outputs(bucket, bench, capsys):
    out, made = f"{bucket}/derived", []

    def total() -> float:
        return sum(Table.open(f"{out}/labels").read()["square"].to_pylist())

    def rows():
        made.append("sums")
        return SCHEMA.rows({"index": [0], "total": [total()], "age_years": [0.0], "yaw_degrees": [0.0]})

    def content() -> bytes:
        made.append("sum.txt")
        return f"{total():g}".encode()

    derived = [DerivedTable("sums", SCHEMA, rows, ("labels",)), DerivedFile("sum.txt", content, ("labels",))]
    job = replace(bench.job(), out=out, derived=derived)
    assert bench.run(LocalPool(), job).exit_code == 0
    assert bench.run(LocalPool(), job).exit_code == 0
    assert made == ["sums", "sum.txt"]
    assert is_complete(out, capsys)
    assert main(["verify", out]) == 0
    store.delete(f"{out}/sums/part-00000-of-00001.parquet")
    store.write_atomic(f"{out}/sum.txt", b"0")
    assert main(["verify", out]) == 1
    assert bench.run(LocalPool(), job).exit_code == 0
    assert made == ["sums", "sum.txt"] * 2
    assert bench.attempts() == 4
    assert Table.open(f"{out}/sums").read()["total"].to_pylist() == [float(store.read_bytes(f"{out}/sum.txt"))]
    assert main(["verify", out]) == 0


@pytest.mark.slow
def test_an_artifact(bucket, marks, capsys):
    out = f"{bucket}/trained"

    def trained(**options):
        return run(train(out, str(marks)), LocalPool(), RunOptions(**options), lambda line: None).exit_code

    (marks / "raise-6").touch()
    assert trained() == 1
    assert len(store.list_names(f"{out}/.stylemill/{VERB}/checkpoints")) == 1
    assert not is_complete(out, capsys)
    (marks / "raise-6").unlink()
    assert trained() == 0
    assert steps_of(marks)[-8:] == list(range(4, STEPS))
    assert store.list_names(f"{out}/.stylemill/{VERB}/checkpoints") == {}
    assert is_complete(out, capsys)
    assert main(["verify", out]) == 0
    before = read_artifact(f"{out}/artifact", "toy")
    store.delete(f"{out}/artifact/model.safetensors")
    assert main(["verify", out]) == 1
    assert trained() == 0
    assert read_artifact(f"{out}/artifact", "toy").digest == before.digest
    assert Artifact(f"{out}/artifact").verify() == []
