"""`stylemill verify DIR`: every byte of every table below a directory against its manifest, and the tables against
each other.

Parts that were read and differ from what was written are noted in their job's records, so that the same command makes
them again. Nothing is written on account of a part that cannot be read from here, or of a file that is not the job's.
"""

from collections.abc import Iterable, Sequence

import tyro
from pydantic import Field

from jobs.flags import Spec, parse, say
from jobs.locations import absolute
from pipeline.engine.consistency import inconsistencies, not_derived
from pipeline.engine.damage import note_damage, outputs_below, problems_of
from pipeline.engine.job_records import verbs
from pipeline.engine.owner import Output
from pipeline.errors import StoreError
from pipeline.tables import Artifact


class VerifySpec(Spec):
    """Check tables: digests, page checksums, types, that each index occurs once, and that one job's tables agree.

    Example: stylemill verify out/faces
    """

    VERB = "verify"

    out: tyro.conf.Positional[str] = Field(description="A directory of tables, or one table.")
    fast: bool = Field(False, description="Check only sizes and presence; read no part.")


def main(argv: Sequence[str]) -> int:
    """Print one line a table and one a problem. 0 where all is well, else 1."""
    spec = parse(VerifySpec, argv)
    out = absolute(spec.out).rstrip("/")
    outputs, jobs = outputs_below(out), verbs(out)
    if not outputs:
        raise StoreError(f"{out} holds no table; check the path")
    wrong = [_verify(output, deep=not spec.fast) for output in outputs]
    wrong += [_tell(out, verb, not_derived(out, verb), "the same command makes it") for verb in jobs]
    if not any(wrong) and not spec.fast:
        again = "run the {} command again with --replace"
        wrong += [_tell(out, verb, inconsistencies(out, verb), again.format(verb)) for verb in jobs]
    return int(any(wrong))


def _verify(output: Output, deep: bool) -> bool:
    problems = problems_of(output, deep)
    for problem in problems:
        say(f"Fail  {output.url}: {problem}")
    if not problems:
        say(f"Good  {output.url}: {_size(output)}")
    elif noted := note_damage(output, problems):
        say(f"      {noted}")
    return bool(problems)


def _tell(out: str, verb: str, problems: Iterable[str], remedy: str) -> bool:
    found = list(problems)
    for problem in found:
        say(f"Fail  {out}, job {verb}: {problem}: {remedy}")
    return bool(found)


def _size(output: Output) -> str:
    """How much is in it, in words."""
    if isinstance(output, Artifact):
        sizes = [record["bytes"] for record in (output.manifest() or {})["files"].values()]
        return f"an artifact of {len(sizes)} files, {sum(sizes) / 1e6:,.1f} MB"
    records = output.records()
    rows, size = sum(record.rows for record in records), sum(record.bytes for record in records)
    return f"{len(records):,} parts, {rows:,} rows, {size / 1e6:,.1f} MB"
