"""`stylemill directions import`: import directions from other projects' files. Nothing in a file is ever executed."""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

import tyro
from pydantic import Field

import schemas
from jobs.flags import parse, say
from jobs.latents.opening import check_width
from jobs.small_outputs import SmallOutputSpec, read_files, write_small_table
from pipeline.directions.formats import Imported, check_file_name, check_generator, read
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.models.layers import as_spans
from pipeline.stages.direction_rows import to_rows


class ImportSpec(SmallOutputSpec):
    """Read directions from files of InterFaceGAN, anycost-gan, encoder4editing or HiGAN, and write DIR/directions.

    Example: stylemill directions import --format e4e age.pt smile.pt --generator mobilestylegan-ffhq --out out/e4e
    """

    VERB = "directions import"

    files: tyro.conf.Positional[tuple[str, ...]] = Field(min_length=1, description="Files: paths or fsspec URLs.")
    format: Literal["interfacegan", "anycost", "e4e", "higan"] = Field(description="Format of the files.")
    generator: str | None = Field(None, description="Generator in whose latent space the directions are.")
    attribute: str | None = Field(
        None, min_length=1, description="Name of the direction, if the one file's name does not give it."
    )
    space: Literal["z", "w"] | None = Field(
        None, description="Latent space of the directions. Default: from the file's name, else w, with a note."
    )
    force: bool = Field(False, description="Allow files whose names name another generator.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ImportSpec, argv)
    url = spec.output_url("directions")
    generator = generators.load(spec.generator, backend="eager") if spec.generator else None
    if spec.attribute and len(spec.files) > 1:
        raise SpecError(f"--attribute names one direction, {len(spec.files)} files are given: import them one by one")
    contents = read_files(spec.files)
    found = [imported for file in spec.files for imported in _directions(spec, file, contents[file], generator)]
    names = [imported.direction.name for imported in found]
    if doubled := [name for name in names if names.count(name) > 1]:
        say(f"Note  {doubled[0]} comes from several files: they are named {doubled[0]}#0, by row")
    facts = {
        "verb": spec.VERB,
        "spec": {
            "format": spec.format,
            "generator": spec.generator,
            "files": [PurePosixPath(f).name for f in spec.files],
        },
        "resolved": {
            "files_digests": [hashlib.sha256(contents[file]).hexdigest() for file in spec.files],
            "generator_digest": generator.fingerprint if generator else None,
        },
    }
    write_small_table(url, schemas.directions(), to_rows([imported.direction for imported in found]), facts)
    return 0


def _directions(spec: ImportSpec, file: str, content: bytes, generator: Generator | None) -> list[Imported]:
    """The directions of one file, checked against the generator, with notes for the user."""
    known = generator.fingerprint if generator else None
    if generator is not None and (warning := check_file_name(file, generator.name, generator.fingerprint, spec.force)):
        say(f"Note  {warning}")
    found = read(spec.format, content, file, spec.attribute, spec.space, known)
    for imported in found:
        direction = imported.direction
        if imported.taken_as_w:
            say(f"Note  {file}: the file does not say whether {direction.name} is in z or w: w is assumed (--space z)")
        if generator is not None:
            what = f"{file}: the direction of {direction.name}"
            check_width(what, direction.vector.shape, direction.space, generator)
        elif warning := check_generator(direction, ""):
            say(f"Note  {warning}; --generator names it")
        if imported.layers is not None:
            spans = as_spans(imported.layers)
            say(f"Note  {file}: {direction.name} is for rows {spans} of w+: edit it with --layers {spans}")
    return found
