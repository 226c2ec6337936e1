"""What a row is, for each kind of table: columns, types, units, encodings. Needs pyarrow and numpy alone."""

from schemas.arrays import to_numpy
from schemas.channels import channels
from schemas.comparisons import comparisons
from schemas.directions import directions
from schemas.dt_auc import dt_auc
from schemas.dt_curves import dt_curves
from schemas.dt_steps import dt_steps
from schemas.edit_images import edit_images
from schemas.edits import edits
from schemas.effects import effects
from schemas.exported import exported
from schemas.face_images import face_images
from schemas.faces import faces
from schemas.gradients import gradients
from schemas.grids import grids
from schemas.images import images
from schemas.inversions import inversions
from schemas.kept import kept
from schemas.known import from_arrow
from schemas.labels import labels
from schemas.latents import latents
from schemas.measured import measured
from schemas.metrics import metrics
from schemas.pasted import pasted
from schemas.photos import photos
from schemas.picture_features import picture_features
from schemas.rejects import rejects
from schemas.requests import requests
from schemas.statistics import statistics
from schemas.strips import strips
from schemas.table_schema import SchemaError, TableSchema

__all__ = [
    "SchemaError",
    "TableSchema",
    "channels",
    "comparisons",
    "directions",
    "dt_auc",
    "dt_curves",
    "dt_steps",
    "edit_images",
    "edits",
    "effects",
    "exported",
    "face_images",
    "faces",
    "from_arrow",
    "gradients",
    "grids",
    "images",
    "inversions",
    "kept",
    "labels",
    "latents",
    "measured",
    "metrics",
    "pasted",
    "photos",
    "picture_features",
    "rejects",
    "requests",
    "statistics",
    "strips",
    "to_numpy",
]
