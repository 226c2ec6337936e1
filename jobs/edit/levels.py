"""What jobs of IALS have in common: attribute-level directions, the space they are in, what the public code edits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.edit.asked import check_directions
from jobs.edit.choose import Chosen, choose_attribute_level
from jobs.flags import say
from pipeline.directions import Direction
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.source import Latents

RELEASED_PSI = 0.5


class Flags(Protocol):
    """Those of a spec that decide which directions are taken."""

    @property
    def directions(self) -> tuple[str, ...]: ...

    @property
    def space(self) -> Space | None: ...

    @property
    def per_layer(self) -> bool: ...

    @property
    def force(self) -> bool: ...


@dataclass(frozen=True)
class Levels:
    """The direction that each name means, and the space in which codes are moved."""

    chosen: dict[str, Chosen]
    space: Space

    @property
    def directions(self) -> tuple[Direction, ...]:
        return tuple(one.direction for one in self.chosen.values())

    @property
    def numbers(self) -> list[list[int]]:
        """Rows of the table of directions."""
        return [one.numbers for one in self.chosen.values()]

    def plain(self, name: str) -> str:
        """The attribute, where the flag says `old#3`."""
        return self.chosen[name].direction.attribute if name in self.chosen else name.split("#", maxsplit=1)[0]


def choose_levels(flags: Flags, table: DirectionTables | None, names: Sequence[str], generator: Generator) -> Levels:
    """The unconditioned directions of these names, which fit the generator and the flags. Raises SpecError."""
    chosen = choose_attribute_level(flags.space, table, names)
    directions = [one.direction for one in chosen.values()]
    check_directions(directions, generator, flags.force)
    space: Space = directions[0].space if directions else flags.space or "w"
    if space == "z":
        raise SpecError(f"{' and '.join(flags.directions)}: these directions are in z, IALS moves codes in w, w+ and s")
    if flags.per_layer and space != "w+":
        raise SpecError(f"--per-layer: these edits are in {space}, pass --space w+")
    return Levels(chosen, space)


def note_psi(latents: Latents) -> None:
    """For --as-released: say where these latents are truncated otherwise than the public code's."""
    for facts in latents.facts:
        _note_psi(facts.get("spec", {}))


def _note_psi(spec: Mapping[str, Any]) -> None:
    psi, cutoff = spec.get("psi"), spec.get("cutoff")
    if psi == RELEASED_PSI and cutoff is None:
        return
    own = "do not say how they were truncated" if psi is None else f"have psi {psi:g}"
    layers = "" if cutoff is None else f" in the first {cutoff} layers"
    say(f"Note  --as-released: the public code edits latents of psi {RELEASED_PSI} in all layers, these {own}{layers}")
