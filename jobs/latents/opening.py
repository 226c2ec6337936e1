"""Latents tables and the generator that sampled them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import generators
from pipeline.models.checkpoints.reference import is_file_name
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.stages.source import Latents
from pipeline.tables import store


@dataclass(frozen=True)
class Sampled:
    """Name and fingerprint of the generator, None where they are not known; itself, where it was needed."""

    name: str | None
    fingerprint: str | None
    generator: Generator | None


def open_latents(
    urls: Sequence[str], named: str | None, needs_generator: bool = True, may_differ: bool | None = None
) -> tuple[Latents, Sampled]:
    """Sealed latents tables, and their generator: as `named`, else the one that they name.

    may_differ: whether that may be another than sampled them (--force); by default it may where it is named.

    Raises:
        SpecError: as `Latents.open`; they name no generator that is needed, different ones, or another one than is
            installed.
        StoreError: one is not there, or not complete.
    """
    for url in urls:
        path = store.local_path(url)
        if path is not None and path.is_file():
            raise SpecError(
                f"{url} is a file, not a latents table: stylemill latents import makes one of a file of codes"
            )
    latents = Latents.open(urls)
    told, fingerprint = _generator(latents)
    name = named or told
    if name is None and needs_generator:
        raise SpecError(f"{latents.url} does not say which generator it was sampled with: pass --generator")
    if name is None or not (needs_generator or named):
        return latents, Sampled(name, fingerprint, None)
    generator = _opened(name, latents.url if named is None else "")
    differs = fingerprint is not None and generator.fingerprint != fingerprint
    if differs and not (named is not None if may_differ is None else may_differ):
        assert fingerprint is not None
        raise SpecError(
            f"{latents.url} was sampled with another {name} than the one installed here ({fingerprint[:12]}, not "
            f"{generator.fingerprint[:12]}): pass {'--generator' if may_differ is None else '--force'} to take this "
            "one all the same"
        )
    return latents, Sampled(name, generator.fingerprint, generator)


def _opened(name: str, table: str) -> Generator:
    """table: that which names it; empty where a person did."""
    try:
        return generators.load(name, backend="eager")
    except ModelFileError as error:
        if not table or not is_file_name(name):
            raise
        raise ModelFileError(
            f"{table} was made with {error}; where the file was moved, pass its path as --generator: it is told by its "
            "digest"
        ) from error


def open_with_generator(
    urls: Sequence[str], named: str | None, may_differ: bool | None = None
) -> tuple[Latents, Generator]:
    """Sealed latents tables and their generator; errors as `open_latents`."""
    latents, sampled = open_latents(urls, named, may_differ=may_differ)
    assert sampled.generator is not None
    return latents, sampled.generator


def _generator(latents: Latents) -> tuple[str | None, str | None]:
    """Name and fingerprint of the generator that all the tables name. Raises SpecError where they differ."""
    said = [
        (facts.get("spec", {}).get("generator"), facts.get("resolved", {}).get("generator_digest"))
        for facts in latents.facts
    ]
    for table, (name, fingerprint) in zip(latents.tables[1:], said[1:], strict=True):
        if fingerprint != said[0][1] or (fingerprint is None and name != said[0][0]):
            raise SpecError(
                f"{latents.tables[0].url} is of the generator {said[0][0]} ({(said[0][1] or 'unknown')[:12]}), "
                f"{table.url} of {name} ({(fingerprint or 'unknown')[:12]}): tables that go together are of one"
            )
    return said[0]


def check_width(what: str, found: Sequence[int], space: Space, generator: Generator) -> None:
    """Raise SpecError where a row, or a direction, of that shape cannot be one of the generator's space."""
    shared = [generator.shape_of("w")] if space == "w+" else []
    wanted = [*shared, generator.shape_of(space)]
    if tuple(found) not in wanted:
        raise SpecError(
            f"{what} has the shape {tuple(found)} in {space}, {generator.name} has {' or '.join(map(str, wanted))}"
        )
