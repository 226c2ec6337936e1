"""What every job promises, whatever its verb: the same bytes from one worker and from two, after a stop and after a
kill; a changed spec refused by name; one driver at a time; damage found and made good."""

import json
import os
import pkgutil
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ray import cloudpickle

from jobs.__main__ import main
from jobs.train import plan as training_plan
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease, holder
from pipeline.models.classifiers import identity
from pipeline.models.faces import FaceScorer
from pipeline.models.generators.stylegan2 import StyleGAN2
from pipeline.tables import Table

from .jobs_of_each_verb import (
    ALONE,
    CASES,
    FACELESS,
    NORMAL,
    ON_RAY,
    VERBS,
    Case,
    FacesByPixels,
    FacesOfTheKilled,
    load_pixels,
    make_inputs,
)


@pytest.fixture(autouse=True, scope="module")
def picture_identity():
    """The stand-in is sent to Ray's workers whole: they cannot import the modules of tests."""
    home = sys.modules[FacesByPixels.__module__]
    cloudpickle.register_pickle_by_value(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "load", load_pixels)
        patch.setattr(training_plan, "FacesRef", FacesByPixels)
        yield
    cloudpickle.unregister_pickle_by_value(home)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def whole_of(inputs, tmp_path_factory):
    """name of a case -> the directory of its job, run undisturbed once for all tests."""
    made = {}

    def whole(name: str) -> Path:
        if name not in made:
            out = tmp_path_factory.mktemp(name)
            assert CASES[name].run(inputs, out) == 0
            made[name] = out
        return made[name]

    return whole


@pytest.fixture(params=CASES)
def name(request):
    return request.param


OF_SHARDS = pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.steps])


@pytest.fixture
def case(name):
    return CASES[name]


@pytest.fixture
def whole(whole_of, name):
    return whole_of(name)


@pytest.fixture
def copy(whole, tmp_path):
    """The whole job, to be changed."""
    return shutil.copytree(whole, tmp_path / "copy")


def files(out: Path) -> dict[str, bytes]:
    """What a job made: every file but its records, and the page, which tells how long it took."""
    found = {str(path.relative_to(out)): path for path in sorted(out.rglob("*")) if path.is_file()}
    return {
        name: path.read_bytes() for name, path in found.items() if "/." not in f"/{name}" and not name.endswith(".html")
    }


def rows(out: Path) -> dict[str, list[dict]]:
    """The rows of each table but the partial numbers, which are a group for each part; of an artifact none."""
    manifests = [path for path in out.rglob(".stylemill/manifest.json") if "kind" not in json.loads(path.read_text())]
    tables = {str(path.parent.parent.relative_to(out)) for path in manifests}
    return {name: Table.open(f"{out}/{name}").read().to_pylist() for name in tables if not name.startswith("metrics")}


def job_records(out: Path) -> Path:
    (found,) = (out / ".stylemill").iterdir()
    return found


def last_of(out: Path, case: Case) -> str:
    """The table that is published last of those that hold the shards."""
    tables = json.loads((job_records(out) / "spec.json").read_text())["tables"]
    return [name for name in tables if name not in case.last][-1]


def test_every_verb_that_runs_shards_has_a_case():
    assert {case.verb for case in CASES.values()} == {*VERBS}


def test_it_is_sealed_whole_and_counted(whole):
    assert main(["verify", str(whole)]) == 0
    assert main(["status", str(whole), "--check"]) == 0
    summary = json.loads((job_records(whole) / "summary.json").read_text())
    assert summary["exit_code"] == 0
    assert summary["planned"] == summary["published"] + summary["rejected"] + summary["failed"] > 0
    assert not (job_records(whole) / "lease.json").exists()


@OF_SHARDS
def test_a_stopped_job_goes_on_to_the_same_bytes_and_then_runs_nothing(case, inputs, whole, tmp_path, capsys):
    assert case.run(inputs, tmp_path, "--limit", "1") == 0
    assert not any((tmp_path / last).exists() for last in case.last)
    assert not list(tmp_path.rglob(".stylemill/manifest.json"))
    capsys.readouterr()
    assert case.run(inputs, tmp_path) == 0
    assert " 1 done, " in capsys.readouterr().err
    assert files(tmp_path) == files(whole)
    assert case.run(inputs, tmp_path) == 0
    assert "all done" in capsys.readouterr().err
    assert files(tmp_path) == files(whole)


@OF_SHARDS
def test_a_killed_job_goes_on_to_the_same_bytes(case, inputs, whole, copy, capsys):
    """As a kill leaves it: no manifest, nothing derived, a shard without its last part, one half written, the lease of
    a dead process, and no line about what is done."""
    for last in case.last:
        (shutil.rmtree if (copy / last).is_dir() else Path.unlink)(copy / last)
    for manifest in copy.rglob(".stylemill/manifest.json"):
        manifest.unlink()
    (torn, *_) = (copy / last_of(copy, case)).glob("part-*.parquet")
    torn.rename(torn.with_name(f".{torn.name}.77-ab.staged"))
    for line in (job_records(copy) / "outcomes").iterdir():
        line.unlink()
    (job_records(copy) / "summary.json").unlink()
    lease = str(job_records(copy) / "lease.json")
    with Lease(lease):
        record = holder(lease)
    Path(lease).write_text(json.dumps({**record, "pid": 2**22 + 1}))
    capsys.readouterr()
    assert case.run(inputs, copy) == 0
    assert " 1 to run (" in capsys.readouterr().err
    assert files(copy) == files(whole)
    assert main(["verify", str(copy)]) == 0
    assert not Path(lease).exists()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.cut])
def test_shards_of_another_size_hold_the_same_rows(case, inputs, whole, tmp_path):
    assert case.run(inputs, tmp_path, *case.cut.split()) == 0
    assert rows(tmp_path) == rows(whole)


QUICK = ("dataset",)
"""Of which two workers of Ray are seen at each `make test`; they take 5 to 10 s to start."""


@pytest.mark.ray
@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name, case in CASES.items()
        if case.verb not in ALONE
    ],
)
def test_two_workers_of_ray_make_the_bytes_of_one(case, inputs, whole, tmp_path, cluster):
    assert case.run(inputs, tmp_path, where=ON_RAY) == 0
    assert files(tmp_path) == files(whole)
    prints = [json.loads((job_records(out) / "spec.json").read_text())["fingerprint"] for out in (tmp_path, whole)]
    assert prints[0] == prints[1]


@pytest.mark.slow
def test_a_training_whose_worker_and_helper_are_killed_ends_with_the_same_bytes(
    inputs, whole_of, tmp_path, cluster, monkeypatch
):
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setattr(FacesOfTheKilled, "marks", str(marks))
    monkeypatch.setattr(training_plan, "FacesRef", FacesOfTheKilled)
    out = tmp_path / "out"
    assert CASES["train-id-style"].run(inputs, out, where=ON_RAY) == 0
    assert {path.name for path in marks.glob("killed-*")} == {"killed-0", "killed-1"}
    assert files(out) == files(whole_of("train-id-style"))


def test_a_changed_spec_is_refused_with_4_by_name_and_changes_nothing(case, inputs, whole, capsys):
    before = files(whole)
    for changed, named in case.changed.items():
        for dry in ((), ("--dry-run",)):
            assert case.run(inputs, whole, *changed.split(), *dry) == 4
            assert named in capsys.readouterr().err.lower()
    assert files(whole) == before


def test_flags_that_decide_no_row_change_no_spec(case, inputs, whole, capsys):
    before = files(whole)
    capsys.readouterr()
    assert case.run(inputs, whole, *case.free.split()) == 0
    assert "all done" in capsys.readouterr().err
    assert files(whole) == before


BAD = [3, 9]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.rows])
def test_rows_that_are_not_finite_are_rejected_alone_and_can_be_taken_up_again(
    case, inputs, whole, tmp_path, monkeypatch, capsys
):
    real = pkgutil.resolve_name(case.rows)

    def poisoned(first, second, third):
        """Of (seed, index, width), or of (rows, space, generator)."""
        found = real(first, second, third)
        values, index = (found, second) if case.rows == NORMAL else (found.values, first["index"].to_numpy())
        values[np.isin(index, BAD)] = np.nan
        return found

    with monkeypatch.context() as patch:
        patch.setattr(case.rows, poisoned)
        assert case.run(inputs, tmp_path) == 0
        assert "10 published + 2 rejected (2 not finite)" in capsys.readouterr().err
        assert case.run(inputs, tmp_path, "--max-rejects", "1") == 3
    found, wanted = rows(tmp_path), rows(whole)
    [aside] = [name for name in found if name.startswith("rejects/")]
    assert [(row["index"], row["reason"]) for row in found.pop(aside)] == [(row, "not finite") for row in BAD]
    for name in found:
        kept = wanted[name] if name in case.last else [row for row in wanted[name] if row["index"] not in BAD]
        assert found[name] == kept
    assert main(["verify", str(tmp_path)]) == 0
    assert case.run(inputs, tmp_path, "--retry-rejected") == 0
    assert files(tmp_path) == files(whole)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.networks and name not in FACELESS])
def test_a_network_that_is_broken_fails_the_shards_and_rejects_no_row(
    case, inputs, whole, tmp_path, monkeypatch, capsys
):
    def broken(*_):
        raise ValueError("a broken network")

    planned = json.loads((job_records(whole) / "summary.json").read_text())["planned"]
    monkeypatch.setattr(FaceScorer, "warm_up", lambda self, batch_size, gradients=False: None)
    monkeypatch.setattr(FaceScorer, "warm_up_masks", lambda self, batch_size: None)
    monkeypatch.setattr(StyleGAN2, "run", broken)
    capsys.readouterr()
    assert case.run(inputs, tmp_path) == 1
    said = capsys.readouterr().err
    assert "ValueError: a broken network" in said
    assert f"= 0 {'done' if case.steps else 'published + 0 rejected'} + {planned} failed" in said


def test_a_dry_run_writes_nothing(case, inputs, tmp_path, capsys):
    assert case.run(inputs, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().err
    assert " 0 done, " in said
    assert not (tmp_path / "out").exists()


def test_a_second_driver_is_turned_away_with_5(case, inputs, whole, tmp_path, capsys):
    with Lease(JobRecords(str(tmp_path), job_records(whole).name).lease_url):
        assert case.run(inputs, tmp_path) == 5
    assert f"process {os.getpid()} on" in capsys.readouterr().err
    assert files(tmp_path) == {}


@OF_SHARDS
def test_a_flipped_bit_is_found_and_made_good(case, inputs, whole, copy, capsys):
    part = max((copy / last_of(copy, case)).glob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", str(copy)]) == 1
    assert part.name in capsys.readouterr().err
    assert case.run(inputs, copy) == 0
    assert " 1 to run (1 found damaged by verify)" in capsys.readouterr().err
    assert files(copy) == files(whole)
    assert main(["verify", str(copy)]) == 0
