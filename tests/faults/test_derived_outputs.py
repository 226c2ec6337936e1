"""Drivers killed between the seal of a job's tables and the end: the same command makes what is missing, and no row."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import schemas
from jobs.__main__ import main
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.models import generators
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table

from . import derived_job
from .drivers import Driver
from .whole import parts

PROGRAM = [sys.executable, "-m", "tests.faults.derived_job"]
MOMENTS = ("before", "rows", "unsealed", "after")
TINY = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]


def drive(folder: Path, *words: str) -> Driver:
    return Driver([*PROGRAM, *words], folder / f"driver-{len(list(folder.glob('driver-*')))}.log")


def state(out, capsys) -> dict:
    capsys.readouterr()
    assert main(["status", str(out), "--json-lines"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def files(out: Path) -> dict[str, bytes]:
    """All that a reader sees, and what was computed when."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("[!.]*")) if _is_seen(path, out)}


def _is_seen(path: Path, out: Path) -> bool:
    return path.is_file() and not any(name.startswith(".") for name in path.relative_to(out).parts)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "orders").mkdir()
    assert derived_job.main([str(folder / "out"), str(folder / "orders")]) == 0
    return files(folder / "out")


@pytest.mark.parametrize("name", ["sums", "sum.txt"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_driver_killed_while_it_derives_loses_nothing(tmp_path, capsys, undisturbed, moment, name):
    orders, out = tmp_path / "orders", tmp_path / "out"
    orders.mkdir()
    words = ["powers", str(out), str(orders)]
    assert drive(tmp_path, moment, name, *words).ended() == -9
    assert Table(f"{out}/squares").sealed
    assert len(list(orders.glob("began-*"))) == 2
    whole = (moment, name) == ("after", "sum.txt")
    assert state(out, capsys)["complete"] is whole
    assert main(["verify", str(out)]) == (0 if whole else 1)
    again = drive(tmp_path, "never", "", *words)
    assert again.ended() == 0, again.said()
    assert "2 shards, 16 rows: all done" in again.said()
    assert "Done  2/2 shards" in again.said()
    assert len(list(orders.glob("began-*"))) == 2  # no shard was computed again
    assert files(out) == undisturbed
    assert state(out, capsys)["complete"]
    assert main(["verify", str(out)]) == 0


def test_a_second_driver_is_turned_away_while_the_first_derives(tmp_path, undisturbed):
    orders, out = tmp_path / "orders", tmp_path / "out"
    orders.mkdir()
    (orders / "hold-sums").touch()
    words = ["powers", str(out), str(orders)]
    first = drive(tmp_path, "never", "", *words)
    first.when(lambda: Table(f"{out}/squares").sealed and Table(f"{out}/cubes").sealed, "the tables were sealed")
    second = drive(tmp_path, "never", "", *words)
    assert second.ended() == 5, second.said()
    assert not (out / "sums").exists()
    (orders / "hold-sums").unlink()
    assert first.ended() == 0, first.said()
    assert files(out) == undisturbed


def test_edits_and_what_is_measured_of_them(tmp_path, capsys):
    """The verbs themselves: the requests of edits, then the numbers and the spreadsheet that are made of partials."""
    faces = ["sample", "--generator", "stylegan2-tiny", "--rows", "8", *TINY, "--out", str(tmp_path / "faces")]
    assert main(faces) == 0
    whose = generators.load("stylegan2-tiny", backend="eager").fingerprint
    one = normalised("old", "svm", "w", np.random.default_rng(5).standard_normal(512), generator=whose)
    write_small_table(str(tmp_path / "directions"), schemas.directions(), to_rows([one]), {"verb": "planted"})
    edits = [
        "edit",
        "interfacegan",
        "--latents",
        str(tmp_path / "faces/latents"),
        "--directions",
        str(tmp_path / "directions"),
    ]
    edits += ["--attribute", "old", "--strengths=-3,3", *TINY, "--out", str(tmp_path / "edits")]
    measured = ["measure", "--edits", str(tmp_path / "edits/edits"), "--families", "tiny-judge", *TINY]
    measured += ["--out", str(tmp_path / "measured")]

    assert drive(tmp_path, "before", "requests", *edits).ended() == -9
    assert not state(tmp_path / "edits", capsys)["complete"]
    assert main(measured) == 1
    assert "requests is not complete" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "edits")]) == 0
    assert "requests is not made yet: the same edit command makes it" in (tmp_path / "edits/report.html").read_text()
    assert main(edits) == 0
    assert state(tmp_path / "edits", capsys)["complete"]
    assert drive(tmp_path, "before", "measured.csv", *measured).ended() == -9
    assert state(tmp_path / "measured", capsys)["lacking"] == ["measured.csv is not made yet"]
    partials = parts(str(tmp_path / "measured"))
    assert main(measured) == 0
    assert "all done" in capsys.readouterr().err
    assert parts(str(tmp_path / "measured")) == partials
    assert (tmp_path / "measured/measured.csv").read_text().startswith("edits,request,step")
    for name in ("edits", "measured"):
        assert state(tmp_path / name, capsys)["complete"]
        assert main(["verify", str(tmp_path / name)]) == 0
