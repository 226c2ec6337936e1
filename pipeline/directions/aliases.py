"""Others' names for attributes, and what they are in ours.

Directions keep the names that they came with. Where an editor or a metric needs the classifier of an attribute, this
says which, and whether its score rises (+1) or falls (-1) along a direction of that name. Each attribute declares its
aliases (pipeline/models/classifiers/attributes.py).
"""

from __future__ import annotations

import re

from pipeline.models.classifiers.attributes import LIST

ALIASES: dict[str, tuple[str, int]] = {
    alias: (one.name, sign) for one in LIST for alias, sign in {one.name: 1, **one.aliases}.items()
}


def resolve(name: str) -> tuple[str, int] | None:
    """Our attribute and the sign of its score along a direction of that name; None where we have no such attribute.

    Letter case and the number of a CelebA attribute before it (`20_Male`) do not matter.
    """
    return ALIASES.get(re.sub(r"^\d+_", "", name).lower())


def plain(name: str) -> str:
    """Our attribute of that name, whatever its sign; the name itself where we have no such attribute."""
    known = resolve(name)
    return name if known is None else known[0]
