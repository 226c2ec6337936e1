"""Files that mean harm, each made for one thing that a reader might do wrong. Each must be refused."""

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import torch

from tests.pipeline.models.checkpoints import made

PROTO, STOP = b"\x80\x04", b"."


class Call:
    """A pickle of it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def stack_global(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def within_storage(call: Call) -> bytes:
    """NVIDIA's file, in which the bytes of a storage are a pickle that calls."""
    inner = pickle.dumps(call, 2)
    weight = made.nvidia(2)[:2] + b"cdnnlib.util\nEasyDict\n)\x81"
    load = b"ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R"
    return weight + text("G_ema") + load + b"s."


def legacy_with_call(call: Call) -> bytes:
    """The inner bytes as torch.save writes them, but that the fourth pickle calls."""
    whole = made.saved({"w": torch.zeros(2)}, zipped=False)
    stream = io.BytesIO(whole)
    for _ in range(3):
        pickle.load(stream)
    inner = whole[: stream.tell()] + pickle.dumps(call, 2) + pickle.dumps([], 2)
    return b"\x80\x03ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(inner)) + inner + b"\x85R."


def tensor(storage: int, offset: object, size: object, stride: object) -> bytes:
    """A file of rosinality's form with one tensor of strange measures."""

    class Strange:
        def __reduce__(self):
            values = torch.zeros(storage).untyped_storage()
            return torch._utils._rebuild_tensor_v2, (
                torch.storage.TypedStorage(wrap_storage=values, dtype=torch.float32, _internal=True),
                offset, size, stride, False, {},
            )  # fmt: skip

    state = made.rosinality_state(made.stylegan2()) | {"style.1.weight": Strange()}
    return made.saved({"g_ema": state})


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


MODULE = stack_global("torch_utils.persistence", "_reconstruct_persistent_obj")


def deep_modules(depth: int) -> bytes:
    """Modules within modules."""
    opened = (
        MODULE + b"}(" + text("class_name") + text("G") + text("state") + b"}" + text("_modules") + b"}" + text("m")
    )
    return PROTO + b"}" + text("G_ema") + opened * depth + b"N" + b"ssu\x85R" * depth + b"s" + STOP


def module_within_itself() -> bytes:
    """A whole generator, by its parts, of which the synthesis network has itself as a part."""
    state = b"}\x94("  # memo 0: the state, which the module takes before its parts are in it
    state += text("_init_kwargs") + b"}u"
    module = MODULE + b"}(" + text("class_name") + text("G") + text("state") + b"h\x00u\x85R\x94"
    parts = b"h\x00" + text("_modules") + b"}("
    parts += b"".join(text(name) + b"h\x01" for name in ("mapping", "synthesis", "b4", "conv1")) + b"us0"
    return PROTO + state + b"0" + module + b"0" + parts + b"}" + text("G_ema") + b"h\x01s" + STOP


def diamond(depth: int) -> bytes:
    """Modules with two parts each, which are the same: 2**depth by names, few in the file."""
    part = made.Persistent("m", {"_modules": {}}, source="")
    for _ in range(depth):
        part = made.Persistent("m", {"_modules": {"b4": part, "conv1": part}}, source="")
    with made.importable(**made.NAMES):
        modules = {"mapping": part, "synthesis": part}
        return pickle.dumps({"G_ema": made.Persistent("Generator", {"_modules": modules}, source="")}, 4)


def files(trap: str) -> dict[str, bytes]:
    """Name to content. trap: a file that a call would make."""
    harm = Call(os.system, f"touch {trap}")
    module = "raise SystemExit" + f"\nimport os\nos.system('touch {trap}')\n"
    nothing = made.Persistent("Evil", {"a": 1}, source=module)
    with made.importable(**made.NAMES):
        hostile_source = pickle.dumps({"G_ema": nothing}, 4)
        objects = made.networks(None, None, [("ToRGB_lod0/weight", torch.zeros(1, 1, 2, 3))])
    object_array = np.array([harm], dtype=object)
    return {
        "call": pickle.dumps({"G_ema": harm}, 4),
        "call, protocol 2": pickle.dumps({"G_ema": harm}, 2),
        "call, torch": made.saved({"g_ema": {"style.1.weight": harm}}),
        "call, torch before 1.6": made.saved({"g_ema": harm}, zipped=False),
        "call within a storage": within_storage(harm),
        "call within the inner bytes": legacy_with_call(harm),
        "hostile module_src": hostile_source,
        "eval": pickle.dumps(Call(eval, f"__import__('os').system('touch {trap}')"), 4),
        "getattr": PROTO + stack_global("builtins", "getattr") + text("a") + text("b") + b"\x86R" + STOP,
        "dotted name": PROTO + stack_global("torch", "nn.Module.__init__") + b")R" + STOP,
        "dotted name, known module": PROTO + stack_global("collections", "OrderedDict.fromkeys") + b"]\x85R" + STOP,
        "no name": PROTO + b"KaKb\x93)R" + STOP,
        "an object array": pickle.dumps({"G_ema": object_array}, 4),
        "an object array by hand": objects.replace(b"\x8c\x02f4", b"\x8c\x02O8"),
        "a state for a list": PROTO + b"]}b" + STOP,
        "a state for a dtype's name": PROTO + stack_global("numpy", "dtype") + b"}b" + STOP,
        "a call of a list": PROTO + b"])R" + STOP,
        "INST": b"\x80\x02(X\x01\x00\x00\x00aios\nsystem\n.",
        "OBJ": b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00ao.",
        "EXT1": PROTO + b"\x82\x01" + STOP,
        "a persistent id in a plain pickle": PROTO + text("x") + b"Q" + STOP,
        "NEXT_BUFFER": b"\x80\x05\x97.",
        "protocol 0": b"(dp0\n.",
        "deep lists": PROTO + b"]" * 200_000 + b"a" * 199_999 + STOP,
        "deep tuples": PROTO + b")" + b"\x85" * 200_000 + STOP,
        "a dictionary of tuples of tuples": PROTO + b"})" + b"2\x86" * 64 + b"Ns" + STOP,
        "a set of tuples of tuples": PROTO + b"\x8f()" + b"2\x86" * 64 + b"\x90" + STOP,
        "a list within itself": PROTO + b"]\x94h\x00a" + STOP,
        "a dictionary within itself": PROTO + b"}\x94" + text("g_ema") + b"h\x00s" + STOP,
        "models within models": PROTO + b"}\x94" + text("models") + b"h\x00s" + STOP,
        "many opcodes": PROTO + b"]" * 3_000_000 + STOP,
        "many sets": PROTO + b"\x8f" * 3_000_000 + STOP,
        "many marks": PROTO + b"(" * 3_000_000 + STOP,
        "a long number": PROTO + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\xff" * 100 + STOP,
        "a number in digits": b"\x80\x02L" + b"9" * 3_000_000 + b"L\n.",
        "long bytes": PROTO + b"B" + struct.pack("<I", 2**32 - 1) + b"x" * 100 + STOP,
        "very long bytes": PROTO + b"\x8e" + struct.pack("<Q", 2**62) + b"x" * 100 + STOP,
        "a very long text": PROTO + b"\x8d" + struct.pack("<Q", 2**63 - 1) + b"x" * 100 + STOP,
        "very long bytes that can be changed": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x" * 100 + STOP,
        "a long frame": PROTO + b"\x95" + struct.pack("<Q", 2**60) + b"N" + STOP,
        "a far memo": PROTO + b"Nr" + struct.pack("<I", 2**32 - 1) + STOP,
        "a memo that is not there": PROTO + b"j" + struct.pack("<I", 2**31) + STOP,
        "an empty stack": PROTO + b"R" + STOP,
        "no end": PROTO + b"}" * 10,
        "modules 3,000 deep": deep_modules(3000),
        "a module within itself": module_within_itself(),
        "modules in a diamond of 2**40": diamond(40),
        "modules in a diamond of 2**14": diamond(14),
        "strides of 0": tensor(1, 0, (2**19, 2**19), (0, 0)),
        "a tensor beyond its storage": tensor(16, 0, (16, 16), (16, 1)),
        "a negative offset": tensor(256, -8, (16, 16), (16, 1)),
        "a negative size": tensor(256, 0, (-16, -16), (16, 1)),
        "a size that is no number": tensor(256, 0, ("16", 16), (16, 1)),
        "a huge size": tensor(256, 0, (2**62, 2**62), (1, 1)),
        "compressed members": zipped({"a/data.pkl": bytes(2**22)}, zipfile.ZIP_DEFLATED),
        "two pickles": zipped({"a/data.pkl": b"\x80\x02N.", "b/data.pkl": b"\x80\x02N."}),
        "no pickle": zipped({"word/document.xml": b"<a/>"}),
        "many members": b"PK\x03\x04" + b"PK\x01\x02" * 300_000,
        "another byte order": zipped({"a/data.pkl": b"\x80\x02N.", "a/byteorder": b"big"}),
        "a header of safetensors that is long": struct.pack("<Q", 90_000_000) + b"{" + b" " * 100,
        "a header of safetensors that is deep": struct.pack("<Q", 200_001) + b"{" + b"[" * 200_000,
        "safetensors of too much": safetensors(
            f'{{"a":{{"dtype":"F32","shape":[{2**40}],"data_offsets":[0,{2**42}]}}}}'
        ),
        "stylemill's with a strange option": safetensors(
            '{"__metadata__":{"stylemill":"{\\"version\\":1,\\"architecture\\":\\"stylegan2\\",\\"options\\":'
            '{\\"a\\":{\\"b\\":1}},\\"form\\":\\"x\\",\\"sha256\\":\\"y\\"}"}}'
        ),
    }  # fmt: skip


def safetensors(header: str) -> bytes:
    return struct.pack("<Q", len(header)) + header.encode()
