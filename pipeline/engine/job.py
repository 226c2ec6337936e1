"""A job: what was asked, the stage that does it, the shards it is cut into, and where the rows go."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import schemas
from pipeline.engine.attempt import Outputs
from pipeline.engine.checkpoints import Checkpoints
from pipeline.engine.derived import Derived, DerivedArtifact, DerivedTable
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.job_records import JobRecords
from pipeline.engine.layout import tasks
from pipeline.engine.stage import Stage, Task
from pipeline.tables import Artifact, Layout, Table, store
from schemas import TableSchema


@dataclass(frozen=True)
class Job:
    """`spec` is what a person asked, with every open choice made; `resolved` the digests of what it stands on.

    Both decide the rows and make the fingerprint. `versions`, `weights` and `command` are on record and decide nothing.
    `told`: values that stand in the fingerprint for those of the spec, of fields that also say where a thing lies.
    `table_facts`: by name of a table, what its manifest says in place of `spec` and `resolved`: whose labels it has,
    where a job makes several tables of them.
    `grows`: whether --range makes further rows of the same data set.
    `present`: rows that each shard really has, where an earlier stage rejected some.
    `folders`: names of directories in `out` in which the stage's files are (`Batch.files`); nothing else is in them.
    `derived`: what the driver makes once the stage's tables are sealed, in this order.
    `about`: further facts on record, here and in the manifests, that decide nothing.
    """

    verb: str
    out: str
    stage: Stage
    layout: Layout
    spec: Mapping[str, Any]
    resolved: Mapping[str, Any]
    told: Mapping[str, Any] = field(default_factory=dict)
    table_facts: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[Mapping[str, Any]] = ()
    command: str = ""
    present: Sequence[int] | None = None
    grows: bool = False
    folders: Sequence[str] = ()
    derived: Sequence[Derived] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        stage = {"stage": self.stage.name, "stage_version": self.stage.version}
        return {**self.spec, **self.resolved, **self.told, **stage}

    def facts_of(self, table: str) -> dict[str, Any]:
        """How a table was made, for its manifest."""
        own = self.table_facts.get(table, {})
        spec, resolved = {**self.spec, **own.get("spec", {})}, {**self.resolved, **own.get("resolved", {})}
        return {"verb": self.verb, "spec": spec, "resolved": resolved, **self.about}

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.facts)

    @property
    def main_table(self) -> str:
        """The table whose rows are counted as the job's rows: the last to be published."""
        return list(self.stage.outputs)[-1]

    @property
    def unit(self) -> str:
        """Of what the job counts: rows, or the steps of a training."""
        kinds = self.stage.outputs.values()
        return "rows" if all(isinstance(kind, TableSchema) for kind in kinds) else "steps"

    @cached_property
    def tasks(self) -> list[Task]:
        return tasks(self.layout, self.present)

    def outputs(self) -> Outputs:
        """The tables, or the artifact, as objects; nothing is made on disk until a part is."""
        named, artifact, checkpoints = dict[str, Table](), None, None
        for name, kind in self.stage.outputs.items():
            url = store.join(self.out, name)
            if isinstance(kind, TableSchema):
                named[name] = Table(url, kind, self.layout)
            else:
                artifact = kind(url)
                checkpoints = Checkpoints(JobRecords(self.out, self.verb).checkpoints_url, self.fingerprint)
        rejects = Table(store.join(self.out, "rejects", self.verb), schemas.rejects(), self.layout)
        return Outputs(self.verb, named, rejects, artifact=artifact, checkpoints=checkpoints, url=self.out)

    @property
    def derived_tables(self) -> dict[str, Table]:
        """Those of the derived outputs that are tables."""
        return {one.name: one.table(self.out) for one in self.derived if isinstance(one, DerivedTable)}

    @property
    def derived_artifacts(self) -> dict[str, Artifact]:
        """Those that are artifacts."""
        return {one.name: one.artifact(self.out) for one in self.derived if isinstance(one, DerivedArtifact)}

    def derived_facts(self, one: Derived) -> dict[str, Any]:
        """What a derived output stands on, as its manifest holds it. Raises StoreError where a table is not sealed."""
        digests = {f"{name}_digest": Table(store.join(self.out, name)).digest for name in one.reads}
        return {"verb": self.verb, "spec": dict(self.spec), "resolved": {**self.resolved, **one.facts, **digests}}

    def is_sealed(self, name: str) -> bool:
        """Whether the table of this name is complete, and this job's."""
        manifest = Table(store.join(self.out, name)).manifest()
        return manifest is not None and manifest["fingerprint"] == self.fingerprint

    def record(self) -> dict[str, Any]:
        """What `spec.json` holds."""
        outputs = self.outputs()
        return {
            "verb": self.verb,
            "command": self.command,
            "created": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
            "fingerprint": self.fingerprint,
            "stage": self.stage.name,
            "stage_version": self.stage.version,
            "tables": [*outputs.all, *self.derived_tables],
            "artifact": outputs.artifact and outputs.artifact.name,
            "derived": {one.name: list(one.reads) for one in self.derived},
            **({"derived_artifacts": list(made)} if (made := self.derived_artifacts) else {}),
            **({"folders": list(self.folders)} if self.folders else {}),
            "shards": len(self.tasks),
            "planned": sum(task.rows for task in self.tasks),
            "spec": dict(self.spec),
            "resolved": dict(self.resolved),
            **({"told": dict(self.told)} if self.told else {}),
            "versions": dict(self.versions),
            "weights": [dict(weight) for weight in self.weights],
            **self.about,
        }
