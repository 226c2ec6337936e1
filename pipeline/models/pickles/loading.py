"""Pickles and what torch.save writes, told apart by their first bytes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from pipeline.errors import ModelFileError
from pipeline.models.pickles.machine import Machine, Names, shown
from pipeline.models.pickles.names import names
from pipeline.models.pickles.stand_ins import Storage, plain, storage_of

ZIP = b"PK\x03\x04"
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
TORCH_VERSION = 1001
MOST_MEMBERS = 20_000
"""Of a zip archive. The largest checkpoints have some 1,000."""


def is_pickle(data: bytes) -> bool:
    """Whether a file begins as a pickle of protocol 2 to 5 does, or as a zip archive, which torch.save writes."""
    return data.startswith(ZIP) or (data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def load(data: bytes, name: str) -> Any:
    """The object of a file: containers, numbers, texts, bytes, and stand-ins (see `Record`, `tensor_of`, `array_of`).

    Args:
        data: a pickle of protocol 2 to 5, or a file of torch.save in either of its forms.
        name: what messages call the file.

    Raises:
        ModelFileError: it asks for what is not known here (which is named, and not run), or is damaged.
    """
    return _told(lambda: _content(data), name)


def load_arrays(data: bytes, name: str) -> Any:
    """The same of a pickle of NumPy's arrays (lists, tuples, dictionaries of them), with these arrays for stand-ins.

    An array of one object, as numpy.save keeps a dictionary, is that object. Tuples become lists. Errors as `load`.
    """
    return _told(lambda: plain(_content(data)), name)


def _content(data: bytes) -> Any:
    if not is_pickle(data):
        raise ModelFileError("neither a pickle of protocol 2 to 5 nor a file of torch.save")
    if data.startswith(ZIP):
        return _zip(data)
    return _legacy(data, names(_stored)) if _is_legacy(data) else Machine(names(_stored)).run(io.BytesIO(data))


def _told(read: Callable[[], Any], name: str) -> Any:
    """What it gives; its errors as ModelFileError, which names the file."""
    try:
        return read()
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from None
    except Exception as error:  # damaged bytes make parsers fail in many ways
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{name}: a damaged or truncated pickle: {shown(first)}") from error


def _is_legacy(data: bytes) -> bool:
    try:
        return bool(Machine(names()).run(io.BytesIO(data[:64])) == TORCH_MAGIC)
    except Exception:  # another pickle, or a damaged one, which the caller reads
        return False


def _storages() -> tuple[dict[Any, Storage], Callable[[Any], Storage]]:
    """The storages that persistent ids named, by key, and the function that takes such an id."""
    found: dict[Any, Storage] = {}

    def storage(pid: Any) -> Storage:
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage" or type(pid[2]) not in (str, int):
            raise ModelFileError("refers to something else than a storage outside the pickle")
        if len(pid) == 6 and pid[5] is not None:
            raise ModelFileError("a storage that is a view of another, as PyTorch before 0.4 wrote: save it anew")
        key = str(pid[2])
        if key not in found:
            found[key] = storage_of(pid[1], pid[4])
        return found[key]

    return found, storage


def _legacy(data: bytes, known: Names) -> Any:
    """What torch.save wrote before 1.6: five pickles, then the storages in the order of the last."""
    stream = io.BytesIO(data)
    found, storage = _storages()
    magic, version = Machine(names()).run(stream), Machine(names()).run(stream)
    if (magic, version) != (TORCH_MAGIC, TORCH_VERSION):
        raise ModelFileError("a file of torch.save of an unknown version")
    system = Machine(names()).run(stream)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise ModelFileError("written on a machine of another byte order: save it anew")
    value = Machine(known, storage).run(stream)
    keys = Machine(names()).run(stream)
    view = memoryview(data)
    place = stream.tell()
    if type(keys) is not list or {str(key) for key in keys if type(key) in (str, int)} != found.keys():
        raise ModelFileError("storages that its pickle does not name, or names that have none")
    for key in keys:
        one = found[str(key)]
        (count,) = struct.unpack("<q", view[place : place + 8])
        if count != one.count:
            raise ModelFileError("a storage of another size than its pickle says: it was cut short")
        one.fill(view[place + 8 : place + 8 + one.bytes])
        place += 8 + one.bytes
    return value


def _stored(content: Any) -> Storage:
    """One storage, as `torch.storage._load_from_bytes` gets it: read by hand, by the same rules."""
    if type(content) is not bytes or not _is_legacy(content):
        raise ModelFileError("a storage in another form than torch.save writes")
    stored = _legacy(content, names())  # within it no bytes are read as a file again
    if not isinstance(stored, Storage):
        raise ModelFileError("something else than a storage among the bytes of a storage")
    return stored


def _zip(data: bytes) -> Any:
    """What torch.save writes since 1.6: a zip archive of a pickle and a member for each storage, none compressed."""
    if data.count(b"PK\x01\x02") > MOST_MEMBERS:
        raise ModelFileError(f"a zip archive of more than {MOST_MEMBERS:,} members")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: info for info in archive.infolist()}
    roots = [path.removesuffix("data.pkl") for path in members if path.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ModelFileError("a zip archive, but none of torch.save: it has no data.pkl")
    view = memoryview(data)
    byte_order = members.get(f"{roots[0]}byteorder")
    if byte_order is not None and bytes(_member(view, byte_order)) != b"little":
        raise ModelFileError("written on a machine of another byte order: save it anew")
    found, storage = _storages()
    pickled = io.BytesIO(_member(view, members[f"{roots[0]}data.pkl"]))
    value = Machine(names(_stored), storage).run(pickled)
    for key, one in found.items():
        path = f"{roots[0]}data/{key}"
        if path not in members:
            raise ModelFileError(f"a storage without its values ({shown(path)})")
        one.fill(_member(view, members[path]))
    return value


def _member(view: memoryview, info: zipfile.ZipInfo) -> memoryview:
    """The bytes of a member, not copied."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ModelFileError("a zip archive with compressed members, which torch.save does not write")
    header = view[info.header_offset : info.header_offset + 30]
    if bytes(header[:4]) != ZIP:
        raise ModelFileError("a damaged zip archive")
    start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    if start + info.file_size > len(view):
        raise ModelFileError("a zip archive that was cut short")
    return view[start : start + info.file_size]
