"""How alike different faces are: the embeddings of a study's other faces, and the thresholds that follow from them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from jobs.flags import say
from jobs.reproduce.equal_success import runtime_of_one
from jobs.reproduce.study import StudySpec, cached
from pipeline.errors import SpecError
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.false_acceptance import ALIKE, RATE, Threshold, threshold
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models import generators
from pipeline.stages.codes import read_codes
from pipeline.stages.models import Model, open_generator, open_scorer
from pipeline.tables import Table

VERSION = 2
"""Raised by hand when the embedding of a face changes."""
AT_ONCE = 25
"""Faces whose embeddings are kept in one file."""


def thresholds(
    spec: StudySpec, latents: str, labels: str, names: Sequence[str], rate: float = RATE
) -> dict[str, Threshold]:
    """Of these metrics, from all pairs of the faces of a latents table: above which two are taken for one person.

    labels: a table of labels of these faces, which says with which generator and on which device they were made.

    Raises:
        SpecError: they are too few faces for such a rate, or no such metric is among the study's.
        StoreError: a table is not there, or not complete.
    """
    return thresholds_of(embeddings(spec, latents, labels, names), latents, rate)


def thresholds_of(found: Mapping[str, NDArray[np.float64]], latents: str, rate: float = RATE) -> dict[str, Threshold]:
    """The same of embeddings that are there, by metric. latents: of which table, for the message.

    Raises SpecError: they are too few faces for such a rate.
    """
    told = {}
    for name, embeddings_NE in found.items():
        try:
            told[name] = threshold(name, embeddings_NE, rate)
        except SpecError as error:
            there = int((~np.isnan(embeddings_NE).any(axis=1)).sum())
            raise SpecError(f"{latents}: of {len(embeddings_NE):,} faces {name} sees {there:,}; {error}") from error
    return told


def not_found(found: Mapping[str, NDArray[np.float64]]) -> dict[str, list[int]]:
    """By metric, the rows of the faces that it does not find."""
    return {name: np.flatnonzero(np.isnan(one_NE).any(axis=1)).tolist() for name, one_NE in found.items()}


def embeddings(spec: StudySpec, latents: str, labels: str, names: Sequence[str]) -> Mapping[str, NDArray[np.float64]]:
    """(N, E) by metric, of all faces of the table; NaN of a face that a metric does not find. They are kept in
    OUT/different-faces, of a metric some faces a file, so that a later run goes on from there, and may ask for another
    metric. Errors as `thresholds`.
    """
    if unknown := [name for name in names if name not in ALIKE]:
        raise SpecError(f"{unknown[0]} does not say whose face it is: choose from {', '.join(ALIKE)}")
    table, made = Table.open(latents), Table.open(labels).require_sealed()["facts"]
    runtime, name = runtime_of_one(made["spec"]), made["spec"]["generator"]
    digest = made["resolved"]["generator_digest"]
    index_N, codes = read_codes(table, "w", generators.load(name, backend="eager"))
    comparisons = {name: BY_NAME[name].open(runtime.device, spec.judge) for name in names}
    looks = None
    parts: dict[str, list[Mapping[str, Sequence[float]]]] = {name: [] for name in names}
    for first in range(0, len(index_N), AT_ONCE):
        chosen = torch.arange(first, min(first + AT_ONCE, len(index_N)))

        @cache
        def seen(chosen: torch.Tensor = chosen) -> dict[str, dict[str, list[float]]]:
            """By all metrics, since making the pictures is what takes long."""
            nonlocal looks
            if looks is None:
                say(f"      {latents}: whose {len(index_N):,} faces these are")
                looks = open_scorer(open_generator(Model(name, digest), runtime), runtime, [])
            kept: dict[str, dict[str, list[float]]] = {one: {"width": [], "numbers": []} for one in names}
            for row in chosen.tolist():
                faces = Faces({}, looks.look_with_pictures(codes.select(torch.tensor([row])))[1])
                for metric, one in comparisons.items():
                    embedding_E = np.asarray(one.see(faces), np.float64)[0]
                    there = not np.isnan(embedding_E).any()
                    kept[metric]["width"].append(len(embedding_E) if there else 0)
                    kept[metric]["numbers"].extend(embedding_E.tolist() if there else [])
            return kept

        for metric, one in comparisons.items():
            of = {
                "version": VERSION, "latents": table.digest, "generator": digest,
                "rows": index_N[chosen.numpy()].tolist(), "device": runtime.device, "network": one.fingerprint,
            }  # fmt: skip
            url = spec.url("different-faces", f"{metric}-{first:06}.json")
            parts[metric].append(cached(url, of, partial(_of_one, seen, metric)))
    return {metric: _joined(its) for metric, its in parts.items()}


def _of_one(seen: Callable[[], Mapping[str, dict[str, list[float]]]], metric: str) -> dict[str, list[float]]:
    return seen()[metric]


def _joined(parts: Sequence[Mapping[str, Sequence[float]]]) -> NDArray[np.float64]:
    """(N, E), NaN in the rows of faces that have no numbers."""
    width_N = np.concatenate([np.asarray(part["width"], np.int64) for part in parts])
    numbers = np.concatenate([np.asarray(part["numbers"], np.float64) for part in parts])
    found = np.full((len(width_N), max(width_N.max(initial=0), 1)), np.nan)
    found[width_N > 0] = numbers.reshape(-1, found.shape[1])
    return found
