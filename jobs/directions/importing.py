"""`stylemill directions import`: directions from other projects' files. Nothing in a file is ever executed."""

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

import tyro
from pydantic import Field

import schemas
from jobs.flags import Spec, parse, say
from jobs.latents import check_width
from jobs.small import check_free, write_small
from pipeline.directions.formats import Imported, check_generator, read
from pipeline.directions.names import parse_boundary
from pipeline.errors import ModelFileError, SpecError
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import store

SAME_W = {"mobilestylegan-ffhq": ("stylegan2_ffhq", "stylegan2-ffhq")}
"""Generators under other names whose W is that of one of ours."""


class ImportSpec(Spec):
    """Read directions from files of InterFaceGAN, anycost-gan, encoder4editing or HiGAN: DIR/directions holds them.

    Example: stylemill directions import --format e4e age.pt smile.pt --generator mobilestylegan-ffhq --out out/e4e
    """

    VERB = "directions import"

    files: tyro.conf.Positional[tuple[str, ...]] = Field(min_length=1, description="Files: paths or fsspec URLs.")
    format: Literal["interfacegan", "anycost", "e4e", "higan"] = Field(description="Whose files they are.")
    generator: str | None = Field(None, description="The generator whose latent space they are directions of.")
    attribute: str | None = Field(
        None, min_length=1, description="Name of the one direction of one file, where its name tells none."
    )
    space: Literal["z", "w"] | None = Field(
        None, description="Default: as the file's name tells, else w, which is said."
    )
    force: bool = Field(False, description="Take files whose names tell of another generator.")
    out: str = Field(description="Directory for the table.")
    replace: bool = Field(False, description="Make the table anew where there is one.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ImportSpec, argv)
    url = store.join(spec.out, "directions")
    check_free(url, spec.replace)
    generator = generators.load(spec.generator, backend="eager") if spec.generator else None
    if spec.attribute and len(spec.files) > 1:
        raise SpecError(f"--attribute names one direction, {len(spec.files)} files are given: import them one by one")
    contents = {file: _bytes(file) for file in spec.files}
    found = [imported for file in spec.files for imported in _directions(spec, file, contents[file], generator)]
    names = [imported.direction.name for imported in found]
    if doubled := [name for name in names if names.count(name) > 1]:
        say(f"Note  {doubled[0]} comes from several files: directions are told apart as {doubled[0]}#0, by row")
    facts = {
        "verb": "directions import",
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
    write_small(url, schemas.directions(), to_rows([imported.direction for imported in found]), facts)
    return 0


def _bytes(file: str) -> bytes:
    content = store.read_bytes(file)
    if content is None:
        raise ModelFileError(f"{file}: there is no such file")
    return content


def _directions(spec: ImportSpec, file: str, content: bytes, generator: Generator | None) -> list[Imported]:
    """The directions of one file, checked against the generator, with what a person has to know said."""
    if generator is not None:
        _check_name(file, generator, spec.force)
    found = read(
        spec.format, content, file, spec.attribute, spec.space, generator.fingerprint if generator else None
    )  # fmt: skip
    for imported in found:
        direction = imported.direction
        if imported.taken_as_w:
            say(f"Note  {file}: nothing tells whether {direction.name} is of z or w, w is taken; --space z takes z")
        if generator is not None:
            check_width(
                f"{file}: the direction of {direction.name}", direction.vector.shape, direction.space, generator
            )
        elif warning := check_generator(direction, ""):
            say(f"Note  {warning}; --generator names it")
        if imported.layers is not None:
            spans = _spans(imported.layers)
            say(f"Note  {file}: {direction.name} is for rows {spans} of w+: edit it with --layers {spans}")
    return found


def _check_name(file: str, generator: Generator, force: bool) -> None:
    """A file's name may tell whose it is: genforce's `{gan}_{dataset}_..._boundary`, or the folder of their later
    `{gan}_{dataset}_w/boundary_...`; or our own `stylemill_{fingerprint}_...`.

    Raises:
        SpecError: it tells of another generator, and that is not forced.
    """
    told = parse_boundary(file).gan
    if told is None:
        return
    who, what = told
    ours = (generator.name, *SAME_W.get(generator.name, ()))
    same = generator.fingerprint.startswith(what) if who == "stylemill" else f"{who}_{what}" in ours
    if same or (who, what) == ("stylemill", "unknown"):
        return
    message = f"{file} is named as a direction of {who}_{what}, not of {generator.name}"
    if not force:
        raise SpecError(f"{message}: name that generator, or pass --force where they share their latent space")
    say(f"Note  {message}")


def _spans(layers: Sequence[int]) -> str:
    """(6, 7, 8, 11) is `6-8,11`."""
    spans: list[list[int]] = []
    for layer in layers:
        if spans and layer == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], layer]
        else:
            spans.append([layer])
    return ",".join("-".join(map(str, span)) for span in spans)
