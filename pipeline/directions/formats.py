"""Directions in the files of other projects, read and written as bytes; nothing in a file is ever executed.

    interfacegan  genforce's `.npy`: (1, W), or (L, W) for a vector of each layer; any other `.npy` of such an array
    anycost       anycost-gan's `.pt`: {'20_Male': (1, W), ...}
    e4e           encoder4editing's `.pt`: (1, W), or (1, L, W)
    higan         genforce's pickle, in a `.npy` or bare:
                  {'boundary': (1, W), 'meta_data': {'manipulate_layers': '6-11'}}

Vectors are normalised: these files keep no intercept. A plain (W,) is taken in all of them. Shapes: L layers, W w_dim.
"""

from __future__ import annotations

import dataclasses
import io
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.directions.direction import Direction, normalised
from pipeline.directions.names import FileName, boundary_name, parse_boundary, parse_stem, stem
from pipeline.errors import ModelFileError, SpecError
from pipeline.file_content import check_content
from pipeline.models.codes import Space
from pipeline.models.pickles import load_arrays

MOST_LAYERS, WIDEST = 64, 4096
"""Beyond any generator's of this kind: a column, or layers that were flattened into one row, are no direction."""
SAME_W = {"mobilestylegan-ffhq": ("stylegan2_ffhq", "stylegan2-ffhq")}
"""Names of other generators whose W is that of one of ours."""
LONGEST = 255
"""Bytes of a file's name, on common file systems."""


@dataclass(frozen=True, eq=False)
class Imported:
    """A direction, and the rows of w+ that its file says it is for (None: all).

    taken_as_w: nothing told the space, z or w, and w was taken, as most published directions are.
    """

    direction: Direction
    layers: tuple[int, ...] | None = None
    taken_as_w: bool = False


def read(
    form: str,
    data: bytes,
    name: str,
    attribute: str | None = None,
    space: Space | None = None,
    generator: str | None = None,
) -> list[Imported]:
    """The directions of a file.

    Args:
        form: one of FORMATS.
        data: the bytes of the file.
        name: the file's name, with its folder where there is one; attribute, conditions and space are read from it.
        attribute, space: instead of what the name tells.
        generator: fingerprint of the generator whose space it is, where known.

    Raises:
        SpecError: an unknown format, or a name that tells no attribute and none is given.
        ModelFileError: the file is damaged, another kind of file, asks for code, or holds arrays of other shapes.
    """
    if form not in FORMATS:
        raise SpecError(f"unknown format of directions {form!r}: choose one of {', '.join(FORMATS)}")
    check_content(data, name)
    found: list[Imported] = []
    for key, array, layers, told in FORMATS[form](data, name):
        label = attribute or key
        if label is None:
            raise SpecError(f"{name}: the name does not tell the attribute: give one")
        vector, own = _vector(array, name)
        taken: Space = space or own or told.space or "w"
        try:
            direction = normalised(label, "imported", taken, vector, conditions=told.conditions, generator=generator)
        except SpecError as error:
            raise ModelFileError(f"{name}: {error}") from None
        found.append(Imported(direction, layers, not (space or own or told.space)))
    if attribute is not None and len(found) > 1:
        raise SpecError(f"{name} holds {len(found)} directions: they cannot all be named {attribute}")
    return found


def write(form: str, direction: Direction) -> bytes:
    """The bytes of a file of one direction: `interfacegan` or `e4e`. Its intercept has no place there.

    Raises:
        SpecError: another format, or a direction of s.
    """
    if direction.space == "s":
        raise SpecError(f"the direction of {direction.name} is in s, which {form} has no form for")
    array = direction.vector if direction.vector.ndim == 2 else direction.vector[None]
    stream = io.BytesIO()
    match form:
        case "interfacegan":
            np.save(stream, array, allow_pickle=False)
        case "e4e":
            rows = direction.vector[None]
            if rows.ndim == 3:
                rows = rows * np.float32(rows.shape[1] ** 0.5)  # each layer's vector has norm 1 there, on average
            torch.save(torch.tensor(rows), stream)
        case _:
            raise SpecError(f"directions cannot be written as {form!r}: choose interfacegan or e4e")
    return stream.getvalue()


def file_name(form: str, direction: Direction, generator: str = "stylegan2", data_set: str = "ffhq") -> str:
    """The name of the file that `write` makes the bytes of; `read` tells attribute and conditions from it.

    Raises:
        SpecError: a file of that form would not tell that the direction is of z, or the name is too long for a file.
    """
    if form == "e4e" and direction.space == "z":
        raise SpecError(f"the direction of {direction.name} is in z, e4e's files are of w: choose interfacegan")
    name = (
        f"{stem(direction.attribute, direction.conditions)}.pt"
        if form == "e4e"
        else boundary_name(direction.attribute, direction.conditions, direction.space, generator, data_set)
    )
    if len(name) > LONGEST:
        raise SpecError(f"the direction of {direction.name[:40]}... has too long a name for a file: {len(name)} bytes")
    return name


def check_generator(direction: Direction, fingerprint: str, force: bool = False) -> str | None:
    """A warning if it is not known whether the direction is of this generator; None if it is.

    Raises:
        SpecError: it is of another generator, and that is not forced.
    """
    if direction.generator == fingerprint:
        return None
    if direction.generator is None:
        return (
            f"the generator of the direction of {direction.name} is unknown: it means something only in the "
            f"{direction.space} of the generator that it was fitted on"
        )
    message = (
        f"the direction of {direction.name} is of generator {direction.generator[:12]}, this one is {fingerprint[:12]}"
    )
    if not force:
        raise SpecError(f"{message}: fit it on this generator, or force it where they share their {direction.space}")
    return message


def check_file_name(name: str, generator: str, fingerprint: str, force: bool = False) -> str | None:
    """A warning where the name of a file tells of another generator than this one; None where it does not.

    It may tell: by `{gan}_{dataset}_..._boundary`, as genforce names them, or a folder `{gan}_{dataset}_w`, as they do
    later; or by `stylemill_{fingerprint}_...`, as `export` names them.

    Raises:
        SpecError: it tells of another generator, and that is not forced.
    """
    told = parse_boundary(name).gan
    if told is None or told == ("stylemill", "unknown"):
        return None
    who, what = told
    ours = (generator, *SAME_W.get(generator, ()))
    if fingerprint.startswith(what) if who == "stylemill" else f"{who}_{what}" in ours:
        return None
    message = f"{name} is named as a direction of {who}_{what}, not of {generator}"
    if not force:
        raise SpecError(f"{message}: name that generator, or pass --force where they share their latent space")
    return message


Found = list[tuple[str | None, NDArray[np.floating], tuple[int, ...] | None, FileName]]


def _interfacegan(data: bytes, name: str) -> Found:
    told = parse_boundary(name)
    return [(told.attribute, _npy(data, name), None, told)]


def _anycost(data: bytes, name: str) -> Found:
    content = _pt(data, name)
    if not isinstance(content, Mapping) or not content:
        raise ModelFileError(f"{name}: holds a {type(content).__name__}, not a dictionary of directions")
    return [(str(key), _tensor(value, name), None, FileName(None, (), "w")) for key, value in content.items()]


def _e4e(data: bytes, name: str) -> Found:
    told = parse_stem(name)
    return [(told.attribute, _tensor(_pt(data, name), name), None, dataclasses.replace(told, space="w"))]


def _higan(data: bytes, name: str) -> Found:
    content: Any
    if data.startswith(np.lib.format.MAGIC_PREFIX):
        stream = io.BytesIO(data)
        try:
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            dtype = header(stream)[2]
        except ValueError as error:
            raise ModelFileError(f"{name}: not a whole .npy: {error}") from None
        content = load_arrays(stream.read(), name) if dtype.hasobject else {"boundary": _npy(data, name)}
    else:
        content = load_arrays(data, name)
    if not isinstance(content, dict) or not isinstance(content.get("boundary"), np.ndarray):
        raise ModelFileError(f"{name}: holds no 'boundary' array, as HiGAN's files do")
    about = content.get("meta_data")
    text = about.get("manipulate_layers") if isinstance(about, dict) else None
    attribute = PurePosixPath(name).stem.removesuffix("_boundary")
    return [(attribute, content["boundary"], _layers(text, name), FileName(None, (), "w"))]


FORMATS: dict[str, Callable[[bytes, str], Found]] = {
    "interfacegan": _interfacegan,
    "anycost": _anycost,
    "e4e": _e4e,
    "higan": _higan,
}


def _vector(array: NDArray[np.floating], name: str) -> tuple[NDArray[np.float64], Space | None]:
    """(W,), whose space the array does not tell, or (L, W) in w+. Equal rows of layers are one vector of w."""
    shape = array.shape
    if not np.issubdtype(array.dtype, np.floating):
        raise ModelFileError(f"{name}: holds {array.dtype}; a direction consists of floating-point numbers")
    if array.ndim == 3 and shape[0] == 1:
        array = array[0]
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not (1 <= len(array) <= MOST_LAYERS and 2 <= array.shape[1] <= WIDEST):
        raise ModelFileError(
            f"{name}: has the shape {shape}; a direction has (W,), (1, W), or (L, W) or (1, L, W) for a vector of each "
            f"layer, with at most {MOST_LAYERS} layers of 2 to {WIDEST} numbers: reshape it"
        )
    values = array.astype(np.float64)
    if len(values) == 1:
        return values[0], None
    if (values == values[0]).all():
        return values[0], "w"
    return values, "w+"


def _npy(data: bytes, name: str) -> NDArray[Any]:
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        if "Object arrays" in str(error):
            raise ModelFileError(
                f"{name}: holds pickled objects, not an array: where it is one of HiGAN's, read it as higan"
            ) from None
        raise ModelFileError(f"{name}: not a whole .npy: {str(error).splitlines()[0]}") from None
    if not isinstance(array, np.ndarray):
        raise ModelFileError(f"{name}: an archive of several arrays, not a .npy")
    return array


def _pt(data: bytes, name: str) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"asks for {asked[1]}, which reading would run" if asked else "is not a whole PyTorch file"
        raise ModelFileError(f"{name}: {what}: save its tensors alone where you trust it") from None
    except Exception as error:  # damaged bytes make the unpickler fail in many ways
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{name}: not a whole PyTorch file: {first}") from error


def _tensor(value: Any, name: str) -> NDArray[Any]:
    if not isinstance(value, torch.Tensor):
        raise ModelFileError(f"{name}: holds a {type(value).__name__} where a direction's tensor should be")
    kept = value.detach()
    return (kept.float() if kept.dtype in (torch.float16, torch.bfloat16) else kept).numpy()


def _layers(text: Any, name: str) -> tuple[int, ...] | None:
    """Rows of w+ from HiGAN's `6-11` or `0,2-4`."""
    if text is None:
        return None
    if isinstance(text, str) and re.fullmatch(r"\d{1,3}(-\d{1,3})?(,\s*\d{1,3}(-\d{1,3})?)*", text):
        spans = [[int(number) for number in part.split("-")] for part in text.split(",")]
        layers = sorted({layer for span in spans for layer in range(span[0], span[-1] + 1)})
        if layers:
            return tuple(layers)
    raise ModelFileError(f"{name}: its manipulate_layers are {text!r}, not like 6-11 or 0,2-4")
