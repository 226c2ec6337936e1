"""What all studies share: flags, steps as specs of other verbs, claims, the page."""

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from pydantic import Field, model_validator

from jobs.constants import CalibrationFlag
from jobs.edit.spec import SPECS, EditSpec
from jobs.flags import command_of, one_line, parse, say
from jobs.launch import INTERRUPTED, command, run_step
from jobs.options import GENERATOR, MachineFlags, RayFlags, RunFlags
from jobs.reproduce.cost import Passes, say_cost
from pipeline.engine.duration import duration
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.job_records import JobRecords, verbs
from pipeline.errors import Busy, OutputDiffers, SpecError
from pipeline.models.randomness import MAX_SEED
from pipeline.report.claims import Page
from pipeline.tables import store

_STEPS: ContextVar[list[str] | None] = ContextVar("steps", default=None)


class StudySpec(CalibrationFlag, RayFlags, MachineFlags):
    """The flags that every study has."""

    out: str = Field(description="Directory: tables, one folder a step, and report.html.")
    seed: int = Field(
        1,
        ge=0,
        le=MAX_SEED - 2,
        description="Random seed of the labelled faces; the other faces use the next two seeds.",
    )
    generator: str = Field("mobilestylegan-ffhq", description=GENERATOR)
    classifiers: str = Field(
        "faces", description="Family of classifiers that labels, and whose gradients are followed."
    )
    judge: str = Field("judge", description="Family of classifiers that measures the edits.")
    relabel: bool = Field(
        False, description="Label the faces that directions are fitted on, even if the repository has their labels."
    )
    dry_run: bool = Field(
        False, description="Print the number of passes through the generator and the hours they take, and stop."
    )

    @model_validator(mode="after")
    def _measured_by_another(self) -> "StudySpec":
        if self.judge == self.classifiers:
            raise ValueError(f"--judge {self.judge} is the family that edits: measure with another one")
        return self

    def url(self, *names: str) -> str:
        """Of a folder or a file of the study."""
        return store.join(self.out, *names)

    @property
    def machine(self) -> dict[str, Any]:
        """The flags of how steps that make faces are run."""
        return self.model_dump(include={*MachineFlags.model_fields, *RayFlags.model_fields})

    @property
    def scoring(self) -> dict[str, Any]:
        """The flags of steps that score faces: the same, and the calibration."""
        return {**self.machine, "calibration": self.calibration}

    @property
    def on_gpu(self) -> bool:
        """Whether those steps run on one."""
        return self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available())


SpecT = TypeVar("SpecT", bound=StudySpec)


def run_study(
    kind: type[SpecT], argv: Sequence[str], make: Callable[[SpecT], Page], cost: Callable[[SpecT], Passes]
) -> int:
    """Run a study and write its page; the exit code.

    make: runs all steps, each of which goes on where it stopped. cost: what it takes, told by --dry-run.
    """
    spec = parse(kind, argv)
    with one_line():
        if spec.dry_run:
            say_cost(cost(spec), spec.generator, (spec.classifiers, spec.judge), "cuda" if spec.on_gpu else "cpu")
            return 0
        page = make(spec)
    say(f"Page  {page.write(spec.url('report.html'), command())}")
    return 0


def edit_spec(editor: str, **flags: Any) -> EditSpec:
    """The flags of `stylemill edit` for one editor. Raises ValidationError where they are not valid."""
    return SPECS[editor].model_validate(flags)


def step(spec: RunFlags, change: str = "a flag") -> None:
    """Run a verb as from the command line, which is printed: each step of a study can be pasted and resumed alone.

    change: flags of the study that decide this step, to be named where it fails.

    Raises:
        KeyboardInterrupt: it was interrupted, or a signal came too late for that.
        OutputDiffers: its folder holds the work of another spec.
        SpecError: it did not end well for another reason.
    """
    steps = _STEPS.get()
    if steps is not None:
        steps.append(shlex.join(["stylemill", *command_of(spec)]))
    code = run_step(spec)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    ended = f"the step `stylemill {spec.VERB}` ended with exit code {code}, for the reason above"
    if code == OutputDiffers.exit_code:
        raise OutputDiffers(f"{ended}: {make_anew([spec.out])}")
    if code == Busy.exit_code:
        raise SpecError(f"{ended}: run the same study again when the other driver has ended")
    if code:
        raise SpecError(f"{ended}: change {change}, or run the same study again, which goes on from there")


@contextmanager
def steps_kept() -> Iterator[list[str]]:
    """The command of each step that is run meanwhile, for a page."""
    found: list[str] = []
    token = _STEPS.set(found)
    try:
        yield found
    finally:
        _STEPS.reset(token)


def make_anew(folders: Sequence[str]) -> str:
    """What to do where these folders of a study hold the work of another spec, and what is lost by it."""
    done = [one for url in folders for verb in verbs(url) for one in JobRecords(url, verb).outcomes().values()]
    lost = duration(math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done))
    return (
        f"delete {' and '.join(folders)} ({lost} of computing) and run the same study again, which makes that anew, "
        "keeps the other folders, and then names those that were made from it; or choose another --out"
    )


def cached(url: str, of: Mapping[str, Any], make: Callable[[], dict[str, list[float]]]) -> dict[str, list[float]]:
    """Numbers that take minutes to make, kept in a JSON file with what they are of and their digest.

    They are made anew where the file is of something else, or not what was written. Raises StoreError.
    """
    kept = store.read_json(url, "delete it: it is made anew")
    if isinstance(kept, dict) and kept.get("of") == of:
        numbers = kept.get("numbers")
        if isinstance(numbers, dict) and kept.get("digest") == fingerprint(numbers):
            return numbers
        say(f"Note  {url} was changed: its numbers are computed again")
    numbers = make()
    store.write_atomic(url, store.canonical_json({"of": of, "numbers": numbers, "digest": fingerprint(numbers)}))
    return numbers
