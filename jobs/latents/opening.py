"""A latents table and the generator that sampled it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.tables import Layout, Table, store


@dataclass(frozen=True)
class Sampled:
    """Name and fingerprint of the generator, None where they are not known; itself, where it was needed."""

    name: str | None
    fingerprint: str | None
    generator: Generator | None


def open_latents(
    url: str, named: str | None, needs_generator: bool = True, may_differ: bool | None = None
) -> tuple[Table, Sampled]:
    """A sealed latents table, and its generator: as `named`, else the one that the table names.

    may_differ: whether that may be another than sampled the table (--force); by default it may where it is named.

    Raises:
        SpecError: it does not hold latents, names no generator that is needed, or another one than is installed.
        StoreError: it is not there, or not complete.
    """
    path = store.local_path(url)
    if path is not None and path.is_file():
        raise SpecError(f"{url} is a file, not a latents table: stylemill latents import makes one of a file of codes")
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
    differs = fingerprint is not None and generator.fingerprint != fingerprint
    if differs and not (named is not None if may_differ is None else may_differ):
        raise SpecError(
            f"{url} was sampled with another {name} than the one installed here ({fingerprint[:12]}, not "
            f"{generator.fingerprint[:12]}): pass {'--generator' if may_differ is None else '--force'} to take this "
            "one all the same"
        )
    return latents, Sampled(name, generator.fingerprint, generator)


def open_whole(url: str, named: str | None, may_differ: bool | None = None) -> tuple[Table, Layout, Generator]:
    """A sealed latents table that is to be read part by part, how it is cut, and its generator.

    Raises:
        SpecError: as `open_latents`, or the table does not say how it is cut.
        StoreError: it is not there, or not complete.
    """
    latents, sampled = open_latents(url, named, may_differ=may_differ)
    if latents.layout is None:
        raise SpecError(f"{url} does not say how its rows are cut into parts; sample it anew")
    assert sampled.generator is not None
    return Table(url, latents.schema, latents.layout), latents.layout, sampled.generator


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
