"""From names to requests: the directions that an editor needs, chosen and checked, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from jobs.flags import say
from pipeline.directions import Direction
from pipeline.directions.aliases import plain
from pipeline.directions.aliases import resolve as our_attribute
from pipeline.directions.formats import check_generator
from pipeline.directions.lookup import Chosen, Lookup
from pipeline.editors import Needed
from pipeline.editors.moves import check_move
from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.source import Latents


@dataclass(frozen=True)
class Choice:
    """The direction that each name means, the second one of it where the editor needs two, and the space in which codes
    are read."""

    chosen: Mapping[str, Chosen]
    space: Space
    also: Mapping[str, Chosen] = field(default_factory=dict)

    @property
    def all(self) -> list[Chosen]:
        return [*self.chosen.values(), *self.also.values()]

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(one.direction for one in self.all)

    @property
    def numbers(self) -> list[list[int]]:
        """Rows of the table of directions."""
        return [one.numbers for one in self.all]

    def attribute(self, name: str) -> str:
        """The attribute, where the flag says `old#3`."""
        return self.chosen[name].direction.attribute if name in self.chosen else name.split("#", maxsplit=1)[0]


def choose_directions(
    needed: Needed,
    table: DirectionTables | None,
    space: Space | None,
    spaces: Sequence[Space],
    generator: Generator,
    force: bool,
) -> Choice:
    """The directions that an editor needs, in the space that is asked for, else in theirs.

    spaces: in which the editor moves codes. force: whether they may be of another generator.

    Raises:
        SpecError: a name means none or several, or a direction does not fit the generator or the editor.
    """
    chosen: dict[str, Chosen] = {}
    also: dict[str, Chosen] = {}
    if needed.names and table is not None:
        only, why = (space, f"--space {space}") if space else needed.space or (None, "")
        if needed.also_in is not None:
            only, why = (
                (only, why) if only else (_other_space(needed, table, needed.also_in), "a direction to move along")
            )
            also = _also(needed, needed.also_in, table)
        lookup = Lookup(table.directions, table.url, only, why)
        found = lookup.projected(needed.names, needed.preserve) if needed.projected else None
        chosen = lookup.attribute_level(needed.names) if found is None else found
    directions = [one.direction for one in chosen.values()]
    both = [*directions, *(one.direction for one in also.values())]
    for direction in both:
        check_move(direction)
    check_directions(both, generator, force)
    found_space: Space = directions[0].space if directions else space or "w"
    if found_space not in spaces:
        assert table is not None
        raise SpecError(f"{table.url}: these directions are in {found_space}, the editor moves codes in "
                        f"{', '.join(spaces)}")  # fmt: skip
    return Choice(chosen, found_space, also)


def _also(needed: Needed, space: Space, table: DirectionTables) -> dict[str, Chosen]:
    """The second direction of each name, in that space: under the name itself, or another one of the same attribute."""
    return {name: _second(name.split("#", maxsplit=1)[0], space, table) for name in dict.fromkeys(needed.names)}


def _second(attribute: str, space: Space, table: DirectionTables) -> Chosen:
    """The direction of an attribute in that space, under this name and pointing its way."""
    there = [(number, one) for number, one in enumerate(table.directions) if one.space == space and not one.conditions]
    same = [(number, one) for number, one in there if one.attribute == attribute]
    same = same or [(number, one) for number, one in there if plain(one.attribute) == plain(attribute)]
    if not same:
        raise SpecError(
            f"{table.url} has no direction of {attribute} in {space}: fit one with stylemill directions fit --space "
            f"{space} --penalty l1, and name both tables in --directions"
        )
    if len(same) > 1:
        raise SpecError(f"{table.url} has several directions of {attribute} in {space}: give one table of directions "
                        f"in {space}, with one of it")  # fmt: skip
    [(number, direction)] = same
    if np.count_nonzero(direction.vector) > direction.vector.size / 2:
        say(f"Note  the direction of {direction.name} in {space} is not sparse: most of its entries are not 0")
    if direction.attribute != attribute:
        sign = _sign(attribute) * _sign(direction.attribute)
        direction = replace(
            direction, attribute=attribute, vector=sign * direction.vector, intercept=sign * direction.intercept
        )
    return Chosen(direction, [number])


def _sign(attribute: str) -> int:
    """Of our score along a direction of that name; 1 where we have no such attribute."""
    ours = our_attribute(attribute)
    return 1 if ours is None else ours[1]


def _other_space(needed: Needed, table: DirectionTables, space: Space) -> Space:
    """The one space beside this one in which there are directions of what is asked for."""
    asked = {name.split("#", maxsplit=1)[0] for name in needed.names}
    others = [one for one in table.directions if one.space != space]
    spaces = sorted({one.space for one in others if one.attribute in asked} or {one.space for one in others})
    if not spaces:
        raise SpecError(f"{table.url} has only directions in {space}: name a table of z, w or w+ too, in --directions")
    if len(spaces) > 1:
        raise SpecError(f"{table.url} has directions in {' and '.join(spaces)}: choose one with --space")
    return spaces[0]


def known(attribute: str, *families: str) -> tuple[str, int]:
    """The classifiers' name of an attribute, and the sign of its score. families: that are to score it, of which files
    of a user's own have attributes of their own. Raises SpecError.
    """
    ours = our_attribute(attribute)
    if ours is None and families and all(attribute in classifiers.attributes_of(family) for family in families):
        return attribute, 1
    if ours is None:
        own = [name for family in families for name in classifiers.attributes_of(family)]
        names = ", ".join(dict.fromkeys((*classifiers.ATTRIBUTES, *own)))
        raise SpecError(f"no classifier scores {attribute!r}, which this edit needs: they score {names}")
    return ours


def note_psi(latents: Latents, psi: float | None) -> None:
    """Say where these latents are truncated otherwise than those that the method's public code edits; None: no code."""
    for facts in latents.facts if psi is not None else ():
        spec = facts.get("spec", {})
        own_psi, cutoff = spec.get("psi"), spec.get("cutoff")
        if own_psi == psi and cutoff is None:
            continue
        own = "do not say how they were truncated" if own_psi is None else f"have psi {own_psi:g}"
        layers = "" if cutoff is None else f" in the first {cutoff} layers"
        say(f"Note  --as-released: the public code edits latents of psi {psi} in all layers, these {own}{layers}")


def check_directions(directions: Sequence[Direction], generator: Generator, force: bool) -> None:
    """Raise SpecError where a direction does not fit the generator; warn where that is not known."""
    for direction in directions:
        if warning := check_generator(direction, generator.fingerprint, force):
            say(f"Note  {warning}")
        direction.check(Codes(direction.space, generator.w_avg.new_zeros(1, *generator.shape_of(direction.space))))
