"""Parts: bytes decided by rows and schema alone, published whole, nothing left where writing fails."""

import dataclasses
import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import schemas
from pipeline.errors import StoreError
from pipeline.tables import Table
from schemas import SchemaError

LABELS = schemas.labels(["smile"])
IMAGES = schemas.images()


def labels_rows(first, count, seed=1):
    scores = np.random.default_rng(seed).standard_normal(count).astype(np.float32)
    return LABELS.rows(
        {"index": range(first, first + count), "smile": scores, "age_years": scores * 30, "yaw_degrees": -scores}
    )


def images_rows(sizes, seed=1):
    noise = np.random.default_rng(seed)
    pictures = [{"bytes": noise.bytes(size), "path": f"{row}.png"} for row, size in enumerate(sizes)]
    return IMAGES.rows({"index": range(len(sizes)), "image": pictures})


def write(folder, schema, rows, cuts):
    """Write rows in the pieces that `cuts` make; (record, bytes)."""
    first = rows["index"][0].as_py()
    table = Table.create(str(folder), schema, rows=rows.num_rows, rows_per_shard=rows.num_rows, first_index=first)
    with table.writer(0) as writer:
        edges = [0, *sorted(cut % (rows.num_rows + 1) for cut in cuts), rows.num_rows]
        for start, stop in itertools.pairwise(edges):
            writer.write(rows.slice(start, stop - start))
        record = writer.finish()
        writer.publish()
    return record, (Path(folder) / record.name).read_bytes()


CHUNKINGS = st.lists(st.integers(0, 10**6), max_size=30)
QUICK = settings(max_examples=25)


@QUICK
@given(CHUNKINGS, st.integers(1, 60))
@example(list(range(0, 200, 2)), 7)
def test_bytes_do_not_depend_on_how_rows_were_handed_in(tmp_path, cuts, group_rows):
    schema = dataclasses.replace(LABELS, row_group_rows=group_rows)
    rows = labels_rows(5, 200)
    once, content = write(tmp_path / "once", schema, rows, [])
    pieces, same = write(tmp_path / "pieces", schema, rows, cuts)
    assert once == pieces
    assert content == same
    assert hashlib.sha256(content).hexdigest() == once.sha256
    assert len(content) == once.bytes
    assert (once.rows, once.index_first, once.index_last) == (200, 5, 204)


@QUICK
@given(CHUNKINGS, st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(1, 12))
def test_bytes_of_pictures_do_not_depend_on_it_either(tmp_path, cuts, sizes, group_rows):
    schema = dataclasses.replace(IMAGES, row_group_rows=group_rows, row_group_bytes=4000)
    rows = images_rows(sizes)
    once, content = write(tmp_path / "once", schema, rows, [])
    pieces, same = write(tmp_path / "pieces", schema, rows, cuts)
    assert once == pieces
    assert content == same
    with pq.ParquetFile(tmp_path / "once" / once.name) as part:
        assert part.read().equals(rows)
        for group in range(part.num_row_groups):
            found = part.read_row_group(group)
            held = sum(len(image["bytes"]) + len(image["path"]) for image in found["image"].to_pylist())
            assert found.num_rows <= group_rows
            assert held <= 4000 or found.num_rows == 1


def test_row_groups_of_the_real_schemas(tmp_path):
    """Pictures: at most 100 rows and 100 MB. Latents: 16 MiB."""
    record, _ = write(tmp_path / "images", IMAGES, images_rows([1000] * 250), [3, 120])
    with pq.ParquetFile(tmp_path / "images" / record.name) as part:
        assert [part.metadata.row_group(group).num_rows for group in range(part.num_row_groups)] == [100, 100, 50]
    assert IMAGES.row_group_bytes == 100_000_000
    assert schemas.latents().row_group_rows * 512 * 4 == pytest.approx(16 * 2**20, rel=0.02)
    assert schemas.latents("w+", num_ws=23).row_group_rows * 23 * 512 * 4 == pytest.approx(16 * 2**20, rel=0.02)


@pytest.mark.parametrize("schema", [LABELS, IMAGES, schemas.latents("w+", num_ws=3), schemas.rejects()])
def test_a_part_may_be_empty(place, schema):
    table = Table.create(place, schema, rows=10, rows_per_shard=5)
    with table.writer(1) as writer:
        record = writer.finish()
        writer.publish()
    assert (record.rows, record.index_first, record.index_last) == (0, None, None)
    assert Table.open(place).read().num_rows == 0
    assert Table.open(place).schema == schema


def test_nothing_shows_before_publish_and_nothing_hidden_after(place):
    table = Table.create(place, LABELS, rows=10, rows_per_shard=5)
    with table.writer(0) as writer:
        writer.write(labels_rows(0, 3))
        record = writer.finish()
        assert table.parts() == {}
        assert not any(name.endswith(".parquet") for name in table_files(place))
        writer.publish()
        assert table_files(place) == [record.name]
    assert table.parts() == {0: "part-00000-of-00002.parquet"}
    with table.writer(1) as writer:
        writer.write(labels_rows(5, 5))
    assert table_files(place) == [record.name]


def table_files(url):
    fs, path = fsspec.url_to_fs(url)
    fs.invalidate_cache()
    return [name.rsplit("/", 1)[-1] for name in fs.find(path)]


def test_staged_file_is_hidden_from_readers(tmp_path):
    """While a part is written its staged file has a dot name, and is of no kind that readers open."""
    with Table.create(str(tmp_path), LABELS, rows=5, rows_per_shard=5).writer(0) as writer:
        writer.write(labels_rows(0, 5))
        (staged,) = tmp_path.iterdir()
        assert staged.name.startswith(".part-00000-of-00001.parquet.")
        assert staged.suffix == ".staged"


def test_publishing_again_replaces(place):
    table = Table.create(place, LABELS, rows=5, rows_per_shard=5)
    table.publish(0, labels_rows(0, 5))
    again = table.publish(0, labels_rows(0, 5, seed=2))
    assert table.read().equals(labels_rows(0, 5, seed=2))
    assert table_files(place) == [again.name]


def test_rows_that_are_not_of_the_shard(tmp_path):
    table = Table.create(str(tmp_path), LABELS, rows=10, rows_per_shard=5)
    for wrong, message in [
        (labels_rows(0, 6), "rows 0 to 5 are not all of this shard, whose rows are 0 to 4"),
        (labels_rows(5, 1), "rows 5 to 5 are not all"),
        (labels_rows(0, 2).drop_columns(["smile"]), "'smile' .* is missing"),
    ]:
        with pytest.raises(SchemaError, match=message):
            table.publish(0, wrong)
    with table.writer(0) as writer:
        writer.write(labels_rows(0, 2))
        with pytest.raises(SchemaError, match=r"part-00000-of-00002\.parquet: index 1 comes after 1"):
            writer.write(labels_rows(1, 1))
    assert list(tmp_path.iterdir()) == []


def test_a_finished_part_takes_no_rows(tmp_path):
    with Table.create(str(tmp_path), LABELS, rows=10, rows_per_shard=5).writer(0) as writer:
        writer.finish()
        with pytest.raises(ValueError, match="finished"):
            writer.write(labels_rows(0, 1))


FULL_DISK = """
import resource, sys
import numpy as np
import schemas
from pipeline.errors import StoreError
from pipeline.tables import Table

resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
schema = schemas.latents()
w = np.random.default_rng(1).standard_normal((400, 512)).astype(np.float32)
rows = schema.rows({"index": range(400), "w": w, "psi": 1.0, "seed": 1, "generator": "g"})
table = Table.create(sys.argv[1], schema, rows=400, rows_per_shard=400)
try:
    table.publish(0, rows)
except StoreError as error:
    print(error)
"""


def test_a_write_that_the_system_refuses(tmp_path):
    """The kernel's own error, by a limit on the size of files, in the middle of a part."""
    out = tmp_path / "latents"
    command = [sys.executable, "-c", FULL_DISK, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(schemas.__file__).parents[1])
    assert done.stdout.startswith(f"cannot write {out}/.part-00000-of-00001.parquet.")
    assert "larger than this disk or process may write" in done.stdout
    assert list(out.iterdir()) == []


def test_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot make .*file.* another place"):
        Table.create(str(tmp_path / "file" / "latents"), LABELS, rows=5, rows_per_shard=5)
    with pytest.raises(StoreError, match=r"cannot make .*file.* another place"):
        Table.create(str(tmp_path / "file"), LABELS, rows=5, rows_per_shard=5)


def test_missing_bucket_leaves_no_staged_file(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    table = Table.create("s3://no-such-bucket/latents", LABELS, rows=5, rows_per_shard=5)
    with pytest.raises(StoreError, match=r"cannot publish s3://no-such-bucket/latents/part-00000.*bucket"):
        table.publish(0, labels_rows(0, 5))
    assert list(tmp_path.iterdir()) == []
