"""The labels that the repository keeps for studies, from a folder of labelled faces.

    stylemill dataset --rows 10000 --seed 1 --attributes ... --classifiers faces,judge --out DIR
    python -m benchmarks.labelled_set DIR    # jobs/reproduce/GENERATOR.labels.parquet

The file has one column of float32 for each score of each family, the row number, and in its metadata the command, the
faces (rows, seed, psi) and the fingerprints of the generator, of the families and of their calibration.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import tyro

from jobs.reproduce import kept_labels
from jobs.reproduce.kept_labels import FORMAT, METADATA, SUFFIX
from pipeline.errors import SpecError
from pipeline.models.classifiers.attributes import MEASURES
from pipeline.tables import Table, store

MOST_BYTES = 3_000_000
FLAGS = ("generator", "rows", "seed", "psi", "cutoff", "attributes", "classifiers", "precision")
"""Those of `stylemill dataset` that decide the labels."""


def write(folder: str, file: Path | None = None) -> Path:
    """Write the file of a complete folder of `stylemill dataset`; returns where it is.

    Raises:
        SpecError: rows were rejected or do not begin at 0, or the file would be larger than `MOST_BYTES`.
        StoreError: the folder holds no complete labels.
    """
    facts = Table.open(store.join(folder, "latents")).require_sealed()["facts"]
    asked = facts["spec"]["classifiers"]
    columns: dict[str, Any] = {}
    families = {}
    for place, family in enumerate([asked] if isinstance(asked, str) else asked):
        prefix = f"{family}_" if place else ""
        table = Table.open(store.join(folder, f"labels_{family}" if place else "labels"))
        its = table.read()
        names = [name for name in its.column_names if name != "index"]
        _check(table.url, its["index"].to_pylist(), facts["spec"]["rows"])
        columns |= {"index": its["index"], **{prefix + name: its[name] for name in names}}
        families[family] = {
            "prefix": prefix,
            "attributes": [name for name in names if name not in MEASURES],
            "measures": [name for name in names if name in MEASURES],
            "fingerprint": table.require_sealed()["facts"]["resolved"]["classifiers_digest"],
        }
    spec = {name: facts["spec"][name] for name in (*FLAGS, "device", "backend", "threads", "batch_size")}
    about = {
        "format": FORMAT,
        "command": _command(spec),
        "rows": spec["rows"],
        "generator_digest": facts["resolved"]["generator_digest"],
        "families": families,
        "calibration": facts.get("calibration", {}),
        "meanings": facts["meanings"],
        "spec": spec,
    }
    rows = pa.table(columns)
    rows = rows.replace_schema_metadata({METADATA: json.dumps(about, sort_keys=True)})
    file = file or kept_labels.FOLDER / f"{spec['generator']}{SUFFIX}"
    pq.write_table(
        rows, file, compression="zstd", compression_level=19, use_dictionary=False,
        use_byte_stream_split=[name for name in rows.column_names if name != "index"],
        column_encoding={"index": "DELTA_BINARY_PACKED"},
    )  # fmt: skip
    if (size := file.stat().st_size) > MOST_BYTES:
        file.unlink()
        raise SpecError(f"{file} would have {size:,} bytes, more than {MOST_BYTES:,}: label fewer rows")
    return file


def _check(url: str, index: list[int], rows: int) -> None:
    if index != list(range(rows)):
        raise SpecError(
            f"{url} has {len(index):,} of the rows 0 to {rows - 1:,}: the set is to be whole; see the table of rejects"
        )


def _command(spec: Mapping[str, Any]) -> str:
    words = ["stylemill", "dataset"]
    for name in FLAGS:
        if (value := spec[name]) is not None:
            words += [f"--{name}", ",".join(value) if isinstance(value, list) else f"{value}"]
    return shlex.join(words)


def main(folder: Annotated[str, tyro.conf.Positional], out: Path | None = None) -> None:
    """Write the labels of FOLDER to the file that the repository keeps, or to OUT."""
    file = write(folder, out)
    found = kept_labels.KeptLabels.open(file)
    print(f"{file}: {found.rows:,} rows, {file.stat().st_size:,} bytes\n{found.facts['command']}")


if __name__ == "__main__":
    tyro.cli(main)
