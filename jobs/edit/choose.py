"""Which rows of a table of directions are meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.edit.spec import EditSpec
from pipeline.directions import Direction
from pipeline.directions.conditional import project
from pipeline.directions.names import joined
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.stages.direction_rows import DirectionTables, by_name


@dataclass(frozen=True)
class Chosen:
    """A direction and the numbers of the rows of the table that it was made from: its own, then the conditions'."""

    direction: Direction
    numbers: list[int]


def choose_directions(spec: EditSpec, table: DirectionTables, default: Space | None) -> list[Chosen]:
    """The direction of each attribute, conditioned as asked, all in one space. Raises SpecError."""
    found = table.directions
    named = by_name(found)
    wanted = spec.space or default
    attributes, conditions_asked = (_names(words, found) for words in (spec.attribute, spec.on))
    chosen: list[Chosen] = []
    for attribute in attributes:
        if attribute in conditions_asked:
            raise SpecError(f"{attribute} is to change and to stay at once: take it out of --on")
        ready = [
            number for number, one in enumerate(found)
            if spec.on and one.attribute == attribute and sorted(one.conditions) == sorted(conditions_asked)
            and _usable(one, wanted)
        ]  # fmt: skip
        if len(ready) == 1:
            chosen.append(Chosen(_in_space(found[ready[0]], wanted, spec.space), ready))
            continue
        numbers = [_number(name, found, named, wanted, table) for name in (attribute, *conditions_asked)]
        primal, *conditions = (_in_space(found[number], wanted, spec.space) for number in numbers)
        chosen.append(Chosen(project(primal, conditions) if conditions else primal, numbers))
    if len(spaces := {one.direction.space for one in chosen}) > 1:
        raise SpecError(f"the directions are in {' and '.join(sorted(spaces))}: edit one space at a time, with --space")
    return chosen


def choose_attribute_level(
    space: Space | None, table: DirectionTables | None, names: Sequence[str]
) -> dict[str, Chosen]:
    """The unconditioned direction that each name means, all in one space, or in `space`. Raises SpecError."""
    if not names or table is None:
        return {}
    found = table.directions
    plain = [one for one in found if not one.conditions]
    chosen: dict[str, Chosen] = {}
    for name in _names(tuple(dict.fromkeys(names)), found):
        number = _number(name, found, by_name(found), space, table)
        if found[number] not in plain:
            raise SpecError(f"{found[number].name} is projected already, and ials projects by itself: choose another")
        chosen[name] = Chosen(_in_space(found[number], space, space), [number])
    if len(spaces := {one.direction.space for one in chosen.values()}) > 1:
        raise SpecError(f"the directions are in {' and '.join(sorted(spaces))}: edit one space at a time, with --space")
    return chosen


def _names(words: Sequence[str], found: Sequence[Direction]) -> list[str]:
    """Raises SpecError where a name is there twice."""
    names = joined(words, {*by_name(found), *(one.name for one in found)})
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise SpecError(f"{twice[0]} is named twice")
    return names


def _usable(direction: Direction, wanted: Space | None) -> bool:
    return wanted is None or direction.space == wanted or (direction.space, wanted) == ("w", "w+")


def _number(
    name: str, found: Sequence[Direction], named: Mapping[str, Direction], wanted: Space | None, table: DirectionTables
) -> int:
    """The row of the table that a name means."""
    if name in named:
        return next(number for number, one in enumerate(found) if one is named[name])
    same = [number for number, one in enumerate(found) if one.name == name]
    usable = [number for number in same if _usable(found[number], wanted)]
    if len(usable) == 1:
        return usable[0]
    if len(same) > 1:
        choices = ", ".join(f"{name}#{number} ({found[number].method}, {found[number].space})" for number in same)
        raise SpecError(
            f"{table.url} has several directions of {name}: choose {choices}, or a --space with one of them"
        )
    raise SpecError(f"{table.url} has no direction of {name!r}; it has {', '.join(named)}")


def _in_space(direction: Direction, wanted: Space | None, asked_for: Space | None) -> Direction:
    if wanted is None or direction.space == wanted:
        return direction
    if (direction.space, wanted) == ("w", "w+"):
        return direction.in_w_plus()
    asked = f"--space {wanted}" if asked_for else "--layers (rows of w+)"
    raise SpecError(f"the direction of {direction.name} is in {direction.space}, and {asked} was asked for")
