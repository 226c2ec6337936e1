"""What an edit takes from a table that an earlier edit by the same editor kept."""

import hashlib
from collections.abc import Mapping, Sequence

import pyarrow as pa
from torch import Tensor

import schemas
from pipeline.editors import EditorConfig, EditRequest
from pipeline.editors.kept import Earlier
from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.stages.kept_rows import schema_of
from pipeline.stages.source import open_tables
from schemas import SchemaError


def take_earlier(
    config: EditorConfig, earlier: Earlier, requests: Sequence[EditRequest], generator: Generator, force: bool
) -> Mapping[str, Tensor]:
    """What the editor takes from this table. force: whether it may be of another generator.

    Raises:
        SpecError: it is a table of something else, of another generator or of other layers, or has not what is taken.
        StoreError: it is not there, or not complete.
    """
    [table] = open_tables([earlier.url], earlier.table.name)
    facts = table.require_sealed()["facts"]
    whose, name = facts["resolved"].get("generator_digest"), facts["spec"].get("generator")
    if whose != generator.fingerprint and not force:
        raise SpecError(
            f"{earlier.url} is of {name or 'another generator'} ({str(whose)[:12]}), and not of this {generator.name} "
            f"({generator.fingerprint[:12]}): pass --force to use it all the same"
        )
    try:
        schema_of(earlier.table).validate_types(table.schema.arrow)
    except SchemaError as error:
        raise SpecError(f"{earlier.url} is of a generator with other layers: {error}") from None
    try:
        return config.take(map(_columns, table.batches()), [request.attribute for request in requests])
    except SpecError as error:
        raise SpecError(f"{earlier.url}: {error}") from None


def digest_of(taken: Mapping[str, Tensor]) -> str:
    """The digest of the tensors that were taken, for the spec."""
    digest = hashlib.sha256()
    for name, tensor in sorted(taken.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _columns(rows: pa.RecordBatch) -> dict[str, object]:
    """Lists of words, and of lists whose lengths differ; arrays of the rest."""

    def values(column: pa.Array) -> object:
        ragged = pa.types.is_string(column.type) or pa.types.is_list(column.type)
        if ragged or pa.types.is_boolean(column.type):
            return column.to_pylist()
        return schemas.to_numpy(column)

    return {name: values(rows.column(name)) for name in rows.schema.names}
