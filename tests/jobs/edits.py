"""Sampled latents, directions planted in them, and edits of them, on the tiny networks."""

import numpy as np

from jobs.__main__ import main
from jobs.small import write_small
from pipeline.directions import Direction, normalised
from pipeline.models import generators
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table
from schemas import directions as directions_schema

HOW = ["--batch-size", "4", "--threads", "1", "--backend", "eager", "--local"]
TINY = ["--classifiers", "tiny", "--judge", "tiny-judge", *HOW]
WIDTHS = {"z": 512, "w": 512, "s": 320}


def sample(out, rows=22, per_shard=8, *words):
    asked = ["--generator", "stylegan2-tiny", "--rows", str(rows), "--rows-per-shard", str(per_shard), *words]
    assert main(["sample", *asked, *HOW, "--out", str(out)]) == 0
    return f"{out}/latents"


def planted(out, spaces=("w", "z", "s"), generator=None, names=("old", "eyeglasses", "young")) -> list[Direction]:
    """A table of random directions, each of every space; `generator`: whose they are, the tiny one's by default."""
    noise = np.random.default_rng(5)
    whose = generator or generators.load("stylegan2-tiny", backend="eager").fingerprint
    found = [
        normalised(name, "svm", space, noise.standard_normal(WIDTHS[space]), intercept=0.7, generator=whose)
        for space in spaces
        for name in names
    ]
    write_small(str(out), directions_schema(), to_rows(found), {"verb": "planted"})
    return found


def edit(latents, directions, out, *words) -> int:
    words = [*TINY, *words]
    return main(["edit", "--latents", str(latents), "--directions", str(directions), "--out", str(out), *words])


def edits(out) -> list[dict]:
    return Table.open(f"{out}/edits").read().to_pylist()
