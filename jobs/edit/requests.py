"""The small table that says what was asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

import schemas
from jobs.small import write_small
from pipeline.engine.job import Job
from pipeline.stages.edit import EditStage
from pipeline.stages.method import Wanted
from pipeline.tables import Table, store


def write_requests(job: Job) -> None:
    """DIR/requests, once the edits are complete; where it is there already, nothing."""
    assert isinstance(job.stage, EditStage)
    manifest = Table(store.join(job.out, "edits")).manifest()
    if manifest is None or manifest["fingerprint"] != job.fingerprint:
        return
    facts: Mapping[str, Any] = {"verb": "edit", "spec": {"edits": job.fingerprint}, "resolved": {}}
    table = Table(store.join(job.out, "requests"))
    if (there := table.manifest()) is not None and there["facts"] == facts:
        return
    write_small(table.url, schemas.requests(), request_rows(job.stage.method.wanted), facts)


def request_rows(requests: Sequence[Wanted]) -> pa.Table:
    """Rows of a table of requests."""
    return schemas.requests().rows(
        {
            "index": range(len(requests)),
            "attribute": [asked.attribute for asked in requests],
            "target": [asked.target for asked in requests],
            "conditions": [list(asked.conditions) for asked in requests],
            "lambdas": [list(asked.lambdas) for asked in requests],
            "strengths": [list(asked.strengths) for asked in requests],
            "until": [[] if asked.until is None else [asked.until] for asked in requests],
        }
    )
