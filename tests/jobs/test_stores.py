"""The main job on stores that are not a directory: the same parts, by Ray's workers, resumed and verified."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import fsspec
import pytest
import s3fs

from benchmarks.s3_server import s3_server
from jobs.__main__ import main
from pipeline.tables import Table, part_name, store
from tests.waiting import LONG

WORDS = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--images", "png", "--size", "32"]
WORDS += ["--backend", "eager", "--threads", "1", "--batch-size", "4", "--rows", "20", "--rows-per-shard", "8"]
TABLES = ("latents", "labels", "images", "rejects/dataset")


@pytest.fixture(scope="module")
def bucket():
    """A bucket served by a process of its own, found through the environment as any S3 would be."""
    with s3_server("faces"):
        yield "s3://faces"


@pytest.fixture(scope="module")
def set_in_bucket(bucket):
    out = f"{bucket}/set"
    assert again(out) == 0
    return out


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """The parts of the same job in a directory."""
    out = tmp_path_factory.mktemp("directory")
    assert main(["dataset", *WORDS, "--local", "--out", str(out)]) == 0
    return parts(str(out))


def parts(out: str) -> dict[str, bytes]:
    fs, root = fsspec.core.url_to_fs(out)
    fs.invalidate_cache()
    found = [path for path in fs.find(root) if path.endswith(".parquet")]
    return {path.removeprefix(root).lstrip("/"): fs.cat_file(path) for path in found}


def again(out: str, *words: str) -> int:
    return main(["dataset", *WORDS, "--local", "--out", out, *words])


def test_the_bytes_are_those_of_a_directory(set_in_bucket, wanted):
    assert parts(set_in_bucket) == wanted
    assert len(wanted) == 12
    assert main(["verify", set_in_bucket]) == 0
    assert not list(Path().glob("s3:*"))


@pytest.mark.slow
def test_pictures_are_exported_from_a_bucket_into_it(set_in_bucket, bucket):
    out, words = f"{bucket}/exported", ["--format", "files", "--rows-per-shard", "8", "--local"]
    assert main(["export", set_in_bucket, *words, "--limit", "1", "--out", out]) == 0
    assert main(["export", set_in_bucket, *words, "--out", out]) == 0
    pictures = [row["image"]["bytes"] for row in Table.open(f"{set_in_bucket}/images").read().to_pylist()]
    names = [f"{out}/pictures/{index:09d}.png" for index in range(20)]
    assert store.read_many(names) == pictures
    assert main(["verify", out]) == 0
    assert main(["export", set_in_bucket, *words, "--index", "0:5", "--replace", "--out", out]) == 0
    assert len(store.list_names(f"{out}/pictures")) == 5
    assert main(["verify", out]) == 0


@pytest.mark.ray
@pytest.mark.slow
def test_two_workers_of_ray_in_a_process_of_their_own_make_them_too(bucket, wanted):
    out = f"{bucket}/by-ray"
    words = [sys.executable, "-m", "jobs", "dataset", *WORDS, "--workers", "2", "--out", out]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=LONG)
    assert ended.returncode == 0, ended.stderr
    assert parts(out) == wanted


def test_memory_holds_them_too(wanted, capsys):
    out = "memory://faces/set"
    assert again(out, "--limit", "1") == 0
    assert again(out) == 0
    assert "1 done, 2 to run" in capsys.readouterr().err
    assert parts(out) == wanted
    assert main(["verify", out]) == 0


def test_a_flipped_bit_is_found_and_made_again(set_in_bucket, wanted, capsys):
    url = store.join(set_in_bucket, "images", part_name(2, 3))
    content = bytearray(store.read_bytes(url))
    content[len(content) // 2] ^= 1
    store.write_atomic(url, bytes(content))
    assert main(["verify", set_in_bucket]) == 1
    assert part_name(2, 3) in capsys.readouterr().err
    assert again(set_in_bucket) == 0
    assert "1 to run (1 found damaged by verify)" in capsys.readouterr().err
    assert parts(set_in_bucket) == wanted
    assert main(["verify", set_in_bucket]) == 0


def test_each_table_is_listed_once(set_in_bucket, monkeypatch):
    listed, real = Counter(), s3fs.S3FileSystem.call_s3

    def count(self, method, **question):
        listed[method, question.get("Prefix")] += 1
        return real(self, method, **question)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", count)
    assert again(set_in_bucket) == 0
    assert [listed["list_objects_v2", f"set/{table}/"] for table in TABLES] == [1] * 4


def test_a_missing_bucket_is_one_line(bucket, capsys):
    assert again("s3://nobody/set") == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "nobody" in said[0]
