"""Others' names for attributes, and what they are in ours.

Directions keep the names that they came with. Where an editor or a metric needs the classifier of an attribute, this
table says which, and whether its score rises (+1) or falls (-1) along a direction of that name.

Where the signs come from:
    young       -> old, -1: CelebA's Young is the opposite.
    age         -> old, +1: along encoder4editing's age.pt the built-in generator's faces grow old (+5.0 in our score
                   from -3 to +3). In the paper's Table 2 age goes with eyeglasses and with gender.
    gender      -> male, +1: in Tables 2 and 3 gender goes with age and with eyeglasses, where "male old people are
                   more likely to wear eyeglasses" (Sec. 3.3).
    pose        -> yaw, -1: along encoder4editing's pose.pt the built-in generator's yaw falls (-3.4 in our score from
                   -3 to +3). Where the genforce files turn the head cannot be measured here: their generators are not.
    the others  CelebA's names of the same thing.
"""

from __future__ import annotations

import re

ALIASES: dict[str, tuple[str, int]] = {
    "smile": ("smile", 1),
    "smiling": ("smile", 1),
    "male": ("male", 1),
    "gender": ("male", 1),
    "female": ("male", -1),
    "old": ("old", 1),
    "age": ("old", 1),
    "young": ("old", -1),
    "eyeglasses": ("eyeglasses", 1),
    "glasses": ("eyeglasses", 1),
    "yaw": ("yaw", 1),
    "pose": ("yaw", -1),
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
