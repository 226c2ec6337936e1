"""A folder as the main job leaves it, small, with pictures whose colour tells their index."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

import schemas
from pipeline.tables import Table, store

ATTRIBUTES = ("smile", "male", "old", "eyeglasses", "yaw")
DIGEST = "3f9a1c" + "0" * 58

SPEC: dict[str, Any] = {
    "verb": "dataset",
    "fingerprint": DIGEST,
    "created": "2026-11-21T10:04:31+00:00",
    "spec": {
        "generator": "mobilestylegan-ffhq",
        "rows": 42,
        "seed": 7,
        "psi": 0.7,
        "cutoff": None,
        "attributes": list(ATTRIBUTES),
        "classifiers": "faces",
        "images": "png",
        "size": 64,
        "threads": 1,
        "device": "cpu",
        "backend": "compiled",
        "noise_of_its_own": 3,
    },
    "resolved": {"generator_digest": "a" * 64, "calibration_digest": "c" * 64},
    "versions": {"torch": "2.13.0", "stylemill": "0.1.0"},
}
SUMMARY: dict[str, Any] = {
    "verb": "dataset",
    "exit_code": 0,
    "planned": 42,
    "published": 40,
    "rejected": 2,
    "failed": 0,
    "seconds": 842.0,
    "rows_per_second": 0.0475,
    "workers": 2,
    "rejects_by_reason": {"not finite": 2},
    "counters": {"synth_seconds": 300.0, "faces": 40},
    "weights": [
        {
            "name": "mobilestylegan-ffhq",
            "what": "generator",
            "source": "PyPI random_face",
            "licence": "non-commercial",
            "citation": "Belousov 2021, https://arxiv.org/abs/2104.04767",
            "noncommercial": "learned from FFHQ, whose terms are non-commercial",
        },
        {"name": "faceres", "noncommercial": ""},
        {"name": "parser", "noncommercial": True},
    ],
}


def colour(index: int) -> tuple[int, int, int]:
    return (37 * index) % 256, (91 * index + 40) % 256, (53 * index + 90) % 256


def picture(index: int, side: int = 64) -> bytes:
    """A PNG: the index's colour, with a darker disc in one corner."""
    image = Image.new("RGB", (side, side), colour(index))
    ImageDraw.Draw(image).ellipse((0, 0, side // 4, side // 4), fill=(20, 20, 20))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def scores(rows: int, attributes: Sequence[str]) -> dict[str, np.ndarray]:
    """A score in [-2, 2] for each attribute and row, different for each, of no two rows equal."""
    index_N = np.arange(rows)
    return {
        name: (((index_N * (7 + 2 * place) + 3 * place) % 997) / 997 * 4 - 2).astype(np.float32)
        for place, name in enumerate(attributes)
    }


def make(
    url: str,
    *,
    rows: int = 40,
    rows_per_shard: int = 16,
    attributes: Sequence[str] = ATTRIBUTES,
    tables: Sequence[str] = ("latents", "labels", "images"),
    sealed: bool = True,
    shards: int | None = None,
    side: int = 64,
    job_records: bool = True,
) -> str:
    """Publish the tables (the first `shards` of them only, if given) and the bookkeeping; returns `url`."""
    columns = scores(rows, attributes)
    w = pa.list_(pa.float32(), 4)

    def rows_of(table: str, index: range) -> dict[str, Any]:
        values: dict[str, Any] = {"index": list(index)}
        if table == "latents":
            values["w"] = pa.array([[0.5] * 4 for _ in index], type=w)
            values |= {"psi": [0.7] * len(index), "seed": [7] * len(index), "generator": ["little"] * len(index)}
        elif table == "labels":
            values |= {name: column[list(index)] for name, column in columns.items()}
            values |= {"age_years": [20.0 + i % 50 for i in index], "yaw_degrees": [float(i % 31 - 15) for i in index]}
        else:
            values["image"] = [{"bytes": picture(i, side), "path": f"{i:09d}.png"} for i in index]
        return values

    known = {"latents": schemas.latents("w", 4), "labels": schemas.labels(attributes), "images": schemas.images()}
    for name in tables:
        table = Table.create(store.join(url, name), known[name], rows=rows, rows_per_shard=rows_per_shard)
        assert table.layout is not None
        records = [
            table.publish(
                shard,
                pa.Table.from_pydict(rows_of(name, table.layout.indices(shard)), schema=table.schema.arrow),
            )
            for shard in range(table.layout.shards if shards is None else shards)
        ]
        if sealed:
            table.seal(records, {})
    if job_records:
        document(url, "spec", SPEC)
        document(url, "summary", SUMMARY)
        rejects(url, {40: "not finite", 41: "not finite"})
    return url


def document(url: str, name: str, value: Any, verb: str = "dataset") -> None:
    """Write spec.json or summary.json; bytes are written as they are."""
    content = value if isinstance(value, bytes) else store.canonical_json(value)
    store.write_atomic(store.join(url, ".stylemill", verb, f"{name}.json"), content)


def rejects(url: str, reasons: dict[int, str], verb: str = "dataset") -> None:
    table = Table.create(
        store.join(url, "rejects", verb), schemas.rejects(), rows=max(reasons) + 1, rows_per_shard=10_000
    )
    rows = [{"index": i, "stage": verb, "reason": reasons[i], "detail": "", "traceback": ""} for i in sorted(reasons)]
    table.seal([table.publish(0, pa.Table.from_pylist(rows, schema=table.schema.arrow))], {})
