"""Codes for aligned faces, in place of those that an inversion finds."""

import numpy as np
import pyarrow as pa
import torch

import schemas
from pipeline.models import generators
from pipeline.tables import Table

GENERATOR = "stylegan2-tiny"


def plant_inverted(aligned: str, out: str, seed: int = 5) -> None:
    """DIR/latents and DIR/inversions: a random code in w+ for each aligned face of DIR/images."""
    images = Table.open(f"{aligned}/images")
    places = images.read(["index", "face_number"])
    generator = generators.load(GENERATOR, backend="eager")
    noise = torch.Generator().manual_seed(seed)
    ws_NLW = generator.map(torch.randn(len(places), generator.z_dim, generator=noise)).contiguous()
    facts = {
        "verb": "photos-invert",
        "spec": {"generator": GENERATOR},
        "resolved": {"generator_digest": generator.fingerprint, "pictures_digest": images.digest},
    }
    index = np.arange(len(places))
    schema = schemas.latents("w+", generator.w_dim, generator.num_ws)
    columns = {"index": index, "ws": ws_NLW.numpy(), "psi": None, "seed": None, "generator": GENERATOR}
    _seal(f"{out}/latents", schema, schema.rows(columns), facts)
    where = {"photo": places["index"].to_pylist(), "face_number": places["face_number"].to_pylist()}
    schema = schemas.kept("planted", 1, dict.fromkeys(where, pa.int64()))
    _seal(f"{out}/inversions", schema, schema.rows({"index": index, "request": 0, "attribute": "", **where}), facts)


def _seal(url: str, schema: schemas.TableSchema, rows: pa.Table, facts: dict) -> None:
    table = Table.create(url, schema, rows=len(rows), rows_per_shard=len(rows))
    table.seal([table.publish(0, rows)], facts, "0" * 64)
