"""Tables whose directions are known: labels that are linear in w."""

from pathlib import Path

import numpy as np

import schemas
from pipeline.tables import Table

ATTRIBUTES = ("smile", "male", "old")
WIDTH = 16
FACTS = {"verb": "dataset", "spec": {"seed": 3}, "resolved": {"generator_digest": "ab" * 32}}


def plant(out, rows: int = 600) -> np.ndarray:
    """DIR/latents with w of standard normal numbers, DIR/labels linear in them; the directions (3, WIDTH)."""
    noise = np.random.default_rng(3)
    planted = noise.standard_normal((3, WIDTH))
    planted /= np.linalg.norm(planted, axis=1, keepdims=True)
    w_NW = noise.standard_normal((rows, WIDTH)).astype(np.float32)
    write_latents(f"{out}/latents", range(rows), w_NW)
    write_labels(f"{out}/labels", range(rows), w_NW @ planted.T + [0.5, 0.0, -0.5])
    return planted


def write_latents(url, index, w_NW, facts=FACTS) -> Table:
    schema = schemas.latents("w", w_NW.shape[1])
    columns = {"index": index, "w": w_NW.astype(np.float32), "psi": 0.7, "seed": 3, "generator": "planted"}
    return seal(url, schema, schema.rows(columns), facts)


def write_labels(url, index, scores_NA, attributes=ATTRIBUTES, facts=FACTS) -> Table:
    schema = schemas.labels(attributes)
    scores = dict(zip(attributes, np.asarray(scores_NA, dtype=np.float32).T, strict=True))
    zeros = np.zeros(len(index), np.float32)
    rows = schema.rows({"index": index, **scores, "age_years": zeros, "yaw_degrees": zeros})
    return seal(url, schema, rows, facts)


def seal(url, schema, rows, facts) -> Table:
    """A sealed table of two parts."""
    index = rows["index"].to_numpy()
    planned = int(index[-1]) + 1
    half = -(-planned // 2)
    table = Table.create(str(url), schema, rows=planned, rows_per_shard=half)
    cut = int(np.searchsorted(index, half))
    table.seal([table.publish(0, rows.slice(0, cut)), table.publish(1, rows.slice(cut))], facts, "0" * 64)
    return table


def directions(out) -> list[dict]:
    return Table.open(f"{Path(out)}/directions").read().to_pylist()
