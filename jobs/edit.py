"""`stylemill edit`: latents moved along directions, with the scores and pictures of what comes of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pyarrow as pa
import tyro
from pydantic import Field, FiniteFloat, field_validator, model_validator

import schemas
from jobs.flags import Names, parse, say
from jobs.launch import command, launch, versions
from jobs.options import DEFAULT_ATTRIBUTES, RunFlags, absolute, canonical
from jobs.resolve import resolve, spec_facts
from jobs.small import write_small
from jobs.weights import used
from pipeline.directions import Direction
from pipeline.directions.aliases import resolve as our_attribute
from pipeline.directions.conditional import project
from pipeline.directions.formats import check_generator
from pipeline.editing import Search
from pipeline.editing.linear import Mode
from pipeline.engine.job import Job
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import check_z, cutoff_of, needed_columns
from pipeline.stages.direction_rows import by_name, read_directions
from pipeline.stages.edit import Asked, EditStage
from pipeline.stages.looking import Panel, Truncated
from pipeline.stages.models import Model
from pipeline.stages.pictures import NO_PICTURES, Keep
from pipeline.tables import Table, store
from schemas.edits import JUDGE

Numbers = Annotated[
    tuple[FiniteFloat, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="X,Y,...",
        instance_from_str=lambda words: tuple(words[0].split(",")),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))],
    ),
]
"""Numbers with commas between them; pydantic says which word is none."""


class EditSpec(RunFlags):
    """Move latents along directions; write DIR/edits and DIR/requests, and DIR/edit_images where pictures are asked.

    Example: stylemill edit --latents out/faces/latents --directions out/fit/directions --attribute smile
        --strengths=-3,-1,1,3 --out out/smiles
    """

    latents: str = Field(description="The latents table: a path or any fsspec URL.")
    directions: str = Field(description="The table of directions.")
    attribute: Names = Field(min_length=1, description="What to change, by name; old#3 is row 3, where two are old.")
    on: Names = Field((), description="What is to stay: these directions are projected out.")
    editor: Literal["interfacegan"] = Field("interfacegan", description="The method.")
    strengths: Numbers = Field((), description="How far, a step for each; negative ones go against the attribute.")
    until: float | None = Field(None, ge=0, allow_inf_nan=False, description="Go on to this score beyond the boundary.")
    target: Literal["0", "1", "flip"] | None = Field(None, description="With --until: away from the attribute, or to.")
    bound: float = Field(10.0, gt=0, allow_inf_nan=False, description="With --until: the largest strength tried.")
    tolerance: float = Field(0.02, gt=0, allow_inf_nan=False, description="With --until: how closely it is found.")
    space: Literal["z", "w", "w+", "s"] | None = Field(None, description="Default: the directions'.")
    absolute: bool = Field(False, description="Strengths are distances from the boundary, not steps from the source.")
    as_released: bool = Field(False, description="As the public code: absolute without intercept, in w+ relative.")
    layers: str | None = Field(None, description="Rows of w+ that move, as in 0-7 or 0,2,4-6. Default: all.")
    psi_after: float | None = Field(None, allow_inf_nan=False, description="Truncate what comes out; in w and w+.")
    keep: str = Field("all", description="Steps to keep: all, last, or a number N: source, each N-th, last.")
    scores: Literal["none", "faces", "judge", "both"] = Field("none", description="Whose scores become columns.")
    scored: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description="Attributes to score.")
    classifiers: str = Field("faces", description="The family that --until and --scores faces go by.")
    judge: str = Field("judge", description="The family that --scores judge goes by.")
    images: Literal["none", "png", "jpeg", "webp"] = Field("none", description="Pictures to keep, one a step.")
    size: int = Field(512, gt=0, description="Pixels of a side of the kept pictures.")
    quality: int = Field(95, ge=1, le=100, description="Of JPEG and WebP.")
    generator: str | None = Field(None, description="Default: the one that the latents table names.")
    force: bool = Field(False, description="Use directions of another generator, and latents too.")

    @field_validator("latents", "directions")
    @classmethod
    def _absolute_inputs(cls, url: str) -> str:
        return absolute(url)

    @field_validator("strengths", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(value.split(","))
        return value if isinstance(value, tuple) else (value,)

    @field_validator("target", "keep", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @field_validator("keep")
    @classmethod
    def _steps(cls, text: str) -> str:
        if text not in ("all", "last") and not (text.isdecimal() and int(text) > 0):
            raise ValueError("give all, last, or a number above 0")
        return text

    @field_validator("layers")
    @classmethod
    def _are_layers(cls, text: str | None) -> str | None:
        if text is not None:
            rows_of_w_plus(text)
        return text

    @model_validator(mode="after")
    def _one_way(self) -> "EditSpec":
        if bool(self.strengths) == (self.until is not None):
            raise ValueError("give --strengths, or --until with --target: one of the two")
        if self.until is not None and self.target is None:
            raise ValueError("--until needs --target 1, 0 or flip: on which side of the boundary is the score?")
        if self.until is None and self.target is not None:
            raise ValueError("--target goes with --until; --strengths carry their own sign")
        if self.until is not None and (self.absolute or self.as_released):
            raise ValueError("--until finds its own strength: leave out --absolute and --as-released")
        if self.absolute and self.as_released:
            raise ValueError("--absolute and --as-released exclude each other")
        if self.until is not None and self.tolerance >= self.bound:
            raise ValueError("--tolerance is to be below --bound")
        return self

    @property
    def mode(self) -> Mode:
        """What strengths mean."""
        return "absolute" if self.absolute else "as-released" if self.as_released else "relative"


def rows_of_w_plus(text: str) -> tuple[int, ...]:
    """`0-2,5` -> (0, 1, 2, 5). Raises ValueError."""
    layers: list[int] = []
    for word in text.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", word.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError("give rows of w+ counted from 0, as in 0-7 or 0,2,4-6")
        layers += range(int(found[1]), int(found[2] or found[1]) + 1)
    if len(set(layers)) < len(layers):
        raise ValueError("a row of w+ is named twice")
    return tuple(layers)


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    argv = list(argv)
    if "--strengths" in argv[:-1]:  # -3,-1 looks like a flag of its own
        place = argv.index("--strengths")
        argv[place : place + 2] = [f"--strengths={argv[place + 1]}"]
    spec = parse(EditSpec, "edit", argv)
    job, workers = plan_edit(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run:
        write_requests(job)
    return code


def plan_edit(spec: EditSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go.

    Raises:
        SpecError: latents, directions and what is asked do not go together.
        StoreError: a table is not there, or not complete.
    """
    latents = Table.open(spec.latents)
    facts = latents.require_sealed()["facts"]
    if latents.schema.name != "latents":
        raise SpecError(f"{spec.latents} is a table of {latents.schema.name}, not of latents")
    if latents.layout is None:
        raise SpecError(f"{spec.latents} does not say how its rows are cut into parts; sample it anew")
    name = spec.generator or facts["spec"]["generator"]
    generator = generators.load(name, backend="eager")
    if not spec.force and generator.fingerprint != facts["resolved"]["generator_digest"]:
        raise SpecError(
            f"{spec.latents} was sampled with another generator ({facts['resolved']['generator_digest'][:12]}) than "
            f"{name} as it is here ({generator.fingerprint[:12]}); pass --force to edit it with this one all the same"
        )
    table = Table.open(spec.directions)
    table.require_sealed()
    layers = None if spec.layers is None else rows_of_w_plus(spec.layers)
    chosen = choose_directions(spec, table, "w+" if layers else None)
    space, shape = chosen[0].direction.space, _shape(chosen[0].direction.space, generator)
    needed_columns(latents.schema, space)
    for one in chosen:
        if warning := check_generator(one.direction, generator.fingerprint, spec.force):
            say(f"Note  {warning}")
        one.direction.check(Codes(space, generator.w_avg.new_zeros(1, *shape)))
    _check_layers(spec, layers, space, generator)
    runtime, _, workers = resolve(spec, "edit", generator)
    requests = [_asked(spec, one.direction) for one in chosen]
    editing, panels = _panels(spec, requests)
    keep = None if spec.images == "none" else Keep(spec.images, generator.check_size(spec.size), spec.quality)
    truncated = _truncation_of(latents, generator) if space == "z" else Truncated()
    stage = EditStage(
        latents=Table(spec.latents, latents.schema, latents.layout),
        space=space,
        shape=shape,
        requests=tuple(requests),
        mode=spec.mode,
        layers=layers,
        psi_after=spec.psi_after,
        kept=kept_steps(spec.keep, requests[0].steps),
        generator=Model(name, generator.fingerprint),
        truncated=truncated,
        editing=editing,
        panels=panels,
        keep=keep,
        search=Search(spec.bound, min(0.5, spec.bound), spec.tolerance, runtime.batch_size),
        runtime=runtime,
    )
    own = spec_facts(spec, runtime, rows_per_shard=latents.layout.rows_per_shard, scored=canonical(spec.scored))
    for field in ("latents", "directions", "force"):
        del own[field]  # digests say which tables; where they lie decides nothing
    families = {f"{panel.prefix.rstrip('_') or 'classifiers'}_digest": panel.family for panel in panels}
    if editing is not None:
        families["search_digest"] = editing.family
    job = Job(
        verb="edit",
        out=spec.out,
        stage=stage,
        layout=latents.layout,
        present=[record.rows for record in latents.records()],
        spec={
            **own,
            **(keep.facts if keep else NO_PICTURES),
            "generator": name,
            "space": space,
            "layers": layers,
            "table_psi": truncated.psi,
            "table_cutoff": truncated.cutoff,
            "direction_numbers": [one.numbers for one in chosen],
        },
        resolved={
            "latents_digest": latents.digest,
            "directions_digest": table.digest,
            "generator_digest": generator.fingerprint,
            **{digest: family.fingerprint for digest, family in families.items()},
        },
        versions=versions(),
        command=command(),
        weights=used(generator.name, *(weight for family in families.values() for weight in _weights(family))),
    )
    return job, workers


@dataclass(frozen=True)
class Chosen:
    """A direction and the numbers of the rows of the table that it was made from: its own, then the conditions'."""

    direction: Direction
    numbers: list[int]


def choose_directions(spec: EditSpec, table: Table, default: Space | None) -> list[Chosen]:
    """The direction of each attribute, conditioned as asked, all in one space. Raises SpecError."""
    found = read_directions(table)
    named = by_name(found)
    wanted = spec.space or default
    chosen: list[Chosen] = []
    for attribute in spec.attribute:
        if attribute in spec.on:
            raise SpecError(f"{attribute} is to change and to stay at once: take it out of --on")
        ready = [
            number for number, one in enumerate(found)
            if spec.on and one.attribute == attribute and sorted(one.conditions) == sorted(spec.on)
            and _usable(one, wanted)
        ]  # fmt: skip
        if len(ready) == 1:
            chosen.append(Chosen(_in_space(found[ready[0]], wanted, spec), ready))
            continue
        numbers = [_number(name, found, named, wanted, table) for name in (attribute, *spec.on)]
        primal, *conditions = (_in_space(found[number], wanted, spec) for number in numbers)
        chosen.append(Chosen(project(primal, conditions) if conditions else primal, numbers))
    if len(spaces := {one.direction.space for one in chosen}) > 1:
        raise SpecError(f"the directions are in {' and '.join(sorted(spaces))}: edit one space at a time, with --space")
    return chosen


def kept_steps(keep: str, steps: int) -> tuple[int, ...]:
    """Which of the steps 0 (the source) to `steps` go into the table."""
    if keep == "last":
        return (steps,)
    every = 1 if keep == "all" else int(keep)
    return tuple(sorted({*range(0, steps + 1, every), steps}))


def write_requests(job: Job) -> None:
    """DIR/requests, once the edits are complete; where it is there already, nothing."""
    assert isinstance(job.stage, EditStage)
    manifest = Table(store.join(job.out, "edits")).manifest()
    if manifest is None or manifest["fingerprint"] != job.fingerprint:
        return
    facts: Mapping[str, Any] = {"verb": "edit", "spec": {"edits": job.fingerprint}, "resolved": {}}
    table = Table(store.join(job.out, "requests"))
    if (there := table.manifest()) is not None and there["facts"] == facts:
        return
    requests = job.stage.requests
    rows = schemas.requests().rows(
        {
            "index": range(len(requests)),
            "attribute": [asked.direction.attribute for asked in requests],
            "target": [asked.target for asked in requests],
            "conditions": [list(asked.direction.conditions) for asked in requests],
            "lambdas": [[] for _ in requests],
            "strengths": [list(asked.strengths) for asked in requests],
            "until": [[] if asked.until is None else [asked.until] for asked in requests],
        }
    )
    write_small(table.url, schemas.requests(), rows, facts)


# -- parts of the plan ------------------------------------------------------------------------------------------------


def _usable(direction: Direction, wanted: Space | None) -> bool:
    return wanted is None or direction.space == wanted or (direction.space, wanted) == ("w", "w+")


def _number(
    name: str, found: Sequence[Direction], named: Mapping[str, Direction], wanted: Space | None, table: Table
) -> int:
    """The row of the table that a name means."""
    if name in named:
        return next(number for number, one in enumerate(found) if one is named[name])
    same = [number for number, one in enumerate(found) if one.name == name]
    usable = [number for number in same if _usable(found[number], wanted)]
    if len(usable) == 1:
        return usable[0]
    if len(same) > 1:
        choices = ", ".join(f"{name}#{number} ({found[number].method}, {found[number].space})" for number in same)
        raise SpecError(
            f"{table.url} has several directions of {name}: choose {choices}, or a --space with one of them"
        )
    raise SpecError(f"{table.url} has no direction of {name!r}; it has {', '.join(named)}")


def _in_space(direction: Direction, wanted: Space | None, spec: EditSpec) -> Direction:
    if wanted is None or direction.space == wanted:
        return direction
    if (direction.space, wanted) == ("w", "w+"):
        return direction.in_w_plus()
    asked = f"--space {wanted}" if spec.space else "--layers (rows of w+)"
    raise SpecError(f"the direction of {direction.name} is in {direction.space}, and {asked} was asked for")


def _check_layers(spec: EditSpec, layers: Sequence[int] | None, space: Space, generator: Generator) -> None:
    if layers and space != "w+":
        raise SpecError(f"--layers are rows of w+, these edits are in {space}: leave them out, or pass --space w+")
    if layers and max(layers) >= generator.num_ws:
        raise SpecError(f"--layers {spec.layers}: {generator.name} has the rows of w+ 0 to {generator.num_ws - 1}")
    if spec.psi_after is not None and space not in ("w", "w+"):
        raise SpecError(f"--psi-after truncates in w and w+, these edits are in {space}: leave it out")


def _shape(space: Space, generator: Generator) -> tuple[int, ...]:
    match space:
        case "z":
            return (generator.z_dim,)
        case "w":
            return (generator.w_dim,)
        case "w+":
            return (generator.num_ws, generator.w_dim)
        case "s":
            return (generator.num_styles,)


def _asked(spec: EditSpec, direction: Direction) -> Asked:
    if spec.until is None:
        return Asked(direction, spec.strengths)
    ours = our_attribute(direction.attribute)
    if ours is None:
        known = ", ".join(classifiers.ATTRIBUTES)
        raise SpecError(f"--until looks at a score, and no classifier knows {direction.attribute!r} (but {known})")
    return Asked(direction, until=spec.until, target=spec.target or "1", scored=ours[0], sign=ours[1])


def _panels(spec: EditSpec, requests: Sequence[Asked]) -> tuple[Panel | None, tuple[Panel, ...]]:
    """Who is looked up for `until`, and whose scores become columns."""

    def panel(family: str, attributes: Sequence[str], prefix: str = "") -> Panel:
        found = classifiers.load(family, attributes, measures=())
        return Panel(Model(family, found.fingerprint), found.attributes, prefix)

    sought = canonical(sorted({asked.scored for asked in requests if asked.until is not None}))
    editing = panel(spec.classifiers, sought) if sought else None
    panels = []
    if spec.scores in ("faces", "both"):
        panels.append(panel(spec.classifiers, canonical(spec.scored)))
    if spec.scores in ("judge", "both"):
        panels.append(panel(spec.judge, canonical(spec.scored), JUDGE))
    return editing, tuple(panels)


def _weights(family: Model) -> tuple[str, ...]:
    return classifiers.load(family.name, measures=()).weights


def _truncation_of(latents: Table, generator: Generator) -> Truncated:
    """How the table's z became its latents, tried on its first row."""
    for batch in latents.batches(needed_columns(latents.schema, "z"), rows=1):
        row = pa.Table.from_batches([batch])
        check_z(latents, row, generator)
        return Truncated(row["psi"][0].as_py(), cutoff_of(latents))
    raise SpecError(f"{latents.url} has no row to edit")
