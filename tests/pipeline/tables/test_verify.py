"""verify finds each kind of damage, names part, place and next step, and never raises on a damaged file."""

import json
import shutil
import uuid

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from pipeline.tables import PartRecord, Table, part_name, retries, store
from pipeline.tables import manifest as manifests

SCHEMA = schemas.TableSchema("labels", 1, schemas.labels(["smile"]).arrow, row_group_rows=40)


def rows_of(indices):
    scores = np.random.default_rng(1).standard_normal(len(indices)).astype(np.float32)
    return SCHEMA.rows({"index": list(indices), "smile": scores, "age_years": scores, "yaw_degrees": scores})


@pytest.fixture
def table(tmp_path):
    """Three shards of 100 rows in row groups of 40, sealed and sound."""
    table = Table.create(str(tmp_path / "labels"), SCHEMA, rows=300, rows_per_shard=100)
    table.seal([table.publish(shard, rows_of(range(100 * shard, 100 * shard + 100))) for shard in range(3)], {})
    assert table.verify() == []
    return table


@pytest.fixture
def part(table, tmp_path):
    return tmp_path / "labels" / part_name(1, 3)


def problems(table, deep=True):
    """As a person sees them; each names the part and what to do."""
    found = Table.open(table.url).verify(deep)
    assert all(problem.next_step and problem.part in str(problem) for problem in found)
    return [str(problem) for problem in found]


def test_truncated(table, part):
    content = part.read_bytes()
    part.write_bytes(content[:-100])
    (shallow,) = problems(table, deep=False)
    assert shallow.startswith(f"{part.name}: has {len(content) - 100} bytes, {len(content)} were written")
    deep = problems(table)
    assert len(deep) == 3
    assert "sha256" in deep[1]
    assert "cannot be read" in deep[2]


def test_one_flipped_bit_names_its_row_group(table, part):
    """In the middle of the second row group's pages, where only a checksum can see it."""
    column = pq.read_metadata(part).row_group(1).column(1)
    content = bytearray(part.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 5] ^= 1
    part.write_bytes(content)
    assert problems(table, deep=False) == []
    digest, page = problems(table)
    assert digest.startswith(f"{part.name}: its sha256 is")
    assert page.startswith(f"{part.name}, row group 1 of 3: cannot be read")
    assert page.endswith("delete it and run the command that makes the table again")


@settings(max_examples=60)
@given(st.data())
def test_a_flipped_bit_anywhere_is_found_and_nothing_raises(table, part, data):
    sound = part.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(sound) - 1))
    content = bytearray(sound)
    content[bit // 8] ^= 1 << bit % 8
    part.write_bytes(content)
    try:
        assert any(line.startswith(part.name) for line in problems(table))
    finally:
        part.write_bytes(sound)


@settings(max_examples=30)
@given(st.data())
def test_cut_anywhere_is_found_and_nothing_raises(table, part, data):
    sound = part.read_bytes()
    part.write_bytes(sound[: data.draw(st.integers(0, len(sound) - 1))])
    try:
        assert any(line.startswith(f"{part.name}: has") for line in problems(table))
    finally:
        part.write_bytes(sound)


def test_deleted(table, part):
    part.unlink()
    assert problems(table) == [f"{part.name}: is missing: run the command that makes the table again"]
    assert problems(table, deep=False) == problems(table)


@pytest.mark.parametrize("name", ["part-00003-of-00004.parquet", "part-00001-of-00003 (copy).parquet", "notes.txt"])
def test_foreign_files_that_readers_would_open(table, part, name):
    shutil.copy(part, part.parent / name)
    for deep in (True, False):
        (line,) = problems(table, deep)
        assert line.startswith(f"{name}: is not in the manifest")
        assert line.endswith("move it elsewhere")


def test_a_part_in_anothers_place(table, part):
    shutil.copy(part.parent / part_name(0, 3), part)
    found = " | ".join(problems(table))
    assert f"{part.name}: its sha256" in found
    assert "holds 100 rows, index 0 to 99; the manifest says 100, 100 to 199" in found
    assert "outside of its shard, 100 to 199" in found


def test_rows_doubled_in_parts_and_manifest(tmp_path):
    """A forged manifest whose parts hold rows twice: every file is as it says, the table is not."""
    url = str(tmp_path)
    table = Table.create(url, SCHEMA, rows=20, rows_per_shard=10)
    first, second = table.publish(0, rows_of(range(10))), table.publish(1, rows_of(range(10, 20)))
    shutil.copy(tmp_path / first.name, tmp_path / second.name)
    twin = PartRecord(**{**first.as_dict(), "name": second.name, "shard": 1})
    manifest = manifests.build(SCHEMA, None, [first, twin], None, {})
    store.write_atomic(manifests.manifest_url(url), manifests.encode(manifest))
    (line,) = problems(table)
    assert line.startswith(f"{second.name}: its rows start at index 0, but {first.name} reaches 9: rows are doubled")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (schemas.rejects(), "its columns are rejects(index, stage, reason, detail, traceback), not"),
        (
            schemas.labels(["male"]),
            "its columns are labels(index, male, age_years, yaw_degrees), not",
        ),
    ],
)
def test_part_of_another_schema(table, part, schema, message):
    names = {"stage": "s", "reason": "r", "detail": "", "traceback": ""} if schema.name == "rejects" else None
    values = names or {"male": 1.0, "age_years": 1.0, "yaw_degrees": 1.0}
    pq.write_table(schema.rows({"index": range(100, 200), **values}), part, **schema.writer_options())
    assert any(message in line for line in problems(table))


def test_part_that_is_not_ours(table, part):
    pq.write_table(rows_of(range(100, 200)).replace_schema_metadata(None), part)
    assert any("not written by stylemill" in line for line in problems(table))


@pytest.mark.parametrize("fault", ["not finite", "repeats", "is below"])
def test_rows_that_are_not_valid_name_row_group_and_row(table, part, fault):
    """Written by something that does not check, with a manifest to fit."""
    index = list(range(100, 200))
    if fault == "repeats":
        index[50] = index[49]
    if fault == "is below":
        index[50] = 0
    columns = {"index": index, "smile": np.zeros(100, np.float32), "age_years": 1.0, "yaw_degrees": 1.0}
    if fault == "not finite":
        columns["smile"][50] = np.nan
    pq.write_table(SCHEMA.rows(columns), part, row_group_size=40, **SCHEMA.writer_options())
    (line,) = [line for line in problems(table) if "row group" in line]
    assert line.startswith(f"{part.name}, row group 1 of 3: a row is not valid: labels: column")
    assert "row 10" in line
    assert fault in line


def test_manifest_missing_or_damaged(table, tmp_path):
    path = tmp_path / "labels" / ".stylemill" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["totals"]["rows"] += 1
    path.write_text(json.dumps(manifest))
    assert any("totals" in line for line in problems(table))
    for content in ("", "{", "[]", "{}", '{"parts": 3}'):
        path.write_text(content)
        (problem,) = table.verify()
        assert str(problem).startswith(".stylemill/manifest.json: is damaged")
    path.unlink()
    (problem,) = table.verify()
    assert "is missing: the table is not complete" in str(problem)


def test_damage_in_a_bucket(bucket):
    table = Table.create(bucket, SCHEMA, rows=300, rows_per_shard=100)
    table.seal([table.publish(shard, rows_of(range(100 * shard, 100 * shard + 100))) for shard in range(3)], {})
    assert table.verify() == []
    fs, path = fsspec.url_to_fs(bucket)
    name = f"{path}/{part_name(2, 3)}"
    content = bytearray(fs.cat_file(name))
    content[2000] ^= 8
    fs.pipe_file(name, bytes(content))
    fs.rm_file(f"{path}/{part_name(0, 3)}")
    found = problems(table)
    assert found[0].startswith(f"{part_name(0, 3)}: is missing")
    assert found[1].startswith(f"{part_name(2, 3)}: its sha256")


def test_a_table_of_an_earlier_version_of_its_schema_is_sound(tmp_path):
    """Latents written before psi and seed could be null."""
    now = schemas.latents("w", 4)
    old = schemas.TableSchema.of("latents", 1, list(now.arrow), now.row_group_rows)
    rows = {"index": [0, 1], "w": np.ones((2, 4), np.float32), "psi": 0.7, "seed": 3, "generator": "g"}
    table = Table.create(str(tmp_path / "old"), old, rows=2, rows_per_shard=2)
    table.seal([table.publish(0, old.rows(rows))], {})
    found = Table.open(table.url)
    assert found.manifest()["schema"]["version"] == 1
    assert (found.schema, found.verify()) == (now, [])
    assert found.read()["seed"].to_pylist() == [3, 3]


@pytest.mark.parametrize("away_for", [1, 4])
def test_a_store_that_stays_away_is_waited_for_twice(monkeypatch, away_for):
    """Each part that is read then would take the seconds of all retries; a single file that fails is passed over."""
    monkeypatch.setattr(retries._RETRYING, "sleep", lambda _: None)
    table = Table.create(f"memory://{uuid.uuid4().hex}/labels", SCHEMA, rows=400, rows_per_shard=100)
    table.seal([table.publish(shard, rows_of(range(100 * shard, 100 * shard + 100))) for shard in range(4)], {})
    tried, get_file = [], MemoryFileSystem.get_file

    def away(self, remote, local, **options):
        tried.append(remote)
        if len(set(tried)) > away_for:
            return get_file(self, remote, local, **options)
        raise ConnectionResetError("the store is away")

    monkeypatch.setattr(MemoryFileSystem, "get_file", away)
    first, *others = problems(table)
    assert first.startswith(f"{part_name(0, 4)}: is not checked: ")
    if away_for == 1:
        assert not others
        assert len(set(tried)) == 4
        return
    assert [one.split(": it may")[0] for one in others[1:]] == ["2 more parts: not checked: the store fails"]
    assert len(set(tried)) == 2
