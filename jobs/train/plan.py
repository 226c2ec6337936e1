"""The plan of a `stylemill train` job: its rows, its card, and its one task."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.flags import command_of, say
from jobs.latents.opening import open_latents
from jobs.options import MachineFlags, RayFlags, WorkFlags, canonical
from jobs.plan import plan
from jobs.resolve import TRAINING, TRAINING_BY_FACES, is_elsewhere, resolve, spec_facts
from jobs.train.made_from import inputs_of, tables_of
from jobs.train.spec import TrainSpec
from pipeline.card import Card, TrainedCodes
from pipeline.editors.training import JUDGE, TrainConfig
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.workers import Load
from pipeline.errors import SpecError
from pipeline.models import zoo
from pipeline.models.classifiers import attributes_of, identity
from pipeline.models.classifiers.identity import Identity
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.fit_rows import from_table
from pipeline.stages.joined import Joined, Labels, join, open_labels, scores_of
from pipeline.stages.models import ClassifierRef, Model, Runtime
from pipeline.stages.train import FacesRef, TrainStage, seconds_of_a_step
from pipeline.tables import Layout, Table


def plan_train(spec: TrainSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: what is given does not go together, or nothing can be learned from it.
        StoreError: a table is not there, or not complete.
    """
    name, config = spec.TRAINING[0], spec.config
    needs_generator = spec.space != "w" or config.family is not None
    latents, sampled = open_latents(spec.latents, spec.generator, needs_generator=needs_generator)
    latents = choose(spec, latents, spec.labels)
    labels = [open_labels(url) for url in spec.labels]
    columns = tuple(dict.fromkeys(name for table in labels for name in scores_of(table)))
    asked = spec.attributes or columns
    more = [name for name in columns if name not in asked] if config.ALL_COLUMNS else []
    joined = _without_one_sided(join(latents, labels, canonical([*asked, *more])), asked)
    for note in joined.notes:
        say(f"Note  {note}")
    looked = _looked_at(config, joined.attributes, canonical(asked), sampled.generator)
    rows = from_table(latents, spec.space, spec.space == "w+", sampled.generator, joined.index)
    card = Card(
        what=name,
        inputs=inputs_of(latents, labels),
        tables=tables_of(latents, labels),
        generator=sampled.name,
        generator_fingerprint=sampled.fingerprint,
        codes=_norms(rows.codes(), config.learns_in(spec.space), looked.layers),
        attributes=tuple(canonical(asked)),
        licences={**_licences([sampled.name, *looked.learned_from]), **_licences_of(labels)},
        citation=config.CITATION,
        meanings=dict(config.meanings),
        command=_command(spec),
    )
    runtime, _, workers = resolve(spec, "train", looked.generator, 1, 1, looked.load)
    stage = TrainStage(
        rows, joined.scores, joined.attributes, config, card, runtime.device, runtime.threads, looked.ref(runtime),
        looked.layers, tuple(canonical(asked)),
    )  # fmt: skip
    if config.minutes is not None:
        sharing = min(workers or 1, stage.parts)
        stage = replace(stage, config=config.with_steps(_steps_of(spec, stage, config.minutes, sharing)))
    stage = replace(stage, card=card.model_copy(update={"settings": stage.config.model_dump(mode="json")}))
    steps = stage.steps
    facts = {
        **spec_facts(spec, runtime, looked.load, "train"),
        **({} if config.minutes is None else {"steps": steps}),
        **({} if config.judged_by is None else {"judge_every": config.judged_every(len(asked))}),
        **latents.choice,
        "training": name,
        "attributes": canonical(asked),
        "learned": list(joined.attributes),
        "generator": sampled.name,
    }
    job = plan(
        spec, stage, Layout(steps, steps), facts, verb="train", networks=[sampled.name or "", *looked.networks],
        versions=config.PACKAGES,
        digests={
            "latents_digest": latents.digest,
            "labels_digests": [table.digest for table in labels],
            "generator_digest": sampled.fingerprint,
            **looked.digests,
        },
        digested=("latents", "labels"),
    )  # fmt: skip
    return job, workers


def _command(spec: TrainSpec) -> str:
    """What asks for this training, written to a folder DIR: equal trainings have equal cards, wherever they are, and
    whoever computes them."""
    fields = type(spec).model_fields
    how = {*RayFlags.model_fields, *WorkFlags.model_fields} - {*MachineFlags.model_fields}
    usual = {name: fields[name].get_default() for name in how if name in fields}
    return shlex.join(["stylemill", *command_of(spec.model_copy(update={**usual, "out": "DIR"}))])


def _steps_of(spec: TrainSpec, stage: TrainStage, minutes: float, sharing: int) -> int:
    """How many steps the training takes: those stored at its first start, else as many as this machine does in so many
    minutes. Raises SpecError if another machine does them.

    sharing: workers that compute a step together; with equal threads each, they are taken to be so many times as fast.
    """
    stored = None if spec.replace else JobRecords(spec.out, "train").spec()
    if stored and isinstance(steps := stored["spec"].get("steps"), int):
        return steps
    if is_elsewhere(spec):
        raise SpecError("--budget is measured on this machine, and the cluster's nodes are others: give --steps")
    seconds = seconds_of_a_step(stage) / sharing
    steps = max(1, int(60 * minutes / seconds))
    say(f"Note  {steps:,} steps in {minutes:g} minutes, since a step takes {seconds:.2g} s here")
    return steps


@dataclass(frozen=True, eq=False)
class _LookedAt:
    """The networks of a training that makes faces; none of one that makes none."""

    generator: Generator | None = None
    classifiers: ClassifierRef | None = None
    identity: Identity | None = None
    judge: ClassifierRef | None = None

    @property
    def load(self) -> Load:
        return TRAINING if self.generator is None else TRAINING_BY_FACES

    @property
    def layers(self) -> int:
        return 0 if self.generator is None else self.generator.num_ws

    @property
    def learned_from(self) -> tuple[str, ...]:
        """Names of those that look at faces, without the judge's."""
        return () if self.classifiers is None else (*self.classifiers.weights, *identity.NETWORKS)

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of those that look at faces."""
        return (*self.learned_from, *(() if self.judge is None else self.judge.weights))

    @property
    def digests(self) -> dict[str, str]:
        if self.classifiers is None or self.identity is None:
            return {}
        return {
            "classifiers_digest": self.classifiers.family.fingerprint,
            "identity_digest": self.identity.fingerprint,
            **({} if self.judge is None else {"judge_digest": self.judge.family.fingerprint}),
        }

    def ref(self, runtime: Runtime) -> FacesRef | None:
        """What a worker opens them by."""
        if self.generator is None or self.classifiers is None or self.identity is None:
            return None
        model = Model(self.generator.name, self.generator.fingerprint)
        return FacesRef(model, self.classifiers, self.identity.fingerprint, runtime, self.judge)


def _looked_at(
    config: TrainConfig, attributes: Sequence[str], asked: Sequence[str], generator: Generator | None
) -> _LookedAt:
    """attributes: that are learned from. asked: that are to be changed, and are judged. Raises SpecError where the
    family does not see one of the attributes, or gives no gradient, and where the judge sees none."""
    family, judge = config.family, config.judged_by
    if family is None or generator is None:
        return _LookedAt()
    constants = Constants(generator)
    ref = classifier_ref(family, attributes, gradients=True, constants=constants)
    if unseen := [name for name in attributes if name not in ref.attributes]:
        raise SpecError(f"--classifiers {family} does not score {unseen[0]}: leave it out of --attributes")
    if judge is None:
        return _LookedAt(generator, ref, identity.load())
    if judge == family:
        raise SpecError(f"--judge {judge} is what is learned from: name another family, or pass --judge-every 0")
    if not set(asked) & set(attributes_of(judge)):
        raise SpecError(f"--judge {judge} scores none of {', '.join(asked)}: name another, or pass --judge-every 0")
    judged_by = classifier_ref(judge, asked, JUDGE, constants=constants, may_lack=True, beside=(family,))
    return _LookedAt(generator, ref, identity.load(), judged_by)


def _without_one_sided(joined: Joined, asked: Sequence[str]) -> Joined:
    """Without the columns, beside those that are asked for, that all rows have or none: nothing is learned of them."""
    yes_A = (joined.scores > 0).mean(axis=0)
    one_sided = [
        name for name, yes in zip(joined.attributes, yes_A, strict=True) if yes in (0, 1) and name not in asked
    ]
    if not one_sided:
        return joined
    kept = [place for place, name in enumerate(joined.attributes) if name not in one_sided]
    note = f"{', '.join(one_sided)}: all rows are on one side of the boundary, so that nothing is learned of it"
    return replace(
        joined, attributes=tuple(joined.attributes[place] for place in kept), scores=joined.scores[:, kept],
        classifiers=tuple(joined.classifiers[place] for place in kept), notes=(*joined.notes, note),
    )  # fmt: skip


def _norms(codes: Codes, space: Space, layers: int) -> TrainedCodes:
    """Of the rows in the space in which they are learned from: w is repeated over the layers for w+."""
    norms = np.linalg.norm(codes.values.flatten(1).numpy(), axis=1).astype(np.float64)
    if codes.space != space:
        norms = norms * layers**0.5
    return TrainedCodes(
        space=space, norm_mean=float(norms.mean()), norm_min=float(norms.min()), norm_max=float(norms.max())
    )


def _licences_of(labels: Sequence[Labels]) -> Mapping[str, str]:
    """Of the networks by which labels tables were made."""
    facts = [table.require_sealed()["facts"] for table in labels if isinstance(table, Table)]
    return {terms["name"]: terms["licence"] for each in facts for terms in each.get("weights", [])}


def _licences(names: Sequence[str | None]) -> Mapping[str, str]:
    return {name: zoo.CATALOGUE[name].terms["licence"] for name in names if name in zoo.CATALOGUE}
