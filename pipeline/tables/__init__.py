"""How rows are kept: parts of Parquet in a directory, published whole, sealed by a manifest. Any fsspec URL."""

from pipeline.tables.parts import Layout, PartRecord, part_name
from pipeline.tables.table import Table
from pipeline.tables.verify import Problem
from pipeline.tables.writer import PartWriter

__all__ = ["Layout", "PartRecord", "PartWriter", "Problem", "Table", "part_name"]
