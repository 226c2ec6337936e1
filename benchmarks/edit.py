"""How fast latents are edited: the job, tables and all, beside a loop that takes one row at a time.

    python -m benchmarks.edit --rows 20000 --faces 3

Without faces: w of 512 numbers moved to four strengths. The loop is that of the public code (one code, all strengths,
np.linspace's way), in memory, and once more with the rows written to a Parquet file as they come. The job reads and
writes tables, checks and seals them. With faces: the same edits made and scored, a face at a time and by the job.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import tyro

import schemas
from benchmarks.machine import header
from jobs.__main__ import main as stylemill
from jobs.small_outputs import write_small_table
from pipeline.directions import normalised
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.stages.direction_rows import to_rows
from pipeline.tables import Table

RESULTS = Path(__file__).parent / "results" / "edit.md"
STRENGTHS = (-3.0, -1.0, 1.0, 3.0)
GENERATOR = "mobilestylegan-ffhq"


@dataclass
class Line:
    """One way of editing the same rows."""

    name: str
    rows: int
    seconds: float

    def __str__(self) -> str:
        return f"| {self.name} | {self.rows:,} | {self.seconds:.2f} | {self.rows / self.seconds:,.1f} |"


def latents(out: Path, rows: int) -> np.ndarray:
    """A latents table of noise around the mean w; its w."""
    generator = generators.load(GENERATOR, backend="eager")
    schema, per_shard = schemas.latents("w", generator.w_dim), 8192
    noise = np.random.default_rng(1).standard_normal((rows, generator.w_dim))
    w_NW = (generator.w_avg.numpy() + 0.3 * noise).astype(np.float32)
    table = Table.create(str(out), schema, rows=rows, rows_per_shard=per_shard)
    facts = {"psi": 0.7, "seed": 1, "generator": GENERATOR}
    records = [
        table.publish(
            shard, schema.rows({**facts, "index": np.arange(rows)[table.layout.indices(shard)[0] :][:per_shard],
                                "w": w_NW[shard * per_shard : (shard + 1) * per_shard]})
        )
        for shard in range(table.layout.shards)
    ]  # fmt: skip
    spec = {"spec": {"generator": GENERATOR}, "resolved": {"generator_digest": generator.fingerprint}}
    table.seal(records, {"verb": "sample", **spec}, "noise")
    return w_NW


def loop(w_NW: np.ndarray, vector: np.ndarray) -> Line:
    """One code at a time, all in memory."""
    begun = time.perf_counter()
    steps = np.array(STRENGTHS, dtype=np.float32)[:, None]
    kept = [w[None] + steps * vector[None] for w in w_NW]
    return Line("loop, one row at a time, in memory", len(kept), time.perf_counter() - begun)


def writing_loop(w_NW: np.ndarray, vector: np.ndarray, out: Path) -> Line:
    """One code at a time, each appended to a Parquet file."""
    begun = time.perf_counter()
    schema = pa.schema([pa.field("index", pa.int64()), pa.field("latent", pa.list_(pa.float32(), w_NW.shape[1]))])
    steps = np.array([0.0, *STRENGTHS], dtype=np.float32)[:, None]
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for index, w in enumerate(w_NW):
            moved = (w[None] + steps * vector[None]).ravel()
            latent = pa.FixedSizeListArray.from_arrays(pa.array(moved), w_NW.shape[1])
            writer.write_table(pa.table([pa.array([index] * len(steps)), latent], schema=schema))
    return Line("loop, one row at a time, to a Parquet file", len(w_NW), time.perf_counter() - begun)


def face_loop(w_NW: np.ndarray, vector: np.ndarray) -> Line:
    """One face at a time, made and scored: the source and each strength."""
    generator, family = generators.load(GENERATOR, backend="eager"), classifiers.load("faces", measures=())
    steps = (0.0, *STRENGTHS)
    with torch.no_grad():
        family.scores(generator.synthesize(Codes("w", torch.from_numpy(w_NW[:1])), 512))
        begun = time.perf_counter()
        for w in w_NW:
            for step in steps:
                face = generator.synthesize(Codes("w", torch.from_numpy(w + np.float32(step) * vector)[None]), 512)
                family.scores(face)
    return Line("loop, one face at a time, made and scored", len(w_NW), time.perf_counter() - begun)


def job(name: str, work: Path, rows: int, *words: str) -> Line:
    """`stylemill edit`, models opened beforehand counted too."""
    out = work / name
    asked = ["--latents", str(work / "latents" / str(rows)), "--directions", str(work / "directions")]
    strengths = "--strengths=" + ",".join(map(str, STRENGTHS))
    begun = time.perf_counter()
    code = stylemill(
        ["edit", "interfacegan", *asked, "--attribute", "old", strengths, "--out", str(out), "--local", *words]
    )
    if code:
        raise SystemExit(code)
    seconds = time.perf_counter() - begun
    made = Table.open(str(out / "edits")).require_sealed()
    return Line(name, sum(part["rows"] for part in made["parts"]) // (1 + len(STRENGTHS)), seconds)


def main(rows: int = 20_000, faces: int = 3) -> None:
    """rows: edited without faces. faces: rows edited with them."""
    generator = generators.load(GENERATOR, backend="eager")
    raw = np.random.default_rng(2).standard_normal(generator.w_dim)
    direction = normalised("old", "svm", "w", raw, generator=generator.fingerprint)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_small_table(str(work / "directions"), schemas.directions(), to_rows([direction]), {"verb": "noise"})
        w_NW = latents(work / "latents" / str(rows), rows)
        few_NW = latents(work / "latents" / str(faces), faces)
        lines = [
            loop(w_NW, direction.vector),
            writing_loop(w_NW, direction.vector, work / "loop.parquet"),
            job("stylemill edit, tables sealed", work, rows),
            face_loop(few_NW, direction.vector),
            job("stylemill edit --scores faces, tables sealed", work, faces, "--scores", "faces"),
        ]
    text = "# Edits: rows a second, five latents a row (the source and four strengths)\n\n"
    text += header("python -m benchmarks.edit", f"--rows {rows} --faces {faces}")
    text += "| how | rows | seconds | rows/s |\n|---|---:|---:|---:|\n"
    text += "".join(f"{line}\n" for line in lines)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
