"""`exported`: one row, one picture that was exported, and the file that it is in."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 1
AFTER = ("file", "member", "bytes", "sha256")


def exported(key: Sequence[str] = ("index",)) -> TableSchema:
    """The schema of a table of exported pictures, with the key of the table that they come from.

    <key>   int64   index; of edits index, request, step; of strips index, face, step
    file    string  name of the file below the directory, which may hold several pictures
    member  string  name of the picture in it, where the file is an archive; else empty
    bytes   int64   of the file
    sha256  string  of the file

    Rows rise by the key. Raises SchemaError for a key that has a name twice or one of these columns.
    """
    names = [*key, *AFTER]
    if list(key[:1]) != ["index"]:
        raise SchemaError(f"the key of exported pictures begins with 'index', not {list(key)}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise SchemaError(f"'{twice[0]}' cannot be in the key of exported pictures: the name is taken")
    fields = [
        *(pa.field(name, pa.int64()) for name in key),
        pa.field("file", pa.string()),
        pa.field("member", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
    ]
    return TableSchema.of("exported", VERSION, fields, rows_in_group(fields), key=tuple(key))
