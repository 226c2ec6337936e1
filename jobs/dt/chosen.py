"""Which rows of the latents are edited: those that the judge puts on the other side than the target."""

from collections.abc import Sequence

from jobs.dt.spec import DtSpec, Pair
from jobs.edit.asked import known
from jobs.flags import say
from jobs.options import canonical
from pipeline.errors import SpecError
from pipeline.metrics import in_source_class
from pipeline.models import classifiers
from pipeline.models.generators import Generator
from pipeline.stages.joined import join, scores_of
from pipeline.tables import Table


def choose_rows(
    spec: DtSpec, latents: Table, labels: Table, generator: Generator, pairs: Sequence[Pair]
) -> tuple[tuple[int, ...], ...]:
    """For each pair the first `rows` indices, after `first` others, that start in the source class of its primal.

    Raises:
        SpecError: the labels are not of these latents, of this generator's faces or by this judge, or such rows are too
            few.
        StoreError: the labels are not there, or not complete.
    """
    scored = {primal: known(primal) for primal, _ in pairs}
    joined = join(latents, [labels], canonical(sorted({ours for ours, _ in scored.values()})))
    _check_labels(spec, labels, generator)
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
                f"{spec.labels} has {len(found):,} rows that start {side} {primal}, and {spec.first + spec.rows:,} are "
                "needed (--first and --rows): label more latents, or ask for fewer"
            )
        chosen.append(tuple(found[spec.first : spec.first + spec.rows].tolist()))
    return tuple(chosen)


def _check_labels(spec: DtSpec, labels: Table, generator: Generator) -> None:
    facts = labels.require_sealed()["facts"]
    asked, resolved = facts.get("spec", {}), facts.get("resolved", {})
    if resolved.get("generator_digest") != generator.fingerprint:
        raise SpecError(
            f"{spec.labels} has the labels of faces of {asked.get('generator', 'an unknown generator')}, and not of "
            f"this {generator.name} ({generator.fingerprint[:12]}): label the latents anew"
        )
    judge = classifiers.load(spec.judge, scores_of(labels)).fingerprint
    if resolved.get("classifiers_digest") != judge:
        whose = asked.get("classifiers", "classifiers that it does not name")
        whose = f"another {whose} than the one installed here" if whose == spec.judge else whose
        raise SpecError(
            f"{spec.labels} was labelled by {whose}, and {spec.judge} is to measure: the rows are to start where it "
            f"sees them start. Label the latents with --classifiers {spec.judge}"
        )
