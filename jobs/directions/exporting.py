"""`stylemill directions export`: directions as files that other projects read."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator

from jobs.flags import Names, parse, say
from jobs.small_outputs import DirectionsSpec
from pipeline.directions import Direction
from pipeline.directions.formats import file_name, write
from pipeline.directions.lookup import pick
from pipeline.directions.names import GANS, joined
from pipeline.errors import SpecError
from pipeline.tables import store

DIGITS = 8
"""Of the generator's fingerprint, in a file's name."""


class ExportSpec(DirectionsSpec):
    """Write each direction to a file in the format of InterFaceGAN or encoder4editing, which has no intercept.

    Example: stylemill directions export --directions out/fit/directions --format interfacegan --out out/boundaries
    """

    VERB = "directions export"

    format: Literal["interfacegan", "e4e"] = Field(description="Format of the files.")
    attributes: Names = Field((), description="Some of the directions, by name. Default: all.")
    prefix: str | None = Field(
        None,
        pattern=r"^[^_/\\]+_[^_/\\]+$",
        description="GAN_DATASET, with which the names of .npy files begin, as stylegan2_ffhq. Default: the "
        "generator's fingerprint.",
    )

    @field_validator("prefix")
    @classmethod
    def _known_gan(cls, prefix: str | None) -> str | None:
        if prefix is not None and prefix.split("_")[0] not in GANS:
            raise ValueError(
                f"import can separate the attribute from GAN_DATASET only if GAN is one of {', '.join(GANS)}"
            )
        return prefix


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ExportSpec, argv)
    table, named = spec.open_directions()
    chosen = {name: pick(named, name, table.url) for name in joined(spec.attributes, named) or named}
    files: dict[str, bytes] = {}
    for name, direction in chosen.items():
        file = _file_name(spec, direction)
        if file in files:
            raise SpecError(f"{name} would be written to {file}, as another direction: choose one by --attributes")
        files[file] = write(spec.format, direction)
    places = {spec.output_url(file): content for file, content in files.items()}
    store.make_directory(spec.out)
    for place, content in places.items():
        store.write_atomic(place, content)
    say(f"Done  {spec.out}: {', '.join(files)}")
    return 0


def _file_name(spec: ExportSpec, direction: Direction) -> str:
    known = direction.generator[:DIGITS] if direction.generator else "unknown"
    who, what = (spec.prefix or f"stylemill_{known}").split("_")
    return file_name(spec.format, direction, who, what)
