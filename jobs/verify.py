"""`stylemill verify DIR`: every byte of every table below a directory against its manifest."""

from collections.abc import Sequence

import tyro
from pydantic import Field

from jobs.flags import Spec, parse, say
from pipeline.engine.books import verbs
from pipeline.errors import StoreError
from pipeline.tables import Table, store
from pipeline.tables.manifest import manifest_url


class VerifySpec(Spec):
    """Check the tables of a directory: digests, page checksums, types, and that each index is there once.

    Example: stylemill verify out/faces
    """

    out: tyro.conf.Positional[str] = Field(description="A directory of tables, or one table.")
    fast: bool = Field(False, description="Sizes and presence alone; no part is read.")


def main(argv: Sequence[str]) -> int:
    """Print one line a table and one a problem. 0 where all is well, else 1."""
    spec = parse(VerifySpec, "verify", argv)
    tables = _tables(spec.out)
    if not tables:
        raise StoreError(f"{spec.out} holds no table; check the path")
    code = 0
    for url in tables:
        problems = Table(url).verify(deep=not spec.fast)
        for problem in problems:
            say(f"Fail  {url}: {problem}")
        if problems:
            code = 1
            continue
        records = Table(url).records()
        rows, size = sum(record.rows for record in records), sum(record.bytes for record in records)
        say(f"Good  {url}: {len(records):,} parts, {rows:,} rows, {size / 1e6:,.1f} MB")
    return code


def _tables(out: str) -> list[str]:
    if _is_table(out):
        return [out]
    below = [store.join(out, name) for name in store.list_directories(out) if not name.startswith(".")]
    aside = [store.join(out, "rejects", verb) for verb in verbs(out)]
    return [url for url in [*below, *aside] if _is_table(url)]


def _is_table(url: str) -> bool:
    return store.exists(manifest_url(url)) or bool(Table(url).parts())
