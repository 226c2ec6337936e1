"""`stylemill train encoder`: from an aligned picture to a latent of a generator, learned from its own pictures."""

import shlex
from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field, model_validator

from jobs.flags import Names, command_of, parse, say
from jobs.launch import launch
from jobs.options import GENERATOR, PSI_HELP, RunFlags, note_psi
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from jobs.train.figures import figures
from pipeline.card import Card
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models import generators, zoo
from pipeline.models.randomness import MAX_SEED
from pipeline.photos import encoder_head
from pipeline.photos.encoder_features import FEATURES, USUAL, PictureFeatures
from pipeline.stages.kept_artifacts import ENCODER
from pipeline.stages.models import Model
from pipeline.stages.train_encoder import TrainEncoderStage, fitted
from pipeline.tables import Artifact, store

TOLD = ("explained", "distance", "mean_face")


class TrainEncoderSpec(RunFlags):
    """Train an encoder, which finds the latent of an aligned picture in one look: on pictures that the generator makes,
    whose latents are known, through frozen features; write DIR/artifact.

    Example: stylemill train encoder --generator mobilestylegan-ffhq --rows 6000 --out out/encoder
    """

    VERB = f"train {ENCODER}"

    generator: str = Field("mobilestylegan-ffhq", description=GENERATOR)
    rows: int = Field(6000, ge=1, description="Pictures to make, those that are held out among them.")
    held_out: int = Field(200, ge=2, description="Of these, so many tell how good it is; nothing is learned from them.")
    seed: int = Field(3, ge=0, le=MAX_SEED, description="Random seed of the pictures.")
    psi: float = Field(0.7, allow_inf_nan=False, description=f"Truncation: 1 is none, 0 the mean face; {PSI_HELP}.")
    features: Names = Field(
        USUAL,
        min_length=1,
        description=f"What the encoder reads of a picture: {', '.join(FEATURES)} (a test's).",
    )
    rank: int = Field(192, gt=0, description="Rank of its linear map, which decides its size.")
    jitter: bool = Field(
        True, description="Move, blur and compress the pictures that it learns from a little, as photos are."
    )

    @model_validator(mode="after")
    def _enough(self) -> "TrainEncoderSpec":
        try:
            encoder_head.check(self.rows - self.held_out, self.held_out)
        except SpecError as error:
            raise ValueError(str(error)) from None
        return self


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(TrainEncoderSpec, argv)
    job, workers = plan_encoder(spec)
    code = launch(job, workers, spec)
    artifact = Artifact(store.join(spec.out, "artifact"))
    if not spec.dry_run and not code and artifact.sealed:
        for line in figures(artifact.card().metrics, TOLD):
            say(f"      {line}")
    return code


def plan_encoder(spec: TrainEncoderSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are released.

    Raises:
        SpecError: no such generator or features, or the generator has no w.
        ModelFileError: a network is not here.
    """
    note_psi("--psi", spec.psi)
    generator = generators.load(spec.generator, backend="eager")
    if "w" not in generator.spaces:
        raise SpecError(f"--generator {spec.generator} has no w: an encoder finds latents in w")
    networks = PictureFeatures(spec.features)
    runtime, rows_per_shard, workers = resolve(spec, "train", generator, spec.rows)
    layout = cut(spec.rows, rows_per_shard, runtime.batch_size)
    stage = TrainEncoderStage(
        generator=Model(spec.generator, generator.fingerprint),
        seed=spec.seed,
        psi=spec.psi,
        held_out=spec.held_out,
        jitter=spec.jitter,
        features=spec.features,
        width=sum(networks.widths),
        w_dim=generator.w_dim,
        networks=networks.digests,
        runtime=runtime,
    )
    settings = {name: getattr(spec, name) for name in ("rows", "held_out", "seed", "psi", "rank", "jitter")}
    used = [spec.generator, *networks.digests]
    card = Card(
        what=ENCODER,
        inputs=networks.digests,
        settings={**settings, "features": list(spec.features)},
        generator=generator.name,
        generator_fingerprint=generator.fingerprint,
        licences={name: zoo.CATALOGUE[name].terms["licence"] for name in used if name in zoo.CATALOGUE},
        meanings=dict(encoder_head.MEANINGS),
        command=shlex.join(["stylemill", *command_of(spec.model_copy(update=_not_of_the_result()))]),
    )
    facts = {**spec_facts(spec, runtime, **layout.facts), "training": ENCODER}
    job = plan(
        spec, stage, layout, facts, verb="train", generator=generator, networks=networks.digests,
        versions=("scikit-learn",), digests={"networks": networks.digests},
    )  # fmt: skip
    return replace(job, derived=[fitted(spec.out, stage, networks.widths, spec.rank, card)]), workers


def _not_of_the_result() -> dict[str, object]:
    """Flags that a card does not say, as they are by default: equal encoders have equal cards."""
    fields = RunFlags.model_fields
    return {**{name: info.get_default() for name, info in fields.items() if name != "out"}, "out": "DIR"}
