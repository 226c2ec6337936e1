"""The closed list of names that checkpoints ask for, and what stands for each. Nothing else is ever looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.errors import ModelFileError
from pipeline.models.pickles import machine, stand_ins
from pipeline.models.pickles.machine import Names
from pipeline.models.pickles.stand_ins import Array, Dtype, Record, Storage, StridedTensor


def _dictionary(*items: Any) -> dict[Any, Any]:
    """OrderedDict, EasyDict and defaultdict: empty, or of a list of pairs."""
    pairs = items[0] if items and type(items[0]) is list else []
    return {machine.key(name): value for name, value in pairs}


def _set(items: Any = ()) -> set[Any]:
    return {machine.key(item) for item in items}


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """`_codecs.encode`, by which protocol 2 keeps bytes."""
    if type(text) is not str or encoding != "latin1":
        raise ModelFileError("bytes in another form than pickle writes")
    return text.encode("latin1")


def _path(*parts: Any) -> str:
    return "/".join(str(part) for part in parts if type(part) is str)


def _size(items: Any = ()) -> tuple[int, ...]:
    if type(items) is not tuple or not all(type(item) is int for item in items):
        raise ModelFileError("a torch.Size that holds no sizes")
    return items


def _parameter(value: Any, *_: Any) -> StridedTensor:
    if not isinstance(value, StridedTensor):
        raise ModelFileError("a parameter that is no tensor")
    return value


def _module(meta: Any) -> Record:
    """An object of `torch_utils.persistence`: its class and state. The source that it carries is not looked at."""
    if type(meta) is not dict or type(meta.get("class_name")) is not str or type(meta.get("state")) is not dict:
        raise ModelFileError("a persistent object without class or state")
    return Record(f"module {meta['class_name']}", meta["state"])


def _record(kind: str) -> Callable[..., Record]:
    return lambda *_: Record(kind)


def _nothing(*_: Any) -> None:
    """What no reader looks at: devices, types of values."""


def names(load_storage: Callable[[Any], Storage] | None = None) -> Names:
    """What each (module, name) stands for.

    load_storage: reads the bytes that `torch.storage._load_from_bytes` is given; without it that name is refused.
    """
    known: dict[tuple[str, str], Callable[..., Any]] = {
        ("collections", "OrderedDict"): _dictionary,
        ("collections", "defaultdict"): _dictionary,
        ("dnnlib.util", "EasyDict"): _dictionary,
        ("dnnlib", "EasyDict"): _dictionary,
        ("argparse", "Namespace"): _record("argparse.Namespace"),
        ("pathlib", "PosixPath"): _path,
        ("pathlib", "WindowsPath"): _path,
        ("_codecs", "encode"): _encode,
        ("torch", "Size"): _size,
        ("torch", "device"): _nothing,
        ("torch._utils", "_rebuild_tensor"): StridedTensor,
        ("torch._utils", "_rebuild_tensor_v2"): StridedTensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _module,
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Dtype,
        ("dnnlib.tflib.network", "Network"): _record("network"),
        ("tfutil", "Network"): _record("network"),
    }
    for builtins in ("builtins", "__builtin__"):
        known |= {(builtins, "set"): _set, (builtins, "frozenset"): _set, (builtins, "dict"): _dictionary}
        known |= {(builtins, name): _nothing for name in ("list", "int", "float", "bool", "str")}
    for core in ("numpy.core", "numpy._core"):
        known |= {
            (f"{core}.multiarray", "_reconstruct"): Array,
            (f"{core}.multiarray", "scalar"): stand_ins.scalar,
            (f"{core}.numeric", "_frombuffer"): stand_ins.from_buffer,
        }
    known |= {("torch", path.removeprefix("torch.")): _nothing for path in stand_ins.STORAGES}
    known |= {("torch", name): _nothing for name in ("float32", "float64", "float16", "bfloat16", "int64", "uint8")}
    if load_storage is not None:
        known["torch.storage", "_load_from_bytes"] = load_storage
    return known
