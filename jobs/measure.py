"""`stylemill measure`: what edits changed, by classifiers that were not used to make them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

from pydantic import Field, model_validator

from jobs.classifiers import classifier_ref
from jobs.constants import CalibrationFlag, Constants, about
from jobs.flags import Names, parse
from jobs.launch import launch
from jobs.locations import absolute
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.print_tables import show_part
from jobs.resolve import resolve, spec_facts
from pipeline.editors import EditRequest
from pipeline.engine.job import Job
from pipeline.errors import SpecError
from pipeline.metrics.face_metric import FaceMetric
from pipeline.metrics.of_faces import METRICS
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.report.measured import STAGES, on_screen
from pipeline.stage_names import stages_of
from pipeline.stages.compared import Source
from pipeline.stages.measure import MeasureStage
from pipeline.stages.measured import derived_of
from pipeline.stages.models import ClassifierRef, Model, Runtime, Truncated
from pipeline.stages.request_rows import read_requests
from pipeline.tables import Layout, Table, store
from pipeline.tables.frames import read_frame
from pipeline.tables.manifest import is_made_by
from schemas.edits import JUDGE, kept_steps


class MeasureSpec(CalibrationFlag, RunFlags):
    """Measure complete tables of edits: partial sums in DIR/metrics, results in DIR/measured.

    Example: stylemill measure --edits out/smiles/edits --metrics identity,pictures --out out/smiles-measured
    """

    VERB = "measure"
    NOT_TAKEN: ClassVar = {"rows_per_shard": "a shard is a part of a table of edits: leave out --rows-per-shard"}

    edits: Names = Field(min_length=1, description="Tables of edits, separated by commas: paths or any fsspec URLs.")
    families: str = Field("judge", description="Family of classifiers that measures the edits.")
    measured: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description="Attributes whose scores are compared.")
    metrics: Names = Field(
        (),
        description="Compare each edited picture with its source too (DIR/metrics_NAME): "
        + "; ".join(f"{metric.name}, {metric.about}" for metric in METRICS if not metric.always)
        + ".",
    )
    identity: bool = Field(False, description="The same as --metrics identity.")

    @property
    def chosen(self) -> tuple[FaceMetric, ...]:
        """All that is measured, in the order of the list of metrics."""
        asked = {*self.metrics, *(["identity"] if self.identity else [])}
        return tuple(metric for metric in METRICS if metric.always or metric.name in asked)

    @model_validator(mode="after")
    def _known_metrics(self) -> "MeasureSpec":
        known = [metric.name for metric in METRICS if not metric.always]
        if unknown := [name for name in self.metrics if name not in known]:
            raise ValueError(f"--metrics: unknown metric {unknown[0]!r}: choose from {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> "MeasureSpec":
        if len({absolute(url).rstrip("/") for url in self.edits}) < len(self.edits):
            raise ValueError("--edits names a table twice")
        return self


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(MeasureSpec, argv)
    job, workers = plan_measure(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run and job.is_sealed("measured"):
        for grid in on_screen(read_frame(store.join(job.out, "measured")), job.about):
            show_part(grid)
    return code


def plan_measure(spec: MeasureSpec) -> tuple[Job, int | None]:
    """The job, and how many workers: a task for each part of the tables of edits.

    Raises:
        SpecError: a table does not hold edits, or keeps no step to compare with.
        StoreError: one is not there, or not complete.
    """
    tables = [_open(name) for name in spec.edits]
    largest: Generator | None = None
    judge: ClassifierRef | None = None
    sources: list[Source] = []
    for name, table in zip(spec.edits, tables, strict=True):
        facts = table.require_sealed()["facts"]
        generator = generators.load(facts["spec"]["generator"], backend="eager")
        if generator.fingerprint != facts["resolved"]["generator_digest"]:
            raise SpecError(
                f"{name} was edited with another {generator.name} than the one installed here "
                f"({facts['resolved']['generator_digest'][:12]}, not {generator.fingerprint[:12]})"
            )
        largest = generator if largest is None or generator.resolution > largest.resolution else largest
        if judge is None or generator.fingerprint != sources[-1].generator.fingerprint:
            before, constants = judge, Constants(generator, spec.calibration)
            judge = classifier_ref(spec.families, spec.measured, JUDGE, constants=constants)
            if before is not None and before.family.fingerprint != judge.family.fingerprint:
                raise SpecError(
                    f"{name} is of {generator.name}, on whose faces the judge has constants of its own: measure the "
                    "edits of one generator at a time"
                )
        sources.append(_source(name, table, judge, facts, generator))
    assert largest is not None
    assert judge is not None
    measured_by, weights = [], [*judge.weights]
    for metric in spec.chosen:
        opened = metric.open("cpu", spec.families)
        measured_by.append(Model(metric.name, opened.fingerprint))
        weights.extend(opened.networks)
    parts = sum(source.parts for source in sources)
    faces = sum(record.rows for table in tables for record in table.records())
    runtime, _, workers = resolve(spec, "measure", largest, parts, parts, units=faces)
    stage = MeasureStage(tuple(sources), judge, tuple(measured_by), runtime)
    job = plan(
        spec, stage, Layout(parts, 1), _facts(spec, runtime, judge),
        digests={
            "edits_digests": [table.digest for table in tables],
            "judge_digest": judge.family.fingerprint,
            "identity_digest": None,  # as before there were other metrics
            **{f"{model.name}_digest": model.fingerprint for model in measured_by if model.fingerprint},
        },
        networks=[*(source.generator.name for source in sources), *weights],
        present=[int(record.rows > 0) for table in tables for record in table.records()],
        versions=dict.fromkeys(name for metric in spec.chosen for name in metric.packages),
        derived=derived_of(spec.out, tuple(stage.outputs), spec.edits),
        about={**about(largest, judge), **_stages(sources)},
    )  # fmt: skip
    return job, workers


# -- parts of the plan ------------------------------------------------------------------------------------------------


def _facts(spec: MeasureSpec, runtime: Runtime, judge: ClassifierRef) -> dict[str, Any]:
    """What goes into the stored spec. Identity has a field of its own, as before there were other metrics."""
    chosen = [metric.name for metric in spec.chosen if not metric.always]
    others = [name for name in chosen if name != "identity"]
    facts = spec_facts(spec, runtime, rows_per_shard=1, measured=list(judge.attributes), identity="identity" in chosen)
    del facts["metrics"]
    return {**facts, "metrics": others} if others else facts


def _stages(sources: Sequence[Source]) -> dict[str, Any]:
    """On record for the pages: what the steps of requests do that are edits of their own."""
    found = {
        source.name: {
            str(number): stages for number, one in source.requests.items() if (stages := stages_of([*one.options]))
        }
        for source in sources
    }
    return {STAGES: {name: requests for name, requests in found.items() if requests}} if any(found.values()) else {}


def _open(name: str) -> Table:
    url = absolute(name)
    table = Table.open(url)
    facts = table.require_sealed()["facts"]
    if table.schema.name != "edits":
        raise SpecError(f"{name} is a table of {table.schema.name}, not of edits")
    if table.layout is None or not {"generator", "space"} <= facts.get("spec", {}).keys():
        raise SpecError(f"{name} does not say how it was made: give a table that stylemill edit wrote")
    return Table(url, table.schema, table.layout)


def _source(name: str, table: Table, judge: ClassifierRef, facts: Mapping[str, Any], generator: Generator) -> Source:
    spec = facts["spec"]
    _check_source_is_kept(name, table)
    parent = store.parent(table.url)
    judged = {JUDGE + attribute for attribute in judge.attributes} <= set(table.schema.arrow.names)
    scored = [attribute for attribute in spec["scored"] if JUDGE + attribute in table.schema.arrow.names]
    kept = judge.family.name, scored
    found = classifiers.load(*kept, measures=(), calibration=judge.calibration).fingerprint if judged else None
    return Source(
        name=name,
        table=table,
        parts=len(table.records()),
        space=cast(Space, spec["space"]),
        requests=_requests(store.join(parent, "requests"), table),
        generator=Model(generator.name, generator.fingerprint),
        truncated=Truncated(spec["table_psi"], spec["table_cutoff"]),
        scored=found is not None and facts["resolved"].get("judge_digest") == found,
        kept=kept_steps(spec["keep"], spec["steps"]) if rows_may_stop(spec) else None,
    )


def rows_may_stop(spec: Mapping[str, Any]) -> bool:
    """Whether rows of a table of edits may have stopped before its last step, by the stored spec; tables made before
    that was stored have a number of steps there only if so.
    """
    return bool(spec.get("rows_may_stop", "steps" in spec))


def _check_source_is_kept(name: str, table: Table) -> None:
    for record in table.records():
        if record.rows:
            if 0 not in table.read(["step"], [record.shard])["step"].to_numpy():
                raise SpecError(f"{name} keeps no step 0, the source to compare with: edit with --keep all")
            return
    raise SpecError(f"{name} has no row to measure")


def _requests(url: str, edits: Table) -> dict[int, EditRequest]:
    """The requests beside a table of edits. Raises SpecError where they are another run's."""
    table = Table(url)
    if not is_made_by(table.require_sealed(), edits.require_sealed()["fingerprint"]):
        raise SpecError(f"{url} is not of the edits beside it: run the edit command again, which rewrites it")
    return read_requests(table)
