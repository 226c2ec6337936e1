"""Trainings that are killed while they train and while their artifact is published: the same command ends with the
bytes of an undisturbed run, and until then nobody takes it for complete."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jobs.__main__ import main
from pipeline.tables import Artifact
from tests.jobs.edits import ALONE, short
from tests.jobs.planted import plant

from . import trained_job
from .drivers import Driver

PROGRAM = [sys.executable, "-m", "tests.faults.trained_job"]


def drive(folder: Path, file: str) -> Driver:
    (folder / "marks").mkdir(exist_ok=True)
    log = folder / f"driver-{len(list(folder.glob('driver-*')))}.log"
    return Driver([*PROGRAM, file, str(folder / "out"), str(folder / "marks")], log)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out/artifact").glob("[!.]*"))}


def steps(folder: Path) -> int:
    return len(list((folder / "marks").glob("step-*")))


def complete(out: Path, capsys) -> bool:
    capsys.readouterr()
    assert main(["status", str(out), "--json-lines"]) == 0
    return json.loads(capsys.readouterr().out)["complete"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "marks").mkdir()
    assert trained_job.main([str(folder / "out"), str(folder / "marks")]) == 0
    return files(folder)


@pytest.mark.parametrize(
    "file",
    ["artifact/model.safetensors", "artifact/curve.json", "artifact/card.json", "artifact/.stylemill/manifest.json"],
)
def test_killed_while_it_is_published(tmp_path, capsys, undisturbed, file):
    driver = drive(tmp_path, file)
    assert driver.ended() == -9, driver.said()
    assert not Artifact(str(tmp_path / "out/artifact")).sealed
    assert not complete(tmp_path / "out", capsys)
    assert main(["verify", str(tmp_path / "out")]) == 1
    before = steps(tmp_path)
    again = drive(tmp_path, "never")
    assert again.ended() == 0, again.said()
    assert steps(tmp_path) == before  # its last checkpoint is of its last step
    assert files(tmp_path) == undisturbed
    assert complete(tmp_path / "out", capsys)
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert not list((tmp_path / "out/.stylemill/train").glob("checkpoints/*"))


def test_killed_again_and_again_while_it_trains(tmp_path, capsys, undisturbed):
    for step in (2, 5, 11):
        (tmp_path / "marks").mkdir(exist_ok=True)
        (tmp_path / f"marks/die-{step}").touch()
        assert drive(tmp_path, "never").ended() == -9
        assert not complete(tmp_path / "out", capsys)
    assert drive(tmp_path, "never").ended() == 0
    assert files(tmp_path) == undisturbed
    assert steps(tmp_path) == 3 + 6 + 8 + 4  # from the steps 0, 0, 4 and 8 on
    assert complete(tmp_path / "out", capsys)


@pytest.mark.parametrize("name", ALONE)
def test_a_real_training_that_is_killed_goes_on_to_the_same_bytes(tmp_path, capsys, name):
    plant(tmp_path)
    given = ("--latents", f"{tmp_path}/latents", "--labels", f"{tmp_path}/labels", "--threads", "1")
    words = ["train", name, *given, *short(name)]
    whole = tmp_path / "whole"
    assert main([*words, "--local", "--out", str(whole)]) == 0
    words += ["--local", "--out", f"{tmp_path}/out"]
    for log in ("first.log", "second.log"):
        driver = Driver([sys.executable, "-m", "tests.faults.killed_training", *words], tmp_path / log)
        assert driver.ended() == -9, driver.said()
        assert not complete(tmp_path / "out", capsys)
    assert " 0 done, " in Path(tmp_path, "first.log").read_text()
    assert "to run (begun, not finished)" in Path(tmp_path, "second.log").read_text()
    assert main(words) == 0
    assert files(tmp_path) == {path.name: path.read_bytes() for path in sorted((whole / "artifact").glob("[!.]*"))}
