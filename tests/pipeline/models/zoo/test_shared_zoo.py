"""`STYLEMILL_ZOO`: one process pulls and shares, others copy from there and never see a registry."""

import re

import pytest

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import zoo
from pipeline.models.zoo import cache, registries
from pipeline.models.zoo import shared as shared_zoo

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(params=["file", "memory", "s3"])
def shared(request, tmp_path, monkeypatch):
    """The URL of an empty shared zoo."""
    if request.param == "file":
        url = f"file://{tmp_path}/shared"
    elif request.param == "memory":
        url = f"memory://{tmp_path.name}/zoo"
    else:
        url = request.getfixturevalue("bucket") + "/zoo"
    monkeypatch.setenv("STYLEMILL_ZOO", url)
    return url


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An S3 bucket of the test's own, served by moto."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3fs = pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    name = re.sub("[^a-z0-9]+", "-", tmp_path.name.lower()).strip("-")
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def node(tmp_path, monkeypatch):
    """Makes this process another node: an empty cache of its own, and no registry."""

    def become(name: str) -> None:
        monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path / name))
        monkeypatch.setattr(registries, "fetch", lambda *_: pytest.fail("a node went to the registry"))

    return become


def _files(url):
    store, root = fsspec.core.url_to_fs(url)
    return store, {path.rsplit("/", 1)[-1]: path for path in store.find(root)}


def test_pull_shares_and_a_node_loads_without_a_registry(registry, shared, node):
    zoo.pull(["toy-one"])
    node("node-1")
    assert zoo.load("toy-one").tensors["net.weight"][1, 2] == 6
    assert cache.problem(zoo.CATALOGUE["toy-one"]) is None
    node("node-2")
    zoo.pull(["toy-one"])
    assert zoo.load("toy-one").tensors["net.weight"][1, 2] == 6


def test_a_node_copies_once(registry, shared, node):
    zoo.pull(["toy-one"])
    node("node-1")
    zoo.load("toy-one")
    store, files = _files(shared)
    store.rm(list(files.values()))
    assert zoo.load("toy-one").tensors


def test_pull_shares_what_the_cache_already_has(registry, shared, monkeypatch):
    monkeypatch.delenv("STYLEMILL_ZOO")
    zoo.pull(["toy-one"])
    monkeypatch.setenv("STYLEMILL_ZOO", shared)
    zoo.pull(["toy-one"])
    assert "card.json" in _files(shared)[1]
    assert len(registry.fetches()) == 1


def test_a_damaged_shared_file_is_refused_by_digest(registry, shared, node):
    zoo.pull(["toy-one"])
    store, files = _files(shared)
    (weights,) = [path for name, path in files.items() if name.endswith("weights.safetensors")]
    content = bytearray(store.cat_file(weights))
    content[-1] ^= 1
    store.pipe_file(weights, bytes(content))
    node("node-1")
    with pytest.raises(ModelFileError, match=r"toy-one: damaged in the shared zoo .*has sha256"):
        zoo.load("toy-one")
    assert not cache.folder(zoo.CATALOGUE["toy-one"]).exists()


def test_half_an_upload_does_not_count(registry, shared, node):
    zoo.pull(["toy-one"])
    store, files = _files(shared)
    store.rm(files["card.json"])
    node("node-1")
    with pytest.raises(ModelFileError, match=r"toy-one is not in .* nor in .*: run `stylemill models pull toy-one`"):
        zoo.load("toy-one")


def test_a_shared_zoo_that_cannot_be_used_is_named(registry, monkeypatch):
    monkeypatch.setenv("STYLEMILL_ZOO", "nosuchprotocol://bucket/zoo")
    with pytest.raises(ModelFileError, match="STYLEMILL_ZOO=nosuchprotocol://bucket/zoo cannot be used"):
        zoo.load("toy-one")


@pytest.mark.parametrize("url", ["s3:/bucket/zoo", "s3://bucket//zoo"])
def test_a_shared_zoo_that_cannot_be_meant_is_refused(home, monkeypatch, url):
    monkeypatch.setenv("STYLEMILL_ZOO", url)
    with pytest.raises(SpecError, match=f"STYLEMILL_ZOO={url}: .*write s3://bucket/zoo"):
        shared_zoo.url()
