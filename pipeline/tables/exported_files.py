"""Whether the files that a table of written pictures names are there, and the bytes that were written."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from pipeline.tables import store
from pipeline.tables.table import Table
from pipeline.tables.verify import Problem

TABLES = ("exported", "pasted")
"""Those whose rows name files, with their bytes and sha256."""
REMEDY = "run the same command again"
AT_ONCE = 64
"""Files that are read together."""


def problems_of_files(table: Table, deep: bool) -> Iterator[Problem]:
    """A problem for each part whose files are missing or others; deep: all bytes are read. Raises StoreError."""
    out = store.parent(table.url)
    sizes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for record in table.records():
        rows = table.read(["file", "bytes", "sha256"], [record.shard]).to_pylist()
        files = {row["file"]: row for row in rows}
        for folder in {name.rpartition("/")[0] for name in files} - sizes.keys():
            sizes[folder] = store.list_names(store.join(out, folder))
        wrong = {}
        for name, row in files.items():
            folder, _, file = name.rpartition("/")
            if (size := sizes[folder].get(file)) != row["bytes"]:
                wrong[name] = "is missing" if size is None else f"has {size} bytes, {row['bytes']} were written"
        names = [name for name in files if deep and name not in wrong]
        for first in range(0, len(names), AT_ONCE):
            some = names[first : first + AT_ONCE]
            contents = store.read_many([store.join(out, name) for name in some])
            for name, content in zip(some, contents, strict=True):
                if content is None or hashlib.sha256(content).hexdigest() != files[name]["sha256"]:
                    wrong[name] = "is not what was written"
        if wrong:
            name, what = next(iter(wrong.items()))
            others = f", and {len(wrong) - 1:,} more files of this part" if wrong.keys() - {name} else ""
            yield Problem(record.name, f"its file {name} {what}{others}", REMEDY, damaged=True)
