"""Names of directions: which there may be, how several are typed, and how files of other projects bear them.

A direction is printed as its attribute with its conditions, `old|eyeglasses,male`. In the name of a file that is
`{gan}_{dataset}_old_c_eyeglasses_c_male[_w]_boundary.npy` (genforce) or `old_c_eyeglasses_c_male.pt`; a name that could
be read in another way there is percent-encoded, as in URLs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from pipeline.errors import SpecError
from pipeline.models.codes import Space

GANS = ("pggan", "stylegan", "stylegan2", "stylegan2ada", "stylegan3", "styleganinv", "mobilestylegan", "stylemill")
"""With which genforce's names of files begin, and ours; any other name is the attribute's from its beginning."""
RELEASED = frozenset({"age", "eyeglasses", "gender", "pose", "smile"})
"""InterFaceGAN's attributes. Its released files have several conditions with `_` between them, not `_c_`."""
SIMPLE = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")
RESERVED = frozenset({"c", "w", "z", "boundary", "direction", "directions"})


def check_name(name: str, conditional: bool = False) -> None:
    """Raise SpecError where a name could not be typed to choose the direction that bears it.

    conditional: whether it may be that of a direction with conditions, which are apart by `|` and commas.
    """
    if not name or name != name.strip() or not name.isprintable():
        raise SpecError(f"{name!r} cannot name a direction: it is empty, begins or ends with a space, or is not text")
    if odd := [mark for mark in ("#" if conditional else "#,|") if mark in name]:
        raise SpecError(
            f"{name!r} cannot name a direction: {odd[0]!r} is for lists (a,b), conditions (a|b) and rows (a#3), give "
            "another name"
        )


def joined(words: Sequence[str], known: Collection[str]) -> list[str]:
    """The names that a list with commas stands for: the words between the commas, but `old|eyeglasses` and `male` are
    the one name `old|eyeglasses,male` where that is known; the longest such name is taken.
    """
    names: list[str] = []
    place = 0
    while place < len(words):
        ends = range(len(words), place + 1, -1)
        end = next((end for end in ends if ",".join(words[place:end]) in known), place + 1)
        names.append(",".join(words[place:end]))
        place = end
    return names


@dataclass(frozen=True)
class FileName:
    """What the name of a file tells; None and nothing where it does not. gan: generator and data set, as genforce."""

    attribute: str | None
    conditions: tuple[str, ...] = ()
    space: Space | None = None
    gan: tuple[str, str] | None = None


def parse_boundary(name: str) -> FileName:
    """Of a `.npy`: `{gan}_{dataset}_{attribute}[_c_{condition}...][_w]_boundary`, in z where there is no `_w`.

    A later folder of genforce has `stylegan2_ffhq_w/boundary_Smiling.npy`, which is read too. In any other name, as
    `Mouth_Slightly_Open_boundary` or `smile`, all is attribute and conditions, and without `_w` the space is not told.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if later := re.fullmatch(r"boundary_(.+)", path.stem):
        return _in_folder(later[1], path.parent.name)
    rest = path.stem.removesuffix("_boundary")
    released = re.fullmatch(rf"({'|'.join(GANS)})_([^_]+)_(.+)", rest) if rest != path.stem else None
    if released:
        rest = released[3]
    space: Space | None = "w" if rest.endswith("_w") else "z" if released else None
    attribute, conditions = _parts(rest.removesuffix("_w"))
    if released:
        conditions = tuple(one for condition in conditions for one in _released(condition))
    named = None if attribute in RESERVED else unquote(attribute)
    gan = (released[1], released[2]) if released else None
    return FileName(named, tuple(map(unquote, conditions)), space, gan)


def parse_stem(name: str) -> FileName:
    """Of a `.pt` of encoder4editing: `{attribute}[_c_{condition}...]`."""
    attribute, conditions = _parts(PurePosixPath(name.replace("\\", "/")).stem)
    return FileName(unquote(attribute), tuple(map(unquote, conditions)))


def boundary_name(attribute: str, conditions: Sequence[str], space: Space, generator: str, data_set: str) -> str:
    """The name that genforce would give: `stylegan2_ffhq_age_c_gender_w_boundary.npy`."""
    suffix = "" if space == "z" else "_w"
    return f"{generator}_{data_set}_{stem(attribute, conditions)}{suffix}_boundary.npy"


def stem(attribute: str, conditions: Sequence[str]) -> str:
    """`age_c_gender`, from which `parse_stem` tells both again."""
    return "_c_".join(map(_encoded, (attribute, *conditions)))


def _in_folder(attribute: str, folder: str) -> FileName:
    told = re.fullmatch(rf"({'|'.join(GANS)})_([^_]+?)(_[wz])?", folder)
    ending = folder[-2:]
    space: Space | None = "w" if ending == "_w" else "z" if ending == "_z" or told else None
    return FileName(unquote(attribute), (), space, (told[1], told[2]) if told else None)


def _parts(text: str) -> tuple[str, tuple[str, ...]]:
    attribute, *conditions = text.split("_c_")
    return (attribute, tuple(conditions)) if attribute and all(conditions) else (text, ())


def _released(condition: str) -> list[str]:
    words = condition.split("_")
    return words if RELEASED.issuperset(words) else [condition]


def _encoded(name: str) -> str:
    words = name.split("_")
    if SIMPLE.fullmatch(name) and RESERVED.isdisjoint(words) and (len(words) == 1 or not RELEASED.issuperset(words)):
        return name
    if name.isascii() and name.isalnum():
        return f"%{ord(name[0]):02X}{name[1:]}"
    return re.sub(r"[_.~]", lambda mark: f"%{ord(mark[0]):02X}", quote(name, safe=""))
