"""`stylemill sample`: latents alone."""

from collections.abc import Sequence

from pydantic import Field

from jobs.flags import parse
from jobs.launch import command, launch, versions
from jobs.options import PSI_HELP, RowFlags, note_psi
from jobs.resolve import CODES_PER_SHARD, resolve, spec_facts
from jobs.weights import used
from jobs.workers import CODES
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.models import generators
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.models import Model
from pipeline.stages.sample import SampleStage


class SampleSpec(RowFlags):
    """Sample latents and write DIR/latents; no picture is made.

    Example: stylemill sample --rows 10000 --seed 2 --psi 0.7 --out out/codes
    """

    VERB = "sample"

    generator: str = Field("mobilestylegan-ffhq", description="A generator by name.")
    seed: int = Field(1, ge=0, le=MAX_SEED, description="With a row's number, decides that row and nothing else.")
    psi: float = Field(0.7, allow_inf_nan=False, description=f"Truncation: 1 is none, 0 the mean; {PSI_HELP}.")
    cutoff: int | None = Field(None, ge=0, description="Truncate only this many first layers (w+ is kept then).")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(SampleSpec, argv)
    return launch(*plan_sample(spec), spec)


def plan_sample(spec: SampleSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the generator that it was planned with is let go."""
    note_psi("--psi", spec.psi)
    generator = generators.load(spec.generator, backend="eager")
    # few rows make small shards all the same: what makes faces of them later has the same shards to share out
    runtime, rows_per_shard, workers = resolve(
        spec, "sample", generator, len(spec.indices), load=CODES, fewest=1, most=CODES_PER_SHARD
    )
    layout = cut(len(spec.indices), rows_per_shard, runtime.batch_size, spec.indices.start)
    stage = SampleStage(
        generator=Model(spec.generator, generator.fingerprint),
        seed=spec.seed,
        psi=spec.psi,
        cutoff=generator.check_cutoff(spec.cutoff),
        shape=(generator.num_ws, generator.w_dim),
        runtime=runtime,
    )
    job = Job(
        verb="sample",
        out=spec.out,
        stage=stage,
        layout=layout,
        grows=True,
        spec=spec_facts(spec, runtime, CODES, "sample", **layout.facts),
        resolved={"generator_digest": generator.fingerprint},
        versions=versions(),
        command=command(),
        weights=used(generator.name),
    )
    return job, workers
