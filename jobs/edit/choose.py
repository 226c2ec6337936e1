"""From names to requests: the directions that an editor needs, chosen and checked, and what is asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.flags import say
from pipeline.directions import Direction
from pipeline.directions.aliases import resolve as our_attribute
from pipeline.directions.formats import check_generator
from pipeline.directions.lookup import Chosen, Lookup
from pipeline.editors import Needed
from pipeline.errors import SpecError
from pipeline.models import classifiers
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.source import Latents


@dataclass(frozen=True)
class Choice:
    """The direction that each name means, and the space in which codes are moved."""

    chosen: Mapping[str, Chosen]
    space: Space

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(one.direction for one in self.chosen.values())

    @property
    def numbers(self) -> list[list[int]]:
        """Rows of the table of directions."""
        return [one.numbers for one in self.chosen.values()]

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
    if needed.names and table is not None:
        only, why = (space, f"--space {space}") if space else needed.space or (None, "")
        lookup = Lookup(table.directions, table.url, only, why)
        found = lookup.projected(needed.names, needed.preserve) if needed.projected else None
        chosen = lookup.attribute_level(needed.names) if found is None else found
    directions = [one.direction for one in chosen.values()]
    check_directions(directions, generator, force)
    found_space: Space = directions[0].space if directions else space or "w"
    if found_space not in spaces:
        assert table is not None
        raise SpecError(f"{table.url}: these directions are in {found_space}, the editor moves codes in "
                        f"{', '.join(spaces)}")  # fmt: skip
    return Choice(chosen, found_space)


def known(attribute: str) -> tuple[str, int]:
    """The classifiers' name of an attribute, and the sign of its score. Raises SpecError."""
    ours = our_attribute(attribute)
    if ours is None:
        names = ", ".join(classifiers.ATTRIBUTES)
        raise SpecError(f"no classifier knows {attribute!r}, whose score is to be looked at: they know {names}")
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
