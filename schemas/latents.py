"""`latents`: one row, one latent code and what it was made from."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 2
"""1: psi and seed were never null."""


def latents(
    space: str = "w",
    w_dim: int = 512,
    num_ws: int | None = None,
    with_z: bool = False,
    with_key: bool = False,
    z_dim: int = 512,
) -> TableSchema:
    """The schema of a latents table.

    index      int64    global row number
    key        string   a user's own id of the row; with `with_key`
    z          FSL<float32>[z_dim]  what the mapping network was given; with `with_z`
    w          FSL<float32>[w_dim]  after truncation, equal for every layer; space "w"
    ws         FSL<FSL<float32>[w_dim]>[num_ws]  after truncation, a row for each layer; space "w+"
    psi        float32  truncation, 1 is none; null where it is not known (codes of one's own, an inverted photo)
    seed       int64    of the run, 0 to 2**63 - 1 (signed, as readers without unsigned integers would mangle it); null
               where the code was not sampled from one
    generator  string   name of the generator; of a file its digest, and the options behind it

    Raises SchemaError for another space, or for "w+" without `num_ws` or "w" with it.
    """
    if space not in ("w", "w+"):
        raise SchemaError(f"latents are kept in space 'w' or 'w+', not {space!r}")
    if (space == "w+") != (num_ws is not None):
        raise SchemaError(f"num_ws goes with space 'w+' and with no other (space {space!r}, num_ws {num_ws})")
    w = pa.list_(pa.float32(), w_dim)
    fields = [pa.field("index", pa.int64())]
    if with_key:
        fields.append(pa.field("key", pa.string()))
    if with_z:
        fields.append(pa.field("z", pa.list_(pa.float32(), z_dim)))
    fields.append(pa.field("w", w) if num_ws is None else pa.field("ws", pa.list_(w, num_ws)))
    fields += [pa.field("psi", pa.float32()), pa.field("seed", pa.int64()), pa.field("generator", pa.string())]
    return TableSchema.of("latents", VERSION, fields, rows_in_group(fields), nullable=("psi", "seed"))
