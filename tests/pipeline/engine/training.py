"""A stage that makes an artifact: a training of known steps without a network."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from pipeline.card import Card, TrainedCodes
from pipeline.engine.job import Job
from pipeline.engine.stage import Progress, Task
from pipeline.tables import Artifact, ArtifactFiles, Layout

VERB, STEPS, KEPT_EVERY = "train", 12, 4


def train(out: str, marks: str, seed: int = 1, steps: int = STEPS) -> Job:
    """The job of the stage below; `marks` decides nothing."""
    spec, resolved = {"steps": steps, "seed": seed}, {"latents_digest": "0" * 64}
    return Job(VERB, out, TrainingStage(marks, seed), Layout(steps, steps), spec, resolved, command="stylemill train")


@dataclass(frozen=True)
class TrainingStage:
    """Weights that take a random step at a time; each step leaves a file in `marks`, as `step-7-NANOSECONDS`.

    Files there are orders: with `die-7` the worker dies before step 7, once; with `raise-7` it raises an error there.
    """

    marks: str
    seed: int = 1
    name: str = field(default="training", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, type[Artifact]]:
        return {"artifact": Artifact}

    def open(self) -> TrainingWorker:
        return TrainingWorker(self)


class TrainingWorker:
    def __init__(self, stage: TrainingStage) -> None:
        self.stage = stage

    def run(self, task: Task) -> Iterator[Progress]:
        weights, first = np.zeros(8, np.float32), 0
        assert task.checkpoints is not None
        if (last := task.checkpoints.last()) is not None:
            first, weights = last[0], load(last[1])["weights"]
        for step in range(first, task.stop):
            self._obey(step)
            weights = weights * np.float32(0.9) + np.random.default_rng([self.stage.seed, step]).random(8, np.float32)
            if (step + 1) % KEPT_EVERY == 0:
                task.checkpoints.save(step + 1, save({"weights": weights}))
            yield Progress(step + 1, counters={"steps": 1.0})
        files = {"model.safetensors": save({"weights": weights}), "curve.json": b"[1, 2]"}
        yield Progress(task.stop, ArtifactFiles(files, card(task.stop)))

    def _obey(self, step: int) -> None:
        marks = Path(self.stage.marks)
        (marks / f"step-{step}-{time.monotonic_ns()}").touch()
        if (marks / f"raise-{step}").exists():
            raise ZeroDivisionError("no step today")
        if (marks / f"die-{step}").exists():
            (marks / f"die-{step}").unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def card(steps: int) -> Card:
    return Card(
        what="toy",
        inputs={"latents": "0" * 64},
        generator="made",
        generator_fingerprint="1" * 64,
        codes=TrainedCodes(space="w", norm_mean=1.0, norm_min=0.5, norm_max=2.0),
        attributes=("smile",),
        metrics={"steps": float(steps)},
        licences={"made": "MIT"},
        citation="A toy, 2024.",
        command="stylemill train",
    )


def steps_of(marks: Path) -> list[int]:
    """Every step that was computed, in order of time."""
    found = sorted(marks.glob("step-*"), key=lambda mark: int(mark.name.split("-")[2]))
    return [int(mark.name.split("-")[1]) for mark in found]
