"""`stylemill directions channels`: the style channels that a direction moves most, as directions of their own."""

from collections.abc import Sequence

import numpy as np
from pydantic import Field

import schemas
from jobs.flags import parse
from jobs.small_outputs import DirectionsSpec, write_small_table
from pipeline.directions import Direction, normalised
from pipeline.directions.lookup import pick
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import to_rows


class ChannelsSpec(DirectionsSpec):
    """Make a direction of each style channel that a direction in s moves most: DIR/directions, for strips and edits.

    Example: stylemill directions channels --directions out/sparse/directions --attribute smile --generator mobilestylegan-ffhq --out out/smile-channels
    """  # noqa: E501  one line can be pasted

    VERB = "directions channels"

    attribute: str = Field(description="Name of the direction in s; old#3 is row 3, where two are named old.")
    top: int = Field(10, gt=0, description="How many channels: those with the largest weights.")
    generator: str = Field(description="Name of its generator, whose layers are in the new directions' names.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ChannelsSpec, argv)
    url = spec.output_url("directions", *spec.directions)
    table, named = spec.open_directions()
    generator = generators.load(spec.generator, backend="eager")
    found = single_channels(pick(named, spec.attribute, table.url), generator, spec.top)
    facts = {
        "verb": spec.VERB,
        "spec": {"attribute": spec.attribute, "top": spec.top, "generator": spec.generator},
        "resolved": {"directions_digest": table.digest},
    }
    write_small_table(url, schemas.directions(), to_rows(found), facts)
    return 0


def single_channels(direction: Direction, generator: Generator, top: int) -> list[Direction]:
    """The channels with the largest numbers, a unit vector each with their sign, named `smile conv2 17`.

    Raises:
        SpecError: the direction is not in s, or is another generator's.
    """
    if direction.space != "s":
        raise SpecError(f"the direction of {direction.name} is in {direction.space}: only those of s have channels")
    if direction.vector.shape != generator.shape_of("s") or direction.generator not in (None, generator.fingerprint):
        raise SpecError(f"the direction of {direction.name} is not of {generator.name}: name its generator")
    largest = np.argsort(-np.abs(direction.vector), kind="stable")[:top]
    stops = np.cumsum([layer.width for layer in generator.style_layers])
    found = []
    for place in largest[direction.vector[largest] != 0].tolist():
        layer = int(np.searchsorted(stops, place, side="right"))
        one, channel = generator.style_layers[layer], place - (stops[layer] - generator.style_layers[layer].width)
        vector = np.zeros_like(direction.vector)
        vector[place] = np.sign(direction.vector[place])
        name = f"{direction.attribute} {one.name} {channel}"
        found.append(normalised(name, "channel", "s", vector, generator=generator.fingerprint))
    return found
