"""What --labels names: a sealed labels table, or a file of one's own."""

from pipeline.stages.joined import Labels
from pipeline.stages.own_labels import is_own, read_labels
from pipeline.tables import Table


def open_labels(url: str) -> Labels:
    """A labels table, sealed, or a CSV, TSV or Parquet file.

    Raises:
        SpecError: as `read_labels`.
        StoreError: the table is not there, or not complete, or the file cannot be read.
    """
    if is_own(url):
        return read_labels(url)
    table = Table.open(url)
    table.require_sealed()
    return table
