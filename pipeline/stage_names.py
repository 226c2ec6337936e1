"""Names of the stages of a sequence of edits: the options of its request, as pages and editors read them."""

from collections.abc import Sequence

TO = " to "


def stage_name(attribute: str, target: str) -> str:
    """What a stage does, in words: the name of an option, whose value is how far."""
    return f"{attribute}{TO}{target}"


def stages_of(options: Sequence[str]) -> tuple[str, ...]:
    """The stages of a request, by the names of its options; none where its steps are no edits of their own."""
    return tuple(options) if all(TO in name for name in options) else ()
