"""Damaged parts of tables, and how their jobs come to make them again: a note in the job's records.

Nothing is noted of a part that cannot be read from here, nor while a driver is running.
"""

from collections.abc import Sequence

from pipeline.engine.job_records import JobRecords, verbs
from pipeline.engine.lease import holder, why_alive
from pipeline.engine.owner import Output, owner
from pipeline.engine.plan import DAMAGED
from pipeline.errors import StoreError
from pipeline.tables import Artifact, Problem, Table, parse_part_name, store
from pipeline.tables.artifact import is_artifact
from pipeline.tables.exported_files import TABLES, problems_of_files
from pipeline.tables.manifest import manifest_url
from pipeline.tables.verify import OUTAGE, further, is_failing, unreadable


def outputs_below(out: str) -> list[Output]:
    """The artifacts and tables of a directory, rejects too, or the one that the directory itself is."""
    if _is_output(out):
        made_here = is_artifact(out) or out in _artifacts_of_jobs(store.parent(out))
        return [Artifact(out) if made_here else Table(out)]
    below = [store.join(out, name) for name in store.list_directories(out) if not name.startswith(".")]
    rejects = [store.join(out, "rejects", verb) for verb in verbs(out)]
    artifacts = _artifacts_of_jobs(out)
    others = [url for url in [*below, *rejects] if url not in artifacts and _is_output(url)]
    return [*map(Artifact, artifacts), *(Artifact(url) if is_artifact(url) else Table(url) for url in others)]


def problems_of(output: Output, deep: bool) -> list[Problem]:
    """What is wrong with it. deep: whether its parts are read; those of a table that is not complete yet are compared
    with its job's record then, since their shards count as done and sealing reads none. Of a table of written
    pictures, the files that it names are looked at too.
    """
    problems = output.verify(deep)
    if deep and isinstance(output, Table) and not output.sealed:
        problems += _differences_from_records(output)
    if isinstance(output, Table) and output.sealed and not problems and output.schema.name in TABLES:
        problems += problems_of_files(output, deep)
    return problems


def note_damage(output: Output, problems: Sequence[Problem]) -> str:
    """Note the damaged parts in the records of their job; what was done, or why nothing was, as a sentence; empty where
    there is nothing to note.
    """
    parts = {problem.part for problem in problems if problem.damaged}
    damaged = {place[0] for part in parts if (place := parse_part_name(part)) is not None}
    if parts and isinstance(output, Artifact):
        damaged = {0}  # its one task
    job_records, name = _job_records(output) if damaged else (None, "")
    if job_records is None:
        return ""
    if name in (job_records.spec() or {}).get("derived", {}):
        return f"the same {job_records.verb} command makes {name} of {job_records.out} again"
    lease = holder(job_records.lease_url)
    if lease and (why := why_alive(lease)):
        return (
            f"a driver is running the {job_records.verb} job of {job_records.out}: process {lease['pid']} on "
            f"{lease['host']}, {why}. Nothing is noted in its records: run verify again when it has ended"
        )
    job_records.set_suspects({**job_records.suspects(), **dict.fromkeys(damaged, DAMAGED)})
    return f"the same {job_records.verb} command makes {len(damaged)} shards of {job_records.out} again"


def _differences_from_records(table: Table) -> list[Problem]:
    problems, failures = [], 0
    job_records, name = _job_records(table)
    outcomes = job_records.outcomes().values() if job_records else ()
    parts = [outcome.parts[name] for outcome in outcomes if name in outcome.parts]
    for place, record in enumerate(parts, 1):
        try:
            sha256 = table.sha256_of(record)
        except StoreError as error:
            problems.append(unreadable(record.name, error))
            failures = failures + 1 if is_failing(table.url, error) else 0
            if failures == OUTAGE and place < len(parts):
                return [*problems, further(len(parts) - place)]
            continue
        failures = 0
        if sha256 not in (None, record.sha256):
            what = f"its sha256 is {sha256[:12]}..., {record.sha256[:12]}... is on record: changed or damaged"
            next_step = "run the command that makes the table again"
            problems.append(Problem(record.name, what, next_step, damaged=True))
    return problems


def _job_records(output: Output) -> tuple[JobRecords | None, str]:
    """The records of the job that makes an output, and its name there."""
    found = owner(output)
    if found is None:
        return None, ""
    verb = found["verb"]
    of_rejects = output.url.endswith(f"/rejects/{verb}")
    out = output.url.removesuffix(f"/rejects/{verb}") if of_rejects else store.parent(output.url)
    job_records = JobRecords(out, verb)
    name = "rejects" if of_rejects else output.url.rsplit("/", 1)[1]
    return (None if job_records.spec() is None else job_records), name


def _artifacts_of_jobs(out: str) -> list[str]:
    """Those that the jobs of a directory make, also before they are there."""
    stored = [JobRecords(out, verb).spec() or {} for verb in verbs(out)]
    names = [
        name
        for spec in stored
        for name in (*([spec["artifact"]] if spec.get("artifact") else []), *spec.get("derived_artifacts", ()))
    ]
    return [store.join(out, name) for name in names]


def _is_output(url: str) -> bool:
    return store.exists(manifest_url(url)) or bool(Table(url).parts()) or is_artifact(url)
