"""Files that are something else than their names say: every reader of users' files tells what they are."""

import gzip

import numpy as np
import pytest
import torch

from jobs.directions.arrays import read_npy
from pipeline.directions import formats
from pipeline.errors import ModelFileError
from pipeline.models.zoo import userfile
from pipeline.stages.code_files import read_file
from pipeline.tables.label_files import read_labels

FILES = {
    b"<!DOCTYPE html>\n<html><head><title>a.npy</title></head></html>": "a web page",
    b"\xef\xbb\xbf \n<HTML lang=en>": "a web page",
    b"version https://git-lfs.example/spec/v1\noid sha256:aa\nsize 4224\n": "a Git-LFS pointer",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "XML, as servers answer with",
    b"": "the file is empty",
    gzip.compress(b"x" * 100): "compressed by gzip",
}
READERS = {
    "a model": lambda path: userfile.read(str(path)),
    "an array": lambda path: read_npy(str(path)),
    "codes": lambda path: read_file(path.read_bytes(), str(path)),
    **{
        form: lambda path, form=form: formats.read(form, path.read_bytes(), str(path)) for form in formats.FORMATS
    },
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("ending", [".npy", ".pt"])
@pytest.mark.parametrize("content", FILES, ids=list(FILES.values()))
def test_it_is_told_what_the_file_is(tmp_path, reader, ending, content):
    path = tmp_path / f"age{ending}"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as error:
        READERS[reader](path)
    assert str(path) in str(error.value)
    assert FILES[content] in str(error.value)
    assert "pickle" not in str(error.value)


@pytest.mark.parametrize("name", ["hand.csv", "hand.parquet"])
def test_labels_that_are_something_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"version https://git-lfs.example/spec/v1\n")
    with pytest.raises(ModelFileError, match="a Git-LFS pointer"):
        read_labels(str(tmp_path / name))


@pytest.mark.parametrize("name", ["age.safetensors", "model.json", "net.onnx"])
def test_of_models_of_any_ending(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>")
    with pytest.raises(ModelFileError, match="a web page"):
        userfile.read(str(tmp_path / name))


def test_what_is_right_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1, 4)))
    torch.save(torch.ones(1, 4), tmp_path / "a.pt")
    assert userfile.read(str(tmp_path / "a.npy")).format == "npy"
    assert userfile.read(str(tmp_path / "a.pt")).format == "pth"
    assert read_npy(str(tmp_path / "a.npy"))[0].shape == (1, 4)
