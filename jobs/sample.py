"""`stylemill sample`: latents alone."""

from collections.abc import Sequence

from jobs.flags import parse
from jobs.launch import launch
from jobs.options import RowFlags, note_psi
from jobs.plan import plan
from jobs.resolve import CODES, CODES_PER_SHARD, resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.models import generators
from pipeline.stages.models import Model
from pipeline.stages.sample import SampleStage


class SampleSpec(RowFlags):
    """Sample latents and write DIR/latents; no picture is made.

    Example: stylemill sample --rows 10000 --seed 2 --psi 0.7 --out out/codes
    """

    VERB = "sample"


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(SampleSpec, argv)
    return launch(*plan_sample(spec), spec)


def plan_sample(spec: SampleSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the generator that it was planned with is released."""
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
    facts = spec_facts(spec, runtime, CODES, "sample", **layout.facts)
    return plan(spec, stage, layout, facts, generator=generator, grows=True), workers
