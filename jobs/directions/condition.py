"""`stylemill directions condition`: a direction that leaves other attributes alone."""

from collections.abc import Sequence

from pydantic import Field

import schemas
from jobs.flags import Names, Spec, parse
from jobs.small import check_free, open_directions, write_small
from pipeline.directions.conditional import project
from pipeline.directions.lookup import pick
from pipeline.directions.names import joined
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import store


class ConditionSpec(Spec):
    """Project a direction on the orthogonal complement of others: DIR/directions holds the one that is left.

    Example: stylemill directions condition --directions out/fit/directions --primal old --preserve male --out out/old
    """

    VERB = "directions condition"

    directions: Names = Field(min_length=1, description="A table of directions, or several with commas between.")
    primal: str = Field(description="The direction to change, by name; old#3 is row 3, where two are named old.")
    preserve: Names = Field(min_length=1, description="The directions to take out of it, by name.")
    out: str = Field(description="Directory for the new table.")
    replace: bool = Field(False, description="Make the table anew where there is one.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ConditionSpec, argv)
    url = store.join(spec.out, "directions")
    check_free(url, spec.replace, *spec.directions)
    table, named = open_directions(spec.directions)
    primal = pick(named, spec.primal, table.url)
    projected = project(primal, [pick(named, name, table.url) for name in joined(spec.preserve, named)])
    facts = {
        "verb": "directions condition",
        "spec": {"primal": spec.primal, "preserve": list(spec.preserve)},
        "resolved": {"directions_digest": table.digest},
    }
    write_small(url, schemas.directions(), to_rows([projected]), facts)
    return 0
