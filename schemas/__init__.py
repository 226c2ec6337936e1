"""What a row is, for each kind of table: columns, types, units, encodings. Needs pyarrow and numpy alone."""

from schemas.arrays import to_numpy
from schemas.images import images
from schemas.known import from_arrow
from schemas.labels import labels
from schemas.latents import latents
from schemas.rejects import rejects
from schemas.table_schema import SchemaError, TableSchema

__all__ = ["SchemaError", "TableSchema", "from_arrow", "images", "labels", "latents", "rejects", "to_numpy"]
