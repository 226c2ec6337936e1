"""Tables in storage: Parquet parts in a directory (any fsspec URL), each published whole.

A manifest, written last, seals a table, which marks it as complete."""

from pipeline.tables.artifact import Artifact, ArtifactFiles
from pipeline.tables.parts import Layout, PartRecord, parse_part_name, part_name
from pipeline.tables.table import Table
from pipeline.tables.verify import Problem
from pipeline.tables.writer import PartWriter

__all__ = [
    "Artifact",
    "ArtifactFiles",
    "Layout",
    "PartRecord",
    "PartWriter",
    "Problem",
    "Table",
    "parse_part_name",
    "part_name",
]
