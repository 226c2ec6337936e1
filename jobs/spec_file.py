"""Spec files: strict YAML 1.2 (or JSON), whose values are read as the flags read them.

A value is taken from its text, as a flag's is, and only where YAML says that it is of the flag's type: `seed: true` is
no number, `rows: "5"` is text, and a key without a value is an error, not the default.
"""

import keyword
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from pipeline.errors import SpecError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
TAG = "tag:yaml.org,2002:"
KINDS = {
    "scalar": {"null", "bool", "int", "float", "str", "timestamp", "merge", "value"},
    "sequence": {"seq"},
    "mapping": {"map"},
}
"""By what a node is, the tags that it can have where none is written."""
DIRECTIVE = re.compile(r"\A(?:\s*(?:#[^\n]*)?\n)*%(?!YAML\s+1\.2\b)[^\n]*")
WHOLE = re.compile(r"[-+]?\d{1,30}")
NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
"""As YAML 1.2 has them; its hexadecimal and octal forms are none of a flag's."""


def read(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    """The values of a file by field of the spec; the spec checks their bounds.

    Raises:
        SpecError: the file cannot be read, is not such YAML, or a value has another type than the flag.
    """
    found: dict[str, Any] = {}
    for key, node in _lines(path):
        name = field_of(key)
        where = f"--spec {path} line {node.start_mark.line + 1}"
        if name not in kind.model_fields:
            raise SpecError(f"{where}: unknown key {key!r}; known are {', '.join(kind.model_fields)}")
        if name in found:
            raise SpecError(f"{where}: {key} is given twice: keep one of the two")
        found[name] = _value(node, kind.model_fields[name].annotation, where, key)
    return found


def field_of(key: str) -> str:
    """The field of a key, which may be written as the flag is: rows-per-shard, from."""
    name = key.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def split(text: str) -> tuple[str, ...]:
    """The words of a list with commas between them; the spec refuses those that are empty, but an empty list is one."""
    return tuple(word.strip() for word in text.split(",")) if text.strip() else ()


def _lines(path: Path) -> Iterator[tuple[str, "Node"]]:
    """Keys and their values as the YAML library resolves them."""
    from ruamel.yaml import YAML, YAMLError

    text = _text(path)
    if directive := DIRECTIVE.match(text):
        line = directive[0].splitlines()[-1]
        raise SpecError(f"--spec {path} begins with {line!r}: spec files are YAML 1.2, leave the line out")
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, RecursionError) as error:
        reason = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise SpecError(f"--spec {path}{line} is not YAML: {' '.join(reason.split())}") from error
    if root is None or root.id != "mapping" or root.tag != f"{TAG}map":
        raise SpecError(f"--spec {path} must hold 'flag: value' lines, one for each flag")
    for key, value in root.value:
        _check_tag(key, f"--spec {path} line {key.start_mark.line + 1}")
        yield str(key.value), value


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SpecError(f"--spec {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SpecError(
            f"--spec {path} line {line} is not UTF-8 (byte {error.object[error.start]:#04x}): save the file as UTF-8"
        ) from error


# -- values -----------------------------------------------------------------------------------------------------------


def _value(node: "Node", annotation: Any, where: str, key: str) -> Any:
    kinds, many = _taken(annotation)
    flag = f"{where}: --{key.replace('_', '-')}"
    _check_tag(node, flag)
    if node.tag == f"{TAG}seq":
        if not many:
            raise SpecError(f"{flag} takes one value, not a list")
        for item in node.value:
            _check_tag(item, flag)
        return tuple(_scalar(item, kinds, flag) for item in node.value)
    if many and node.tag == f"{TAG}str":
        return split(node.value)
    value = _scalar(node, kinds, flag)
    return (value,) if many else value


def _check_tag(node: Any, where: str) -> None:
    """Raise SpecError for a tag of the file's own, as in `!foo x` or `!!python/name:x`, or on what it cannot be of."""
    tag = str(node.tag)
    if not tag.startswith(TAG) or tag.removeprefix(TAG) not in KINDS[node.id]:
        raise SpecError(f"{where}: the tag {tag.replace(TAG, '!!')} is not one of spec files: leave it out")


def _scalar(node: "Node", kinds: frozenset[type], flag: str) -> Any:
    tag, text = str(node.tag).removeprefix(TAG), node.value
    if tag in ("map", "seq"):
        raise SpecError(f"{flag} takes no {'keys of its own' if tag == 'map' else 'list in a list'}")
    if tag == "null":
        raise SpecError(f"{flag} has no value: give one, or leave the line out to have the default")
    if tag == "bool" and bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == "int" and int in kinds and WHOLE.fullmatch(text):
        return int(text)
    if tag in ("int", "float") and float in kinds and NUMBER.fullmatch(text):
        return float(text)
    if tag != "bool" and str in kinds:
        return text  # as on the command line: a title may be 2026
    wanted = " or ".join(name for kind, name in WANTED.items() if kind in kinds)
    hint = ": put it in quotes, if it is text" if str in kinds else ""
    shown = f'"{text}"' if getattr(node, "style", None) in ("'", '"') else text
    raise SpecError(f"{flag} {shown}: give {wanted}{hint}")


def _taken(annotation: Any) -> tuple[frozenset[type], bool]:
    """The types of value that a field takes, and whether it takes several."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _taken(inner[0])
    if origin is tuple:
        return _taken(inner[0])[0], True
    if origin is Literal:
        return frozenset(map(type, inner)), False
    if origin in (Union, types.UnionType):
        parts = [_taken(part) for part in inner if part is not types.NoneType]
        return frozenset().union(*(kinds for kinds, _ in parts)), any(many for _, many in parts)
    return frozenset({annotation}), False
