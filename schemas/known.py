"""From a file's own columns back to the schema that it was written with."""

import json

import pyarrow as pa

from schemas.channels import channels
from schemas.comparisons import comparisons
from schemas.directions import directions
from schemas.dt_auc import dt_auc
from schemas.dt_curves import dt_curves
from schemas.dt_steps import dt_steps
from schemas.edit_images import edit_images
from schemas.edits import AFTER, BEFORE, JUDGE, edits
from schemas.effects import effects
from schemas.exported import AFTER as EXPORTED
from schemas.exported import exported
from schemas.face_images import face_images
from schemas.faces import faces
from schemas.gradients import gradients
from schemas.grids import grids
from schemas.images import images
from schemas.inversions import inversions
from schemas.kept import as_kept, is_kept
from schemas.labels import MEASURES, labels
from schemas.latents import latents
from schemas.measured import measured
from schemas.metrics import GROUP, metrics
from schemas.pasted import pasted
from schemas.photos import photos
from schemas.picture_features import picture_features
from schemas.rejects import rejects
from schemas.requests import requests
from schemas.statistics import statistics
from schemas.strips import strips
from schemas.table_schema import METADATA_KEY, SchemaError, TableSchema


def from_arrow(found: pa.Schema) -> TableSchema:
    """The TableSchema of a part, from the columns and footer metadata that `pyarrow.parquet` reads.

    Raises SchemaError where the footer names no schema, one that is not known, a later version of one, or where the
    columns are not those of the schema that it names. A table that an editor keeps has the columns that it has.
    """
    name, version = _name_and_version(found)
    builders = {
        "latents": _latents,
        "labels": _labels,
        "images": _images,
        "rejects": _rejects,
        "directions": _directions,
        "edits": _edits,
        "requests": _requests,
        "metrics": _metrics,
        "edit_images": _edit_images,
        "measured": _measured,
        "gradients": _gradients,
        "grids": _grids,
        "effects": _effects,
        "strips": _strips,
        "channels": _channels,
        "comparisons": _comparisons,
        "dt_steps": _dt_steps,
        "dt_curves": _dt_curves,
        "dt_auc": _dt_auc,
        "statistics": _statistics,
        "exported": _exported,
        "photos": _photos,
        "picture_features": _picture_features,
        "faces": _faces,
        "face_images": _face_images,
        "inversions": _inversions,
        "pasted": _pasted,
    }
    if name not in builders and is_kept(found):
        schema = as_kept(name, version, found)
        schema.validate_types(found)
        return schema
    if name not in builders:
        raise SchemaError(f"schema {name!r} is not known here; known are {', '.join(builders)}")
    schema = builders[name](found)
    if version > schema.version:
        raise SchemaError(f"{name} version {version} was written by a later stylemill; this one reads {schema.version}")
    schema.validate_types(found)
    return schema


def _name_and_version(found: pa.Schema) -> tuple[str, int]:
    try:
        card = json.loads((found.metadata or {})[METADATA_KEY])
        return str(card["schema"]), int(card["version"])
    except (KeyError, TypeError, ValueError) as error:
        raise SchemaError("the footer names no stylemill schema: this file was not written by stylemill") from error


def _latents(found: pa.Schema) -> TableSchema:
    sizes = {
        name: found.field(name).type.list_size
        for name in ("z", "w", "ws")
        if name in found.names and pa.types.is_fixed_size_list(found.field(name).type)
    }
    options = {"with_z": "z" in found.names, "with_key": "key" in found.names, "z_dim": sizes.get("z", 512)}
    if "ws" not in sizes:
        return latents("w", sizes.get("w", 512), **options)
    row = found.field("ws").type.value_type
    w_dim = row.list_size if pa.types.is_fixed_size_list(row) else 512
    return latents("w+", w_dim, sizes["ws"], **options)


def _labels(found: pa.Schema) -> TableSchema:
    measures = [name for name in MEASURES if name in found.names]
    return labels([name for name in found.names if name not in ("index", *MEASURES)], measures)


def _images(_: pa.Schema) -> TableSchema:
    return images()


def _rejects(_: pa.Schema) -> TableSchema:
    return rejects()


def _strips(_: pa.Schema) -> TableSchema:
    return strips()


def _edit_images(_: pa.Schema) -> TableSchema:
    return edit_images()


def _measured(_: pa.Schema) -> TableSchema:
    return measured()


def _photos(_: pa.Schema) -> TableSchema:
    return photos()


def _picture_features(found: pa.Schema) -> TableSchema:
    sizes = {
        name: found.field(name).type.list_size
        for name in ("features", "w")
        if name in found.names and pa.types.is_fixed_size_list(found.field(name).type)
    }
    return picture_features(sizes.get("features", 1), sizes.get("w", 512))


def _faces(_: pa.Schema) -> TableSchema:
    return faces()


def _face_images(_: pa.Schema) -> TableSchema:
    return face_images()


def _pasted(_: pa.Schema) -> TableSchema:
    return pasted()


def _directions(_: pa.Schema) -> TableSchema:
    return directions()


def _inversions(_: pa.Schema) -> TableSchema:
    return inversions()


def _edits(found: pa.Schema) -> TableSchema:
    shape, inner = [], found.field("latent").type if "latent" in found.names else None
    while inner is not None and pa.types.is_fixed_size_list(inner):
        shape.append(inner.list_size)
        inner = inner.value_type
    columns = [name for name in found.names if name not in (*BEFORE, *AFTER)]
    judge = [name.removeprefix(JUDGE) for name in columns if name.startswith(JUDGE)]
    return edits(shape or (512,), [name for name in columns if not name.startswith(JUDGE)], judge)


def _requests(found: pa.Schema) -> TableSchema:
    return requests(with_options="options" in found.names)


def _metrics(found: pa.Schema) -> TableSchema:
    return metrics([name for name in found.names if name not in GROUP])


def _gradients(_: pa.Schema) -> TableSchema:
    return gradients()


def _grids(_: pa.Schema) -> TableSchema:
    return grids()


def _effects(_: pa.Schema) -> TableSchema:
    return effects()


def _channels(_: pa.Schema) -> TableSchema:
    return channels()


def _comparisons(_: pa.Schema) -> TableSchema:
    return comparisons()


def _dt_steps(_: pa.Schema) -> TableSchema:
    return dt_steps()


def _dt_curves(_: pa.Schema) -> TableSchema:
    return dt_curves()


def _dt_auc(_: pa.Schema) -> TableSchema:
    return dt_auc()


def _exported(found: pa.Schema) -> TableSchema:
    return exported([name for name in found.names if name not in EXPORTED])


def _statistics(found: pa.Schema) -> TableSchema:
    return statistics([name for name in found.names if name != "index"])
