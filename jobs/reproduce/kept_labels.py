"""Labels that the repository keeps, for studies to fit directions on: of the first faces of a generator, two families'.

They are in `GENERATOR.labels.parquet` beside this file, one column for each score, those of the second family with its
name before them (`smile`, ..., `judge_smile`, ...). `python -m benchmarks.labelled_set` makes the file from a folder of
`stylemill dataset`. Latents follow from seed and row number, so that `stylemill sample` makes them in seconds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import schemas
from jobs.constants import Constants
from jobs.flags import say
from jobs.reproduce.study import StudySpec
from jobs.sample import SampleSpec
from pipeline.engine.derived import write_whole
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.job_records import JobRecords
from pipeline.engine.owner import disown
from pipeline.errors import ModelFileError
from pipeline.models import classifiers, generators, zoo
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.tables import Table

FORMAT = "stylemill kept labels 1"
METADATA = b"stylemill"
FOLDER = Path(__file__).parent
SUFFIX = ".labels.parquet"


@dataclass(frozen=True)
class KeptLabels:
    """The file, and what its metadata says of it: see `benchmarks.labelled_set`."""

    file: Path
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, file: Path) -> "KeptLabels":
        """Raises ModelFileError where it is no such file."""
        try:
            facts = json.loads((pq.read_schema(file).metadata or {})[METADATA])
            if facts["format"] != FORMAT:
                raise ValueError
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{file} is not a file of labels as the repository keeps them: restore it, or pass --relabel"
            ) from error
        return cls(file, facts)

    @property
    def rows(self) -> int:
        """How many: those of the indices 0, 1, ..."""
        return int(self.facts["rows"])

    def read(self, family: str, attributes: Sequence[str], rows: int) -> pa.Table:
        """The first rows as rows of a labels table: scores of these attributes by a family, and its measures."""
        schema, prefix = schemas.labels(attributes), self.facts["families"][family]["prefix"]
        columns = {name: name if name == "index" else prefix + name for name in schema.arrow.names}
        found = pq.read_table(self.file, columns=list(columns.values())).slice(0, rows)
        return schema.rows({name: found[column].combine_chunks() for name, column in columns.items()})

    def write_table(self, url: str, family: str, attributes: Sequence[str], rows: int) -> None:
        """Write and seal these rows as the labels table at `url`, unless they are there already. Raises StoreError."""
        networks = classifiers.load(family, attributes).weights
        facts = {
            "verb": "reproduce",
            "spec": {**self.facts["spec"], "rows": rows, "classifiers": family, "attributes": list(attributes)},
            "resolved": {
                "generator_digest": self.facts["generator_digest"],
                "classifiers_digest": self.facts["families"][family]["fingerprint"],
            },
            "meanings": {name: self.facts["meanings"][name] for name in attributes},
            "weights": [zoo.CATALOGUE[name].terms for name in networks if name in zoo.CATALOGUE],
            "calibration": self.facts["calibration"],
            "kept_labels": {
                "file": self.file.name,
                "digest": hashlib.sha256(self.file.read_bytes()).hexdigest(),
                "command": self.facts["command"],
            },
        }
        table = Table(url)
        there = table.manifest()
        if there is None or there["facts"] != facts:
            disown(table)
            write_whole(url, schemas.labels(attributes), self.read(family, attributes, rows), facts, fingerprint(facts))

    def __str__(self) -> str:
        return f"{self.file.name}, which `{self.facts['command']}` made"


def kept_labels(spec: StudySpec, rows: int, attributes: Sequence[str] = DEFAULT_ATTRIBUTES) -> KeptLabels | None:
    """The file that has the labels of a study's faces; None where there is none, or they are labelled by the study:
    since --relabel is given, or since it has begun so. A line says which it is.

    Raises:
        ModelFileError: the file is damaged, or a network is not in the cache.
    """
    if spec.relabel or JobRecords(spec.url("faces"), "dataset").spec() is not None:
        return None
    return _find(spec, rows, tuple(attributes))


@cache
def _find(spec: StudySpec, rows: int, attributes: tuple[str, ...]) -> KeptLabels | None:
    file = FOLDER / f"{spec.generator}{SUFFIX}"
    if not file.is_file():
        return None
    found = KeptLabels.open(file)
    if why := _why_not(found, spec, rows, attributes):
        say(f"Note  the labels of {file.name} are not used: {why}")
        return None
    say(f"Note  labels of {rows:,} faces are taken from {found}; --relabel labels them again")
    return found


def _why_not(found: KeptLabels, spec: StudySpec, rows: int, attributes: Sequence[str]) -> str:
    """Why they are not the labels that the study would make; empty where they are."""
    family = found.facts["families"].get(spec.classifiers)
    if family is None:
        return f"{spec.classifiers} did not label them"
    if lacking := [name for name in attributes if name not in family["attributes"]]:
        return f"they lack {', '.join(lacking)}"
    if found.rows < rows:
        return f"they are of {found.rows:,} faces, and {rows:,} are asked for"
    return _made_otherwise(found, spec) or _of_other_networks(found, spec, family)


def _made_otherwise(found: KeptLabels, spec: StudySpec) -> str:
    sampled = SampleSpec(generator=spec.generator, seed=spec.seed, out=spec.out)
    asked = {**{name: getattr(sampled, name) for name in ("seed", "psi", "cutoff")}, "precision": spec.precision}
    theirs = found.facts["spec"]
    return "; ".join(
        f"their {name} is {theirs[name]}, not {asked[name]}" for name in asked if theirs[name] != asked[name]
    )


def _of_other_networks(found: KeptLabels, spec: StudySpec, family: Mapping[str, Any]) -> str:
    generator = generators.load(spec.generator, backend="eager")
    if found.facts["generator_digest"] != generator.fingerprint:
        return f"they are of another {spec.generator}"
    loaded = Constants(generator, spec.calibration).load(spec.classifiers, family["attributes"], family["measures"])
    if loaded.fingerprint != family["fingerprint"]:
        return f"{spec.classifiers} has other networks or another calibration now"
    return ""
