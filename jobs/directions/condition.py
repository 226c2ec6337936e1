"""`stylemill directions condition`: project other directions out of one."""

from collections.abc import Sequence

from pydantic import Field

import schemas
from jobs.flags import Names, parse
from jobs.small_outputs import DirectionsSpec, write_small_table
from pipeline.directions.conditional import project
from pipeline.directions.lookup import pick
from pipeline.directions.names import joined
from pipeline.stages.direction_rows import to_rows


class ConditionSpec(DirectionsSpec):
    """Project a direction onto the orthogonal complement of others, and write the result to DIR/directions.

    Example: stylemill directions condition --directions out/fit/directions --primal old --preserve male --out out/old
    """

    VERB = "directions condition"

    primal: str = Field(description="The direction to change, by name; old#3 is row 3, where two rows are named old.")
    preserve: Names = Field(min_length=1, description="The directions to project out of it, by name.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ConditionSpec, argv)
    url = spec.output_url("directions", *spec.directions)
    table, named = spec.open_directions()
    primal = pick(named, spec.primal, table.url)
    projected = project(primal, [pick(named, name, table.url) for name in joined(spec.preserve, named)])
    facts = {
        "verb": spec.VERB,
        "spec": {"primal": spec.primal, "preserve": list(spec.preserve)},
        "resolved": {"directions_digest": table.digest},
    }
    write_small_table(url, schemas.directions(), to_rows([projected]), facts)
    return 0
