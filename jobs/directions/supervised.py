"""The job that fits a direction of each labelled attribute: its inputs, its rows, and how they are spread."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.choice import choose
from jobs.directions.arrays import read_npy
from jobs.directions.quality import unreliable_fits_file
from jobs.directions.spec import VERB, FitSpec
from jobs.flags import say
from jobs.latents.opening import check_width, open_latents
from jobs.options import canonical
from jobs.plan import plan
from jobs.resolve import FITS, is_elsewhere, resolve, spec_facts
from pipeline.directions.classes import two_values
from pipeline.directions.method import FitConfig
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.engine.machine import free_memory
from pipeline.engine.workers import GB, Load
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.stages.codes import needed_columns
from pipeline.stages.fit import FitStage
from pipeline.stages.fit_rows import FitRows, from_array, from_table
from pipeline.stages.joined import join, open_labels, scores_of
from pipeline.stages.source import Latents
from pipeline.tables.label_files import LabelFile

INPUTS = ("latents", "labels", "codes", "scores")
"""Where they lie decides nothing: their digests do."""
ROW_BYTES = 4
"""Of a number of the rows that all fits share: float32."""
LARGE_FIT = 1e9
"""Bytes of memory; what a fit takes is printed from there on."""


@dataclass(frozen=True, eq=False)
class _Given:
    """Rows (N), scores (N, A) and what they are, however they were given."""

    rows: FitRows
    scores: NDArray[np.floating]
    attributes: tuple[str, ...]
    classifiers: tuple[str | None, ...]
    generator: str | None
    named: str | None
    digests: dict[str, Any]
    layers: tuple[tuple[str, int], ...] = ()
    choice: dict[str, Any] = field(default_factory=dict)


def plan_labelled(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers. Raises SpecError and StoreError as `plan_fit`."""
    given = _from_tables(spec) if spec.latents else _from_arrays(spec)
    stage = FitStage(
        rows=given.rows,
        scores=given.scores,
        attributes=given.attributes,
        classifiers=given.classifiers,
        config=spec.config,
        seed=spec.seed,
        generator=given.generator,
        thresholds=_yes_or_no(spec, given),
        layers=given.layers,
    )
    stage.check()
    fits = len(given.attributes)
    on_cpu = spec.model_copy(update={"device": "cpu", "backend": "eager", "batch_size": 1, "rows_per_shard": 1})
    runtime, _, workers = resolve(on_cpu, VERB, None, fits, fits, fit_load(given.rows, stage.config))
    stage = replace(stage, threads=runtime.threads)
    facts = {
        **spec_facts(spec, runtime, FITS, VERB),
        **given.choice,
        **stage.config.facts,
        "attributes": list(given.attributes),
        "generator": given.named,
        **({"yes_or_no": stage.thresholds} if stage.thresholds else {}),
    }
    job = plan(
        spec, stage, cut(fits, 1, 1), facts, verb=VERB, networks=[given.named or ""], versions=["scikit-learn"],
        digests={**given.digests, "generator_digest": given.generator, "classifiers_digests": list(given.classifiers)},
        digested=INPUTS,
    )  # fmt: skip
    return replace(job, derived=[unreliable_fits_file(job, stage)]), workers


def fit_load(rows: FitRows, config: FitConfig) -> Load:
    """What a fit takes of a worker, beside the rows that workers share: a float64 copy of them, or what the method
    needs, whichever is more."""
    own = max(8 * rows.values.size, config.bytes_needed(len(rows), math.prod(rows.values.shape[1:])))
    return replace(FITS, open_bytes=FITS.open_bytes + own)


def _yes_or_no(spec: FitSpec, given: _Given) -> dict[str, float]:
    """The threshold of each attribute whose scores are two values, unless another is given. Raises SpecError where a
    flag is about ranks and no attribute has other scores.
    """
    config = spec.config
    if config.threshold is not None or spec.as_released:
        return {}
    columns = dict(zip(given.attributes, given.scores.T, strict=True))
    found = {name: middle for name, scores_N in columns.items() if (middle := two_values(scores_N)) is not None}
    if config.of_ranks and len(found) == len(columns):
        raise SpecError(
            f"{config.of_ranks}: {', '.join(found)} is yes or no, which has no highest and lowest scores: leave it "
            "out, and all rows are used"
        )
    all_used = f"all are used, whatever {config.of_ranks}" if config.of_ranks else "all are used"
    for name, middle in found.items():
        yes = int((columns[name] > middle).sum())
        say(f"Note  {name} is yes or no: {yes:,} of {len(given.scores):,} rows are yes, and {all_used}")
    return found


def _from_tables(spec: FitSpec) -> _Given:
    latents, sampled = open_latents(spec.latents, spec.generator, needs_generator=spec.space != "w")
    latents = choose(spec, latents, spec.labels)
    labels = [open_labels(url) for url in spec.labels]
    for own in labels:
        if isinstance(own, LabelFile) and own.text and not spec.attributes:
            say(f"Note  {own.url}: {', '.join(own.text)} holds text, and is left out")
    names = spec.attributes or tuple(dict.fromkeys(name for table in labels for name in scores_of(table)))
    joined = join(latents, labels, canonical(names))
    for note in joined.notes:
        say(f"Note  {note}")
    _check_memory(spec, len(joined.index), _width(spec, latents, sampled.generator))
    return _Given(
        rows=from_table(latents, spec.space, spec.per_layer, sampled.generator, joined.index),
        scores=joined.scores,
        attributes=joined.attributes,
        classifiers=joined.classifiers,
        generator=sampled.fingerprint,
        named=sampled.name,
        digests={"latents_digest": latents.digest, "labels_digests": [table.digest for table in labels]},
        layers=_layers(spec, sampled.generator),
        choice=latents.choice,
    )


def _from_arrays(spec: FitSpec) -> _Given:
    assert spec.codes is not None
    assert spec.scores is not None
    assert spec.attribute is not None
    codes, codes_digest = read_npy(spec.codes)
    scores, scores_digest = read_npy(spec.scores)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim != 1:
        raise SpecError(f"{spec.scores} has the shape {scores.shape}: one score for each row is (N,) or (N, 1)")
    if len(codes.shape) == 0 or len(codes) != len(scores):
        raise SpecError(
            f"{spec.codes} has the shape {codes.shape}, {spec.scores} {len(scores)} rows: give a score for each code"
        )
    generator = generators.load(spec.generator, backend="eager") if spec.generator else None
    shared_w_plus = spec.space == "w+" and not spec.per_layer
    _check_memory(spec, len(codes), math.prod(codes.shape[-1:] if shared_w_plus else codes.shape[1:]))
    try:
        rows = from_array(codes, spec.space, spec.per_layer)
    except SpecError as error:
        raise SpecError(f"{spec.codes}: {error}") from error
    if generator is not None:
        check_width(spec.codes, rows.values.shape[1:], spec.space, generator)
    return _Given(
        rows=rows,
        scores=np.asarray(scores, dtype=np.float64)[:, None],
        attributes=(spec.attribute,),
        classifiers=(None,),
        generator=generator.fingerprint if generator else None,
        named=spec.generator,
        digests={"codes_digest": codes_digest, "scores_digest": scores_digest},
        layers=_layers(spec, generator),
    )


def _layers(spec: FitSpec, generator: Generator | None) -> tuple[tuple[str, int], ...]:
    """Name and width of each style layer; none where codes are in another space."""
    if spec.space != "s" or generator is None:
        return ()
    return tuple((layer.name, layer.width) for layer in generator.style_layers)


def _width(spec: FitSpec, latents: Latents, generator: Generator | None) -> int:
    """How many numbers a row has as the method sees it; of an unknown generator, whose codes are of w, by the table."""
    if generator is None:
        *_, column = needed_columns(latents.schema, "w")
        return int(latents.schema.arrow.field(column).type.list_size)
    shape = generator.shape_of(spec.space)
    return math.prod(shape if spec.space != "w+" or spec.per_layer else shape[1:])


def _check_memory(spec: FitSpec, rows: int, width: int) -> None:
    """Say what a fit of so many rows takes, if it is much. Raises SpecError where this machine has less memory."""
    fitted = spec.config.bytes_needed(rows, width)
    if fitted < LARGE_FIT:
        return
    needed, free = fitted + ROW_BYTES * rows * width, free_memory()
    what = f"{rows:,} rows of {width:,} numbers take about {needed / GB:.1f} GB of memory for each attribute"
    if needed > free and not is_elsewhere(spec):
        fewer = rows * free // (2 * needed)
        how = f"choose fewer rows (--index 0:{fewer})" if spec.latents else f"give fewer rows ({fewer:,})"
        raise SpecError(f"{what}, and {free / GB:.1f} GB are free: {how}, or run it where there is more")
    say(f"Note  {what}; {free / GB:.1f} GB are free here")
