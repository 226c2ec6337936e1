"""Directions that no label was used to fit: of the components of ganspace or sefa the one that moves an attribute most,
and random ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import schemas
from jobs.compare.spec import CompareSpec
from jobs.directions.spec import FitSpec
from jobs.reproduce.faces import sample
from jobs.reproduce.study import step
from jobs.small_outputs import write_small_table
from pipeline.directions import Direction, normalised
from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.stages.direction_rows import read_directions, to_rows
from pipeline.tables import Table, store


def along_components(spec: CompareSpec, method: str, out: str) -> str:
    """For each attribute the component, and the way along it, by which the scores of the editing family change most on
    the tuning faces; they are sampled for that alone. The table's URL, in OUT.
    """
    latents = sample(spec, "tuning", spec.labelled, spec.seed + 2)
    found = spec.url(f"components-{method}")
    fit = FitSpec(
        latents=(latents,), method=method, components=spec.components, measure_rows=spec.tuning,
        attributes=spec.attributes, classifiers=spec.classifiers, out=found, **spec.scoring,
    )  # fmt: skip
    step(fit, "--components, --tuning, --attributes or the flags of the run")
    directions, effects = (Table.open(store.join(found, name)) for name in ("directions", "effects"))
    chosen = choose(read_directions(directions), directions.read(["index"])["index"].to_pylist(),
                    effects.read().to_pandas(), spec.attributes)  # fmt: skip
    facts = {"verb": "compare", "spec": {"method": method}, "resolved": {"directions_digest": directions.digest}}
    return _write(store.join(out, "directions"), chosen, facts)


def choose(
    directions: Sequence[Direction], index: Sequence[int], effects: pd.DataFrame, attributes: Sequence[str]
) -> list[Direction]:
    """For each attribute the direction along which its score changes most, turned so that it rises.

    index: which component each direction is. effects: of `directions fit`, the changes along these directions. Raises
    SpecError where an attribute has none.
    """
    by_index = dict(zip(index, directions, strict=True))
    found = []
    for attribute in attributes:
        its = effects[(effects["measured"] == attribute) & effects["index"].isin(list(by_index))]
        if not len(its):
            raise SpecError(f"no component has a measured change of {attribute}: choose more --components")
        change, number = max(zip(its["change"], its["index"], strict=True), key=lambda one: abs(one[0]))
        one, sign = by_index[int(number)], -1.0 if change < 0 else 1.0
        turned = np.float32(sign) * one.vector
        found.append(replace(one, attribute=attribute, vector=turned, intercept=sign * one.intercept))
    return found


def along_random(spec: CompareSpec, generator: Generator, out: str) -> str:
    """For each attribute a random direction of w, the same for equal seeds. The table's URL, in OUT."""
    found = []
    for place, attribute in enumerate(spec.attributes):
        noise = np.random.default_rng([spec.seed, place]).standard_normal(generator.w_dim)
        found.append(normalised(attribute, "random", "w", noise, generator=generator.fingerprint))
    facts = {"verb": "compare", "spec": {"method": "random", "seed": spec.seed, "attributes": list(spec.attributes)},
             "resolved": {"generator_digest": generator.fingerprint}}  # fmt: skip
    return _write(store.join(out, "directions"), found, facts)


def _write(url: str, directions: Sequence[Direction], facts: Mapping[str, Any]) -> str:
    """The table, unless it is there already; its URL."""
    there = Table(url).manifest()
    if there is None or there["facts"] != facts:
        write_small_table(url, schemas.directions(), to_rows(directions), facts)
    return url
