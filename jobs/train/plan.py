"""The plan of a `stylemill train` job: its rows, its card, and its one task."""

from collections.abc import Mapping, Sequence

import numpy as np

from jobs.choice import choose
from jobs.flags import say
from jobs.latents.opening import open_latents
from jobs.launch import command
from jobs.options import canonical
from jobs.plan import plan
from jobs.resolve import TRAINING, resolve, spec_facts
from jobs.train.spec import TrainSpec
from pipeline.card import Card, TrainedCodes
from pipeline.engine.job import Job
from pipeline.models import zoo
from pipeline.models.codes import Codes
from pipeline.stages.fit_rows import from_table
from pipeline.stages.joined import Labels, join, open_labels, scores_of
from pipeline.stages.train import TrainStage
from pipeline.tables import Layout


def plan_train(spec: TrainSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: what is given does not go together, or nothing can be learned from it.
        StoreError: a table is not there, or not complete.
    """
    name, config = spec.TRAINING[0], spec.config
    latents, sampled = open_latents(spec.latents, spec.generator, needs_generator=spec.space != "w")
    latents = choose(spec, latents, spec.labels)
    labels = [open_labels(url) for url in spec.labels]
    asked = spec.attributes or tuple(dict.fromkeys(name for table in labels for name in scores_of(table)))
    joined = join(latents, labels, canonical(asked))
    for note in joined.notes:
        say(f"Note  {note}")
    rows = from_table(latents, spec.space, spec.space == "w+", sampled.generator, joined.index)
    card = Card(
        what=name,
        inputs=_inputs([latents.digest], labels),
        generator=sampled.name,
        generator_fingerprint=sampled.fingerprint,
        codes=_norms(rows.codes()),
        attributes=joined.attributes,
        licences=_licences([sampled.name]),
        citation=config.CITATION,
        meanings=dict(config.MEANINGS),
        command=command(),
    )
    runtime, _, workers = resolve(spec, "train", None, 1, 1, TRAINING)
    stage = TrainStage(rows, joined.scores, joined.attributes, config, card, runtime.device, runtime.threads)
    steps = stage.start().steps
    facts = {
        **spec_facts(spec, runtime, TRAINING, "train"),
        **latents.choice,
        "training": name,
        "attributes": list(joined.attributes),
        "generator": sampled.name,
    }
    job = plan(
        spec, stage, Layout(steps, steps), facts, verb="train", networks=[sampled.name or ""],
        versions=["scikit-learn"],
        digests={
            "latents_digest": latents.digest,
            "labels_digests": [table.digest for table in labels],
            "generator_digest": sampled.fingerprint,
        },
        digested=("latents", "labels"),
    )  # fmt: skip
    return job, workers


def _inputs(latents: Sequence[str], labels: Sequence[Labels]) -> dict[str, str]:
    digests: dict[str, Sequence[str]] = {"latents": latents, "labels": [table.digest for table in labels]}
    return {
        kind if len(several) == 1 else f"{kind} {place}": digest
        for kind, several in digests.items()
        for place, digest in enumerate(several, 1)
    }


def _norms(codes: Codes) -> TrainedCodes:
    norms = np.linalg.norm(codes.values.flatten(1).numpy(), axis=1).astype(np.float64)
    return TrainedCodes(
        space=codes.space, norm_mean=float(norms.mean()), norm_min=float(norms.min()), norm_max=float(norms.max())
    )


def _licences(names: Sequence[str | None]) -> Mapping[str, str]:
    return {name: zoo.CATALOGUE[name].terms["licence"] for name in names if name in zoo.CATALOGUE}
