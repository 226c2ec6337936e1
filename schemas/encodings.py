"""How the columns of a table are written to Parquet.

Floats: zstd over BYTE_STREAM_SPLIT, no dictionary: smaller than pyarrow's default, which gains nothing on latents.
Strings: zstd over a dictionary, since a generator's name or a reason repeats. Pictures are compressed already: stored.
Every page has a checksum. Statistics only of `index`, so that a range of rows is found without reading vectors.
"""

from collections.abc import Iterator

import pyarrow as pa

ROW_GROUP_BYTES = 16 * 2**20


def writer_options(schema: pa.Schema) -> dict[str, object]:
    """Keyword arguments for `pyarrow.parquet.ParquetWriter`, a function of the columns' types alone."""
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    structs = [field for field in schema if pa.types.is_struct(field.type)]
    pictures = {name for field in structs for name, _ in _leaves(field.name, field.type)}
    return {
        "version": "2.6",
        "data_page_version": "1.0",
        "compression": {name: "none" if name in pictures else "zstd" for name, _ in leaves},
        "use_byte_stream_split": [name for name, type_ in leaves if pa.types.is_floating(type_)],
        "use_dictionary": [name for name, type_ in leaves if pa.types.is_string(type_) and name not in pictures],
        "write_statistics": ["index"],
        "write_page_checksum": True,
        "write_batch_size": 1 if pictures else 1024,  # so that a page ends after about a megabyte of pictures
    }


def rows_in_group(fields: list[pa.Field]) -> int:
    """Rows of a row group of about 16 MiB of values of a fixed size: strings and lists count as nothing."""
    bits = sum(_bits(field.type) for field in fields)
    return max(1, min(65536, 8 * ROW_GROUP_BYTES // bits))


def _leaves(path: str, type_: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """Parquet's own names of the leaf columns: `w.list.element`, `image.bytes`."""
    if pa.types.is_fixed_size_list(type_) or pa.types.is_list(type_):
        yield from _leaves(f"{path}.list.element", type_.value_type)
    elif pa.types.is_struct(type_):
        for child in type_:
            yield from _leaves(f"{path}.{child.name}", child.type)
    else:
        yield path, type_


def _bits(type_: pa.DataType) -> int:
    if pa.types.is_fixed_size_list(type_):
        return type_.list_size * _bits(type_.value_type)
    return 0 if pa.types.is_string(type_) or pa.types.is_list(type_) else type_.bit_width
