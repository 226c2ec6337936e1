"""Generator files by path and by URL: their names in records, digests, and the copies of remote ones."""

import hashlib

import fsspec
import pytest

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import generators
from pipeline.models.checkpoints import files
from pipeline.models.checkpoints.reference import Reference, is_file_name
from tests.pipeline.models.checkpoints import made

URL = "memory://networks/net.pkl"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLEMILL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def content():
    return made.nvidia()


@pytest.fixture
def remote(content):
    store = fsspec.filesystem("memory")
    with store.open("/networks/net.pkl", "wb") as file:
        file.write(content)
    yield store
    store.rm("/networks", recursive=True)


@pytest.mark.parametrize("name", ["a.pkl", "a/b", "./net", "s3://bucket/net", "A.PT", "net#class=3"])
def test_files_are_told_from_names(name):
    assert is_file_name(name)


def test_names_of_generators_are_no_files():
    assert not any(map(is_file_name, generators.GENERATORS))


@pytest.mark.parametrize(
    "text",
    [
        "/a/net.pkl",
        "s3://b/net.pkl#class=3",
        f"/a#sha256={'0f' * 32}&noise=random:7&faces=aligned",
        "/a#class=0&noise=none",
    ],
)
def test_a_reference_is_what_it_was_read_from(text):
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.pkl#sha256=abc", "is not a digest"),
        ("a.pkl#class=dog", "class=dog is not a number"),
        ("a.pkl#class=-1", "class=-1 is not a number"),
        ("a.pkl#faces=yes", "faces=aligned says"),
        ("a.pkl#psi=1", "behind the # stand sha256, class, noise, faces"),
        ("a.pkl#class", "each =VALUE"),
        ("a.pkl#class=1&class=2", "each =VALUE"),
    ],
)
def test_what_is_no_option_is_refused(text, said):
    with pytest.raises(SpecError, match=said):
        Reference.parse(text)


def test_a_local_file_is_named_by_its_path_and_digest(tmp_path, monkeypatch, content):
    (tmp_path / "net.pkl").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.chdir(tmp_path)
    for name in ("net.pkl", f"file://{tmp_path}/net.pkl", f"{tmp_path}/net.pkl#sha256={digest.upper()}"):
        assert generators.canonical(name) == f"{tmp_path}/net.pkl#sha256={digest}"
    assert generators.canonical("stylegan2-tiny") == "stylegan2-tiny"
    assert files.read(Reference.parse("net.pkl")).digest == digest


def test_a_file_that_was_written_again_has_its_new_digest(tmp_path, content):
    file = tmp_path / "net.pkl"
    file.write_bytes(content)
    before = generators.canonical(str(file))
    file.write_bytes(content + b" ")
    assert generators.canonical(str(file)) != before
    with pytest.raises(ModelFileError, match=r"net\.pkl has sha256 .*, not the .* that was asked for"):
        generators.load(before)


def test_a_file_that_is_not_there_says_where_and_what_to_do(tmp_path):
    with pytest.raises(ModelFileError, match=r"none\.pkl: there is no such file on .*, or a URL"):
        generators.load(f"{tmp_path}/none.pkl")
    with pytest.raises(ModelFileError, match="is a directory"):
        generators.load(f"{tmp_path}/")


def test_a_remote_file_is_fetched_once(remote, content, home):
    digest = hashlib.sha256(content).hexdigest()
    assert generators.canonical(URL) == f"{URL}#sha256={digest}"
    remote.rm("/networks/net.pkl")
    assert files.read(Reference.parse(URL)).digest == digest
    assert [path.name for path in (home / "files").iterdir() if not path.name.startswith(".")] == [
        f"{hashlib.sha256(URL.encode()).hexdigest()[:16]}-net.pkl"
    ]
    with remote.open("/networks/more.pkl", "wb") as file:
        file.write(b"")  # for the fixture, which removes the folder


def test_a_copy_with_another_digest_is_fetched_again(remote, content, home):
    generators.canonical(URL)
    (copy,) = (path for path in (home / "files").iterdir() if not path.name.startswith("."))
    copy.write_bytes(content[:-1])
    digest = hashlib.sha256(content).hexdigest()
    assert files.read(Reference.parse(f"{URL}#sha256={digest}")).digest == digest
    assert copy.read_bytes() == content
    with pytest.raises(ModelFileError, match=r"not the 00.* that was asked for"):
        generators.load(f"{URL}#sha256={'0' * 64}")


def test_a_remote_file_that_cannot_be_had_is_one_line(home):
    with pytest.raises(ModelFileError, match=r"memory://nowhere/net\.pkl: there is no such file"):
        generators.load("memory://nowhere/net.pkl")
    with pytest.raises(ModelFileError, match="cannot be fetched"):
        generators.load("nothing://nowhere/net.pkl")
    with pytest.raises(SpecError, match="names no bucket"):
        generators.load("s3:///net.pkl")
    assert not [path for path in (home / "files").iterdir() if not path.name.endswith(".lock")]
