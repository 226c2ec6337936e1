"""An artifact: a folder with the files of one trained thing, `card.json` the last to be published.

As a table it is complete once it has a manifest (`.stylemill/manifest.json`: bytes and sha256 of each file, and what it
was made from). The card too names the other files with their digests, so that a copy of them alone can be checked; who
reads them needs nothing else. Nothing in a file is ever executed.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.card import Card, FileRecord
from pipeline.errors import Damaged, ModelFileError, StoreError
from pipeline.tables import manifest as manifests
from pipeline.tables import store
from pipeline.tables.parts import PartRecord, parse_part_name
from pipeline.tables.verify import Problem, unreadable

CARD = "card.json"
FINISH = "run the command that makes it again"
REMAKE = f"delete it and {FINISH}"


@dataclass(frozen=True)
class ArtifactFiles:
    """What a stage that makes an artifact hands over: its files by name, and its card."""

    files: Mapping[str, bytes]
    card: Card


class Artifact:
    """The artifact at `url`. All methods raise `StoreError` where storage fails."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    # Writing

    def publish(self, made: ArtifactFiles, before_each: Callable[[], None] = lambda: None) -> PartRecord:
        """Put the files in their places, each whole, the card last; `before_each` is called before each."""
        before_each()
        self.unseal()
        store.delete(store.join(self.url, CARD))
        for name, content in made.files.items():
            before_each()
            store.write_atomic(store.join(self.url, name), content)
        card = made.card.with_files({name: _record(content) for name, content in made.files.items()}).encode()
        before_each()
        store.write_atomic(store.join(self.url, CARD), card)
        return _as_part({**made.files, CARD: card})

    def seal(
        self,
        records: Iterable[PartRecord],
        facts: Mapping[str, Any],
        fingerprint: str | None = None,
        found: Mapping[str, int] | None = None,
    ) -> None:
        """Write the manifest. Raises StoreError where a file is not the one on record."""
        (record,) = records
        if self.inspect().sha256 != record.sha256:
            raise StoreError(f"cannot seal {self.url}: it is not the one on record; run the same command again")
        cards = _record(self._card_bytes())
        content = {
            "kind": manifests.ARTIFACT,
            "fingerprint": fingerprint,
            "files": {name: each.model_dump() for name, each in {**self.card().files, CARD: cards}.items()},
            "versions": {"stylemill": manifests.own_version()},
            "facts": dict(facts),
        }
        store.write_atomic(manifests.manifest_url(self.url), store.canonical_json(content) + b"\n")

    def unseal(self) -> None:
        """Delete the manifest: it is not complete any more."""
        store.delete(manifests.manifest_url(self.url))

    def clear(self) -> None:
        """Delete the manifest first, then every file."""
        self.unseal()
        store.delete_many([store.join(self.url, name) for name in store.list_names(self.url)])

    def sweep(self, names: Iterable[str]) -> None:
        """Delete what killed writers left, of these hidden names."""
        store.delete_many([store.join(self.url, name) for name in names if name.endswith(".staged")])

    # Reading

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def has_files(self) -> bool:
        """Whether there is a file of it."""
        return any(not name.startswith(".") for name in store.list_names(self.url))

    @property
    def sealed(self) -> bool:
        return bool(store.size(manifests.manifest_url(self.url)))

    def manifest(self) -> dict[str, Any] | None:
        """The manifest, None where it is not sealed. Raises StoreError where it is damaged."""
        url = manifests.manifest_url(self.url)
        fields = {"kind": str, "files": dict, "facts": dict}
        return store.read_object(url, "the manifest of an artifact", fields, manifests.REMEDY)

    @property
    def digest(self) -> str:
        """sha256 of the card's content, and so of every file's digest: what later jobs take into their fingerprints.
        Raises as `card`."""
        return hashlib.sha256(self.card().encode_content()).hexdigest()

    def bytes_in(self, listing: Mapping[str, int]) -> int | None:
        """Bytes of its files in a listing of its folder; None where one of them is not there."""
        try:
            sizes = [listing.get(name) for name in (CARD, *self.card().files)] if CARD in listing else [None]
        except ModelFileError:
            return None
        return sum(size or 0 for size in sizes) if None not in sizes else None

    def card(self) -> Card:
        """Raises ModelFileError where it is damaged, or none."""
        return Card.parse(self._card_bytes(), store.join(self.url, CARD))

    def read(self, name: str) -> bytes:
        """A file, whole. Raises ModelFileError where it is not the one that the card names."""
        url, record = store.join(self.url, name), self.card().files.get(name)
        content = store.read_bytes(url)
        if record is None or content is None:
            raise ModelFileError(f"{self.url} has no file {name}; its card names {', '.join(self.card().files)}")
        if (found := _record(content)) != record:
            raise ModelFileError(f"{url} is not the file that its card names ({_apart(found, record)}): {REMAKE}")
        return content

    def inspect(self) -> PartRecord:
        """The record of what lies there. Raises Damaged where it is not what its card names."""
        try:
            files = {name: self.read(name) for name in self.card().files}
            return _as_part({**files, CARD: self._card_bytes()})
        except ModelFileError as error:
            raise Damaged(str(error)) from error

    def sha256_of(self, record: PartRecord) -> str | None:
        """Of what lies there now; None where it is missing or damaged."""
        try:
            return self.inspect().sha256
        except Damaged:
            return None

    def verify(self, deep: bool = True) -> list[Problem]:
        """What is wrong with it: as `pipeline.tables.verify.verify`."""
        file = f"{manifests.FOLDER}/{manifests.FILE}"
        try:
            manifest = self.manifest()
        except StoreError as error:
            return [Problem(file, str(error), manifests.REMEDY)]
        if manifest is None:
            return [Problem(file, "is missing: the artifact is not complete", FINISH)]
        found = store.list_names(self.url)
        problems = []
        for name, values in manifest["files"].items():
            record = FileRecord(**values)
            if name not in found:
                problems.append(Problem(name, "is missing", FINISH))
            elif found[name] != record.bytes:
                what = f"has {found[name]} bytes, {record.bytes} were written: torn or replaced"
                problems.append(Problem(name, what, REMAKE, damaged=deep))
            elif deep:
                problems += self._changed(name, record)
        foreign = sorted(name for name in found if name not in manifest["files"] and not name.startswith("."))
        return problems + [Problem(name, "is not in the manifest", "move it elsewhere") for name in foreign]

    def _changed(self, name: str, record: FileRecord) -> list[Problem]:
        try:
            content = store.read_bytes(store.join(self.url, name))
        except StoreError as error:
            return [unreadable(name, error)]
        if content is None or (found := _record(content)) == record:
            return []
        return [Problem(name, f"{_apart(found, record)}: changed or damaged", REMAKE, damaged=True)]

    def _card_bytes(self) -> bytes:
        url = store.join(self.url, CARD)
        content = store.read_bytes(url)
        if content is None:
            raise ModelFileError(f"{self.url} is not an artifact: it has no {CARD}; check the path")
        return content


def is_artifact(url: str) -> bool:
    """Whether there is one, complete or not."""
    names = store.list_names(url)
    if CARD in names or any(map(parse_part_name, names)):
        return CARD in names
    manifest = store.read_json(manifests.manifest_url(url))
    return isinstance(manifest, dict) and manifest.get("kind") == manifests.ARTIFACT


def _record(content: bytes) -> FileRecord:
    return FileRecord(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _as_part(files: Mapping[str, bytes]) -> PartRecord:
    """What the job's records hold of an artifact that is published: bytes of all files, sha256 of their digests."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sha256 = hashlib.sha256(store.canonical_json(digests)).hexdigest()
    return PartRecord(CARD, 0, 0, sum(map(len, files.values())), sha256, None, None)


def _apart(found: FileRecord, record: FileRecord) -> str:
    return f"its sha256 is {found.sha256[:12]}..., {record.sha256[:12]}... was written"
