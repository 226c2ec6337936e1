"""An artifact on every kind of store."""

import pytest

from pipeline.card import Card, InputTable
from pipeline.errors import Damaged, ModelFileError, StoreError
from pipeline.tables import Artifact, ArtifactFiles, Table, store
from pipeline.tables.artifact import is_artifact

MADE = ArtifactFiles({"model.safetensors": b"m" * 1000, "curve.json": b"[]"}, Card(what="toy"))


def made(place) -> Artifact:
    artifact = Artifact(f"{place}/artifact")
    record = artifact.publish(MADE)
    assert artifact.inspect() == record
    assert artifact.sha256_of(record) == record.sha256
    artifact.seal([record], {"verb": "train"}, "f" * 64)
    return artifact


def test_it_comes_back_as_it_was_published(place):
    artifact = made(place)
    assert artifact.verify() == artifact.verify(deep=False) == []
    assert artifact.sealed
    assert artifact.manifest()["fingerprint"] == "f" * 64
    assert set(artifact.manifest()["files"]) == {"card.json", "curve.json", "model.safetensors"}
    assert artifact.read("model.safetensors") == b"m" * 1000
    assert artifact.card().files["curve.json"].bytes == 2
    assert is_artifact(artifact.url)
    artifact.clear()
    assert not artifact.has_files()
    assert not is_artifact(artifact.url)


def test_its_digest_is_of_its_content_not_of_how_and_where_it_was_made(place):
    artifact = made(place)
    digest, card = artifact.digest, artifact.card()
    table = InputTable(url="elsewhere", digest="2" * 64, seed=3)
    moved = card.model_copy(update={"command": "make it", "tables": {"latents": (table,)}})
    store.write_atomic(f"{artifact.url}/card.json", moved.encode())
    assert artifact.card() == moved
    assert artifact.digest == digest
    store.write_atomic(f"{artifact.url}/card.json", card.model_copy(update={"citation": "A toy."}).encode())
    assert artifact.digest != digest


def test_a_card_of_before_its_tables_were_kept_has_its_digest_still():
    old = (
        b'{\n "artifact": 1,\n "what": "toy",\n "inputs": {},\n "generator": null,\n "generator_fingerprint": null,\n'
        b' "codes": null,\n "attributes": [],\n "metrics": {},\n "meanings": {},\n "licences": {},\n "citation": "",\n'
        b' "command": "",\n "files": {}\n}\n'
    )
    assert Card.parse(old, "card.json").encode_content() == old


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("model.safetensors", "changed or damaged"),
        ("card.json", "torn or replaced"),
        ("new.txt", "not in the manifest"),
    ],
)
def test_what_is_wrong_is_found(place, name, what):
    artifact = made(place)
    content = store.read_bytes(f"{artifact.url}/{name}") or b""
    store.write_atomic(f"{artifact.url}/{name}", b"M" + content[1:] + (b" " if name == "card.json" else b""))
    [problem] = artifact.verify()
    assert problem.part == name
    assert what in str(problem)
    assert problem.damaged is (name != "new.txt")


def test_a_publication_that_stops_half_way_is_none(place):
    """The card of what lay there before goes first, and the new one comes last."""
    artifact = made(place)
    calls = []

    def hold() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise StoreError("the lease is lost")

    with pytest.raises(StoreError, match="the lease is lost"):
        artifact.publish(MADE, hold)
    assert not artifact.sealed
    assert "card.json" not in store.list_names(artifact.url)
    with pytest.raises(Damaged, match=r"is not an artifact: it has no card.json"):
        artifact.inspect()


def test_it_is_no_table_and_a_table_is_no_artifact(place):
    with pytest.raises(StoreError, match="is the manifest of an artifact, not of a table: check the path"):
        Table.open(made(place).url)
    with pytest.raises(ModelFileError, match=r"is not an artifact: it has no card.json; check the path"):
        Artifact(place).card()


def test_only_what_is_on_record_is_sealed(place):
    artifact = Artifact(f"{place}/artifact")
    record = artifact.publish(MADE)
    store.write_atomic(f"{artifact.url}/card.json", Card(what="other").encode())
    with pytest.raises(StoreError, match="cannot seal"):
        artifact.seal([record], {}, "f" * 64)
