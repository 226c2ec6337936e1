"""A user's own model file: a path or an fsspec URL, with an optional `#sha256=HEX` behind it.

The form is told by content where the content tells it, else by the name's ending: safetensors, `.npy`, `.pth`/`.pt`,
`.onnx`, and tfjs `model.json` with its shards beside it. Nothing in a file is run.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import ModelFileError
from pipeline.file_content import check_content
from pipeline.models.zoo import formats
from pipeline.models.zoo.formats import Parts

ENDINGS = {
    ".safetensors": "safetensors",
    ".npy": "npy",
    ".pth": "pth",
    ".pt": "pth",
    ".onnx": "onnx",
    ".json": "tfjs",
}
MAX_HEADER_BYTES = 100_000_000  # safetensors' own limit: tells its length field from text


@dataclass(frozen=True)
class UserFile:
    """What was read. `sha256` is the file's; of a tfjs model, that of its files' digests in the order of names."""

    name: str
    format: str
    sha256: str
    bytes: int
    parts: Parts


def is_file_name(name: str) -> bool:
    """Whether a string names a file (a path, a URL, or a known ending) and not an entry of the catalogue."""
    path = _split(name)[0]
    return "/" in path or "\\" in path or PurePosixPath(path).suffix.lower() in ENDINGS


def read(name: str, sha256: str | None = None, options: Mapping[str, Any] | None = None) -> UserFile:
    """Read a user's file.

    Args:
        name: path or URL, optionally followed by `#sha256=HEX`.
        sha256: the digest that it must have, in hex; the same as the suffix.
        options: the reader's own, as in the catalogue: `outputs` and `input_hw` of a graph.

    Raises:
        ModelFileError: no such file, another digest, an unknown form, bytes that its reader refuses, or a file of
            another kind (a web page, a Git-LFS pointer), which is named.
    """
    path, suffix_digest = _split(name)
    members = _members(path)
    measured = _digest(members)
    for expected in (sha256, suffix_digest):
        if expected and expected.lower() != measured:
            raise ModelFileError(f"{path} has sha256 {measured}, not the {expected} that was asked for: it is not read")
    form = _form(path, next(iter(members.values())))
    size = sum(len(content) for content in members.values())
    return UserFile(path, form, measured, size, formats.convert(form, members, options or {}, path))


def _split(name: str) -> tuple[str, str | None]:
    path, _, fragment = name.partition("#sha256=")
    if fragment and not re.fullmatch(r"[0-9a-fA-F]{64}", fragment):
        raise ModelFileError(f"{path}: sha256={fragment} is not a digest of 64 hexadecimal digits")
    return path, fragment or None


def _members(path: str) -> dict[str, bytes]:
    """The file, and for a tfjs model its shards: bytes by file name, the file itself first."""
    own = _bytes(path)
    members = {PurePosixPath(path).name: own}
    if PurePosixPath(path).suffix.lower() == ".json":
        for shard in _shards(path, own):
            members[shard] = _bytes(path[: len(path) - len(PurePosixPath(path).name)] + shard)
    return members


def _shards(path: str, content: bytes) -> list[str]:
    try:
        shards = [shard for group in json.loads(content)["weightsManifest"] for shard in group["paths"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: not a tfjs model.json with a weights manifest: {error}") from error
    strange = [shard for shard in shards if not isinstance(shard, str) or re.search(r"[/\\]|\.\.", shard)]
    if strange:
        raise ModelFileError(f"{path}: its manifest names {strange[0]!r}, which is not a file beside it")
    return shards


def _bytes(path: str) -> bytes:
    import fsspec

    try:
        store, inner = fsspec.core.url_to_fs(path)
        content: bytes = store.cat_file(inner)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path}: there is no such file") from error
    except Exception as error:  # every store has its own errors
        raise ModelFileError(f"{path}: cannot be read: {type(error).__name__}: {error}") from error
    check_content(content, path)
    return content


def _digest(members: dict[str, bytes]) -> str:
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256("".join(digests[name] for name in sorted(digests)).encode()).hexdigest()


def _form(path: str, content: bytes) -> str:
    """The file's form; ModelFileError where it is unknown, or where content and ending speak of different forms."""
    ending = ENDINGS.get(PurePosixPath(path).suffix.lower())
    seen = _form_of_content(content)
    if seen is None and ending is None:
        raise ModelFileError(f"{path}: unknown form; known are {', '.join(ENDINGS)}")
    if seen and ending and seen != ending:
        raise ModelFileError(f"{path}: is named as {ending}, but its content is {seen}")
    return seen or ending or ""


def _form_of_content(content: bytes) -> str | None:
    if content.startswith(b"\x93NUMPY"):
        return "npy"
    if content.startswith(b"\x80\x02") or (content.startswith(b"PK\x03\x04") and b"data.pkl" in content[:300]):
        return "pth"
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < MAX_HEADER_BYTES:
        return "safetensors"
    if content.lstrip()[:1] == b"{":
        return "tfjs"
    return None
