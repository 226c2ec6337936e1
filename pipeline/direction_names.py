"""Names of the directions of a list as they are typed: `old`, or `old#3` where several are named old."""

from collections.abc import Sequence


def numbered(names: Sequence[str]) -> list[str]:
    """The names, each that occurs more than once with its place in the list.

    The place counts rows that are there: a rejected row leaves a gap in a table's `index`, not here.
    """
    return [name if names.count(name) == 1 else f"{name}#{place}" for place, name in enumerate(names)]
