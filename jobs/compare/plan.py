"""The steps of a comparison, each of which goes on where it stopped, and what is found."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jobs.compare.components import along_components, along_random
from jobs.compare.cost import ahead, cost, edited
from jobs.compare.entrants import Entrant, entrants, is_trained
from jobs.compare.sliders import sliders
from jobs.compare.spec import RANDOM, CompareSpec, check_rows, editor_of
from jobs.compare.step_lengths import with_lengths, write_chosen
from jobs.directions.spec import UNSUPERVISED
from jobs.reproduce.cost import say_ahead, say_time_left
from jobs.reproduce.different_faces import embeddings, not_found
from jobs.reproduce.faces import LabelledFaces, fit_sparse, judge_others, label_faces
from jobs.reproduce.study import step, steps_kept
from jobs.reproduce.toggled_edits import PICTURE, ToggledFaces, measure_spec, measured, read_toggles
from jobs.train.spec import SPECS as TRAININGS
from pipeline.editors import config_of
from pipeline.engine.job_records import JobRecords, verbs
from pipeline.metrics.false_acceptance import ALIKE, mean_apart
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models import generators, zoo
from pipeline.models.classifiers import attributes_of
from pipeline.report.claims import Page
from pipeline.report.compare.page import page
from pipeline.report.compare.result import Cost, Result
from pipeline.report.toggles import Toggles, stacked
from pipeline.stages import kept_artifacts
from pipeline.stages.models import read_artifact
from pipeline.tables import Table, store

ADVICE = "--judge, --metrics or the flags of the run"


def make(spec: CompareSpec) -> Page:
    """All steps; then the page."""
    say_ahead(cost(spec))
    with steps_kept() as commands:
        faces = spec.labelled_faces
        if spec.from_ is None:
            label_faces(spec, spec.labelled, ("w",), spec.attributes, attributes_of(spec.classifiers))
        compared = entrants(spec, faces)
        if any(one.needs_sparse for one in compared):
            fit_sparse(spec, faces, spec.attributes, "--attributes, or how many faces are labelled")
        chosen = choose_faces(spec)
        say_time_left(ahead(spec), spec.url("others-judged"))
        for name in spec.named:
            prepare(spec, faces, name)
        compared = [with_lengths(spec, one) for one in compared]
        write_chosen(spec, compared)
        along_random(spec, faces.generator, store.parent(compared[-1].directions[0]))
        apart, unseen = others_apart(spec)
        size = min(PICTURE, faces.generator.resolution)
        edits = ToggledFaces(spec, spec.url("others", "latents"), spec.url("others-judged", "labels"), spec.there, size)
        found = [compare(spec, one, edits, chosen, apart, unseen) for one in compared]
    return page(found, spec.attributes, spec.resamples, spec.shown, commands, sliders(spec, compared, chosen),
                facts(spec, faces, compared, apart))  # fmt: skip


def choose_faces(spec: CompareSpec) -> dict[str, dict[bool, Sequence[int]]]:
    """Other faces, by attribute those that are to have it, since the judge does not see it, and those that are to lose
    it: as many of each, the first ones. Raises SpecError where they are too few.
    """
    judge_others(spec, "others", spec.there, spec.seed + 1, spec.attributes, labelled=spec.attributes)
    labels = Table.open(spec.url("others-judged", "labels")).read().to_pandas().set_index("index")
    chosen = {}
    for attribute in spec.attributes:
        lacking = labels.index[labels[attribute] <= 0].tolist()
        having = labels.index[labels[attribute] > 0].tolist()
        check_rows(spec, attribute, len(having), len(lacking))
        chosen[attribute] = {True: lacking, False: having}
    return chosen


def prepare(spec: CompareSpec, faces: LabelledFaces, name: str) -> None:
    """Find the components that it moves along, or train what it needs."""
    if name in UNSUPERVISED:
        along_components(spec, name, spec.url(f"along-{name}"))
    if not is_trained(spec, name):
        return
    what = config_of(editor_of(name)).ARTIFACT
    assert what is not None, "an editor that is trained names its training"
    training = TRAININGS[what]
    machine = {**spec.machine, "classifiers": spec.classifiers, "judge": spec.judge}
    taken = {field: value for field, value in machine.items()
             if field in training.model_fields and field not in (*training.NOT_TAKEN, "batch_size")}  # fmt: skip
    asked = training.model_validate(
        {"latents": (faces.latents,), "labels": (faces.labels,), "attributes": spec.attributes,
         "out": spec.url(f"trained-{editor_of(name)}"), **taken, **spec.train_flags(name)}
    )  # fmt: skip
    step(asked, "--training-of, --attributes or the flags of the run")


def others_apart(spec: CompareSpec) -> tuple[dict[str, float], dict[str, list[int]]]:
    """By metric of identity how far different faces are apart on average, and the faces that it does not find."""
    names = [name for name in spec.metrics if name in ALIKE]
    found = embeddings(spec, spec.url("others", "latents"), spec.url("others-judged", "labels"), names)
    return {name: mean_apart(name, one_NE) for name, one_NE in found.items()}, not_found(found)


def compare(
    spec: CompareSpec, one: Entrant, faces: ToggledFaces, chosen: Mapping[str, Mapping[bool, Sequence[int]]],
    apart: Mapping[str, float], unseen: Mapping[str, Sequence[int]],
) -> Result:  # fmt: skip
    """Edit, measure and read the edits of all attributes."""
    folders = {attribute: one.folders(attribute) for attribute in spec.attributes}
    for attribute in spec.attributes:
        for edit in one.edits(faces, attribute, dict(chosen[attribute])):
            step(edit, ADVICE)
    urls = [url for parts in folders.values() for both in parts for url, _ in both]
    measure = measure_spec(spec, urls, spec.metrics, f"measured-{one.folder}")
    step(measure, ADVICE)
    values = measured(measure)
    toggles = {
        attribute: seen_or_apart(
            stacked([read_toggles(attribute, both, values, unseen, spec.metrics) for both in parts]), apart, unseen
        )
        for attribute, parts in folders.items()
    }
    return Result(
        one.name, one.about.networks, dict(one.about.claims), toggles, folders,
        1 + one.about.strengths.index(one.about.usual), _cost(spec, one, urls),
    )  # fmt: skip


def seen_or_apart(found: Toggles, apart: Mapping[str, float], unseen: Mapping[str, Sequence[int]]) -> Toggles:
    """An edit in which no face is found any more, though its source has one, is as far as different faces are apart."""
    for name, distance in apart.items():
        number_NP = found.numbers[name]
        lost = np.isnan(number_NP) & ~np.isin(found.faces, list(unseen[name]))[:, None]
        number_NP[lost] = distance
    return found


def _cost(spec: CompareSpec, one: Entrant, urls: Sequence[str]) -> Cost:
    """What its edits took, by their records: edits of a face in one attribute, at all strengths."""
    outcomes = [outcome for url in urls for outcome in JobRecords(url, "edit").outcomes().values()]
    edits = len(spec.attributes) * 2 * (one.rows // 2)
    passes = edited(spec, one, generators.load(spec.generator, backend="eager"))
    shown, _, _ = one.passes(generators.load(spec.generator, backend="eager"))
    return Cost(
        seconds=math.fsum(outcome.counters.get("seconds", 0.0) for outcome in outcomes) / edits,
        forward=passes.forward // edits - shown,  # without those that measure it
        backward=passes.backward // edits,
        bytes=max((outcome.counters.get("peak_rss_bytes", 0.0) for outcome in outcomes), default=math.nan),
        training=_trained(spec, one),
    )


def _trained(spec: CompareSpec, one: Entrant) -> str:
    """What it was trained on beforehand, in words."""
    what = config_of(one.editor).ARTIFACT
    if what is None:
        return "none" if one.name == RANDOM or not one.directions else "directions"
    kept = kept_artifacts.find(what, generators.load(spec.generator, backend="eager"))
    url = one.artifact or kept
    assert url is not None, "it was trained where it is not kept"
    folder = store.parent(url)
    seconds = math.fsum(
        outcome.counters.get("seconds", 0.0)
        for verb in (() if one.artifact is None else verbs(folder))
        for outcome in JobRecords(folder, verb).outcomes().values()
    )
    where = "kept" if one.artifact is None else "given" if spec.artifact_of(one.name) else "trained here"
    return f"{where}, {seconds / 60:.1f} minutes" if seconds else where


def facts(
    spec: CompareSpec, faces: LabelledFaces, compared: Sequence[Entrant], apart: Mapping[str, float]
) -> dict[str, str]:
    """Where the numbers come from: faces, digests, networks and their licences."""
    found = {
        "Faces": f"{faces.said}; {spec.there:,} others, of which each editor edits, in each attribute, the first that "
        "have it and the first that lack it, as many of each, by the judge",
        "Faces of an attribute": ", ".join(f"{one.name} {2 * (one.rows // 2)}" for one in compared),
        "Strengths": "; ".join(f"{one.name} --{one.about.flag.replace('_', '-')} "
                               f"{', '.join(f'{value:g}' for value in one.about.strengths)}" for one in compared),
        **{f"Steps of {one.name}, {attribute}": str(size)
           for one in compared for attribute, size in one.lengths.items()},
        "Generator": f"{spec.generator} {faces.generator.fingerprint}",
        "Labelled faces": f"latents {Table.open(faces.latents).digest}, labels {Table.open(faces.labels).digest}",
        **{f"Directions of {one.name}": ", ".join(Table.open(url).digest for url in one.directions)
           for one in compared if one.directions},
        **{f"Artifact of {one.name}": _artifact_said(spec, one) for one in compared if config_of(one.editor).ARTIFACT},
    }  # fmt: skip
    if apart:
        found["No face found"] = (
            "an edit in which a network of identity finds no face counts as far from its source "
            "as different faces are on average: " + ", ".join(f"{name} {one:.3f}" for name, one in apart.items())
        )
    terms = [zoo.CATALOGUE[name].terms for name in _networks(spec) if name in zoo.CATALOGUE]
    return found | {f"Weights: {one['name']}": f"{one['licence']}; {one['source']}; {one['citation']}" for one in terms}


def _artifact_said(spec: CompareSpec, one: Entrant) -> str:
    what = config_of(one.editor).ARTIFACT or ""
    url = one.artifact or kept_artifacts.find(what, generators.load(spec.generator, backend="eager")) or ""
    trained = read_artifact(url, what)
    return f"{trained.digest}, of `{trained.card.command.replace(spec.url(''), '')}`"


def _networks(spec: CompareSpec) -> list[str]:
    """Names of all that look at faces, the generator first."""
    from pipeline.models import classifiers

    opened: list[Any] = [classifiers.load(family, attributes_of(family)) for family in (spec.classifiers, spec.judge)]
    names = [spec.generator, *(name for family in opened for name in family.weights)]
    names += [name for metric in spec.metrics for name in BY_NAME[metric].open("cpu", spec.judge).networks]
    return list(dict.fromkeys(names))
