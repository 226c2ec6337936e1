"""`stylemill verify DIR`: every byte of every table below a directory against its manifest, and the tables against
each other.

Parts that were read and differ from what was written are put on their job's books, so that the same command makes them
again; not while a driver is at work on them. Nothing is written on account of a part that cannot be read from here, or
of a file that is not the job's.
"""

from collections.abc import Sequence

import tyro
from pydantic import Field

from jobs.flags import Spec, parse, say
from jobs.places import absolute
from pipeline.engine.books import Books, verbs
from pipeline.engine.coverage import not_derived, uncovered
from pipeline.engine.lease import holder, why_alive
from pipeline.engine.owner import Output, owner
from pipeline.engine.plan import DAMAGED
from pipeline.errors import StoreError
from pipeline.tables import Artifact, Problem, Table, parse_part_name, store
from pipeline.tables.artifact import is_artifact
from pipeline.tables.manifest import manifest_url
from pipeline.tables.verify import unreadable


class VerifySpec(Spec):
    """Check tables: digests, page checksums, types, that each index is there once, and that one job's tables agree.

    Example: stylemill verify out/faces
    """

    VERB = "verify"

    out: tyro.conf.Positional[str] = Field(description="A directory of tables, or one table.")
    fast: bool = Field(False, description="Sizes and presence alone; no part is read.")


def main(argv: Sequence[str]) -> int:
    """Print one line a table and one a problem. 0 where all is well, else 1."""
    spec = parse(VerifySpec, argv)
    out = absolute(spec.out).rstrip("/")
    tables = _tables(out)
    if not tables:
        raise StoreError(f"{out} holds no table; check the path")
    code = max([_verify(url, deep=not spec.fast) for url in tables] + [_derived(out, verb) for verb in verbs(out)])
    if code or spec.fast:
        return code
    return max([_agree(out, verb) for verb in verbs(out)], default=0)


def _verify(url: str, deep: bool) -> int:
    table = Artifact(url) if url in _artifacts_of_jobs(_above(url)) or is_artifact(url) else Table(url)
    problems = table.verify(deep)
    if deep and isinstance(table, Table) and not table.sealed:
        problems += _against_the_books(table)
    if not problems:
        say(f"Good  {url}: {_size(table)}")
        return 0
    for problem in problems:
        say(f"Fail  {url}: {problem}")
    _put_on_the_books(table, problems)
    return 1


def _size(table: Output) -> str:
    """How much is in it, in words."""
    if isinstance(table, Artifact):
        sizes = [record["bytes"] for record in (table.manifest() or {})["files"].values()]
        return f"an artifact of {len(sizes)} files, {sum(sizes) / 1e6:,.1f} MB"
    records = table.records()
    rows, size = sum(record.rows for record in records), sum(record.bytes for record in records)
    return f"{len(records):,} parts, {rows:,} rows, {size / 1e6:,.1f} MB"


def _derived(out: str, verb: str) -> int:
    """Whether what the job makes of its tables is there and is made of these."""
    problems = list(not_derived(out, verb))
    for problem in problems:
        say(f"Fail  {out}, job {verb}: {problem}: the same command makes it")
    return int(bool(problems))


def _agree(out: str, verb: str) -> int:
    problems = list(uncovered(out, verb))
    for problem in problems:
        say(f"Fail  {out}, job {verb}: {problem}: run the {verb} command again with --replace")
    return 1 if problems else 0


def _against_the_books(table: Table) -> list[Problem]:
    """Parts of a table that is not complete yet and that are not those on its job's record: their shards count as done,
    and sealing reads none.
    """
    problems = []
    books, name = _books(table)
    for outcome in books.outcomes().values() if books else ():
        record = outcome.parts.get(name)
        if record is None:
            continue
        try:
            sha256 = table.sha256_of(record)
        except StoreError as error:
            problems.append(unreadable(record.name, error))
            continue
        if sha256 not in (None, record.sha256):
            what = f"its sha256 is {sha256[:12]}..., {record.sha256[:12]}... is on record: changed or damaged"
            next_step = "run the command that makes the table again"
            problems.append(Problem(record.name, what, next_step, damaged=True))
    return problems


def _put_on_the_books(table: Output, problems: Sequence[Problem]) -> None:
    parts = {problem.part for problem in problems if problem.damaged}
    damaged = {place[0] for part in parts if (place := parse_part_name(part)) is not None}
    if parts and isinstance(table, Artifact):
        damaged = {0}  # its one task
    books, name = _books(table) if damaged else (None, "")
    if books is None:
        return
    if name in (books.spec() or {}).get("derived", {}):
        say(f"      the same {books.verb} command makes {name} of {books.out} again")
        return
    lease = holder(books.lease_url)
    why = why_alive(lease) if lease else None
    if lease and why:
        say(
            f"      a driver is at work on the {books.verb} job of {books.out}: process {lease['pid']} on "
            f"{lease['host']}, {why}. Nothing is put on its books: run verify again when it has ended"
        )
    else:
        books.set_suspects({**books.suspects(), **dict.fromkeys(damaged, DAMAGED)})
        say(f"      the same {books.verb} command makes {len(damaged)} shards of {books.out} again")


def _books(table: Output) -> tuple[Books | None, str]:
    """The books of the job that owns a table, and its name there."""
    found = owner(table)
    if found is None:
        return None, ""
    verb = found["verb"]
    aside = table.url.endswith(f"/rejects/{verb}")
    out = table.url.removesuffix(f"/rejects/{verb}") if aside else _above(table.url)
    books = Books(out, verb)
    return (None if books.spec() is None else books), "rejects" if aside else table.url.rsplit("/", 1)[1]


def _above(url: str) -> str:
    return url.rsplit("/", 1)[0]


def _tables(out: str) -> list[str]:
    if _is_table(out):
        return [out]
    below = [store.join(out, name) for name in store.list_directories(out) if not name.startswith(".")]
    aside = [store.join(out, "rejects", verb) for verb in verbs(out)]
    artifacts = _artifacts_of_jobs(out)
    return [*artifacts, *(url for url in [*below, *aside] if url not in artifacts and _is_table(url))]


def _artifacts_of_jobs(out: str) -> list[str]:
    """Those that the jobs of a directory make, also before they are there."""
    stored = [Books(out, verb).spec() or {} for verb in verbs(out)]
    return [store.join(out, spec["artifact"]) for spec in stored if spec.get("artifact")]


def _is_table(url: str) -> bool:
    return store.exists(manifest_url(url)) or bool(Table(url).parts()) or is_artifact(url)
