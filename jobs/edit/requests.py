"""The small table that says what was asked for."""

from collections.abc import Mapping
from typing import Any

import schemas
from jobs.small import write_small
from pipeline.engine.job import Job
from pipeline.stages.edit import EditStage
from pipeline.stages.request_rows import to_rows
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
    write_small(table.url, schemas.requests(), to_rows(job.stage.requests), facts)
