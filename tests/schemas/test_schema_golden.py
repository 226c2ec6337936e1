"""Columns, footer and encodings of every schema are as they were when its version was set."""

import json

import pyarrow.parquet as pq
import pytest
from schema_snapshot import GOLDEN, SCHEMAS, described_all, some_rows

import schemas


def test_files_are_as_the_golden_ones(tmp_path):
    assert described_all(tmp_path).split("\n\n") == GOLDEN.read_text().split("\n\n")


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_comes_back_from_a_file(name, tmp_path):
    pq.write_table(some_rows(SCHEMAS[name]), tmp_path / "part.parquet")
    assert schemas.from_arrow(pq.read_schema(tmp_path / "part.parquet")) == SCHEMAS[name]


@pytest.mark.parametrize("name", SCHEMAS)
def test_features_are_those_that_datasets_itself_writes(name):
    datasets = pytest.importorskip("datasets")
    metadata = SCHEMAS[name].arrow.metadata
    features = datasets.Features.from_arrow_schema(SCHEMAS[name].arrow)
    assert json.loads(metadata[b"huggingface"]) == json.loads(features.arrow_schema.metadata[b"huggingface"])
    assert isinstance(features.get("image", datasets.Image()), datasets.Image)


def test_every_page_of_a_file_has_a_checksum(tmp_path):
    """A bit flipped inside of the vectors' pages is seen by a reader that verifies them."""
    path = tmp_path / "part.parquet"
    schema = SCHEMAS["latents-w"]
    pq.write_table(some_rows(schema), path, **schema.writer_options())
    column = pq.read_metadata(path).row_group(0).column(1)
    assert column.path_in_schema == "w.list.element"
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 9] ^= 4
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"CRC|checksum"):
        pq.read_table(path, page_checksum_verification=True)


def test_a_page_of_pictures_holds_about_a_megabyte(tmp_path):
    """So that a viewer reads one picture without the hundred of its row group."""
    schema, path = schemas.images(), tmp_path / "part.parquet"
    pictures = [{"bytes": bytes([row]) * 600_000, "path": f"{row}.png"} for row in range(20)]
    pq.write_table(schema.rows({"index": range(20), "image": pictures}), path, **schema.writer_options())
    column = pq.read_metadata(path).row_group(0).column(1)
    assert column.path_in_schema == "image.bytes"
    assert pages(path.read_bytes(), column) == 10


def pages(content: bytes, column: object) -> int:
    """How many pages a column of stored pictures has: where each picture's run of equal bytes does not follow on."""
    start = column.data_page_offset
    chunk = content[start : start + column.total_compressed_size]
    gaps = [chunk.find(bytes([row]) * 100) - (chunk.rfind(bytes([row - 1]) * 100) + 100) for row in range(1, 20)]
    return 1 + sum(gap > 4 for gap in gaps)
