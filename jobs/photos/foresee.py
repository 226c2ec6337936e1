"""What `--dry-run` tells of an alignment: how many faces are to be expected, and how long it takes."""

import time
from collections.abc import Iterator

import numpy as np

from pipeline.engine.stage import Task
from pipeline.stages.align import AlignStage

LOOKED_AT = 8
"""Photos that are aligned for that, spread over all; nothing of them is kept."""


def foresee(stage: AlignStage) -> Iterator[str]:
    """Lines for a person, from a few photos."""
    photos, size = len(stage.listing), stage.listing.size
    known = "" if size is None else f", {size / 1e9:,.2f} GB"
    yield f"      {photos:,} photos{known}"
    worker = stage.open()
    chosen = np.unique(np.linspace(0, photos - 1, min(LOOKED_AT, photos)).round().astype(int)).tolist()
    begun, faces, rejected = time.perf_counter(), 0.0, 0
    for index in chosen:
        for batch in worker.run(Task(0, 1, index, index + 1)):
            faces += batch.counters.get("faces", 0.0)
            rejected += len(batch.rejects)
    seconds = (time.perf_counter() - begun) / len(chosen)
    yield (
        f"      of {len(chosen):,} looked at, {rejected:,} would be rejected; {faces:,.0f} faces: about "
        f"{faces / len(chosen) * photos:,.0f} in all"
    )
    yield f"      {seconds:.2f} s a photo: about {seconds * photos / 3600:,.2f} hours of one worker"
