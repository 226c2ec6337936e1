"""The job that finds directions without labels and names them by what they are seen to move."""

from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.directions.spec import VERB, FitSpec, layer_numbers
from jobs.latents.opening import open_with_generator
from jobs.options import canonical
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.directions.direction import Direction
from pipeline.directions.ganspace import Moments, components
from pipeline.directions.sefa import affine_weights, sefa
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models.classifiers import measures_of
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.generators import Generator
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.components import ComponentsStage, moments_of
from pipeline.stages.models import Model

COMPONENTS, MEASURE_ROWS, STRENGTH, FAMILY = 10, 8, 2.0, "faces"


def plan_components(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers. Raises SpecError and StoreError as `plan_fit`."""
    latents, generator = open_with_generator(spec.latents, spec.generator)
    latents = choose(spec, latents, ())
    strength = spec.strength or STRENGTH
    attributes = canonical(spec.attributes or DEFAULT_ATTRIBUTES)
    constants = Constants(generator, spec.calibration)
    family = spec.classifiers or FAMILY
    classifiers = classifier_ref(family, attributes, measures=measures_of(family), constants=constants)
    moments = moments_of(latents)
    found = _found(spec, moments, generator)
    first = latents.head(needed_columns(latents.schema, "w"), spec.measure_rows or MEASURE_ROWS)
    faces = codes_of(first, "w", None).values.numpy()
    runtime, _, workers = resolve(spec, VERB, generator, len(found), len(found), units=2 * len(found) * len(faces))
    stage = ComponentsStage(
        components=found,
        deviations=moments.deviations(found),
        faces=faces,
        strength=strength,
        generator=Model(generator.name, generator.fingerprint),
        classifiers=classifiers,
        runtime=runtime,
    )
    facts = spec_facts(
        spec, runtime, attributes=list(classifiers.attributes), generator=generator.name,
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
