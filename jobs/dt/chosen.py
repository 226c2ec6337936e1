"""Chooses the rows to edit, those in the source class by the judge, and measures how well the families agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.constants import Constants
from jobs.dt.spec import DtSpec
from jobs.edit.choose import known
from jobs.flags import say
from jobs.options import canonical
from pipeline.errors import SpecError
from pipeline.metrics import Pair, in_source_class, kappa
from pipeline.models import classifiers
from pipeline.stages.joined import join, scores_of
from pipeline.stages.source import Latents
from pipeline.tables import Table


@dataclass(frozen=True)
class Labels:
    """Tables of labels: the judge's, and of the family that edits where there are any; of different rows each."""

    judge: tuple[Table, ...]
    own: tuple[Table, ...]


def read_labels(spec: DtSpec, constants: Constants) -> Labels:
    """Tell the tables of --labels apart by who made them.

    Raises:
        SpecError: labels are of another generator's faces, by neither family, twice by the same of one latents table,
            or none by the judge.
        StoreError: they are not there, or not complete.
    """
    found: dict[str, list[Table]] = {}
    for url in spec.labels:
        table = Table.open(url)
        family = _family(spec, table, constants)
        if family in found and len(spec.latents) == 1:
            raise SpecError(f"--labels: {found[family][0].url} and {url} are both by {family}: give one of them")
        found.setdefault(family, []).append(table)
    if spec.judge not in found:
        raise SpecError(
            f"{found[spec.classifiers][0].url} was labelled by {spec.classifiers}, and {spec.judge} is to "
            f"measure: its labels choose the rows. Label the latents with --classifiers {spec.judge}"
        )
    return Labels(tuple(found[spec.judge]), tuple(found.get(spec.classifiers, ())))


def choose_rows(spec: DtSpec, latents: Latents, labels: Labels, pairs: Sequence[Pair]) -> tuple[tuple[int, ...], ...]:
    """For each pair the first `rows` indices, after `first` others, that start in the source class of its primal.

    Raises:
        SpecError: the labels are not of these latents, or such rows are too few.
    """
    scored = {primal: known(primal, spec.judge) for primal, _ in pairs}
    joined = join(latents, labels.judge, canonical(sorted({ours for ours, _ in scored.values()})))
    for note in joined.notes:
        say(f"Note  {note}")
    chosen = []
    for primal, _ in pairs:
        ours, sign = scored[primal]
        score_N = sign * joined.scores[:, joined.attributes.index(ours)].astype(float)
        found = joined.index[in_source_class(score_N, int(spec.target))]
        if len(found) < spec.first + spec.rows:
            side = "without" if spec.target == "1" else "with"
            raise SpecError(
                f"{labels.judge[0].url} has {len(found):,} rows that start {side} {primal}, and "
                f"{spec.first + spec.rows:,} are needed (--first and --rows): label more latents, or ask for fewer"
            )
        chosen.append(tuple(found[spec.first : spec.first + spec.rows].tolist()))
    return tuple(chosen)


def kappas(spec: DtSpec, latents: Latents, labels: Labels, pairs: Sequence[Pair]) -> tuple[float | None, ...] | None:
    """Cohen's kappa of the two families over all labelled faces, of each pair: on the primal or the condition,
    whichever is less; None where it is not defined. None altogether without labels of the family that edits.

    Raises:
        SpecError: the labels are not of these latents, or lack an attribute.
    """
    if not labels.own:
        return None
    ours = {name: known(name, spec.classifiers, spec.judge)[0] for pair in pairs for name in pair}
    attributes = canonical(sorted(set(ours.values())))
    first, second = (join(latents, tables, attributes) for tables in (labels.judge, labels.own))
    _, places, others = np.intersect1d(first.index, second.index, assume_unique=True, return_indices=True)
    of_attribute = {
        name: kappa(first.scores[places, place] > 0, second.scores[others, place] > 0)
        for place, name in enumerate(attributes)
    }
    found = [[of_attribute[ours[name]] for name in pair] for pair in pairs]
    return tuple(None if any(map(math.isnan, both)) else min(both) for both in found)


def _family(spec: DtSpec, labels: Table, constants: Constants) -> str:
    """Of the judge and the family that edits, the one whose labels these are. Raises SpecError and StoreError."""
    generator, facts = constants.generator, labels.require_sealed()["facts"]
    asked, resolved = facts.get("spec", {}), facts.get("resolved", {})
    if labels.schema.name != "labels":
        raise SpecError(f"{labels.url} is a table of {labels.schema.name}, not of labels")
    if resolved.get("generator_digest") != generator.fingerprint:
        raise SpecError(
            f"{labels.url} has the labels of faces of {asked.get('generator', 'an unknown generator')}, and not of "
            f"this {generator.name} ({generator.fingerprint[:12]}): label the latents again"
        )
    names = scores_of(labels)
    for family in (spec.judge, spec.classifiers):
        if not set(names) <= set(classifiers.attributes_of(family)):
            continue
        if resolved.get("classifiers_digest") == constants.load(family, names).fingerprint:
            return family
    whose = asked.get("classifiers", "classifiers that it does not name")
    whose = f"another {whose} than the one installed here" if whose in (spec.judge, spec.classifiers) else whose
    raise SpecError(
        f"{labels.url} was labelled by {whose}, and {spec.judge} is to measure: its labels choose the "
        f"rows. Label the latents with --classifiers {spec.judge}"
    )
