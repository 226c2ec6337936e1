"""The assertion that every fault test ends with: nothing lost, nothing doubled, the bytes of an undisturbed run."""

import json

import fsspec

from jobs.__main__ import main
from pipeline.tables import store


def parts(out: str) -> dict[str, bytes]:
    """Every part below a directory or URL, those of the rejects too."""
    fs, root = fsspec.core.url_to_fs(out)
    fs.invalidate_cache()
    found = {path.removeprefix(root).lstrip("/"): path for path in fs.find(root) if path.endswith(".parquet")}
    return {name: fs.cat_file(path) for name, path in sorted(found.items())}


def summary(out: str, verb: str) -> dict:
    found = store.read_bytes(store.join(out, ".stylemill", verb, "summary.json"))
    assert found is not None, f"{out} has no summary of {verb}"
    return json.loads(found)


def assert_whole(out: str, verb: str, undisturbed: dict[str, bytes]) -> None:
    out = str(out)
    counts = summary(out, verb)
    assert counts["planned"] == counts["published"] + counts["rejected"] + counts["failed"], counts
    assert (counts["failed"], counts["not_run"], counts["shards_done"]) == (0, 0, counts["shards"]), counts
    assert main(["verify", out]) == 0
    found = parts(out)
    assert found.keys() == undisturbed.keys()
    assert [name for name in found if found[name] != undisturbed[name]] == []
