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
from sealed_tables import IMAGES, NUMBERS, PSI_OR_NONE  # noqa: E402

import schemas  # noqa: E402
from pipeline.tables import Table  # noqa: E402
from schemas import to_numpy  # noqa: E402

ATTRIBUTES = ("smile", "male", "old", "eyeglasses", "yaw")
INDEX = [*range(100, 104), *range(108, 111)]
ROWS = len(INDEX)
SEVERAL = [100, 100, 101, 101, 108, 108, 110]
"""Indices of a table with several rows for each."""
LISTS = tuple(pa.list_(type_) for type_ in (pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string()))


@dataclass(frozen=True)
class Example:
    """A table and what it holds: arrays by column, (N,), (N, W) or (N, L, W), lists of strings or of lists; pictures as
    pixels."""

    url: str
    columns: dict
    types: pa.Schema
    pixels: list | None = None


def write(folder: Path, schema: schemas.TableSchema, columns: dict) -> Table:
    rows = schema.rows({"index": INDEX, **columns})
    schema.validate(rows)
    table = Table.create(str(folder), schema, rows=12, rows_per_shard=4, first_index=100)
    pieces = [rows.slice(0, 4), rows.slice(4, 0), rows.slice(4)]
    table.seal([table.publish(shard, piece) for shard, piece in enumerate(pieces)], {"seed": 1}, "f" * 64)
    (folder / ".part-00002-of-00003.parquet.77-ab.staged").write_bytes(b"left by a killed worker")
    return table


def numbers(rows: pa.Table) -> dict:
    return {
        name: rows[name].to_pylist()
        if rows[name].null_count or rows[name].type in (pa.string(), *LISTS)
        else to_numpy(rows[name])
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
    """name -> Example, for every table of numbers, latents and edits in both forms, and images of each format."""
    folder = tmp_path_factory.mktemp("tables of faces")
    noise = np.random.default_rng(1)
    plain = {"psi": 0.7, "seed": 2**63 - 1, "generator": "mobilestylegan-ffhq"}
    steps = {"index": SEVERAL, "request": [0, 1] * 3 + [0], "step": 1, "strength": -3.0, "stop": "done", "space": "w"}
    steps |= {"generator": "mobilestylegan-ffhq"}
    scores = {name: noise.standard_normal(ROWS, np.float32) for name in ATTRIBUTES}
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
        "latents-own": (
            schemas.latents(with_key=True),
            {
                "key": [f"photo {row}" for row in range(ROWS)],
                "w": noise.standard_normal((ROWS, 512), np.float32),
                "psi": PSI_OR_NONE,
                "seed": None,
                "generator": "mobilestylegan-ffhq",
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
    none_or_one = [[], [0.5], [], [0.25], [], [], [1.0]]
    columns |= {
        "directions": (
            schemas.directions(),
            {
                "attribute": ATTRIBUTES[0],
                "method": "svm",
                "space": ["w", "w", "w+", "w", "w", "w", "w+"],
                "vector": [noise.standard_normal(size, np.float32) for size in (512, 512, 1024, 512, 512, 512, 1024)],
                "shape": [[512], [512], [2, 512], [512], [512], [512], [2, 512]],
                "intercept": noise.standard_normal(ROWS),
                "conditions": [[], ["old"], [], ["old", "male"], [], [], []],
                "C": none_or_one,
                "fraction": none_or_one,
                **{f"accuracy_{name}": none_or_one for name in ("train", "validation", "remaining", "all")},
                "rows": [[], [4000], [], [2000], [], [], [1]],
                "generator": "f" * 64,
                "classifier": "",
            },
        ),
        "requests": (
            schemas.requests(),
            {
                "attribute": "old",
                "target": "flip",
                "conditions": [["eyeglasses"], [], [], ["male", "smile"], [], [], []],
                "lambdas": [[0.75, 0.0], [], [], [], [], [], []],
                "strengths": [[-3.0, 3.0], [], [1.0], [], [], [], []],
                "until": none_or_one,
                "options": [["lambda1", "lambda2"], [], [], [], [], [], []],
                "option_values": [[0.75, 0.0], [], [], [], [], [], []],
            },
        ),
        "edits-w": (
            schemas.edits((512,), ATTRIBUTES),
            {**steps, "latent": noise.standard_normal((ROWS, 512), np.float32), **scores},
        ),
        "edits-ws": (
            schemas.edits((23, 512), ATTRIBUTES, ["smile"]),
            {
                **steps,
                "space": "w+",
                "latent": noise.standard_normal((ROWS, 23, 512), np.float32),
                **scores,
                "judge_smile": 0.5,
            },
        ),
        "metrics": (
            schemas.metrics(["count", "mean"]),
            {
                "index": SEVERAL,
                "group": [0, 1] * 3 + [0],
                "metric": "effects",
                "edits": "edits",
                "request": 0,
                "step": 1,
                "attribute": "old",
                "conditions": [["eyeglasses"]] * ROWS,
                "side": 1,
                "strength": 3.0,
                "measured": "male",
                "count": 7.0,
                "mean": noise.standard_normal(ROWS),
            },
        ),
    }
    found = {}
    for name, (schema, values) in columns.items():
        table = write(folder / name, schema, values)
        found[name] = Example(table.url, numbers(table.read()), schema.arrow)
    for format in ("png", "jpeg", "webp"):
        pictures = [
            {"bytes": encoded(face, format), "path": f"{index:08d}.{format}"}
            for index, face in zip(INDEX, faces(), strict=True)
        ]
        table = write(folder / f"images-{format}", schemas.images(), {"image": pictures})
        pixels = [np.asarray(Image.open(io.BytesIO(picture["bytes"]))) for picture in pictures]
        columns = {"index": np.array(INDEX), "image": pictures}
        found[f"images-{format}"] = Example(table.url, columns, table.schema.arrow, pixels)
    return found


@pytest.fixture(params=NUMBERS)
def numbers_table(request, examples) -> Example:
    return examples[request.param]


@pytest.fixture(params=IMAGES)
def images_table(request, examples) -> Example:
    return examples[request.param]
