"""The steps before any work: compare the job with what its output holds, plan, prepare the output."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pipeline.engine.attempt import REJECTS, Outputs
from pipeline.engine.fingerprint import differences
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.outcome import Outcome
from pipeline.engine.owner import Output, check, claim, disown, holds_parts
from pipeline.engine.plan import EARLIER_HALF_RETRIED, HALF_RETRIED, Plan, make_plan
from pipeline.engine.recovery import recover_outcomes
from pipeline.errors import OutputDiffers
from pipeline.tables import Artifact, Table, store


def check_spec(job: Job, job_records: JobRecords, replace: bool) -> None:
    """Raise OutputDiffers where rows of another spec are there already; a start that made none does not count."""
    stored = job_records.spec()
    if stored is None or replace or stored["fingerprint"] == job.fingerprint or not _begun(job, job_records):
        return
    stage = {"stage": stored["stage"], "stage_version": stored["stage_version"]}
    facts = {**stored["spec"], **stored["resolved"], **stored.get("told", {}), **stage}
    changed = differences(facts, job.facts)
    raise OutputDiffers(
        f"{job.out} was made from another spec ({'; '.join(changed)}); "
        + (_further_rows(facts, job.facts) if job.grows and len(changed) == 1 else "")
        + "choose another --out, ask for what is there, or pass --replace to make it again"
    )


def _further_rows(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What to do where nothing but more rows is asked; nothing where it is something else."""
    first, made, wanted = there["first_index"], there["rows"], asked["rows"]
    if wanted <= made:
        return ""
    return (
        f"a data set grows by a second piece: --range {first + made}:{first + wanted} --out OTHER, and both together "
        "are --latents A,B (and --labels A,B); else "
    )


def plan_job(job: Job, job_records: JobRecords, outputs: Outputs, replace: bool) -> Plan:
    """What is done and what remains, from one listing a table and the outcomes; nothing is written.

    Raises:
        OutputDiffers: a table is another job's.
    """
    stored = job_records.spec()
    differs = stored is not None and stored["fingerprint"] != job.fingerprint
    if not replace and not differs:
        check(_owned(job, outputs), job.verb, job.fingerprint)
    if differs or (stored is None and replace):
        return make_plan(job.tasks, outputs, {}, fresh=True)
    outcomes = job_records.outcomes()
    return make_plan(job.tasks, outputs, outcomes, _suspects(job_records, outputs, outcomes))


def prepare_outputs(
    job: Job, job_records: JobRecords, outputs: Outputs, replace: bool, plan: Plan, say: Callable[[str], None]
) -> Plan:
    """Store the spec at the first start, put the job's name on its tables, delete what is in the way; the plan."""
    stored = job_records.spec()
    if stored is not None and stored["fingerprint"] != job.fingerprint:
        _clear(job, job_records, stored["tables"], _artifacts(stored))
        _clear_folders(job.out, stored.get("folders", ()))
        stored = None
    if stored is None:
        if replace:
            _clear(
                job,
                job_records,
                [*outputs.all, *job.derived_tables],
                [*([outputs.artifact.name] if outputs.artifact else []), *job.derived_artifacts],
            )
        check(_owned(job, outputs), job.verb, job.fingerprint)
        _check_folders(job)
        job_records.create_spec(job.record())
    elif versions := differences(stored["versions"], job.versions):
        say(f"Note  package versions differ from the first start: {'; '.join(versions)}: bytes may differ")
    claim(outputs.all.values(), job.verb, job.fingerprint)
    job_records.compact(plan.records)
    if plan.unrecorded:
        shards = len(plan.unrecorded)
        say(f"Note  {'1 shard has' if shards == 1 else f'{shards:,} shards have'} no record: reading their parts")
        for outcome in recover_outcomes(plan.unrecorded, outputs):
            job_records.record(outcome)
        job_records.flush()
        plan = plan_job(job, job_records, outputs, replace)
    return plan


def _check_folders(job: Job) -> None:
    """Raise OutputDiffers where files are in a folder that is to be the job's alone, and no job says that it made them.

    They are not deleted, whatever is asked: they may be anybody's.
    """
    for name in job.folders:
        if found := sorted(store.list_names(store.join(job.out, name))):
            raise OutputDiffers(
                f"{store.join(job.out, name)} holds {found[0]}"
                + (f" and {len(found) - 1:,} more files" if found[1:] else "")
                + f", which no '{job.verb}' job on record here made; move them elsewhere, or choose another --out"
            )


def _clear_folders(out: str, folders: Iterable[str]) -> None:
    """Delete the files of an earlier spec."""
    for name in folders:
        url = store.join(out, name)
        store.delete_many([store.join(url, file) for file in store.list_names(url)])


def _suspects(job_records: JobRecords, outputs: Outputs, outcomes: Mapping[int, Outcome]) -> dict[int, str]:
    """Shards not to be trusted.

    Where rejected rows were being tried again, the rejects are published first: as long as they are those on record,
    nothing else was.
    """
    suspects = job_records.suspects()
    half = [shard for shard, why in suspects.items() if why in (HALF_RETRIED, EARLIER_HALF_RETRIED)]
    done = {shard: outcomes[shard].parts for shard in half if shard in outcomes and outcomes[shard].ok}
    records = {shard: parts[REJECTS] for shard, parts in done.items() if REJECTS in parts}
    contents = store.read_many([store.join(outputs.rejects.url, record.name) for record in records.values()])
    for (shard, record), content in zip(records.items(), contents, strict=True):
        if content is not None and hashlib.sha256(content).hexdigest() == record.sha256:
            del suspects[shard]
    return suspects


def _owned(job: Job, outputs: Outputs) -> list[Output]:
    return [*outputs.all.values(), *job.derived_tables.values(), *job.derived_artifacts.values()]


def _begun(job: Job, job_records: JobRecords) -> bool:
    return (
        bool(job_records.outcomes())
        or job_records.has_checkpoints()
        or any(map(holds_parts, job.outputs().all.values()))
    )


def _artifacts(stored: Mapping[str, Any]) -> list[str]:
    """Names of the artifacts that the job of a record makes, the one that is derived too."""
    return [*([stored["artifact"]] if stored.get("artifact") else []), *stored.get("derived_artifacts", ())]


def _clear(job: Job, job_records: JobRecords, names: Iterable[str], artifacts: Collection[str]) -> None:
    """Delete the outputs of an earlier spec, also those that the new one does not have, and its records."""
    for name in dict.fromkeys([*names, *artifacts]):
        url = store.join(job.out, *(("rejects", job.verb) if name == REJECTS else (name,)))
        disown(Artifact(url) if name in artifacts else Table(url))
    job_records.forget()
