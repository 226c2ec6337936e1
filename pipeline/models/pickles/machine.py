"""An interpreter of pickle opcodes.

It differs from Python's in what it can do: a global is looked up in a closed list and never imported, a call reaches
only the functions of that list, and only stand-ins take a state. Opcodes are taken apart by `pickletools`, which reads
no more than the file holds.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

from pipeline.errors import ModelFileError

MOST_OPCODES = 250_000
"""Real checkpoints have up to some 100,000: what is beyond would fill memory with empty containers."""
LONGEST_TEXT = 2**26
"""Bytes. In memory a text takes up to four times its size."""

Names = Mapping[tuple[str, str], Callable[..., Any]]


@dataclass(frozen=True, eq=False)
class Global:
    """What a name of a pickle became: its full name, and the function of ours that stands for it."""

    path: str
    call: Callable[..., Any]


class Stateful(ABC):
    """A stand-in that takes the state of the object that it stands for."""

    @abstractmethod
    def set_state(self, state: Any) -> None:
        """Keep it. Raises ModelFileError where it is of another form than the object's class writes."""


class Machine:
    """Runs the opcodes of one pickle.

    Args:
        names: what (module, name) stands for; every other name is refused.
        persistent: gives the object of a persistent id; without it these are refused.
    """

    def __init__(self, names: Names, persistent: Callable[[Any], Any] | None = None):
        self._names, self._persistent = names, persistent
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, stream: IO[bytes]) -> Any:
        """The object of the pickle at the stream's place, which is behind it afterwards.

        Raises:
            ModelFileError: it asks for a name or an opcode that is not known here, or is too long.
            Exception: of any kind, where it is damaged.
        """
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MOST_OPCODES:
                raise ModelFileError(f"a pickle of more than {MOST_OPCODES:,} opcodes, which no checkpoint has")
            if opcode.name == "STOP":
                return self._stack.pop()
            if opcode.name in CONSTANTS:
                self._stack.append(CONSTANTS[opcode.name])
            elif opcode.name in VALUES:
                if isinstance(argument, str) and len(argument) > LONGEST_TEXT:
                    raise ModelFileError(f"a text of more than {LONGEST_TEXT >> 20} MiB, which no checkpoint has")
                self._stack.append(bytes(argument) if isinstance(argument, bytearray) else argument)
            elif opcode.name in ACTIONS:
                ACTIONS[opcode.name](self, argument)
            elif opcode.name not in ("PROTO", "FRAME"):
                raise ModelFileError(f"opcode {opcode.name}, which no checkpoint needs, so it is not read")
        raise ValueError("the pickle has no end")

    def _marked(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        items = self._stack
        self._stack = self._below.pop()
        return items

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._marked()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _list(self, _: Any) -> None:
        items = self._marked()
        self._stack.append(items)

    def _tuple(self, _: Any) -> None:
        items = tuple(self._marked())
        self._stack.append(items)

    def _short_tuple(self, length: int) -> None:
        items = tuple(self._stack[-length:])
        if len(items) < length:
            raise IndexError("the stack is empty")
        del self._stack[-length:]
        self._stack.append(items)

    def _dict(self, _: Any) -> None:
        items = self._marked()
        self._stack.append({})
        self._set_pairs(items)

    def _frozenset(self, _: Any) -> None:
        items = self._marked()
        self._stack.append(frozenset(key(item) for item in items))

    def _append(self, _: Any) -> None:
        item = self._stack.pop()
        self._container(list).append(item)

    def _appends(self, _: Any) -> None:
        items = self._marked()
        self._container(list).extend(items)

    def _set_item(self, _: Any) -> None:
        pair = self._stack[-2:]
        del self._stack[-2:]
        self._set_pairs(pair)

    def _set_items(self, _: Any) -> None:
        self._set_pairs(self._marked())

    def _set_pairs(self, items: list[Any]) -> None:
        target = self._container(dict)
        for name, value in zip(items[::2], items[1::2], strict=True):
            target[key(name)] = value

    def _add_items(self, _: Any) -> None:
        items = self._marked()
        self._container(set).update(key(item) for item in items)

    def _container(self, kind: type) -> Any:
        target = self._stack[-1]
        if type(target) is not kind:
            raise ModelFileError(f"puts items into a {type(target).__name__}, which is no {kind.__name__}")
        return target

    def _global(self, argument: str) -> None:
        self._look_up(*argument.split(" ", 1))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._look_up(module, name)

    def _look_up(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ModelFileError("a name that is no text")
        if (module, name) not in self._names:
            raise ModelFileError(
                f"holds code or objects ({shown(f'{module}.{name}')}), which reading would run, so it is not read"
            )
        self._stack.append(Global(f"{module}.{name}", self._names[module, name]))

    def _call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Global) or type(arguments) is not tuple:
            raise ModelFileError("calls what is no function")
        self._stack.append(function.call(*arguments))

    def _new_with_names(self, argument: Any) -> None:
        if self._stack.pop() != {}:
            raise ModelFileError("makes an object with named arguments, which no checkpoint needs")
        self._call(argument)

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Stateful):
            target.set_state(state)
        elif not (type(target) is dict and type(state) is dict):  # of a state dict: attributes beside its items
            raise ModelFileError(f"gives a state to a {type(target).__name__}")

    def _persistent_id(self, pid: Any) -> None:
        if self._persistent is None:
            raise ModelFileError("refers to objects outside the file, so it is not read")
        self._stack.append(self._persistent(pid))

    def _stacked_persistent_id(self, _: Any) -> None:
        self._persistent_id(self._stack.pop())

    def _empty_list(self, _: Any) -> None:
        self._stack.append([])

    def _empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def _empty_set(self, _: Any) -> None:
        self._stack.append(set())


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
VALUES = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "MARK": Machine._mark, "POP": Machine._pop, "POP_MARK": Machine._pop_mark, "DUP": Machine._dup,
    "PUT": Machine._put, "BINPUT": Machine._put, "LONG_BINPUT": Machine._put, "MEMOIZE": Machine._memoize,
    "GET": Machine._get, "BINGET": Machine._get, "LONG_BINGET": Machine._get,
    "EMPTY_LIST": Machine._empty_list, "EMPTY_DICT": Machine._empty_dict, "EMPTY_SET": Machine._empty_set,
    "LIST": Machine._list, "TUPLE": Machine._tuple, "DICT": Machine._dict, "FROZENSET": Machine._frozenset,
    "TUPLE1": lambda machine, _: machine._short_tuple(1),
    "TUPLE2": lambda machine, _: machine._short_tuple(2),
    "TUPLE3": lambda machine, _: machine._short_tuple(3),
    "APPEND": Machine._append, "APPENDS": Machine._appends, "SETITEM": Machine._set_item,
    "SETITEMS": Machine._set_items, "ADDITEMS": Machine._add_items,
    "GLOBAL": Machine._global, "STACK_GLOBAL": Machine._stack_global,
    "REDUCE": Machine._call, "NEWOBJ": Machine._call, "NEWOBJ_EX": Machine._new_with_names, "BUILD": Machine._build,
    "PERSID": Machine._persistent_id, "BINPERSID": Machine._stacked_persistent_id,
}  # fmt: skip


def key(value: Any) -> Any:
    """A value as the key of a dictionary: text, bytes, a number, or a tuple of these.

    Raises ModelFileError for others: the hash of tuples within tuples can take for ever.
    """
    plain = (str, bytes, int, float, bool, type(None))
    if type(value) in plain or (type(value) is tuple and all(type(each) in plain for each in value)):
        return value
    raise ModelFileError(f"has a {type(value).__name__} as a key")


def shown(text: str) -> str:
    """A text out of a file, as messages quote it: one short line."""
    short = text if len(text) <= 80 else f"{text[:77]}..."
    return short if short.isprintable() else ascii(short)
