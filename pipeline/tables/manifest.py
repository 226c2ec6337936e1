"""The manifest of a table: canonical JSON, written last; its presence marks the table as complete (sealed).

{"schema": {"name", "version", "columns": {name: type}}, "fingerprint",
 "layout": {"rows", "rows_per_shard", "first_index"[, "bounds"]} or null,
 "parts": [{"name", "shard", "rows", "bytes", "sha256", "index_first", "index_last"}, ...],
 "totals": {"parts", "rows", "bytes"}, "versions": {"pyarrow", "stylemill"}, "facts": {...}}
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa

from pipeline.errors import SpecError, StoreError
from pipeline.tables import store
from pipeline.tables.parts import Layout, PartRecord
from schemas import TableSchema

FOLDER, FILE = ".stylemill", "manifest.json"
ARTIFACT = "artifact"
"""The `kind` of a manifest that is of an artifact (`artifact.py`); a table's has none."""
REMEDY = "delete it, the parts stay, and run the command that makes the table again, which writes it anew"


def manifest_url(table_url: str) -> str:
    return store.join(table_url, FOLDER, FILE)


def build(
    schema: TableSchema,
    layout: Layout | None,
    records: Iterable[PartRecord],
    fingerprint: str | None,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of these parts, in order of shard."""
    parts = sorted(records, key=lambda record: record.shard)
    return {
        "schema": schema_card(schema),
        "fingerprint": fingerprint,
        "layout": None if layout is None else layout.as_dict(),
        "parts": [record.as_dict() for record in parts],
        "totals": {
            "parts": len(parts),
            "rows": sum(record.rows for record in parts),
            "bytes": sum(record.bytes for record in parts),
        },
        "versions": {"pyarrow": pa.__version__, "stylemill": own_version()},
        "facts": dict(facts),
    }


def is_made_by(manifest: Mapping[str, Any], fingerprint: str) -> bool:
    """Whether the job of this fingerprint made the small table. In requests that were made before these were outputs of
    the job, the facts say so.
    """
    return fingerprint in (manifest["fingerprint"], manifest["facts"].get("spec", {}).get("edits"))


def schema_card(schema: TableSchema) -> dict[str, Any]:
    """Name, version and columns, as a manifest holds them."""
    columns = {field.name: str(field.type) for field in schema.arrow}
    return {"name": schema.name, "version": schema.version, "columns": columns}


def encode(manifest: Mapping[str, Any]) -> bytes:
    return store.canonical_json(manifest) + b"\n"


def digest(manifest: Mapping[str, Any]) -> str:
    """sha256 of the manifest, and so of every part's digest: what later stages take into their fingerprints."""
    return hashlib.sha256(encode(manifest)).hexdigest()


def load(table_url: str) -> dict[str, Any] | None:
    """The manifest of a table, None where it is not sealed. Raises StoreError where it is damaged."""
    url = manifest_url(table_url)
    content = store.read_bytes(url)
    return None if content is None else parse(content, url)


def parse(content: bytes, url: str) -> dict[str, Any]:
    """The manifest in a file's bytes. Raises StoreError, naming `url`, where it is none."""
    try:
        manifest = json.loads(content)
        if isinstance(manifest, dict) and manifest.get("kind") == ARTIFACT:
            raise StoreError(f"{url} is the manifest of an artifact, not of a table: check the path")
        records(manifest), layout(manifest)
        dict(manifest["schema"]), dict(manifest["facts"])
    except (AttributeError, KeyError, TypeError, ValueError, SpecError) as error:
        raise StoreError(f"{url} {_no_manifest(content, error)}: {REMEDY}") from error
    return dict(manifest)


def _no_manifest(content: bytes, error: Exception) -> str:
    """In what way, and by which version of this program it was written where that is another one."""
    if not content.strip():
        return "is damaged (it is empty)"
    try:
        writer = str(json.loads(content)["versions"]["stylemill"])
    except (KeyError, TypeError, ValueError):
        return f"is damaged (not a manifest: {error!r})"
    if writer == own_version():
        return f"is damaged ({error!r})"
    return f"is not read by this stylemill {own_version()} ({error!r}); {writer} wrote it, and may read it; or else"


def records(manifest: Mapping[str, Any]) -> list[PartRecord]:
    """The parts' records, in order of shard."""
    return [PartRecord.from_dict(values) for values in manifest["parts"]]


def layout(manifest: Mapping[str, Any]) -> Layout | None:
    return None if manifest["layout"] is None else Layout.from_dict(manifest["layout"])


@functools.cache
def own_version() -> str:
    """Of stylemill, as installed."""
    try:
        return version("stylemill")
    except PackageNotFoundError:
        return "not installed"
