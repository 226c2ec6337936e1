"""The codes of a latents table in any space: as they are kept, or computed from them.

Shapes: N rows, B slots, Z z_dim, L layers (num_ws), W w_dim, S style channels.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

import schemas
from pipeline.engine.stage import Task
from pipeline.errors import SpecError
from pipeline.models.codes import SPACES, Codes, Space
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal
from pipeline.stages.microbatch import Indices, Slots, microbatches
from pipeline.stages.source import Latents
from pipeline.tables import Table
from schemas import TableSchema

SLOTS = 64
"""B: styles are computed in batches of so many, row i in slot i mod B: how a table is read moves none of them."""
AGREES = 1e-3
"""How far a recomputed w may lie from the kept one."""


def read_codes(
    latents: Table, space: Space, generator: Generator | None, shards: Iterable[int] | None = None
) -> tuple[NDArray[np.int64], Codes]:
    """index (N,) and the codes of a latents table, or of some of its shards, in a space: float32, on the CPU.

    w: as kept; where the table keeps ws it has none. w+: ws, or w repeated over the layers (a view: it takes no room).
    z: as kept, or from seed and index; one row is mapped to see that it gives the latent beside it. s: by the affines.

    generator: is needed for z and s, and for w+ where the table keeps w.

    Raises:
        SpecError: the table has no such codes, they are not this generator's, or one is needed and there is none.
        StoreError: the table cannot be read.
    """
    columns = needed_columns(latents.schema, space)
    rows = latents.read(columns=columns, shards=shards)
    if space == "z" and rows.num_rows:
        check_z(latents, rows.slice(0, 1), generator)
    return rows["index"].to_numpy(), codes_of(rows, space, generator)


def code_batches(
    latents: Latents, space: Space, generator: Generator | None, task: Task, size: int
) -> Iterator[tuple[Indices, Slots, Codes]]:
    """The rows of a task in aligned blocks of B = `size` slots: index (B,), which of them are wanted (B,), and their
    codes; a row keeps the slot that its index gives it, gaps are padding. Errors as in `read_codes`.
    """
    for index, wanted, place, rows in microbatches(latents, needed_columns(latents.schema, space), task, size):
        yield index, wanted, codes_of(rows, space, generator).in_slots(place, size)


def needed_columns(schema: TableSchema, space: Space) -> list[str]:
    """What `codes_of` wants to see of a latents table.

    Raises:
        SpecError: it is no table of latents, or has no codes in this space.
    """
    if schema.name != "latents":
        raise SpecError(f"this is a table of {schema.name}, not of latents: give the one that sample or dataset made")
    if space not in SPACES:
        raise SpecError(f"unknown latent space {space!r}: choose one of {', '.join(SPACES)}")
    kept = "w" if "w" in schema.arrow.names else "ws"
    if space == "w" and kept == "ws":
        raise SpecError("this latents table keeps w+ (ws), whose layers differ, and has no w: choose the space w+ or s")
    if space == "z":
        given = ["z"] if "z" in schema.arrow.names else ["seed"]
        return ["index", *given, kept, "psi"]
    return ["index", kept]


def codes_of(rows: pa.Table, space: Space, generator: Generator | None) -> Codes:
    """The codes of rows that hold `needed_columns`; errors as in `read_codes`."""
    index = rows["index"].to_numpy()
    if space == "z":
        return Codes("z", torch.from_numpy(_z(rows, index, generator)))
    kept = Codes("w", _tensor(rows, "w")) if "w" in rows.column_names else Codes("w+", _tensor(rows, "ws"))
    if kept.space == space:
        return kept
    if space == "w":
        raise SpecError("these rows keep w+ (ws) and have no w: choose the space w+ or s")
    generator = _needed(generator, space)
    _check_shape(kept, generator)
    if space == "w+":
        return Codes("w+", kept.values.unsqueeze(1).expand(-1, generator.num_ws, -1))
    return Codes("s", _styles(index, kept, generator))


@torch.no_grad()
def check_z(latents: Table, row: pa.Table, generator: Generator | None) -> None:
    """Map the z of one row and compare it with the latent that the table keeps.

    Raises:
        SpecError: they differ: the z are not those that the latents came from, or the generator is another.
    """
    generator = _needed(generator, "z")
    _check_known(row, "psi")
    column = "w" if "w" in row.column_names else "ws"
    kept = Codes("w" if column == "w" else "w+", _tensor(row, column))
    _check_shape(kept, generator)
    z_1Z = torch.from_numpy(_z(row, row["index"].to_numpy(), generator)).to(generator.backend.device)
    ws_1LW = generator.map(z_1Z, row["psi"][0].as_py(), cutoff_of(latents)).cpu()
    mapped = ws_1LW[:, 0] if column == "w" else ws_1LW
    if (apart := float((mapped - kept.values).abs().max())) > AGREES:
        raise SpecError(
            f"{latents.url}: the z of row {row['index'][0]} maps to a latent that is {apart:.2g} away from the one "
            f"there, so {generator.name} did not sample these latents from their seeds: choose another space than z"
        )


def check_first_z(latents: Latents, generator: Generator | None) -> None:
    """`check_z` for the first row of each table; errors as there."""
    for table in latents.tables:
        first = Latents((table,), latents.chosen).head(needed_columns(latents.schema, "z"), 1)
        if first.num_rows:
            check_z(table, first, generator)


def truncation_of(latents: Latents, generator: Generator) -> tuple[float, int | None]:
    """psi and cutoff with which the z of these rows became their latents.

    Raises:
        SpecError: as `check_z`, there is no row, or rows differ in how they were truncated.
    """
    check_first_z(latents, generator)
    psi = pc.unique(latents.read(["index", "psi"])["psi"]).to_pylist()
    cutoffs = {cutoff_of(table) for table in latents.tables}
    if not psi:
        raise SpecError(f"{latents.url} has no row to edit")
    if len(psi) > 1 or len(cutoffs) > 1:
        what = f"psi of {min(psi):g} to {max(psi):g}" if len(psi) > 1 else "different cutoffs"
        raise SpecError(f"{latents.url}: rows have {what}, and codes in z are edited with one: choose rows, or edit w")
    return psi[0], cutoffs.pop()


def cutoff_of(latents: Table) -> int | None:
    """The cutoff that a latents table was truncated with, as its manifest says; None for all layers."""
    asked = (latents.manifest() or {}).get("facts", {}).get("spec", {})
    cutoff: int | None = asked.get("cutoff")
    return cutoff


def _z(rows: pa.Table, index: NDArray[np.int64], generator: Generator | None) -> NDArray[np.float32]:
    """(N, Z)."""
    if "z" in rows.column_names:
        return _tensor(rows, "z").numpy()
    _check_known(rows, "seed")
    z_dim = _needed(generator, "z").z_dim
    z_NZ = np.empty((len(index), z_dim), dtype=np.float32)
    seeds = rows["seed"].to_numpy()
    for seed in np.unique(seeds):
        its = seeds == seed
        z_NZ[its] = standard_normal(int(seed), index[its], z_dim)
    return z_NZ


def _check_known(rows: pa.Table, column: str) -> None:
    """Raise SpecError where z would be asked of rows that have none: the code of an inverted photo, say."""
    if rows[column].null_count:
        row = rows["index"][pc.index(pc.is_null(rows[column]), True).as_py()]
        raise SpecError(f"row {row} has no {column} in its table, so its z is not known: choose another space than z")


@torch.no_grad()
def _styles(index: NDArray[np.int64], kept: Codes, generator: Generator) -> torch.Tensor:
    """(N, S), in aligned batches of SLOTS."""
    device = generator.backend.device
    s_NS = torch.empty(len(index), generator.num_styles)
    start = 0
    while start < len(index):
        first = int(index[start]) - int(index[start]) % SLOTS
        stop = int(np.searchsorted(index, first + SLOTS))
        slots = torch.from_numpy(index[start:stop] - first)
        some = kept.select(slice(start, stop)).in_slots(slots, SLOTS).to(device)
        s_NS[start:stop] = generator.styles_of(some).cpu()[slots]
        start = stop
    return s_NS


def _tensor(rows: pa.Table, column: str) -> torch.Tensor:
    """A copy: arrays of a table are read-only."""
    chunks = [schemas.to_numpy(chunk) for chunk in rows[column].chunks] or [schemas.to_numpy(rows[column])]
    return torch.from_numpy(np.concatenate(chunks))


def _needed(generator: Generator | None, space: Space) -> Generator:
    if generator is None:
        raise SpecError(f"codes in {space} are computed by the generator: name it")
    return generator


def _check_shape(kept: Codes, generator: Generator) -> None:
    expected = (generator.w_dim,) if kept.space == "w" else (generator.num_ws, generator.w_dim)
    if (found := tuple(kept.values.shape[1:])) != expected:
        raise SpecError(
            f"a row of {kept.space} has the shape {expected} in {generator.name}, this table's have {found}: "
            "its latents are another generator's"
        )
