"""Edits one after the other, by a Latent Transformer and by InterFaceGAN: each starts where the one before ended."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

import schemas
from jobs.reproduce.study import make_anew, step
from jobs.reproduce.toggled_edits import ToggledFaces
from jobs.small_outputs import write_small_table
from pipeline.directions import Direction
from pipeline.errors import OutputDiffers
from pipeline.report.latent_transformer.paper import OURS, THEIRS
from pipeline.report.sequences import Kept
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table, store

Stages = Sequence[tuple[str, bool]]
"""The attribute of each edit, and whether faces are to have it."""


def in_turn(stages: Stages) -> str:
    """As `--sequence` takes it."""
    return ",".join(f"{attribute}:{int(to)}" for attribute, to in stages)


def transform(faces: ToggledFaces, artifact: str, stages: Stages, alphas: Sequence[float], out: str) -> list[Kept]:
    """By the Latent Transformer: a folder for each alpha, whose steps are the edits."""
    found = []
    for alpha in alphas:
        url = f"{out}-{alpha:g}"
        asked = faces.spec_of("latent-transformer", (), url, artifact=artifact, sequence=in_turn(stages), alpha=alpha)
        step(asked, "--sequence, --judge or the flags of the run")
        found += [Kept(OURS, alpha, number, url, number) for number in range(1, len(stages) + 1)]
    return found


def move(
    faces: ToggledFaces, directions: Mapping[str, Direction], stages: Stages, distances: Sequence[float], out: str
) -> list[Kept]:
    """By InterFaceGAN: a folder for each number of edits, whose steps are the distances.

    Moves of one distance along unit normals, one after the other, come to one move along their sum, which is written as
    a direction of its own: so each step stands beside the faces' sources, as in the other method's folders.

    Raises:
        OutputDiffers: the folders hold edits along other sums.
    """
    sums = list(itertools.accumulate(
        (1 if to else -1) * directions[attribute].vector.astype(np.float64) for attribute, to in stages
    ))  # fmt: skip
    names = [" then ".join(attribute for attribute, _ in stages[:number]) for number in range(1, len(stages) + 1)]
    summed = [
        replace(directions[stages[0][0]], attribute=name, method="imported", vector=vector / np.linalg.norm(vector),
                intercept=0.0, C=None, fraction=None, accuracies={}, rows=None)
        for name, vector in zip(names, sums, strict=True)
    ]  # fmt: skip
    table = store.join(f"{out}-directions", "directions")
    facts = {
        "verb": "reproduce",
        "spec": {"sequence": in_turn(stages)},
        "resolved": {"vectors": [one.vector.tolist() for one in summed]},
    }
    folders = [f"{out}-{number}" for number in range(1, len(stages) + 1)]
    if Table(table).manifest() is None:
        write_small_table(table, schemas.directions(), to_rows(summed), facts)
    elif Table(table).require_sealed()["facts"] != facts:
        there = [url for url in (f"{out}-directions", *folders) if store.exists(url)]
        what = f"{table} is of another --sequence, or of directions that were fitted anew"
        raise OutputDiffers(f"{what}: {make_anew(there)}")
    found = []
    for number, (url, name, vector) in enumerate(zip(folders, names, sums, strict=True), 1):
        length = float(np.linalg.norm(vector))
        asked = faces.spec_of(
            "interfacegan", (name,), url, directions=(table,), strengths=tuple(round(d * length, 4) for d in distances)
        )
        step(asked, "--sequence, --judge or the flags of the run")
        found += [Kept(THEIRS, distance, number, url, place) for place, distance in enumerate(distances, 1)]
    return found
