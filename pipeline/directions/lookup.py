"""Directions of a list, by their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.direction_names import numbered
from pipeline.directions.conditional import project
from pipeline.directions.direction import Direction
from pipeline.directions.names import joined
from pipeline.errors import SpecError
from pipeline.models.codes import Space


@dataclass(frozen=True)
class Chosen:
    """A direction, and the numbers in the list of those that it was made from: its own, then the conditions'."""

    direction: Direction
    numbers: list[int]


def by_name(directions: Sequence[Direction]) -> dict[str, Direction]:
    """The directions by name; those that share one are `old#0`, `old#3`: with their number in the table."""
    return dict(zip(numbered([direction.name for direction in directions]), directions, strict=True))


def pick(directions: Mapping[str, Direction], name: str, where: str) -> Direction:
    """The direction of that name. Raises SpecError, which says what there is in `where`."""
    if name not in directions:
        raise SpecError(f"{where} has no direction {name!r}; it has {', '.join(directions)}")
    return directions[name]


@dataclass(frozen=True)
class Lookup:
    """Choosing directions of a list by name, all in one space.

    where: the list, in words. space: the one that is asked for; None for that of the directions. why: what asked for
    it, as a flag.
    """

    directions: Sequence[Direction]
    where: str
    space: Space | None = None
    why: str = ""

    def projected(self, names: Sequence[str], preserve: Sequence[str]) -> dict[str, Chosen]:
        """The direction of each name, with those of `preserve` projected out: as the list has it, or made here.

        Raises:
            SpecError: a name is not there, is there twice, or means several; or the directions are in several spaces.
        """
        names, preserve = self._names(names), self._names(preserve)
        chosen: dict[str, Chosen] = {}
        for name in names:
            if name in preserve:
                raise SpecError(f"{name} cannot both change and stay unchanged: take it out of --preserve")
            ready = [
                number for number, one in enumerate(self.directions)
                if preserve and one.attribute == name and sorted(one.conditions) == sorted(preserve)
                and self._usable(one)
            ]  # fmt: skip
            if len(ready) == 1:
                chosen[name] = Chosen(self._in_space(ready[0]), ready)
                continue
            numbers = [self._number(each) for each in (name, *preserve)]
            primal, *conditions = map(self._in_space, numbers)
            chosen[name] = Chosen(project(primal, conditions) if conditions else primal, numbers)
        return self._of_one_space(chosen)

    def attribute_level(self, names: Sequence[str]) -> dict[str, Chosen]:
        """The unconditioned direction of each name. Raises as `projected`, and for one that is projected already."""
        chosen: dict[str, Chosen] = {}
        for name in self._names(tuple(dict.fromkeys(names))):
            number = self._number(name)
            if self.directions[number].conditions:
                raise SpecError(
                    f"{self.directions[number].name} is projected already, and this editor projects by itself: choose "
                    "another"
                )
            chosen[name] = Chosen(self._in_space(number), [number])
        return self._of_one_space(chosen)

    @staticmethod
    def _of_one_space(chosen: dict[str, Chosen]) -> dict[str, Chosen]:
        if len(spaces := {one.direction.space for one in chosen.values()}) > 1:
            raise SpecError(
                f"the directions are in {' and '.join(sorted(spaces))}: edit one space at a time, with --space"
            )
        return chosen

    def _names(self, words: Sequence[str]) -> list[str]:
        """Words that a comma in a name has parted, put together again. Raises SpecError where a name is there twice."""
        names = joined(words, {*by_name(self.directions), *(one.name for one in self.directions)})
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise SpecError(f"{twice[0]} is named twice")
        return names

    def _usable(self, direction: Direction) -> bool:
        return self.space in (None, direction.space) or (direction.space, self.space) == ("w", "w+")

    def _number(self, name: str) -> int:
        """The place in the list of what a name means."""
        named, found = by_name(self.directions), self.directions
        if name in named:
            return next(number for number, one in enumerate(found) if one is named[name])
        same = [number for number, one in enumerate(found) if one.name == name]
        usable = [number for number in same if self._usable(found[number])]
        if len(usable) == 1:
            return usable[0]
        if len(same) > 1:
            choices = ", ".join(f"{name}#{number} ({found[number].method}, {found[number].space})" for number in same)
            raise SpecError(
                f"{self.where} has several directions of {name}: choose {choices}, or a --space with one of them"
            )
        raise SpecError(f"{self.where} has no direction of {name!r}; it has {', '.join(named)}")

    def _in_space(self, number: int) -> Direction:
        direction = self.directions[number]
        if self.space in (None, direction.space):
            return direction
        if (direction.space, self.space) == ("w", "w+"):
            return direction.in_w_plus()
        raise SpecError(f"the direction of {direction.name} is in {direction.space}, and {self.why} was asked for")
