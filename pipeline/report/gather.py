"""What is in a folder of tables: the labels, and the spec and the end of each job that wrote here.

Everything may be absent except one of labels and latents. What is missing stays missing: the page says so.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.errors import StoreError
from pipeline.report import wording
from pipeline.tables import Artifact, Table, store
from schemas.labels import MEASURES

TABLES = ("latents", "labels", "images")
FIRST_VERBS = ("dataset", "sample", "label")
"""Jobs that make faces or label them, the one that makes most of a folder first."""
ELSEWHERE = {
    "dt_steps": "stylemill dt writes report.html itself, once its steps are complete: run the same command again",
    "gradients": "directions are computed once these are complete: run the same command again",
}
"""Advice for folders of other jobs, by one of their tables."""
BOOKKEEPING = ".stylemill"
FIRST_INDICES = 8

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One job that wrote into the folder."""

    verb: str
    spec: Json
    """The stored spec.json; empty where there is none."""
    summary: Json
    """summary.json; empty while the first run goes on."""
    rejects: pd.DataFrame
    """Columns reason, rows, first (the first few indices, in words); most frequent reason first."""

    def asked(self, name: str) -> Any:
        """A field of the spec or of what was resolved for it; None where it was not recorded."""
        for place in (self.spec.get("spec"), self.spec.get("resolved"), self.spec, self.summary):
            if isinstance(place, Mapping) and name in place:
                return "none" if place[name] is None else place[name]
        return None

    def ended(self, name: str) -> Any:
        """A field of the summary, or what the spec foresaw (planned, weights); None where it was not recorded."""
        return self.summary.get(name, self.spec.get(name))


@dataclass(frozen=True)
class Gathered:
    """The folder in memory. Pictures are not: they are read later, and only those that the page shows."""

    name: str
    labels: pd.DataFrame
    """float64, by index, in its order; no columns where only latents exist."""
    attributes: tuple[str, ...]
    """Columns of labels that are scores, in the order of the spec."""
    measures: tuple[str, ...]
    """Columns of labels in units of their own."""
    tables: Mapping[str, Table]
    latents: Mapping[str, str]
    """psi, seed and generator as the latents themselves say: the value, or how many different ones."""
    runs: tuple[Run, ...]
    notes: tuple[str, ...]
    """What could not be read, in words."""

    @property
    def rows(self) -> int:
        return len(self.labels)

    @property
    def meanings(self) -> dict[str, str]:
        """What columns of labels mean, as the jobs that made them recorded it."""
        recorded = [run.spec.get("meanings") for run in self.runs]
        return {name: str(meaning) for one in recorded if isinstance(one, Mapping) for name, meaning in one.items()}

    @property
    def unsealed(self) -> list[str]:
        """Names of the tables that have no manifest: their job goes on, or has not finished."""
        return [name for name, table in self.tables.items() if table.manifest() is None]


def _instead(url: str) -> str:
    """Advice for a folder of which no page can be made."""
    found = (words for name, words in ELSEWHERE.items() if Table(store.join(url, name)).parts())
    return next(found, "name the folder that a job wrote to (--out)")


def gather(url: str, chosen: Collection[int] | None = None) -> Gathered:
    """Read all that the page needs except pictures; of some rows, where they are chosen.

    A job that has published nothing gives a folder without rows.

    Raises:
        StoreError: there is neither a table of labels nor one of latents nor a job that would make them, or a table
            cannot be read.
    """
    further = sorted(name for name in store.list_directories(url) if name.startswith("labels_"))
    tables = {name: table for name in (*TABLES, *further) if (table := _table(url, name)) is not None}
    if "labels" not in tables and "latents" not in tables and not any(begun(url, verb) for verb in FIRST_VERBS):
        raise StoreError(f"{url}: no table of labels, latents, edits or directions; {_instead(url)}")
    labels = _labels(tables)
    notes: list[str] = []
    if chosen is not None:
        labels, before = labels[labels.index.isin(chosen)], len(labels)
        notes.append(wording.chosen(len(labels), before))
    runs = tuple(read_run(url, verb, notes) for verb in store.list_directories(store.join(url, BOOKKEEPING)))
    asked = next((names for run in runs if isinstance(names := run.asked("attributes"), list)), [])
    scores = [name for name in labels.columns if name not in MEASURES]
    return Gathered(
        name=store.resolve(url)[1].rstrip("/").rsplit("/", 1)[-1],
        labels=labels,
        attributes=tuple(sorted(scores, key=lambda name: asked.index(name) if name in asked else len(asked))),
        measures=tuple(name for name in labels.columns if name in MEASURES),
        tables=tables,
        latents=_said_by_latents(tables["latents"]) if "latents" in tables else {},
        runs=runs,
        notes=tuple(notes),
    )


def _table(url: str, name: str) -> Table | None:
    """The table, None where nothing has been published in it yet."""
    table = Table(store.join(url, name))
    return table if table.manifest() is not None or table.parts() else None


def begun(url: str, verb: str) -> bool:
    """Whether such a job has been started here, whatever became of it."""
    return store.exists(store.join(url, BOOKKEEPING, verb, "spec.json"))


def _labels(tables: Mapping[str, Table]) -> pd.DataFrame:
    if "labels" not in tables and "latents" not in tables:
        return pd.DataFrame(index=pd.Index([], dtype="int64", name="index"))
    rows = tables["labels"].read() if "labels" in tables else tables["latents"].read(["index"])
    return rows.to_pandas().set_index("index").astype("float64")


def _said_by_latents(table: Table) -> dict[str, str]:
    seen: dict[str, set[str]] = {"generator": set(), "psi": set(), "seed": set()}
    for batch in table.batches(list(seen), rows=65536):
        for name, values in seen.items():
            values.update(wording.anything(value) for value in batch[name].unique().to_pylist())
    return {
        name: values.copy().pop() if len(values) == 1 else f"{len(values)} different values"
        for name, values in seen.items()
        if values
    }


def read_run(url: str, verb: str, notes: list[str]) -> Run:
    """What is recorded of a job that wrote here; what cannot be read goes into `notes`. Raises StoreError."""
    spec, summary = (document(url, f"{BOOKKEEPING}/{verb}/{name}.json", notes) for name in ("spec", "summary"))
    notes += _not_derived(url, verb, spec)
    rejects = _reasons_in_table(_table(url, f"rejects/{verb}"))
    return Run(verb, spec, summary, _reasons_in_summary(summary) if rejects is None else rejects)


def _not_derived(url: str, verb: str, spec: Json) -> Iterator[str]:
    """What the job has not made of its tables, though these are complete: it was killed in between."""
    derived, tables = spec.get("derived"), spec.get("tables")
    if not isinstance(derived, Mapping) or not isinstance(tables, list):
        return
    sealed = {name: Table(store.join(url, name)).sealed for name in tables if name != "rejects"}
    sealed |= {name: Artifact(store.join(url, name)).sealed for name in spec.get("derived_artifacts", ())}
    for name in derived if all(sealed[name] for name in sealed if name not in derived) else ():
        if not (sealed[name] if name in sealed else store.exists(store.join(url, name))):
            yield f"{name} is not made yet: the same {verb} command makes it"


def document(url: str, name: str, notes: list[str]) -> Json:
    """A JSON object, empty where there is none; what cannot be read goes into `notes`."""
    try:
        document = store.read_json(store.join(url, name))
    except StoreError as error:
        notes.append(str(error))
        return {}
    if document is not None and not isinstance(document, dict):
        notes.append(f"{name} is not a JSON object and was left out")
    return document if isinstance(document, dict) else {}


def _reasons_in_table(table: Table | None) -> pd.DataFrame | None:
    if table is None:
        return None
    by_reason = table.read(["index", "reason"]).to_pandas().groupby("reason", sort=True)["index"]
    counted = [
        (reason, len(index), ", ".join(map(str, index[:FIRST_INDICES])) + (" …" if len(index) > FIRST_INDICES else ""))
        for reason, index in by_reason
    ]
    return _most_frequent_first(counted)


def _reasons_in_summary(summary: Json) -> pd.DataFrame:
    said = summary.get("rejects_by_reason")
    counted = sorted(said.items()) if isinstance(said, Mapping) else []
    return _most_frequent_first([(reason, rows, "") for reason, rows in counted if isinstance(rows, int) and rows])


def _most_frequent_first(counted: list[tuple[Any, int, str]]) -> pd.DataFrame:
    frame = pd.DataFrame(counted, columns=["reason", "rows", "first"])
    return frame.sort_values("rows", ascending=False, kind="stable")
