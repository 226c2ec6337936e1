"""Words of requests that pages and editors read: what stands between the attributes of a request for several, and the
names of the stages of a sequence of edits, which are the options of its request.
"""

from collections.abc import Sequence

AND = "+"
TO = " to "


def stage_name(attribute: str, target: str) -> str:
    """What a stage does, in words: the name of an option, whose value is how far."""
    return f"{attribute}{TO}{target}"


def stages_of(options: Sequence[str]) -> tuple[str, ...]:
    """The stages of a request, by the names of its options; none where its steps are no edits of their own."""
    return tuple(options) if all(TO in name for name in options) else ()
