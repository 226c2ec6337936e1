"""Sealed tables of every kind, as the jobs leave them, for other people's readers to open.

Three shards each, the middle one empty, beside their dot folders and what a killed worker left; real pictures in each
format.
"""

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

_CACHE = tempfile.TemporaryDirectory(prefix="stylemill-huggingface-")
os.environ.update(  # before datasets is imported: nothing is fetched, nothing is left in a home directory
    HF_HOME=_CACHE.name,
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    RAY_USAGE_STATS_ENABLED="0",
)

import pyarrow as pa  # noqa: E402
from PIL import Image  # noqa: E402

import schemas  # noqa: E402
from pipeline.tables import Table  # noqa: E402
from schemas import to_numpy  # noqa: E402

ATTRIBUTES = ("smile", "male", "old", "eyeglasses", "yaw")
INDEX = [*range(100, 104), *range(108, 111)]
ROWS = len(INDEX)


@dataclass(frozen=True)
class Example:
    """A table and what it holds: arrays by column, (N,), (N, W) or (N, L, W), lists of strings; pictures as pixels."""

    url: str
    columns: dict
    pixels: list | None = None


def write(folder: Path, schema: schemas.TableSchema, columns: dict) -> Table:
    rows = schema.rows({"index": INDEX, **columns})
    table = Table.create(str(folder), schema, rows=12, rows_per_shard=4, first_index=100)
    pieces = [rows.slice(0, 4), rows.slice(4, 0), rows.slice(4)]
    table.seal([table.publish(shard, piece) for shard, piece in enumerate(pieces)], {"seed": 1}, "f" * 64)
    (folder / ".part-00002-of-00003.parquet.77-ab.staged").write_bytes(b"left by a killed worker")
    return table


def numbers(rows: pa.Table) -> dict:
    return {
        name: to_numpy(rows[name]) if rows[name].type != pa.string() else rows[name].to_pylist()
        for name in rows.column_names
    }


def faces() -> list[Image.Image]:
    """Small smooth pictures, each of its own colours, so that JPEG and WebP keep them nearly."""
    y, x = np.mgrid[0:48, 0:64] / 64
    return [
        Image.fromarray((255 * np.stack([x, y, np.full_like(x, row / ROWS)], -1)).astype(np.uint8))
        for row in range(ROWS)
    ]


def encoded(face: Image.Image, format: str) -> bytes:
    file = io.BytesIO()
    face.save(file, format, **({"quality": 95} if format == "jpeg" else {"lossless": True} if format == "webp" else {}))
    return file.getvalue()


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> dict[str, Example]:
    """name -> Example, for latents of both forms, labels, rejects, and images of each format."""
    folder = tmp_path_factory.mktemp("tables of faces")
    noise = np.random.default_rng(1)
    plain = {"psi": 0.7, "seed": 2**63 - 1, "generator": "mobilestylegan-ffhq"}
    columns = {
        "latents-w": (schemas.latents(), {"w": noise.standard_normal((ROWS, 512), np.float32), **plain}),
        "latents-ws": (
            schemas.latents("w+", num_ws=23, with_key=True, with_z=True),
            {
                "key": [f"face {row}" for row in range(ROWS)],
                "z": noise.standard_normal((ROWS, 512), np.float32),
                "ws": noise.standard_normal((ROWS, 23, 512), np.float32),
                **plain,
            },
        ),
        "labels": (
            schemas.labels(ATTRIBUTES),
            {name: noise.standard_normal(ROWS, np.float32) for name in (*ATTRIBUTES, "age_years", "yaw_degrees")},
        ),
        "rejects": (
            schemas.rejects(),
            {
                "stage": "dataset",
                "reason": ["not finite"] * ROWS,
                "detail": [f"row {row}" for row in range(ROWS)],
                "traceback": "",
            },
        ),
    }
    found = {}
    for name, (schema, values) in columns.items():
        table = write(folder / name, schema, values)
        found[name] = Example(table.url, numbers(table.read()))
    for format in ("png", "jpeg", "webp"):
        pictures = [
            {"bytes": encoded(face, format), "path": f"{index:08d}.{format}"}
            for index, face in zip(INDEX, faces(), strict=True)
        ]
        table = write(folder / f"images-{format}", schemas.images(), {"image": pictures})
        pixels = [np.asarray(Image.open(io.BytesIO(picture["bytes"]))) for picture in pictures]
        found[f"images-{format}"] = Example(table.url, {"index": np.array(INDEX), "image": pictures}, pixels)
    return found


NUMBERS = ("latents-w", "latents-ws", "labels", "rejects")
IMAGES = ("images-png", "images-jpeg", "images-webp")


@pytest.fixture(params=NUMBERS)
def numbers_table(request, examples) -> Example:
    return examples[request.param]


@pytest.fixture(params=IMAGES)
def images_table(request, examples) -> Example:
    return examples[request.param]
