"""What a file of each schema holds, as read back from Parquet: the contract that people's scripts stand on.

`python tests/schemas/schema_snapshot.py` writes the golden file anew; a change in it needs a new schema version.
"""

import json
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import schemas
from pipeline.editors.style_intervention.coefficients import coefficients
from pipeline.stages.kept_rows import schema_of

GOLDEN = Path(__file__).with_name("golden.txt")
ATTRIBUTES = ("smile", "male", "old", "eyeglasses", "yaw")

SCHEMAS = {
    "latents-w": schemas.latents(),
    "latents-ws": schemas.latents("w+", num_ws=23),
    "latents-z-key": schemas.latents(with_z=True, with_key=True),
    "labels": schemas.labels(ATTRIBUTES),
    "images": schemas.images(),
    "rejects": schemas.rejects(),
    "directions": schemas.directions(),
    "requests": schemas.requests(),
    "edits-w": schemas.edits(),
    "edits-ws": schemas.edits((23, 512), ATTRIBUTES, ATTRIBUTES),
    "edit_images": schemas.edit_images(),
    "measured": schemas.measured(),
    "metrics": schemas.metrics(("count", "mean")),
    "gradients": schemas.gradients(),
    "grids": schemas.grids(),
    "effects": schemas.effects(),
    "strips": schemas.strips(),
    "channels": schemas.channels(),
    "coefficients": schema_of(coefficients(6752)),
    "comparisons": schemas.comparisons(),
    "dt_steps": schemas.dt_steps(),
    "dt_curves": schemas.dt_curves(),
    "dt_auc": schemas.dt_auc(),
    "photos": schemas.photos(),
    "faces": schemas.faces(),
    "face_images": schemas.face_images(),
    "inversions": schemas.inversions(),
    "pasted": schemas.pasted(),
    "exported": schemas.exported(),
    "exported-edits": schemas.exported(("index", "request", "step")),
    "picture_features": schemas.picture_features(6, 512),
    "statistics": schemas.statistics(["faces_yaw", "faces_yaw_mirrored", "judge_smile"]),
}


def row_shape(type_: pa.DataType) -> tuple[int, ...]:
    """(W,) of a FSL, (L, W) of a FSL of FSL."""
    return (type_.list_size, *row_shape(type_.value_type)) if pa.types.is_fixed_size_list(type_) else ()


def some_rows(schema: schemas.TableSchema) -> Any:
    """Three valid rows of any schema."""
    noise = np.random.default_rng(1)
    columns: dict[str, Any] = {"index": [3, 4, 7]}
    for field in schema.arrow:
        if pa.types.is_fixed_size_list(field.type):
            columns[field.name] = noise.standard_normal((3, *row_shape(field.type))).astype(np.float32)
        elif pa.types.is_list(field.type):
            value = {"string": "a", "float": 0.5, "double": 0.5, "int64": 1, "int32": 1}[str(field.type.value_type)]
            columns[field.name] = [[value] * size for size in (2, 0, 1)]
        elif field.name == "image":
            columns[field.name] = [{"bytes": b"picture %d" % row, "path": f"{row}.png"} for row in (3, 4, 7)]
        elif field.name != "index":
            value = {"string": "a", "float": 0.5, "double": 0.5, "int64": 1, "bool": True}
            columns[field.name] = value[str(field.type)]
    return schema.rows(columns)


def described(schema: schemas.TableSchema, found: pa.Schema) -> str:
    """What the footer of a file says of the table, then its columns with their types, as read back."""
    about = json.loads(found.metadata[b"stylemill"])
    size = f"{schema.row_group_rows} rows or {schema.row_group_bytes} bytes"
    columns = ", ".join(f"{field.name}:{short(field.type)}" for field in found)
    return f"{about['schema']} {about['version']}, {size}\n{textwrap.fill(columns, 118, break_on_hyphens=False)}"


def short(type_: pa.DataType) -> str:
    """`float[23][512]` of a FSL of FSL, `double[]` of a list."""
    if pa.types.is_fixed_size_list(type_):
        return short(row_type(type_)) + "".join(f"[{size}]" for size in row_shape(type_))
    return f"{type_.value_type}[]" if pa.types.is_list(type_) else str(type_)


def row_type(type_: pa.DataType) -> pa.DataType:
    return row_type(type_.value_type) if pa.types.is_fixed_size_list(type_) else type_


def encodings(part: pq.ParquetFile) -> dict[str, str]:
    """By the type of the values, how they are kept."""
    group = part.metadata.row_group(0)
    leaves = [group.column(place) for place in range(group.num_columns)]
    found = {}
    for field in part.schema_arrow:
        for leaf in leaves:
            top, _, below = leaf.path_in_schema.partition(".")
            if top == field.name:
                kind = f"{below} of a picture" if pa.types.is_struct(field.type) else short(field.type).split("[")[0]
                kept = f"{leaf.physical_type} {leaf.compression} {' '.join(sorted(leaf.encodings))}"
                assert found.setdefault(kind, kept) == kept, f"{field.name} is not kept as the others of {kind}"
    return found


def described_all(folder: Path) -> str:
    """The text of the golden file."""
    sections, kept = [], {}
    for name, schema in SCHEMAS.items():
        path = folder / f"{name}.parquet"
        pq.write_table(some_rows(schema), path, **schema.writer_options())
        with pq.ParquetFile(path) as part:
            sections.append(f"{name}: {described(schema, part.schema_arrow)}")
            for kind, how in encodings(part).items():
                assert kept.setdefault(kind, how) == how, f"{kind} is kept in another way in {name}"
    sections.append("\n".join(f"{kind}: {how}" for kind, how in kept.items()))
    return "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        GOLDEN.write_text(described_all(Path(made)))
