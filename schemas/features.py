"""The footer key `huggingface`: the features JSON by which Hugging Face knows columns and pictures."""

from typing import Any

import pyarrow as pa

PICTURE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])

_DTYPES = {
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.string(): "string",
    pa.bool_(): "bool",
}


def huggingface_features(fields: list[pa.Field]) -> dict[str, Any]:
    """What `datasets.Features.arrow_schema.metadata` holds for these columns (datasets 4 and later: `List`)."""
    return {"info": {"features": {field.name: _feature(field.type) for field in fields}}}


def _feature(type_: pa.DataType) -> dict[str, Any]:
    if type_ == PICTURE:
        return {"_type": "Image"}
    if pa.types.is_fixed_size_list(type_):
        return {"feature": _feature(type_.value_type), "length": type_.list_size, "_type": "List"}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "List"}
    return {"dtype": _DTYPES[type_], "_type": "Value"}
