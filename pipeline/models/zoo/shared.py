"""The shared zoo, `STYLEMILL_ZOO`: converted networks at any fsspec URL, so that cluster nodes need no registry.

Files lie at `URL/NAME/DIGEST/SHA256-weights.safetensors`, named by their own content, and `card.json` is put last: of
two processes that upload at once, whichever card stays refers to files that are there and whole.
"""

import os
import uuid
from pathlib import Path
from typing import Any

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.zoo import cache
from pipeline.models.zoo.entry import Entry
from pipeline.urls import mistake


def url() -> str | None:
    """The shared zoo's URL, None where none is set. Raises SpecError where it cannot be meant."""
    named = os.environ.get("STYLEMILL_ZOO", "").strip()
    if named and (why := mistake(named)):
        raise SpecError(f"STYLEMILL_ZOO={named}: {why}")
    return named or None


def download(entry: Entry) -> bool:
    """Copy the entry into the local cache, verified by digest. False where the shared zoo does not have it.

    Raises ModelFileError where the shared zoo cannot be read or its files differ from their card.
    """
    store, root = _open(entry)
    try:
        text = store.cat_file(f"{root}/{cache.CARD}")
    except FileNotFoundError:
        return False
    except Exception as error:  # every store has its own errors
        raise _unreachable(error) from error
    card = cache.parse_card(text, entry, f"{url()}/{entry.name}/.../{cache.CARD}")
    with cache.staging(entry) as stage:
        for name, facts in card["files"].items():
            try:
                store.get_file(f"{root}/{_object_name(name, facts)}", str(stage / name))
            except Exception as error:
                raise ModelFileError(
                    f"{entry.name}: {name} cannot be read from the shared zoo {url()}: {error}"
                ) from error
        try:
            cache.check(entry, card, stage)
        except ModelFileError as error:
            raise ModelFileError(
                f"{entry.name}: damaged in the shared zoo {url()}: delete {root} there and pull again ({error})"
            ) from error
        (stage / cache.CARD).write_bytes(text)
    return True


def upload(entry: Entry) -> None:
    """Put the entry of the local cache into the shared zoo, unless it is there."""
    store, root = _open(entry)
    here = cache.folder(entry)
    card = cache.read_card(entry)
    if card is None:
        raise ModelFileError(f"{entry.name}: not in the cache, so it cannot be shared")
    try:
        if store.exists(f"{root}/{cache.CARD}"):
            return
        store.makedirs(root, exist_ok=True)
        for name, facts in card["files"].items():
            _put(store, here / name, f"{root}/{_object_name(name, facts)}")
        _put(store, here / cache.CARD, f"{root}/{cache.CARD}")
    except Exception as error:
        raise _unreachable(error) from error


def _put(store: Any, path: Path, target: str) -> None:
    """One whole file: a single PUT on an object store, a rename on a file system."""
    staged = f"{target}.{uuid.uuid4().hex}.tmp"
    if "file" in store.protocol:
        store.put_file(str(path), staged)
        Path(staged).replace(target)
    else:
        store.put_file(str(path), target)


def _object_name(name: str, facts: dict[str, Any]) -> str:
    return f"{facts['sha256'][:16]}-{name}"


def _open(entry: Entry) -> tuple[Any, str]:
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(url())
    except (ValueError, ImportError, OSError) as error:
        raise _unreachable(error) from error
    return store, f"{root.rstrip('/')}/{entry.name}/{entry.digest[:16]}"


def _unreachable(error: BaseException) -> ModelFileError:
    return ModelFileError(f"the shared zoo STYLEMILL_ZOO={url()} cannot be used: {type(error).__name__}: {error}")
