"""The job that finds directions without labels and names them by what they are seen to move."""

import numpy as np
from numpy.typing import NDArray

from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.directions.spec import VERB, FitSpec, layer_numbers
from jobs.latents import open_latents
from jobs.options import DEFAULT_ATTRIBUTES, canonical
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.directions.direction import Direction
from pipeline.directions.ganspace import Moments, components
from pipeline.directions.sefa import sefa
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models.classifiers import MEASURES
from pipeline.models.generators import Generator
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.components import ComponentsStage, affine_weights, moments_of
from pipeline.stages.models import Model
from pipeline.stages.source import Latents

COMPONENTS, MEASURE_ROWS, STRENGTH, FAMILY = 10, 8, 2.0, "faces"


def plan_components(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers. Raises SpecError and StoreError as `plan_fit`."""
    latents, sampled = open_latents(spec.latents, spec.generator, needs_generator=True)
    latents = choose(spec, latents, ())
    assert sampled.generator is not None
    assert sampled.name is not None
    generator, strength = sampled.generator, spec.strength or STRENGTH
    attributes = canonical(spec.attributes or DEFAULT_ATTRIBUTES)
    constants = Constants(generator, spec.calibration)
    classifiers = classifier_ref(spec.classifiers or FAMILY, attributes, measures=MEASURES, constants=constants)
    moments = moments_of(latents)
    found = _found(spec, moments, generator)
    faces = _first_rows(latents, spec.measure_rows or MEASURE_ROWS)
    runtime, _, workers = resolve(spec, VERB, generator, len(found), len(found), units=2 * len(found) * len(faces))
    stage = ComponentsStage(
        components=found,
        deviations=_deviations(found, moments),
        faces=faces,
        strength=strength,
        generator=Model(sampled.name, generator.fingerprint),
        classifiers=classifiers,
        runtime=runtime,
    )
    facts = spec_facts(
        spec, runtime, attributes=list(classifiers.attributes), generator=sampled.name,
        classifiers=classifiers.family.name, components=len(found), measure_rows=len(faces), strength=strength,
    )  # fmt: skip
    job = plan(
        spec, stage, cut(len(found), 1, 1), facts, verb=VERB, latents=latents, generator=generator,
        families={"classifiers": classifiers}, digested=("latents",),
    )  # fmt: skip
    return job, workers


def _found(spec: FitSpec, moments: Moments, generator: Generator) -> tuple[Direction, ...]:
    count = spec.components or COMPONENTS
    if spec.method == "ganspace":
        return components(moments, count, generator=generator.fingerprint).directions
    weights = affine_weights(generator)
    names = list(weights)
    numbers = range(len(names)) if spec.layers is None else layer_numbers(spec.layers)
    if unknown := [number for number in numbers if number >= len(names)]:
        raise SpecError(
            f"--layers {spec.layers}: {generator.name} has the style layers 0 to {len(names) - 1}, no {unknown[0]}"
        )
    return sefa(weights, count, [names[number] for number in numbers], spec.as_released, generator.fingerprint)


def _deviations(found: tuple[Direction, ...], moments: Moments) -> NDArray[np.float64]:
    """(K,) standard deviation of the codes along each direction."""
    vectors_KW = np.stack([direction.vector for direction in found]).astype(np.float64)
    covariance_WW = moments.scatter / max(1, moments.count - 1)
    return np.sqrt(np.maximum(np.einsum("kw,wv,kv->k", vectors_KW, covariance_WW, vectors_KW), 0.0))


def _first_rows(latents: Latents, count: int) -> NDArray[np.float32]:
    """w of the first rows; fewer, where there are fewer."""
    found: list[NDArray[np.float32]] = []
    for rows in latents.pieces(needed_columns(latents.schema, "w")):
        found.append(codes_of(rows, "w", None).values.numpy())
        if sum(map(len, found)) >= count:
            break
    return np.concatenate(found)[:count]
