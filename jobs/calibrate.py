"""`stylemill calibrate`: where the classifiers' scores are 0 on faces of a generator, and what one unit of them is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import Field
from rich.box import SIMPLE
from rich.table import Table as Grid

import schemas
from jobs.constants import check_faces
from jobs.flags import Names, parse, say
from jobs.launch import launch
from jobs.options import GENERATOR, PSI_HELP, RunFlags, note_psi
from jobs.plan import plan
from jobs.print_tables import show
from jobs.resolve import resolve, spec_facts
from pipeline.engine.derived import DerivedFile
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import MEASURES, VERSION, Calibration, calibration, own_readings
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.boundary import Measured
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.raw import OF_MIRROR_IMAGE
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.calibrate import CalibrateStage
from pipeline.stages.models import Model
from pipeline.tables import Table, store

FILE, STATISTICS = "calibration.json", "statistics"


class CalibrateSpec(RunFlags):
    """Measure boundaries and units of the classifiers' scores on faces of a generator, and write DIR/calibration.json,
    which other verbs take as --calibration.

    Example: stylemill calibrate --generator mobilestylegan-ffhq --rows 1000 --out out/calibration
    """

    VERB = "calibrate"

    generator: str = Field("mobilestylegan-ffhq", description=GENERATOR)
    classifiers: Names = Field(
        ("faces", "judge"),
        min_length=1,
        description="Families of classifiers, or .yaml files of your own (docs/own-classifiers.md).",
    )
    rows: int = Field(1000, ge=2, description="Faces to measure on.")
    seed: int = Field(7, ge=0, le=MAX_SEED, description="Random seed; a face depends only on the seed and its number.")
    psi: float = Field(0.7, allow_inf_nan=False, description=f"Truncation: 1 is none, 0 the mean face; {PSI_HELP}.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(CalibrateSpec, argv)
    job, workers = plan_calibrate(spec)
    code = launch(job, workers, spec)
    if code == 0 and not spec.dry_run and job.is_sealed(STATISTICS):
        _show(_found(job), job)
        url = store.join(spec.out, FILE)
        say(f"      --calibration {url} gives these constants to the verbs that score faces of {spec.generator}")
    return code


def plan_calibrate(spec: CalibrateSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are released.

    Raises:
        SpecError: no such generator or family.
        ModelFileError: a network is not here.
    """
    note_psi("--psi", spec.psi)
    generator = generators.load(spec.generator, backend="eager")
    families = _families(spec.classifiers)
    for family in families:
        check_faces(generator, family)
    opened = {name: classifiers.statistics_of(name, tuple(own_readings(name))) for name in families}
    runtime, rows_per_shard, workers = resolve(spec, spec.VERB, generator, spec.rows)
    layout = cut(spec.rows, rows_per_shard, runtime.batch_size)
    stage = CalibrateStage(
        generator=Model(spec.generator, generator.fingerprint),
        families=tuple(Model(name, statistics.fingerprint) for name, statistics in opened.items()),
        seed=spec.seed,
        psi=spec.psi,
        runtime=runtime,
    )
    facts = spec_facts(spec, runtime, **layout.facts, classifiers=list(families))
    networks = {classifiers.short_name(name): one.digests for name, one in opened.items()}
    used = [name for one in opened.values() for name in one.weights]
    job = plan(spec, stage, layout, facts, generator=generator, digests={"networks": networks}, networks=used)
    content = DerivedFile(FILE, lambda: _found(job).to_json(), reads=(STATISTICS,))
    return replace(job, derived=[content]), workers


def _families(asked: Sequence[str]) -> list[str]:
    """The families asked for, after those beside which their boundaries are found. Raises SpecError."""
    joined = [classifiers.built_in(family) for family in asked]
    its = [family for family in dict.fromkeys((*joined, *asked)) if family in asked or not classifiers.is_own(family)]
    rules = [reading.boundary for family in its for reading in own_readings(family).values()]
    beside = [*(rule.beside for rule in rules if rule.beside), *(one for one in joined if one not in asked)]
    if missing := sorted(set(beside) - set(asked)):
        say(f"Note  the boundary of {', '.join(asked)} needs {', '.join(missing)}: measured too")
    found = list(dict.fromkeys([*(name for name in classifiers.FAMILIES if name in beside), *asked]))
    names = [classifiers.short_name(family) for family in found]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise SpecError(f"--classifiers names {twice[0]} twice")
    return found


def _found(job: Job) -> Calibration:
    """The constants, from the statistics of all faces. Raises SpecError where these do not vary."""
    networks: Mapping[str, Mapping[str, str]] = job.resolved["networks"]
    readings = _readings(job)
    rows = Table.open(store.join(job.out, STATISTICS)).read()
    columns = {name: schemas.to_numpy(rows[name]) for name in rows.column_names}
    measured = {
        family: {
            name: Measured(columns[f"{family}_{name}"], columns.get(f"{family}_{name}{OF_MIRROR_IMAGE}"))
            for name in readings[family]
            if name not in MEASURES
        }
        for family in networks
    }
    scales = calibration.scales_of(readings, measured)
    if same := [
        f"{name} by {family}" for family, its in scales.items() for name, one in its.items() if not one.unit > 0
    ]:
        raise SpecError(f"{same[0]} is the same in all {rows.num_rows} faces: ask for more --rows, or another --psi")
    whose = job.spec["generator"], job.resolved["generator_digest"]
    return Calibration(*whose, job.spec["psi"], job.spec["seed"], rows.num_rows, VERSION, networks, scales)


def _readings(job: Job) -> dict[str, dict[str, Reading]]:
    """By the names that a calibration has for families."""
    return {classifiers.short_name(family): own_readings(family) for family in job.spec["classifiers"]}


def _show(found: Calibration, job: Job) -> None:
    """The constants beside those of the built-in generator."""
    rows = Table.open(store.join(job.out, STATISTICS)).read()
    known = calibration.default()
    title = f"Boundaries and units on {found.rows:,} faces of {found.generator}; score = (raw - boundary) / unit"
    grid = Grid(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for name in ("family", "attribute", "boundary", "unit", "above", "boundary found", f"on {known.generator}"):
        grid.add_column(name, justify="left" if name in ("family", "attribute", "boundary found") else "right")
    readings = _readings(job)
    for family, scales in found.families.items():
        for name, scale in scales.items():
            above = float((schemas.to_numpy(rows[f"{family}_{name}"]) > scale.boundary).mean())
            other = known.families.get(family, {}).get(name)
            grid.add_row(
                family, name, *_pair(scale), f"{above:.1%}", readings[family][name].boundary.how,
                " / ".join(_pair(other)) if other else "",
            )  # fmt: skip
    show(grid)


def _pair(scale: Scale) -> tuple[str, str]:
    return f"{scale.boundary:.4g}", f"{scale.unit:.4g}"
