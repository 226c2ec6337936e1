"""The classes of the face parser that an edit of an attribute may change, and by how much they are grown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pipeline.directions.aliases import plain
from pipeline.errors import SpecError
from pipeline.models.classifiers.attributes import ATTRIBUTES_BY_NAME, BY_NAME, LIST
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.classifiers.regions import DILATION


def region_of(attribute: str, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The classes of the face parser that an edit of an attribute may change: those that are asked for, or its own.

    Raises:
        SpecError: a class is unknown, or the attribute has no region and none is asked for.
    """
    if unknown := [name for name in asked if name not in CLASSES]:
        raise SpecError(f"the face parser has no class {unknown[0]!r}: its classes are {', '.join(CLASSES)}")
    if asked:
        return tuple(asked)
    known = BY_NAME.get(plain(attribute))
    region: tuple[str, ...] = getattr(known, "region", ())
    if not region:
        what = "may change the whole picture" if known else "is not an attribute that the classifiers know"
        raise SpecError(f"{attribute} {what}, so it has no region to stay within: name its classes with --region")
    return region


def grown(attribute: str, asked: int | None = None) -> int:
    """Pixels (of 512) to each side by which the region of an attribute is grown: as asked, or as the attribute says."""
    if asked is not None:
        return asked
    known = ATTRIBUTES_BY_NAME.get(plain(attribute))
    return DILATION if known is None else known.grown


def grown_by_default() -> str:
    """In words, for help."""
    names = defaultdict(list)
    for one in LIST:
        if one.grown != DILATION:
            names[one.grown].append(one.name)
    return "".join(f"{pixels} for {' and '.join(its)}, " for pixels, its in sorted(names.items())) + f"else {DILATION}"
