"""The flags that every job on rows has in common: where the output goes and how the work is run."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from jobs.flags import Spec
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.tables import store

DEFAULT_ATTRIBUTES = ATTRIBUTES


class RunFlags(Spec):
    """`None` is an open choice: what the stored spec says at a resume, else what is best for this machine."""

    out: str = Field(description="Directory for the tables: a path or any fsspec URL.")
    workers: int | None = Field(None, gt=0, description="Worker processes. Default: one for each GPU, else one.")
    threads: int | None = Field(None, gt=0, description="CPU threads of a worker. Default: the cores shared out.")
    gpus_per_worker: float | None = Field(None, ge=0, description="GPUs of a worker; a fraction shares one.")
    rows_per_shard: int | None = Field(None, gt=0, description="Rows of a part; a multiple of the batch size.")
    batch_size: int | None = Field(None, gt=0, description="Rows computed together. Default: the fastest measured.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where networks run.")
    backend: Literal["compiled", "eager"] | None = Field(
        None, description="Eager, or compiled by Inductor. Default: eager, which needs no compiler and was measured."
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field("fp32", description="Arithmetic of the generator.")
    address: str | None = Field(None, description="Ray cluster to join. Default: RAY_ADDRESS, else one started here.")
    local: bool = Field(False, description="One worker in this process, without Ray.")
    dry_run: bool = Field(False, description="Print the plan and stop.")
    limit: int | None = Field(None, gt=0, description="Run at most this many shards now.")
    max_rejects: int | None = Field(None, ge=0, description="Exit with 3 when more rows than this are set aside.")
    replace: bool = Field(False, description="Delete what an earlier, different run left in the same tables.")

    @field_validator("out")
    @classmethod
    def _absolute(cls, url: str) -> str:
        return absolute(url)

    @model_validator(mode="after")
    def _local_is_one_worker(self) -> "RunFlags":
        if self.local and (self.workers or 1) > 1:
            raise ValueError("--local is one worker in this process; leave out --local to have --workers")
        if self.local and self.address:
            raise ValueError("--local and --address exclude each other")
        return self


def canonical(attributes: Sequence[str]) -> list[str]:
    """Known attributes in the order that they have everywhere, in whatever order they were asked; then the others."""
    return sorted(attributes, key=lambda name: ATTRIBUTES.index(name) if name in ATTRIBUTES else len(ATTRIBUTES))


def absolute(url: str) -> str:
    """A local path from the root, since workers have working directories of their own; other URLs as they are."""
    path = store.local_path(url)
    return url if path is None else str(path.absolute())


RUN_FIELDS = frozenset(RunFlags.model_fields)
"""Fields that decide how a job runs, not what its rows are; batch size, threads, ... are resolved and added again."""
