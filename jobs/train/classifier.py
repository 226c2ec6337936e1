"""`stylemill train classifier`: a classifier of an attribute of one's own, from some hundred labels given by hand."""

import shlex
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jobs.flags import Names, command_of, parse, say
from jobs.launch import launch
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.resolve import TRAINING, resolve, spec_facts
from jobs.train.figures import figures
from jobs.train.made_from import described
from jobs.train.spec import NO_FACE, ONE_TASK
from pipeline.card import Card
from pipeline.directions.classes import two_values
from pipeline.engine.job import Job
from pipeline.errors import SpecError
from pipeline.models import zoo
from pipeline.models.classifiers import attributes_of, linear_head, own_file
from pipeline.models.classifiers.features import FEATURES, Features
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.joined import Labels, index_of, label_columns, open_labels, scores_of
from pipeline.stages.source import check_kind, indices_of
from pipeline.stages.train_classifier import TrainClassifierStage
from pipeline.tables import Artifact, Layout, Table, store

NAME = "classifier"
NONE = "none"
TOLD = ("accuracy", "balanced_accuracy", "auc", "share")
MICRO_BATCH = 8


class TrainClassifierSpec(RunFlags):
    """Train a linear classifier of an attribute of your own on frozen features of faces, from labels given by hand;
    write DIR/artifact, whose file ATTRIBUTE.yaml other verbs take as --classifiers.

    Example: stylemill train classifier --image-table out/faces/images --labels beard.csv --attribute beard --out out/beard
    """  # noqa: E501  one line can be pasted

    VERB = "train classifier"
    NOT_TAKEN: ClassVar = {**ONE_TASK, **NO_FACE}

    image_table: str = Field(
        description="The table of the pictures that were labelled.", json_schema_extra={"metavar": "TABLE"}
    )
    labels: str = Field(
        description="A .csv, .tsv or .parquet file of your own with the columns index (row number) and label (1 or "
        "0), or a labels table.",
        json_schema_extra={"metavar": "TABLE"},
    )
    attribute: str = Field(
        description="Name of the attribute. The labels are the column of this name, or the only one.",
        json_schema_extra={"metavar": "NAME"},
    )
    features: Names = Field(
        ("faceres", "vgg"),
        min_length=1,
        description=f"Networks whose features of a face the classifier reads: {', '.join(FEATURES)} (a test's).",
    )
    joins: str = Field(
        "faces",
        description=f"Family whose attributes the file scores too, so that edits can preserve them; or {NONE}.",
        json_schema_extra={"metavar": "FAMILY"},
    )
    other_rows: int = Field(
        1000, ge=0, description="Faces without a label on which the unit of the score is measured, at most."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Random seed of the held-out faces.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(TrainClassifierSpec, argv)
    job, workers = plan_classifier(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run and not code:
        url = store.join(spec.out, "artifact")
        for line in figures(Artifact(url).card().metrics, TOLD):
            say(f"      {line}")
        say(f"      --classifiers {store.join(url, f'{spec.attribute}.yaml')} labels and edits with it")
    return code


def plan_classifier(spec: TrainClassifierSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: labels and pictures do not go together, or too few are labelled.
        StoreError: a table is not there, or not complete.
        ModelFileError: a network of the features is not here.
    """
    _check_names(spec)
    table = Table.open(spec.image_table)
    table.require_sealed()
    check_kind(table, "images")
    labels = open_labels(spec.labels)
    index, yes = _labelled(spec, labels, indices_of(table))
    linear_head.check(yes)
    others = np.setdiff1d(indices_of(table), index, assume_unique=True)[: spec.other_rows]
    networks = Features(spec.features).digests
    wanted = spec.model_copy(update={"batch_size": spec.batch_size or MICRO_BATCH, "backend": "eager"})
    runtime, _, workers = resolve(wanted, "train", None, 1, 1, TRAINING)
    settings = {name: getattr(spec, name) for name in ("features", "joins", "other_rows", "seed")}
    card = Card(
        what=NAME,
        inputs={"images": table.digest, "labels": labels.digest, **networks},
        tables={"labels": (described(labels),)},
        settings={**settings, "features": list(spec.features)},
        attributes=(spec.attribute,),
        licences={name: zoo.CATALOGUE[name].terms["licence"] for name in networks if name in zoo.CATALOGUE},
        meanings=dict(linear_head.MEANINGS),
        command=shlex.join(["stylemill", *command_of(spec.model_copy(update=_not_of_the_result()))]),
    )
    joins = None if spec.joins == NONE else spec.joins
    stage = TrainClassifierStage(
        table.url, index, yes, others, spec.attribute, spec.features, networks, joins, spec.seed, card, runtime
    )
    facts = {**spec_facts(wanted, runtime, TRAINING, "train"), "training": NAME}
    job = plan(
        spec, stage, Layout(1, 1), facts, verb="train", networks=networks, versions=("scikit-learn",),
        digests={"images_digest": table.digest, "labels_digest": labels.digest, "networks": networks},
        digested=("image_table", "labels"),
    )  # fmt: skip
    return job, workers


def _not_of_the_result() -> dict[str, object]:
    """Flags that a card does not say, as they are by default: equal classifiers have equal cards."""
    fields = RunFlags.model_fields
    return {**{name: info.get_default() for name, info in fields.items() if name != "out"}, "out": "DIR"}


def _check_names(spec: TrainClassifierSpec) -> None:
    """Raise SpecError where a name could not be in the file that is written, or means nothing."""
    if unknown := [name for name in spec.features if name not in FEATURES]:
        raise SpecError(f"--features: there are no features {unknown[0]!r}: choose among {', '.join(FEATURES)}")
    if spec.joins != NONE:
        attributes_of(spec.joins)
    if why := own_file.why_not_a_name(spec.attribute):
        raise SpecError(f"--attribute {why}")


def _labelled(
    spec: TrainClassifierSpec, labels: Labels, there: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows that have a label, rising, and whether they have the attribute. Raises SpecError."""
    columns = scores_of(labels)
    name = spec.attribute if spec.attribute in columns else columns[0]
    if len(columns) > 1 and spec.attribute not in columns:
        raise SpecError(
            f"--attribute {spec.attribute}: {labels.url} has the columns {', '.join(columns)}, not this one"
        )
    index, scores = index_of(labels), np.asarray(label_columns(labels)[name], dtype=np.float64)
    index, scores = index[np.isfinite(scores)], scores[np.isfinite(scores)]
    if len(foreign := np.setdiff1d(index, there)) and not isinstance(labels, Table):
        raise SpecError(
            f"{labels.url} labels row {foreign[0]}, and {spec.image_table} has no picture of it: give the table of the "
            "pictures that were labelled"
        )
    kept = np.isin(index, there)
    middle = two_values(scores)
    if middle is None:
        say(f"Note  {name} of {labels.url} is not yes or no: faces above 0 have it, the others do not")
    return index[kept], scores[kept] > (0.0 if middle is None else middle)
