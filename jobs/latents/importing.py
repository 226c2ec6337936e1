"""`stylemill latents import`: a file of codes as a latents table, which every other verb takes."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import tyro
from numpy.typing import NDArray
from pydantic import Field

from jobs.flags import parse, say
from jobs.launch import launch
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.resolve import CODES, resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.layout import cut_chosen
from pipeline.errors import ModelFileError, SpecError
from pipeline.models import generators
from pipeline.models.code_arrays import as_codes
from pipeline.stages.code_files import CodeFile, psis, read_file, seeds
from pipeline.stages.latents_import import ImportStage
from pipeline.stages.models import Model
from pipeline.tables import store

VERB = "latents"
NAMED = 3
"""Rows that a message names."""
PARTS = 1000
"""At most so many: rows are cut into shards of some tens of seconds of pictures, larger where there are many."""


class ImportSpec(RunFlags):
    """Make DIR/latents from a file of codes (.npy, .npz, .pt or .parquet), one row a code. Nothing in it is executed.

    Example: stylemill latents import w.npy --generator mobilestylegan-ffhq --space w --out out/mine
    """

    VERB = "latents import"

    file: tyro.conf.Positional[str] = Field(description="The file: a path or an fsspec URL.")
    generator: str = Field(description="Generator of the codes.")
    space: Literal["z", "w", "w+"] = Field(
        description="Latent space of the codes. z is kept beside the w that it is mapped to with --psi."
    )
    psi: float | None = Field(
        None,
        allow_inf_nan=False,
        description="Truncation of the codes, or with which z is mapped. Default: unknown.",
    )
    array: str | None = Field(None, description="Which array or column of the file, if there are several.")
    first: int | None = Field(
        None,
        ge=0,
        description="Number of the first row. Default: a Parquet file's own column `index`, else 0.",
    )
    local: Annotated[bool, tyro.conf.Suppress] = True
    workers: Annotated[int | Literal["auto"] | None, tyro.conf.Suppress] = None
    gpus_per_worker: Annotated[float | None, tyro.conf.Suppress] = None
    address: Annotated[str | None, tyro.conf.Suppress] = None
    task_timeout: Annotated[float | None, tyro.conf.Suppress] = None
    estimate: Annotated[bool, tyro.conf.Suppress] = False


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ImportSpec, argv)
    return launch(*plan_import(spec), spec)


def plan_import(spec: ImportSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        ModelFileError: there is no such file, it is damaged, or reading it would run code.
        SpecError: it does not hold codes of that space and generator.
    """
    content = store.read_bytes(spec.file)
    if content is None:
        raise ModelFileError(f"{spec.file}: there is no such file")
    found = read_file(content, spec.file, spec.array, own_index=spec.first is None)
    generator = generators.load(spec.generator, backend="eager")
    values = as_codes(found.values, spec.space, generator, spec.file)
    index = _numbered(spec, found, len(values))
    order = np.argsort(index)
    runtime, rows_per_shard, workers = resolve(spec, VERB, generator, len(values), load=CODES, fewest=1)
    if spec.rows_per_shard is None:
        rows_per_shard *= max(1, -(-len(values) // (rows_per_shard * PARTS)))
    layout, present = cut_chosen(index[order], rows_per_shard, runtime.batch_size)
    psi, seed = _psi(spec, found, len(values)), _seed(spec, found, len(values))
    stage = ImportStage(
        space=spec.space,
        index=index[order],
        values=values[order],
        psi=[psi[place] for place in order],
        seed=[seed[place] for place in order],
        key=None if found.key is None else [found.key[place] for place in order],
        generator=Model(spec.generator, generator.fingerprint),
        w_dim=generator.w_dim,
        runtime=runtime,
    )
    _tell(spec, values, index)
    facts = {**spec_facts(spec, runtime, CODES, VERB, **layout.facts), "rows_per_shard": rows_per_shard}
    digests = {"file_digest": hashlib.sha256(content).hexdigest()}
    job = plan(
        spec, stage, layout, facts, verb=VERB, generator=generator, digests=digests, digested=("file",), present=present
    )  # fmt: skip
    return job, workers


def _numbered(spec: ImportSpec, found: CodeFile, rows: int) -> NDArray[np.int64]:
    if found.index is not None:
        return found.index
    return np.arange(rows, dtype=np.int64) + (spec.first or 0)


def _psi(spec: ImportSpec, found: CodeFile, rows: int) -> list[float | None]:
    """Of each row. Raises SpecError where one is no number, or z would be mapped with none."""
    psi = psis(found.psi, spec.file) if spec.psi is None and found.psi is not None else [spec.psi] * rows
    if spec.space == "z" and None in psi:
        what = "--space z needs --psi" if found.psi is None else f"{spec.file}: row {psi.index(None)} has no psi"
        raise SpecError(f"{what}: the truncation that w is computed with (1 is none)")
    return psi


def _seed(spec: ImportSpec, found: CodeFile, rows: int) -> list[int | None]:
    """Of each row: with a row's number it says what z was, so rows that are numbered anew have none. Raises
    SpecError where one is no seed.
    """
    return [None] * rows if found.seed is None or spec.first is not None else seeds(found.seed, spec.file)


def _tell(spec: ImportSpec, values: NDArray[np.float32], index: NDArray[np.int64]) -> None:
    """Name the rows that will be rejected."""
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(bad):
        rows = ", ".join(str(row) if row == index[row] else f"{row} (index {index[row]})" for row in bad[:NAMED])
        more = ", ..." if len(bad) > NAMED else ""
        what = "1 row is" if len(bad) == 1 else f"{len(bad):,} rows are"
        say(f"Note  {spec.file}: {what} not finite and will be rejected: row {rows}{more}, counted from 0")
