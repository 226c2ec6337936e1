"""`--editor ials`."""

from jobs.edit.asked import Ask, seeing, shape_of
from jobs.edit.levels import Levels, choose_levels
from jobs.edit.spec import EditSpec
from jobs.ials_settings import ials_settings
from pipeline.directions.aliases import plain
from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.ials_method import IalsMethod
from pipeline.stages.method import Wanted


def ask(spec: EditSpec, table: DirectionTables | None, generator: Generator) -> Ask:
    """Attribute-level directions chosen and checked, and who is looked with. Raises SpecError."""
    first, second = spec.lambdas
    levelled = [*(spec.attribute if first else ()), *(spec.on if second or spec.as_released else ())]
    levels = choose_levels(spec, table, levelled, generator)
    _check_conditions(spec, levels)
    wanted = tuple(_wanted(spec, attribute, levels) for attribute in spec.attribute)
    followed = [*(spec.attribute if first < 1 else ()), *(spec.on if second < 1 else ())]
    looked_at = spec.attribute if spec.until is not None or spec.target == "flip" else ()
    classifiers = seeing(spec.classifiers, [levels.plain(name) for name in (*followed, *looked_at)], gradients=True)
    return Ask(
        space=levels.space,
        shape=shape_of(levels.space, generator),
        method=lambda runtime, truncated: IalsMethod(
            wanted=wanted,
            directions=levels.directions,
            classifiers=classifiers,
            settings=ials_settings(spec),
        ),
        classifiers=classifiers,
        gradients=bool(followed),
        keep="last",
        facts={
            "lambda1": first,
            "lambda2": second,
            "target": spec.target or "1",
            "direction_numbers": levels.numbers,
        },
    )


def _wanted(spec: EditSpec, name: str, levels: Levels) -> Wanted:
    sign = -1 if spec.target == "0" else 1
    return Wanted(
        attribute=levels.plain(name),
        conditions=tuple(levels.plain(condition) for condition in spec.on),
        target=spec.target or "1",
        lambdas=spec.lambdas,
        strengths=tuple(sign * spec.step_size * step for step in range(1, spec.steps + 1)),
        until=spec.until,
    )


def _check_conditions(spec: EditSpec, levels: Levels) -> None:
    """Raise SpecError where an attribute is its own condition, whatever its names."""
    conditions = {plain(levels.plain(name)): name for name in spec.on}
    for name in spec.attribute:
        if same := conditions.get(plain(levels.plain(name))):
            raise SpecError(f"{name} is to change and {same} is to stay, and these are one: take it out of --on")
