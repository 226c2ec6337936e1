"""`--editor ials`."""

from jobs.edit.asked import Ask, check_directions, seeing, shape_of
from jobs.edit.choose import Chosen, choose_attribute_level
from jobs.edit.spec import EditSpec
from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.stages.ials_method import IalsMethod
from pipeline.stages.method import Wanted
from pipeline.tables import Table


def ask(spec: EditSpec, table: Table | None, generator: Generator) -> Ask:
    """Attribute-level directions chosen and checked, and who is looked with. Raises SpecError."""
    first, second = spec.lambdas
    levelled = [*(spec.attribute if first else ()), *(spec.on if second else ())]
    levels = choose_attribute_level(spec.space, table, levelled)
    directions = [one.direction for one in levels.values()]
    check_directions(directions, generator, spec.force)
    space = directions[0].space if directions else spec.space or "w"
    if space == "z":
        raise SpecError(f"{spec.directions}: these directions are in z, ials moves codes in w, w+ and s")
    if spec.per_layer and space != "w+":
        raise SpecError(f"--per-layer: these edits are in {space}, pass --space w+")
    wanted = tuple(_wanted(spec, attribute, levels) for attribute in spec.attribute)
    followed = [*(spec.attribute if first < 1 else ()), *(spec.on if second < 1 else ())]
    looked_at = spec.attribute if spec.until is not None or spec.target == "flip" else ()
    panel = seeing(spec.classifiers, [_plain(name, levels) for name in (*followed, *looked_at)])
    return Ask(
        space=space,
        shape=shape_of(space, generator),
        method=lambda runtime, truncated: IalsMethod(
            wanted=wanted,
            directions=tuple(directions),
            panel=panel,
            step_size=spec.step_size,
            steps=spec.steps,
            loss=spec.loss,
            incremental=not spec.no_incremental,
            per_layer=spec.per_layer,
            as_released=spec.as_released,
            recompute=spec.recompute,
        ),
        panel=panel,
        gradients=bool(followed),
        keep="last",
        facts={
            "lambda1": first,
            "lambda2": second,
            "target": spec.target or "1",
            "direction_numbers": [one.numbers for one in levels.values()],
        },
    )


def _wanted(spec: EditSpec, name: str, levels: dict[str, Chosen]) -> Wanted:
    sign = -1 if spec.target == "0" else 1
    return Wanted(
        attribute=_plain(name, levels),
        conditions=tuple(_plain(condition, levels) for condition in spec.on),
        target=spec.target or "1",
        lambdas=spec.lambdas,
        strengths=tuple(sign * spec.step_size * step for step in range(1, spec.steps + 1)),
        until=spec.until,
    )


def _plain(name: str, levels: dict[str, Chosen]) -> str:
    """The attribute, where the flag says `old#3`."""
    return levels[name].direction.attribute if name in levels else name.split("#", maxsplit=1)[0]
