"""How long steps are, where an editor takes a number of equal ones: by the rule of `reproduce ials`, on faces that are
used for nothing else, as the editing family sees them.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from ruamel.yaml import YAML

from jobs.compare.entrants import Entrant
from jobs.compare.spec import POOL, CompareSpec
from jobs.flags import say
from jobs.label import LabelSpec
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import sample
from jobs.reproduce.step_size import BOUND, LOOKS, TOLERANCE, StepSize, of_trial
from jobs.reproduce.study import edit_spec, step
from pipeline.editors import BASELINE
from pipeline.errors import SpecError
from pipeline.tables import Table, store


def with_lengths(spec: CompareSpec, one: Entrant) -> Entrant:
    """The same with the lengths of its steps: in so many steps as it takes at most, moves along the attribute's
    direction bring nine of ten faces to the other side.

    Raises SpecError where too few of the faces have an attribute or lack it, or as `of_trial`.
    """
    if not one.to_choose:
        return one
    latents = sample(spec, "tuning", spec.labelled, spec.seed + 2)
    label = LabelSpec(
        latents=(latents,), index=(f"0:{_looked_at(spec)}",), attributes=spec.attributes,
        classifiers=(spec.classifiers,), out=spec.url("tuning-labelled"), **spec.scoring,
    )  # fmt: skip
    step(label, "--tuning, --attributes or the flags of the run")
    labels = Table.open(store.join(label.out, "labels")).read().to_pandas().set_index("index")
    return replace(one, lengths={name: _length(spec, one, name, latents, labels[name]) for name in one.to_choose})


def write_chosen(spec: CompareSpec, compared: Sequence[Entrant]) -> None:
    """OUT/chosen.yaml: the flags of this comparison that are not the default, and the lengths that were chosen, to be
    given to another one as --spec.
    """
    lengths = [f"{one.name}:{one.about.length}@{attribute}={size.length}"
               for one in compared for attribute, size in one.lengths.items()]  # fmt: skip
    asked = spec.model_copy(update={"flags_of": (*spec.flags_of, *lengths)})
    own: Mapping[str, object] = asked.model_dump(mode="json", exclude_defaults=True, exclude={"out"})
    text = io.StringIO()
    YAML().dump({name.rstrip("_").replace("_", "-"): value for name, value in own.items()}, text)
    store.write_atomic(spec.url("chosen.yaml"), text.getvalue().encode())


def cost(spec: CompareSpec, compared: Sequence[Entrant]) -> Passes:
    """At most."""
    trials = sum(len(one.to_choose) for one in compared)
    return Passes((_looked_at(spec) if trials else 0) + trials * 2 * (spec.tuning // 2) * LOOKS)


def _looked_at(spec: CompareSpec) -> int:
    """Faces from which those are taken on which lengths are chosen."""
    return min(POOL * spec.tuning, spec.labelled)


def _length(spec: CompareSpec, one: Entrant, attribute: str, latents: str, scores: "pd.Series[float]") -> StepSize:
    """Of one attribute. scores: of the faces, by index."""
    sides, each = [scores.index[scores > 0], scores.index[scores <= 0]], spec.tuning // 2
    given = f"--flags-of {one.name}:{one.about.length}@{attribute}=0.4"
    if (fewest := min(map(len, sides))) < each:
        fewer = f"--tuning {2 * fewest}, or " if fewest else ""
        raise SpecError(
            f"of {len(scores):,} faces to choose the steps of {one.name} on {len(sides[0]):,} have {attribute} and "
            f"{len(sides[1]):,} lack it, and {each} of each are tried: pass {fewer}{given}"
        )
    rows = sorted(row for side in sides for row in side[:each].tolist())
    url = spec.url(f"steps-{one.folder}-{attribute}")
    search = edit_spec(
        BASELINE, latents=(latents,), index=tuple(map(str, rows)), directions=one.directions[:1],
        attribute=(attribute,), preserve=one.preserved(attribute), until=0.0, target="flip", bound=BOUND,
        tolerance=TOLERANCE, classifiers=spec.classifiers, out=url, **spec.scoring,
    )  # fmt: skip
    step(search, "--tuning or the flags of the run")
    found = of_trial(url, len(rows), int(one.about.strengths[-1]), f"pass {given}")
    say(f"      {one.name}, {attribute}: {found}")
    return found
