"""Numbers and ranges of numbers, as in `0-2,5`: rows of w+, style layers."""

import re
from collections.abc import Sequence


def spans(text: str, what: str) -> tuple[int, ...]:
    """`0-2,5` is (0, 1, 2, 5). Raises ValueError for anything else, and for a number that is there twice."""
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f"give {what} counted from 0, as in 0-7 or 0,2,4-6")
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{what}: one is named twice")
    return tuple(numbers)


def as_spans(numbers: Sequence[int]) -> str:
    """(6, 7, 8, 11), which rise, is `6-8,11`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ",".join("-".join(map(str, span)) for span in spans)
