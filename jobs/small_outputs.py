"""Small tables and files that a verb makes in this process; a table's manifest holds what it was made from."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pydantic import Field

from jobs.flags import Names, Spec, say
from jobs.locations import is_in_memory
from pipeline.directions import Direction
from pipeline.directions.lookup import by_name
from pipeline.engine.derived import write_whole
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.owner import disown
from pipeline.errors import ModelFileError, OutputDiffers, SpecError
from pipeline.stages.direction_rows import DirectionTables
from pipeline.tables import Artifact, Table, store
from pipeline.tables.artifact import ArtifactFiles
from schemas import TableSchema


class SmallOutputSpec(Spec):
    """Of verbs that make a small table or a few files."""

    out: str = Field(description="Output directory.")
    replace: bool = Field(False, description="Overwrite existing output.")

    def output_url(self, name: str, *inputs: str) -> str:
        """The URL of DIR/`name`, checked before anything is computed.

        Raises:
            OutputDiffers: there is a file or a table, and it is not to be replaced.
            SpecError: it is one of the tables that the new one is made from.
        """
        url = store.join(self.out, name)
        if is_in_memory(url):
            say(f"Note  {url} is in the memory of this process: it is lost when the process ends")
        if url.rstrip("/") in {one.rstrip("/") for one in inputs}:
            raise SpecError(f"{url} is what the new table would be made from: choose another --out")
        if not self.replace and store.exists(url):
            raise OutputDiffers(f"{url} is there already; choose another --out, or pass --replace to make it again")
        return url


class DirectionsSpec(SmallOutputSpec):
    """Of verbs that make something of directions."""

    directions: Names = Field(min_length=1, description="A table of directions, or several, separated by commas.")

    def open_directions(self) -> tuple[DirectionTables, dict[str, Direction]]:
        """The tables, and their directions by name; errors as `DirectionTables.open`."""
        tables = DirectionTables.open(self.directions)
        return tables, by_name(tables.directions)


def read_files(files: Sequence[str]) -> dict[str, bytes]:
    """The bytes of each file. Raises ModelFileError where one is not there, and StoreError where storage fails."""
    contents = {file: store.read_bytes(file) for file in files}
    if missing := [file for file, content in contents.items() if content is None]:
        raise ModelFileError(f"{missing[0]}: there is no such file")
    return {file: content for file, content in contents.items() if content is not None}


def write_small_table(url: str, schema: TableSchema, rows: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write and seal a table of one part, in place of what is there (`SmallOutputSpec.output_url` has checked).

    Raises:
        StoreError: storage fails.
    """
    disown(Table(url))
    write_whole(url, schema, rows, facts, fingerprint(facts))
    say(f"Done  {url}: {rows.num_rows:,} rows")


def write_small_artifact(url: str, made: ArtifactFiles, facts: Mapping[str, Any]) -> None:
    """Publish and seal an artifact, in place of what is there (`SmallOutputSpec.output_url` has checked).

    Raises:
        StoreError: storage fails.
    """
    artifact = Artifact(url)
    disown(artifact)
    artifact.clear()
    artifact.seal([artifact.publish(made)], facts, fingerprint(facts))
    say(f"Done  {url}: {', '.join(made.card.attributes) or made.card.what}")
