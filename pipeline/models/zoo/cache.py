"""The local cache of converted networks: `STYLEMILL_HOME/zoo/NAME/DIGEST/{weights.safetensors,graph.json,card.json}`.

The card is written last into a temporary folder which then takes its final name in one rename, so a folder with a card
is whole, and what a killed process leaves behind is never read. The card holds size and sha256 of the files beside it.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import ModelFileError
from pipeline.models.zoo.entry import CONVERTERS, Entry, Source
from pipeline.models.zoo.formats import Parts, safetensors

WEIGHTS, GRAPH, CARD = "weights.safetensors", "graph.json", "card.json"


class Unusable(ModelFileError):
    """The cache cannot be read or written from here; what lies in it may be whole."""


def home() -> Path:
    """`STYLEMILL_HOME`, else, also where that is empty, the platform's cache folder of this user."""
    if named := os.environ.get("STYLEMILL_HOME", "").strip():
        return Path(named).expanduser()
    try:
        from platformdirs import user_cache_dir
    except ModuleNotFoundError:  # where there is torch, NumPy and safetensors alone: the same folder on Linux
        return Path(os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache") / "stylemill"
    return Path(user_cache_dir("stylemill"))


def folder(entry: Entry) -> Path:
    """Where the entry lies, or will lie."""
    return home() / "zoo" / entry.name / entry.digest[:16]


def read_card(entry: Entry) -> dict[str, Any] | None:
    """The entry's card, None where the entry is not in the cache.

    Raises:
        Unusable: the cache cannot be read from here.
        ModelFileError: the card is damaged.
    """
    path = folder(entry) / CARD
    try:
        with _usable():
            text = path.read_bytes()
    except FileNotFoundError:
        return None
    return parse_card(text, entry, str(path))


def parse_card(text: bytes, entry: Entry, path: str) -> dict[str, Any]:
    """A card's JSON, checked to be this entry's. Raises ModelFileError naming `path`."""
    remedy = f"run `stylemill models pull {entry.name}`"
    try:
        card = json.loads(text)
        files = card["files"]
        if {WEIGHTS} <= files.keys() <= {WEIGHTS, GRAPH} and all(f["sha256"] and f["bytes"] for f in files.values()):
            if card["digest"] == entry.digest:
                return card
            raise ModelFileError(f"{entry.name}: the card {path} belongs to another digest: {remedy}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{entry.name}: the card {path} is damaged: {remedy}") from error
    raise ModelFileError(f"{entry.name}: the card {path} names files that no card has: {remedy}")


def check(entry: Entry, card: dict[str, Any], where: Path | None = None) -> None:
    """Compare size and sha256 of the entry's files with its card.

    Raises:
        Unusable: a file cannot be read from here, and may be whole.
        ModelFileError: a file is missing or differs.
    """
    remedy = f"run `stylemill models pull {entry.name}`"
    for name, facts in card["files"].items():
        path = (where or folder(entry)) / name
        with _usable():
            size = path.stat().st_size if path.is_file() else None
        if size is None:
            raise ModelFileError(f"{entry.name}: {path} is missing: {remedy}")
        if size != facts["bytes"]:
            raise ModelFileError(f"{entry.name}: {path} has {size} bytes, its card says {facts['bytes']}: {remedy}")
        with _usable():
            measured = sha256_of(path)
        if measured != facts["sha256"]:
            raise ModelFileError(
                f"{entry.name}: {path} has sha256 {measured[:16]}..., its card says {facts['sha256'][:16]}...: {remedy}"
            )


def problem(entry: Entry) -> str | None:
    """What is wrong with the entry in the cache: None where it is whole, "not pulled" where it is not there.

    Raises Unusable where it cannot be read from here: it may be whole.
    """
    try:
        card = read_card(entry)
        if card is None:
            return "not pulled"
        check(entry, card)
    except Unusable:
        raise
    except ModelFileError as error:
        return str(error)
    return None


def store(entry: Entry, parts: Parts) -> None:
    """Put a converted network into the cache."""
    with staging(entry) as stage:
        safetensors.write(parts.tensors, stage / WEIGHTS)
        if parts.graph is not None:
            (stage / GRAPH).write_text(json.dumps(parts.graph, separators=(",", ":")))
        files = {
            path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in sorted(stage.iterdir())
        }
        (stage / CARD).write_text(json.dumps(make_card(entry, parts, files), indent=1))


def make_card(entry: Entry, parts: Parts, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is kept beside the weights: what they are, where they come from, and the digests of the files."""
    source: Source = entry.source
    return {
        "name": entry.name,
        "what": entry.what,
        "digest": entry.digest,
        "source": {"registry": source.registry, "package": source.package, "version": source.version},
        "members": {entry.folder + member: sha256 for member, sha256 in entry.members.items()},
        "format": entry.format,
        "converter": CONVERTERS[entry.format],
        "converted_with": {"torch": torch.__version__},
        "licence": entry.licence,
        "non_commercial": entry.non_commercial,
        "citation": entry.citation,
        "tensors": len(parts.tensors),
        "values": sum(tensor.numel() for tensor in parts.tensors.values()),
        "files": files,
    }


@contextmanager
def staging(entry: Entry) -> Iterator[Path]:
    """A temporary folder beside the entry's, which becomes the entry's when the block ends without an error."""
    final = folder(entry)
    with _usable():
        final.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".tmp-", dir=final.parent))
    try:
        yield stage
        for path in stage.iterdir():
            path.chmod(0o644)
            _flush(path)
        stage.chmod(0o755)
        if final.exists():
            shutil.rmtree(final)
        stage.rename(final)
        _flush(final.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def lock(source: Source) -> Iterator[None]:
    """Held while entries of one package are fetched and stored: a second process waits and then finds them there."""
    from filelock import FileLock

    locks = home() / "zoo" / ".locks"
    name = f"{source.registry}-{source.package}-{source.version}".replace("/", "-").replace("@", "")
    held = FileLock(locks / f"{name}.lock")
    with _usable():
        locks.mkdir(parents=True, exist_ok=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()


@contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(
            f"{error.filename or home()}: {error.strerror or error}: the cache of networks cannot be used there; set "
            "STYLEMILL_HOME to a directory of yours"
        ) from error


def sweep(entry: Entry) -> None:
    """Remove what killed processes left. Call it with the lock held."""
    for left in folder(entry).parent.glob(".tmp-*"):
        shutil.rmtree(left, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """sha256 of a local file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
