"""A training whose result is an artifact, on labelled codes; it resumes from its last checkpoint with the same bits.

Shapes: N rows, A attributes.
"""

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.card import Card
from pipeline.editors.training import FacesOfTraining, LabelledCodes, TrainConfig, Training
from pipeline.engine.checkpoints import Checkpoints
from pipeline.engine.stage import Progress, Task
from pipeline.errors import SpecError
from pipeline.models.classifiers import identity
from pipeline.stages.fit_rows import FitRows
from pipeline.stages.models import MODEL, ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.tables import Artifact, ArtifactFiles

T = TypeVar("T")
CURVE = "curve.json"
POINTS, MOST_STEPS = 100, 100
"""Points of the curve, at least, and steps of one, at most: each is the mean of the losses since the one before."""
TIMED = 5
"""Steps that are timed where a training is to take so many minutes."""
KEPT_SECONDS = 15.0
"""How often a checkpoint is kept, at a point of the curve."""


Curve = list[dict[str, Any]]


@dataclass(frozen=True)
class FacesRef:
    """Who makes the faces of a training and looks at them. identity: digest of the network that tells whose face it
    is. judge: the family of prefix JUDGE, where one judges held-out faces."""

    generator: Model
    classifiers: ClassifierRef
    identity: str
    runtime: Runtime
    judge: ClassifierRef | None = None

    def open(self) -> FacesOfTraining:
        """Raises as `open_scorer`, and ModelFileError where the network of identity is another now."""
        whose = identity.load(self.runtime.device)
        Model("the network of identity", self.identity).check(whose.fingerprint)
        generator = open_generator(self.generator, self.runtime)
        families = [self.classifiers] if self.judge is None else [self.classifiers, self.judge]
        return FacesOfTraining(open_scorer(generator, self.runtime, families, follow=True), whose)


@dataclass(frozen=True, eq=False)
class TrainStage:
    """Train on these rows. scores: (N, A). card: all that is known of the artifact beforehand. faces, layers: of a
    training that makes faces; layers of w+ of their generator. targets: the attributes that are to be changed; none for
    all.
    """

    rows: FitRows
    scores: NDArray[np.floating]
    attributes: tuple[str, ...]
    config: TrainConfig
    card: Card
    device: str
    threads: int
    faces: FacesRef | None = None
    layers: int = 0
    targets: tuple[str, ...] = ()
    name: str = field(default="train", init=False)

    @property
    def version(self) -> int:
        return self.config.version

    @property
    def outputs(self) -> Mapping[str, type[Artifact]]:
        return {"artifact": Artifact}

    @property
    def parts(self) -> int:
        """Of a step: how many workers can compute it together."""
        return self.config.parts(len(self.targets or self.attributes))

    @property
    def steps(self) -> int:
        """Of the whole training, found on the CPU: the plan is made where there may be no other device.

        Raises:
            SpecError: nothing can be learned from these rows.
        """
        return self._start("cpu", None).steps

    def start(self, faces: FacesOfTraining | None = None) -> Training:
        """The training at its start, on its device. Raises as `steps`."""
        return self._start(self.device, faces)

    def _start(self, device: str, faces: FacesOfTraining | None) -> Training:
        rows = LabelledCodes(self.rows.codes(), self.scores, self.attributes, self.layers, self.targets)
        return self.config.open(rows, torch.device(device), faces)

    def open(self) -> "TrainWorker":
        torch.set_num_threads(self.threads)
        return TrainWorker(self)


def seconds_of_a_step(stage: TrainStage) -> float:
    """How long a step takes in this process: the median of some after a first one. What they learn is let go."""
    torch.set_num_threads(stage.threads)
    training = stage.start(stage.faces.open() if stage.faces else None)
    seconds = []
    for _ in range(min(TIMED + 1, training.steps)):
        begun = time.perf_counter()
        training.advance(1)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[1:] or seconds)


class TrainWorker:
    """The stage, on its device."""

    def __init__(self, stage: TrainStage) -> None:
        self.stage = stage
        self.faces = stage.faces.open() if stage.faces else None

    def compute(self, part: Callable[[FacesOfTraining], T]) -> T:
        """A part of a step of another worker."""
        assert self.faces is not None
        return part(self.faces)

    def run(self, task: Task) -> Iterator[Progress]:
        """Progress at each point of the curve, then the artifact."""
        faces = self.faces and self.faces.with_helpers(task.helpers)
        training, curve, checkpoints = self.stage.start(faces), Curve(), task.checkpoints
        if checkpoints is not None and (last := checkpoints.last()) is not None:
            curve = _resume(training, *last)
        every, kept_at = min(max(1, training.steps // POINTS), MOST_STEPS), time.monotonic()
        while training.step < training.steps:
            begun, phase = training.step, training.phase
            losses = training.advance(every - training.step % every)
            if bad := [name for name, value in losses.items() if not math.isfinite(value)]:
                raise _went_wrong(training, f"{bad[0]} of the {phase}")
            curve.append({"step": training.step, "phase": phase, **losses})
            last_one = training.step == training.steps
            if checkpoints is not None and (last_one or time.monotonic() - kept_at > KEPT_SECONDS):
                _keep(checkpoints, training, curve)
                kept_at = time.monotonic()
            steps = {"steps": float(training.step - begun)}
            told = f"{phase}: {_in_words(curve)}" + ("; now its figures are made" if last_one else "")
            yield Progress(training.step, counters=steps, said=told)
        yield Progress(task.stop, self._artifact(training, curve))

    def _artifact(self, training: Training, curve: Curve) -> ArtifactFiles:
        tensors = _finite(training, training.tensors())
        with threadpool_limits(1):  # the number of threads moves the last bits
            metrics = training.metrics()
        if bad := [name for name, number in metrics.items() if not math.isfinite(number)]:
            raise _went_wrong(training, bad[0])
        card = Card(**{**dict(self.stage.card), "metrics": metrics})
        files = {MODEL: safetensors.torch.save(tensors), CURVE: json.dumps(curve).encode()}
        return ArtifactFiles(files, card)


def _keep(checkpoints: Checkpoints, training: Training, curve: Curve) -> None:
    tensors = _finite(training, training.state())
    checkpoints.save(training.step, safetensors.torch.save(tensors, {"curve": json.dumps(curve)}))


def _finite(training: Training, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors as they are stored. Raises SpecError where one is not finite: the last losses were those of the step
    before."""
    if bad := [name for name, value in tensors.items() if not bool(value.isfinite().all())]:
        raise _went_wrong(training, bad[0])
    return {name: value.cpu().contiguous() for name, value in tensors.items()}


def _went_wrong(training: Training, what: str) -> SpecError:
    return SpecError(
        f"the training went wrong at step {training.step}: {what} is not finite; try a smaller learning rate"
    )


def _resume(training: Training, step: int, content: bytes) -> Curve:
    """Load a checkpoint; its curve."""
    training.load(safetensors.torch.load(content), step)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    curve: Curve = json.loads(header["__metadata__"]["curve"])
    return curve


def _in_words(curve: Curve) -> str:
    """The numbers of the last point, and those that not every point of its phase has as they were last."""
    phase, shown = curve[-1]["phase"], dict[str, float]()
    for point in curve:
        if point["phase"] == phase:
            shown |= point
    return ", ".join(f"{name} {value:.3f}" for name, value in shown.items() if name not in ("step", "phase"))
