"""`stylemill label`: scores of the faces of a latents table, by either family of classifiers."""

from collections.abc import Sequence

from pydantic import Field, field_validator

from jobs.flags import Names, parse
from jobs.launch import command, launch, versions
from jobs.options import DEFAULT_ATTRIBUTES, RunFlags, absolute, canonical
from jobs.resolve import resolve, spec_facts
from jobs.weights import used
from pipeline.engine.job import Job
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.stages.label import LabelStage
from pipeline.stages.models import Model
from pipeline.tables import Table


class LabelSpec(RunFlags):
    """Make the faces of a sealed latents table once more, score them, and write DIR/labels.

    Example: stylemill label --latents out/faces/latents --classifiers judge --out out/faces-judged
    """

    latents: str = Field(description="The latents table: a path or any fsspec URL.")

    @field_validator("latents")
    @classmethod
    def _absolute_latents(cls, url: str) -> str:
        return absolute(url)

    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description="Attributes to score.")
    classifiers: str = Field("faces", description="Family of classifiers: faces or judge.")
    generator: str | None = Field(None, description="Default: the one that the latents table names.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(LabelSpec, "label", argv)
    return launch(*plan_label(spec), spec)


def plan_label(spec: LabelSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go.

    Raises:
        SpecError: the table does not hold latents, or another generator's.
        StoreError: it is not there, or not complete.
    """
    latents = Table.open(spec.latents)
    facts = latents.require_sealed()["facts"]
    if latents.schema.name != "latents":
        raise SpecError(f"{spec.latents} is a table of {latents.schema.name}, not of latents")
    name = spec.generator or facts["spec"]["generator"]
    generator = generators.load(name, backend="eager")
    if spec.generator is None and generator.fingerprint != facts["resolved"]["generator_digest"]:
        raise SpecError(
            f"{spec.latents} was sampled with another {name} than the one installed here "
            f"({facts['resolved']['generator_digest'][:12]}, not {generator.fingerprint[:12]}); "
            "pass --generator to label it with this one all the same"
        )
    if latents.layout is None:
        raise SpecError(f"{spec.latents} does not say how its rows are cut into parts; sample it anew")
    family = classifiers.load(spec.classifiers, canonical(spec.attributes))
    runtime, _, workers = resolve(spec, "label", generator)
    stage = LabelStage(
        latents=Table(spec.latents, latents.schema, latents.layout),
        generator=Model(name, generator.fingerprint),
        classifiers=Model(spec.classifiers, family.fingerprint),
        attributes=family.attributes,
        runtime=runtime,
    )
    own = spec_facts(spec, runtime, rows_per_shard=latents.layout.rows_per_shard, attributes=list(family.attributes))
    del own["latents"]  # the digest of its manifest says which table; where it lies decides nothing
    job = Job(
        verb="label",
        out=spec.out,
        stage=stage,
        layout=latents.layout,
        present=[record.rows for record in latents.records()],
        spec={**own, "generator": name},
        resolved={
            "latents_digest": latents.digest,
            "generator_digest": generator.fingerprint,
            "classifiers_digest": family.fingerprint,
        },
        versions=versions(),
        command=command(),
        weights=used(generator.name, *family.weights),
    )
    return job, workers
