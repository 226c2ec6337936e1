"""`--editor interfacegan`."""

from collections.abc import Sequence

from jobs.edit.asked import Ask, check_directions, known, seeing, shape_of
from jobs.edit.choose import choose_directions
from jobs.edit.spec import EditSpec
from pipeline.directions import Direction
from pipeline.editors import Search
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.linear_method import Asked, LinearMethod


def ask(spec: EditSpec, table: DirectionTables | None, generator: Generator) -> Ask:
    """Directions chosen, conditioned and checked. Raises SpecError."""
    assert table is not None
    layers = spec.rows_of_w_plus
    chosen = choose_directions(spec, table, "w+" if layers else None)
    directions = [one.direction for one in chosen]
    space = directions[0].space
    check_directions(directions, generator, spec.force)
    _check_layers(spec, layers, space, generator)
    asked = tuple(_asked(spec, direction) for direction in directions)
    classifiers = seeing(spec.classifiers, [one.scored for one in asked if one.until is not None])
    return Ask(
        space=space,
        shape=shape_of(space, generator),
        method=lambda runtime, truncated: LinearMethod(
            asked=asked,
            mode=spec.mode,
            layers=layers,
            psi_after=spec.psi_after,
            search=Search(spec.bound, min(0.5, spec.bound), spec.tolerance, runtime.batch_size),
            classifiers=classifiers,
            truncated=truncated,
        ),
        classifiers=classifiers,
        gradients=False,
        keep="all",
        facts={"layers": layers, "direction_numbers": [one.numbers for one in chosen]},
    )


def _asked(spec: EditSpec, direction: Direction) -> Asked:
    if spec.until is None:
        return Asked(direction, spec.strengths)
    scored, sign = known(direction.attribute)
    return Asked(direction, until=spec.until, target=spec.target or "1", scored=scored, sign=sign)


def _check_layers(spec: EditSpec, layers: Sequence[int] | None, space: Space, generator: Generator) -> None:
    if layers and space != "w+":
        raise SpecError(f"--layers are rows of w+, these edits are in {space}: leave them out, or pass --space w+")
    if layers and max(layers) >= generator.num_ws:
        raise SpecError(f"--layers {spec.layers}: {generator.name} has the rows of w+ 0 to {generator.num_ws - 1}")
    if spec.psi_after is not None and space not in ("w", "w+"):
        raise SpecError(f"--psi-after truncates in w and w+, these edits are in {space}: leave it out")
