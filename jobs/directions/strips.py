"""`stylemill directions strips`: a few faces moved along each direction, for the page of `stylemill report`.

A job of its own, beside the one that fits: strips need the generator, which an SVM does not, decide nothing about a
direction, and serve directions from anywhere: fitted, conditioned, imported.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat

from jobs.edit.choose import check_directions
from jobs.flags import Names, parse
from jobs.latents.opening import open_with_generator
from jobs.launch import launch
from jobs.options import GENERATOR, LATENTS, RunFlags
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.directions import Direction
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import codes_of, needed_columns, truncation_of
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.models import Model, Truncated
from pipeline.stages.pictures import Keep
from pipeline.stages.source import Latents
from pipeline.stages.strips import StripsStage

VERB = "strips"
FACES, SIZE = 4, 256
DEVIATIONS = (-3.0, -1.5, 1.5, 3.0)
MEASURED_ROWS = 256
"""Number of latents from which the spread along a direction is measured."""


class StripsSpec(RunFlags):
    """Move a few faces along each direction and write the pictures to DIR/strips.

    Example: stylemill directions strips --directions out/fit/directions --latents out/faces/latents --out out/fit
    """

    VERB = "directions strips"
    NOT_TAKEN: ClassVar = {"rows_per_shard": "a shard is one direction: leave out --rows-per-shard"}

    directions: str = Field(description="A table of directions: a path or any fsspec URL.")
    latents: Names = Field(min_length=1, description=f"{LATENTS} The first rows are moved.")
    faces: int = Field(FACES, gt=0, description="How many of these rows to move.")
    deviations: tuple[FiniteFloat, ...] = Field(
        DEVIATIONS,
        min_length=1,
        description="How far to move, in standard deviations of the latents along the direction.",
    )
    size: int | None = Field(
        None, gt=0, description=f"Pixels of a side of the pictures. Default: {SIZE}, or the generator's own below that."
    )
    generator: str | None = Field(None, description=f"{GENERATOR} Default: the one in the latents table.")
    force: bool = Field(False, description="Allow directions and latents of another generator.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(StripsSpec, argv)
    return launch(*plan_strips(spec), spec)


def plan_strips(spec: StripsSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: the directions are another generator's, or the latents have no code in their space.
        StoreError: a table is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator, may_differ=spec.force)
    tables = DirectionTables.open([spec.directions])
    directions = tables.directions
    check_directions(directions, generator, spec.force)
    spaces = {one.space for one in directions}
    index, codes, truncated = _codes(latents, spaces, generator, max(spec.faces, MEASURED_ROWS))
    faces = index[: spec.faces]
    keep = Keep("webp", generator.check_size(spec.size or min(SIZE, generator.resolution)))
    deviations = tuple(sorted(one for one in set(spec.deviations) if one))
    tasks, pictures = len(directions), len(directions) * len(faces) * (1 + len(deviations))
    runtime, _, workers = resolve(spec, VERB, generator, tasks, tasks, units=pictures)
    stage = StripsStage(
        directions=directions,
        units=tuple(_unit(one, codes[one.space]) for one in directions),
        faces=tuple(faces.tolist()),
        codes={space: found.values[: len(faces)].contiguous().numpy() for space, found in codes.items()},
        deviations=deviations,
        generator=Model(generator.name, generator.fingerprint),
        truncated=truncated,
        keep=keep,
        runtime=runtime,
    )
    facts = {
        **spec_facts(spec, runtime, generator=generator.name, faces=faces.tolist(), deviations=list(deviations)),
        **keep.facts,
    }
    job = plan(
        spec, stage, cut(len(directions), 1, 1), facts, verb=VERB, latents=latents, generator=generator,
        directions=tables,
    )  # fmt: skip
    return job, workers


def _codes(
    latents: Latents, spaces: set[Space], generator: Generator, count: int
) -> tuple[NDArray[np.int64], dict[Space, Codes], Truncated]:
    """The first rows of the latents in each space, and how their z were truncated."""
    columns = dict.fromkeys(name for space in sorted(spaces) for name in needed_columns(latents.schema, space))
    rows = latents.head(list(columns), count)
    if not rows.num_rows:
        raise SpecError(f"{latents.url} has no row to move")
    truncated = Truncated(*truncation_of(latents, generator)) if "z" in spaces else Truncated()
    return rows["index"].to_numpy(), {space: codes_of(rows, space, generator) for space in spaces}, truncated


def _unit(direction: Direction, codes: Codes) -> float:
    """Standard deviation of the rows along the direction; 1 where it cannot be told."""
    spread = float(direction.distance(codes).std()) if len(codes) > 1 else 0.0
    return spread or 1.0
