"""A latents table and the generator that sampled it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.tables import Table


@dataclass(frozen=True)
class Sampled:
    """Name and fingerprint of the generator, None where they are not known; itself, where it was needed."""

    name: str | None
    fingerprint: str | None
    generator: Generator | None


def open_latents(url: str, named: str | None, needs_generator: bool) -> tuple[Table, Sampled]:
    """A sealed latents table, and its generator: as `named`, else the one that the table names.

    Raises:
        SpecError: it does not hold latents, names no generator that is needed, or another one than is installed.
        StoreError: it is not there, or not complete.
    """
    latents = Table.open(url)
    facts = latents.require_sealed()["facts"]
    if latents.schema.name != "latents":
        raise SpecError(f"{url} is a table of {latents.schema.name}, not of latents")
    name = named or facts.get("spec", {}).get("generator")
    fingerprint = facts.get("resolved", {}).get("generator_digest")
    if name is None and needs_generator:
        raise SpecError(f"{url} does not say which generator it was sampled with: pass --generator")
    if name is None or not (needs_generator or named):
        return latents, Sampled(name, fingerprint, None)
    generator = generators.load(name, backend="eager")
    if named is None and fingerprint is not None and generator.fingerprint != fingerprint:
        raise SpecError(
            f"{url} was sampled with another {name} than the one installed here ({fingerprint[:12]}, not "
            f"{generator.fingerprint[:12]}): pass --generator to take this one all the same"
        )
    return latents, Sampled(name, generator.fingerprint, generator)


def check_width(what: str, found: Sequence[int], space: Space, generator: Generator) -> None:
    """Raise SpecError where a row, or a direction, of that shape cannot be one of the generator's space."""
    shapes: dict[Space, list[tuple[int, ...]]] = {
        "z": [(generator.z_dim,)],
        "w": [(generator.w_dim,)],
        "w+": [(generator.w_dim,), (generator.num_ws, generator.w_dim)],
        "s": [(generator.num_styles,)],
    }
    wanted = shapes[space]
    if tuple(found) not in wanted:
        raise SpecError(
            f"{what} has the shape {tuple(found)} in {space}, {generator.name} has {' or '.join(map(str, wanted))}"
        )
