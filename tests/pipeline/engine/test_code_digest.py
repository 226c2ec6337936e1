"""Which code a process runs, and that a worker with other code is refused."""

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engine.code_digest import PACKAGES, SUFFIXES, Code, code_of, import_path, running_code
from pipeline.engine.place import Place, check_code, this_place
from pipeline.errors import SpecError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path) -> Path:
    place = tmp_path / "here" / "pipeline"
    (place / "sub").mkdir(parents=True)
    (place / "__init__.py").write_text("")
    (place / "sub" / "one.py").write_text("x = 1\n")
    (place / "sub" / "weights.npy").write_bytes(b"\x93NUMPY")
    return place


def test_it_is_of_this_checkout():
    assert running_code() == code_of([ROOT / package for package in PACKAGES])
    assert running_code().roots == (str(ROOT),)
    assert import_path() == [str(ROOT)]


def test_what_is_installed_is_left_to_the_other_python_to_find(monkeypatch):
    code = Code("0" * 64, ("/venv/lib/python3.11/site-packages", "/usr/lib/python3/dist-packages", "/home/me/mine"))
    monkeypatch.setattr("pipeline.engine.code_digest.running_code", lambda: code)
    assert import_path() == ["/home/me/mine"]


def test_a_copy_elsewhere_is_the_same_code(package, tmp_path):
    copy = shutil.copytree(package, tmp_path / "there" / "pipeline")
    assert code_of([copy]).sha256 == code_of([package]).sha256
    assert code_of([copy]).roots == (str(tmp_path / "there"),)


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place / "sub" / "one.py").write_text("x = 2\n"),
        lambda place: (place / "sub" / "weights.npy").write_bytes(b"\x93NUMPz"),
        lambda place: (place / "sub" / "one.py").rename(place / "one.py"),
        lambda place: (place / "two.py").touch(),
    ],
)
def test_other_files_are_other_code(package, change):
    before = code_of([package]).sha256
    change(package)
    assert code_of([package]).sha256 != before


def test_what_is_not_installed_does_not_count(package):
    before = code_of([package])
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "one.cpython-311.pyc").write_bytes(b"x")
    (package / "demo.jpg").write_bytes(b"x")
    (package / ".#one.py").symlink_to("nobody@nowhere.1")  # an editor's lock
    assert code_of([package]) == before


def test_every_file_of_a_wheel_counts():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    assert {Path(pattern).suffix for pattern in patterns} | {".py"} == set(SUFFIXES)


def test_a_module_with_the_name_of_a_package_is_its_one_file(tmp_path):
    (tmp_path / "jobs.py").write_text("mine = True\n")
    assert code_of([tmp_path / "jobs.py"]).sha256 != code_of([]).sha256


def test_a_worker_with_the_same_code_will_do_wherever_it_lies():
    place = this_place("node")
    check_code(place)
    check_code(replace(place, code=replace(place.code, roots=("/elsewhere",))))


def test_a_worker_with_other_code_is_refused_and_both_places_are_named():
    there = Place("far:7", "node", {}, Code("ab" * 32, ("/srv/other",)))
    with pytest.raises(SpecError) as seen:
        check_code(there)
    assert "the worker far:7 runs other code than this driver: /srv/other (sha256 abababababab) there" in str(
        seen.value
    )
    assert f"{ROOT} (sha256 {running_code().sha256[:12]}) here" in str(seen.value)
    assert "stylemill submit" in str(seen.value)


def test_files_that_were_changed_under_a_run_are_told_apart():
    place = this_place("node")
    with pytest.raises(SpecError, match=f"the files of stylemill in {ROOT} .* were changed while this driver ran"):
        check_code(replace(place, code=replace(place.code, sha256="ab" * 32)))


def test_a_worker_from_before_code_was_compared_is_refused():
    with pytest.raises(SpecError, match="another version of stylemill"):
        check_code(("far:7", "node", {}))
