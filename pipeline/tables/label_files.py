"""Label files: a CSV, TSV or Parquet file of `index`, the row numbers of a latents table, and any columns.

Numbers are scores. Yes and no may be written as 1 and 0, 1 and -1, true and false or yes and no. An empty cell is a row
without that label. Shapes: N rows of the file.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.file_content import check_content
from pipeline.tables import store

INDEX = "index"
SUFFIXES = (".csv", ".tsv", ".parquet")
SEPARATORS = (",", "\t", ";")
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "y": 1.0, "n": 0.0, "t": 1.0, "f": 0.0}
WHAT = f"labels of your own are a .csv, .tsv or .parquet file of `{INDEX}` and a column for each attribute"


@dataclass(frozen=True, eq=False)
class LabelFile:
    """index (N,) rising; columns (N,) float64 by name, NaN where a cell is empty; text: columns that are no numbers, by
    name, with a few of their values; digest: sha256 of the file.
    """

    url: str
    index: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]
    text: Mapping[str, str]
    digest: str


def is_label_file(url: str) -> bool:
    """Whether it is, or is named like, a label file, not a table."""
    path = store.local_path(url)
    if path is not None and path.is_dir():
        return False
    return url.lower().endswith(SUFFIXES) or (path is not None and path.is_file())


def read_labels(url: str) -> LabelFile:
    """The file's labels.

    Raises:
        SpecError: there is no such file, it is of another kind, its rows are not numbered by whole numbers from 0 on,
            each once, or it has no column of numbers or of yes and no.
        ModelFileError: it is a web page, a Git-LFS pointer or the like.
        StoreError: it cannot be read.
    """
    content = store.read_bytes(url)
    if content is None:
        raise SpecError(f"{url}: there is no such file")
    check_content(content, url)
    table = _parsed(url, content)
    if INDEX not in table.column_names:
        raise SpecError(
            f"{url} has the columns {', '.join(map(repr, table.column_names))}: one must be `{INDEX}`, the row's "
            "number in the latents table"
        )
    if twice := [name for name in table.column_names if table.column_names.count(name) > 1]:
        raise SpecError(f"{url} has two columns {twice[0]!r}: rename one")
    index = _index(url, table[INDEX])
    columns: dict[str, NDArray[np.float64]] = {}
    text: dict[str, str] = {}
    for name in table.drop_columns(INDEX).column_names:
        values = _numbers(table[name])
        if values is None:
            text[name] = ", ".join(repr(value) for value in table[name].drop_null().unique()[:3].to_pylist())
        else:
            columns[name] = values[np.argsort(index)]
    if not columns:
        raise SpecError(f"{url} has no column of numbers, or of yes and no, besides `{INDEX}`")
    return LabelFile(url, np.sort(index), columns, text, hashlib.sha256(content).hexdigest())


def _parsed(url: str, content: bytes) -> pa.Table:
    try:
        if url.lower().endswith(".parquet"):
            return pq.read_table(io.BytesIO(content))
        if url.lower().endswith(SUFFIXES):
            options = pyarrow.csv.ParseOptions(delimiter=_separator(content.decode("utf-8")))
            convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
            return pyarrow.csv.read_csv(io.BytesIO(content), parse_options=options, convert_options=convert)
    except UnicodeDecodeError as error:
        raise SpecError(f"{url} is not in UTF-8 (byte {error.start}): save it as UTF-8") from error
    except (pa.ArrowException, OSError) as error:
        raise SpecError(f"{url} cannot be read: {' '.join(str(error).split())}") from error
    raise SpecError(f"{url}: {WHAT}")


def _separator(text: str) -> str:
    """The most frequent one in the first line."""
    return max(SEPARATORS, key=text.split("\n", 1)[0].count)


def _index(url: str, column: pa.ChunkedArray) -> NDArray[np.int64]:
    if not len(column):
        raise SpecError(f"{url} has no row")
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    values = None if text else _numbers(column)
    if values is None:
        values = np.full(len(column), np.nan)
    with np.errstate(invalid="ignore"):
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values < 2**63) & (values % 1 == 0)))
    if len(bad):
        raise SpecError(
            f"{url}: the {INDEX} of row {bad[0] + 1} is {column[int(bad[0])].as_py()!r}: it is the row's number in the "
            "latents table, a whole number from 0 on"
        )
    index = values.astype(np.int64)
    numbers, counts = np.unique(index, return_counts=True)
    if (counts > 1).any():
        raise SpecError(f"{url} has {counts.max()} rows with the {INDEX} {numbers[counts.argmax()]}: leave one")
    return index


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64] | None:
    """(N,), NaN where there is nothing; None where there is text that is neither yes nor no."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind):
        column = pc.cast(column, pa.int8())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        words = [None if word is None else WORDS.get(word.strip().lower()) for word in column.to_pylist()]
        if sum(word is None for word in words) > column.null_count:
            return None
        return np.array([np.nan if word is None else word for word in words])
    elif pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return None
    values: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return values
