"""The flags that all jobs on rows share: where the output goes and how the work is run."""

import builtins
import re
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from jobs.flags import Names, Spec, say
from jobs.locations import is_in_memory
from pipeline.models.classifiers.attributes import ATTRIBUTES, LIST
from pipeline.models.generators import Generator
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.pictures import Keep

ATTRIBUTES_HELP = " ".join(["Attributes to score.", *(f"{one.name}: {one.meaning}" for one in LIST)])
MOST_WORKERS, MOST_THREADS, MOST_TOGETHER, MOST_SECONDS = 100_000, 1024, 65_536, 1e7
"""Upper limits. A larger value is taken for a typing error and refused before anything is planned."""
Workers = Annotated[int, Field(gt=0, le=MOST_WORKERS)]


class MachineFlags(Spec):
    """How networks are run. `None` leaves the choice open: the stored spec's value at a resume, else the best for this
    machine.
    """

    GROUP = "run"

    batch_size: int | None = Field(
        None,
        gt=0,
        le=MOST_TOGETHER,
        description="Rows that a worker computes together. Default: the fastest size measured.",
    )
    threads: int | None = Field(
        None,
        gt=0,
        le=MOST_THREADS,
        description="CPU threads per worker. Default: 1 on this machine's CPUs, all cores with --local or in a "
        "training, 2 on a joined cluster; with GPUs, the cores are divided among the workers. Always 1 where no "
        "face is made and nothing is trained.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where networks run.")
    backend: Literal["compiled", "eager"] | None = Field(
        None,
        description="How the generator is run: eager, or compiled by TorchInductor, which takes up to a minute once. "
        "Default: compiled on this machine's CPUs where the job has 8,192 faces of 1024 px or more to make, no "
        "gradients are needed and there is a C++ compiler; else eager.",
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="Number format in which the generator computes."
    )


class WorkFlags(MachineFlags):
    """How much of a job is run now."""

    GROUP = "run"

    dry_run: bool = Field(False, description="Print the plan and stop.")
    estimate: bool = Field(False, description="Run one shard and estimate the rest: rows/s, hours, memory.")
    limit: int | None = Field(None, gt=0, description="Run at most this many shards now.")
    max_rejects: int | None = Field(
        None,
        ge=0,
        description="Exit with code 3 if more rows than this are rejected. Default: only if all are.",
    )
    retry_rejected: bool = Field(False, description="Compute the rejected rows again, and no others.")
    replace: bool = Field(False, description="Delete what an earlier, different run left in the same tables.")
    rows_per_shard: int | None = Field(
        None, gt=0, description="Rows of a shard, the unit of work; a multiple of the batch size."
    )


class RayFlags(Spec):
    """Which workers do the work, and on which cluster."""

    GROUP = "Ray"

    workers: Workers | Literal["auto"] | None = Field(
        None,
        description="Number of worker processes, or auto: as many as resources and work allow. Default: auto; on "
        "this machine's GPUs one for each.",
    )
    gpus_per_worker: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="GPUs per worker; with a fraction, workers share a GPU."
    )
    address: str | None = Field(
        None, description="Ray cluster to join. Default: RAY_ADDRESS, else a cluster is started on this machine."
    )
    local: bool = Field(False, description="One worker in this process, without Ray.")
    task_timeout: float | None = Field(
        None,
        gt=0,
        le=MOST_SECONDS,
        allow_inf_nan=False,
        description="Time limit of a shard in seconds; a worker that takes longer is replaced. (Opening the models may "
        "take ten times as long, and at least 600 s.)",
    )

    @field_validator("gpus_per_worker")
    @classmethod
    def _whole_or_of_one(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("give a whole number of GPUs, or a fraction of one")
        return gpus

    @model_validator(mode="after")
    def _one_worker_here(self) -> "RayFlags":
        if self.local and self.workers not in (None, 1):
            raise ValueError("--local is one worker in this process; leave out --local to have --workers")
        if self.local and self.address:
            raise ValueError("--local and --address exclude each other")
        if self.local and self.task_timeout:
            raise ValueError(
                "--local has no other process that could stop a shard; leave out --local or --task-timeout"
            )
        return self


class RunFlags(RayFlags, WorkFlags):
    """The flags of every job: where its tables go, and how it is run."""

    out: str = Field(description="Directory for the tables: a path or any fsspec URL.")

    @model_validator(mode="after")
    def _agree(self) -> "RunFlags":
        if not self.local and is_in_memory(self.out):
            raise ValueError(
                f"--out {self.out}: workers do not see the memory of this process, and it is gone when the command "
                "ends; give a directory or another URL (from within Python: --local, which writes to it)"
            )
        if self.estimate and (self.limit or self.dry_run):
            raise ValueError("--estimate runs one shard; leave out --limit and --dry-run")
        if self.retry_rejected and self.replace:
            raise ValueError("--retry-rejected keeps what is there, --replace deletes it; choose one")
        return self


OR_A_FILE = "or the .yaml file of one of your own (docs/own-classifiers.md)"
LATENTS = "The latents table, or several with different rows, separated by commas: paths or any fsspec URLs."
GENERATOR = "Name of the generator, or the path or URL of a generator's file (docs/networks.md)."
DEFAULT_ROWS = 1000
USUAL_PSI = 2.0
PSI_HELP = f"a warning is printed above {USUAL_PSI:g} and below -{USUAL_PSI:g}"
"""For the help of flags that truncate."""


def note_psi(flag: str, psi: float | None) -> None:
    """Warn of a truncation that is far from the usual ones."""
    if psi is not None and abs(psi) > USUAL_PSI:
        say(
            f"Note  {flag} {psi:g}: 1 is no truncation; beyond {USUAL_PSI:g} on either side faces and their scores are "
            "unreliable"
        )


MAX_ROWS = 2**62
"""Row numbers are 64-bit integers, up to the last slot of the last micro-batch."""


class LatentsFlags(Spec):
    """The flags of jobs on rows of latents."""

    latents: Names = Field(min_length=1, description=LATENTS)
    generator: str | None = Field(None, description=f"{GENERATOR} Default: the one in the latents table.")


class PictureFlags(Spec):
    """The flags of jobs that keep pictures of the faces that they make."""

    images: Literal["none", "png", "jpeg", "webp"] = Field("none", description="Format of the pictures to keep.")
    size: int = Field(512, gt=0, description="Width and height of the kept pictures, in pixels.")
    quality: int = Field(95, ge=1, le=100, description="Quality of JPEG and WebP pictures.")

    def pictures(self, generator: Generator) -> Keep | None:
        """What pictures to keep; None for none. Raises SpecError where the generator makes none of this size."""
        return None if self.images == "none" else Keep(self.images, generator.check_size(self.size), self.quality)


class RowFlags(RunFlags):
    """The flags of jobs that sample rows by number."""

    generator: str = Field("mobilestylegan-ffhq", description=GENERATOR)
    seed: int = Field(1, ge=0, le=MAX_SEED, description="Random seed; a row depends only on the seed and its number.")
    psi: float = Field(0.7, allow_inf_nan=False, description=f"Truncation: 1 is none, 0 the mean face; {PSI_HELP}.")
    cutoff: int | None = Field(None, ge=0, description="Truncate only the first N layers; the table then has w+.")
    rows: int | None = Field(None, gt=0, le=MAX_ROWS, description=f"How many rows, from 0 on. Default: {DEFAULT_ROWS}.")
    range: str | None = Field(None, description="FIRST:STOP in place of --rows, for one part of a large job.")

    @field_validator("range")
    @classmethod
    def _is_a_range(cls, text: str | None) -> str | None:
        found = re.fullmatch(r"(\d{1,19}):(\d{1,19})", text or "0:1")
        if found is None or not int(found[1]) < int(found[2]) <= MAX_ROWS:
            raise ValueError(f"give FIRST:STOP with STOP above FIRST, as in 0:1000000, and at most {MAX_ROWS}")
        return text

    @model_validator(mode="after")
    def _rows_or_range(self) -> "RowFlags":
        if self.range is not None and self.rows is not None:
            raise ValueError("--rows N is --range 0:N; give one of the two")
        return self

    @property
    def indices(self) -> "builtins.range":
        """The global row numbers to make."""
        if self.range is None:
            return builtins.range(DEFAULT_ROWS if self.rows is None else self.rows)
        first, stop = self.range.split(":")
        return builtins.range(int(first), int(stop))


def canonical(attributes: Collection[str]) -> list[str]:
    """The known attributes in their fixed order, whatever the order asked for; then the others."""
    return sorted(attributes, key=lambda name: ATTRIBUTES.index(name) if name in ATTRIBUTES else len(ATTRIBUTES))


RUN_FIELDS = frozenset(RunFlags.model_fields) | {"rows", "range", "recompute", "index", "where", "top", "calibration"}
"""Fields that decide how a job runs, not what its rows are. The stored spec has resolved values in their place: batch
size, threads and so on, and for the rows their number and the first one, or the digest of the chosen ones."""
