"""How near an encoder comes to faces that it was not trained on, beside the mean face; the files to keep if it is near.

    python -m benchmarks.encoder --artifact out/encoder/artifact --out out/kept

Faces of another seed than the training's are made, encoded, and made again of the code. It is good enough to be kept in
the repository if it has less than 6 MB, its mean perceptual distance (LPIPS, stlpips-alex) from the faces is at most
half of the mean face's, and the mean cosine of identity (fr-feature) is at least 0.5. The numbers go onto the card of
the copy OUT/encoder.GENERATOR, the folder to move into pipeline/photos/trained.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import header
from pipeline.card import Card
from pipeline.engine.machine import cores
from pipeline.models import generators
from pipeline.models.classifiers import identity, perceptual
from pipeline.models.codes import Codes
from pipeline.models.faces import SCORED_SIZE
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal
from pipeline.photos.encoder import Encoder
from pipeline.photos.psp import PspEncoder
from pipeline.stages.encoders import read_encoder
from pipeline.stages.models import MODEL
from pipeline.tables import Artifact, ArtifactFiles, store

MOST_BYTES, MOST_OF_MEAN_FACE, LEAST_IDENTITY = 6_000_000, 0.5, 0.5
PHOTO = 1024
"""Pixels of the photos that are timed."""
TIMED = 10
PSI = 0.7
"""Truncation of the faces, where the card does not say."""
ENCODED, MEAN_FACE = "encoded", "mean_face"
MEANINGS = {
    "perceptual": "mean perceptual distance (LPIPS, stlpips-alex) from faces of another seed",
    "identity": "mean cosine of the embeddings of fr-feature, with these faces",
    "seconds": "to encode one picture of 1024 px, the median",
    "pictures": "faces of another seed that it was tried on",
}


def main(argv: list[str]) -> int:
    """Measure, print the table, write the copy; the exit code is 1 where it is not good enough."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--artifact", required=True)
    asked.add_argument("--out", required=True)
    asked.add_argument("--faces", type=int, default=200)
    asked.add_argument("--seed", type=int, default=4)
    asked.add_argument("--batch-size", type=int, default=2)
    flags = asked.parse_args(argv)
    artifact = Artifact(flags.artifact)
    card = artifact.card()
    if card.settings.get("seed") == flags.seed:
        asked.error(f"--seed {flags.seed}: it was trained on faces of this seed")
    torch.set_num_threads(cores())
    generator = generators.load(str(card.generator), backend="eager")
    encoder = read_encoder(flags.artifact, generator)
    found = compare(generator, encoder, flags.seed, float(card.settings.get("psi", PSI)), flags.faces, flags.batch_size)
    seconds = seconds_of_a_photo(encoder)
    content = artifact.read(MODEL)
    good = is_good(found, len(content))
    numbers = {f"{which}.faces.{name}": value for which, its in found.items() for name, value in its.items()}
    numbers |= {f"{ENCODED}.faces.seconds": seconds, f"{ENCODED}.faces.pictures": float(flags.faces)}
    kept = Artifact(store.join(flags.out, f"encoder.{card.generator}"))
    made = card.model_copy(
        update={"metrics": {**card.metrics, **numbers}, "meanings": {**card.meanings, **MEANINGS}, "files": {}}
    )
    kept.publish(ArtifactFiles({MODEL: content}, Card(**dict(made))))
    print(header(f"python -m benchmarks.encoder --artifact {Path(flags.artifact)} --out {Path(flags.out)}"))
    size, photo = f"{len(content) / 1e6:.1f} MB", f"{seconds:.2f} s a picture of {PHOTO} px"
    print(f"{flags.faces} faces of seed {flags.seed}; {size}; {photo}\n")
    print("| | perceptual distance | identity |\n|---|---|---|")
    for which, its in found.items():
        print(f"| {which.replace('_', ' ')} | {its['perceptual']:.3f} | {its['identity']:.3f} |")
    print(f"\n{kept.url}: {'good enough to be kept' if good else 'not good enough to be kept'}")
    return 0 if good else 1


def is_good(found: dict[str, dict[str, float]], size: int) -> bool:
    """Whether an encoder of so many bytes is to be kept."""
    near = found[ENCODED]["perceptual"] <= MOST_OF_MEAN_FACE * found[MEAN_FACE]["perceptual"]
    return near and found[ENCODED]["identity"] >= LEAST_IDENTITY and size < MOST_BYTES


@torch.no_grad()
def compare(
    generator: Generator, encoder: Encoder | PspEncoder, seed: int, psi: float, faces: int, batch_size: int
) -> dict[str, dict[str, float]]:
    """Means over the faces, of their encoded copies and of the mean face: perceptual, identity."""
    distance, whose = perceptual.load_distance(), identity.load()
    size = min(SCORED_SIZE, generator.resolution)

    def picture(codes: Codes) -> Tensor:
        return generator.synthesize(codes, size).clamp(-1, 1)

    def seen(x_N3HW: Tensor) -> tuple[list[Tensor], Tensor]:
        return distance(x_N3HW), whose(x_N3HW)

    mean_face = seen(picture(Codes("w", generator.w_avg[None])).repeat(batch_size, 1, 1, 1))
    found: dict[str, dict[str, list[float]]] = {
        which: {"perceptual": [], "identity": []} for which in (ENCODED, MEAN_FACE)
    }
    for first in range(0, faces, batch_size):
        index = np.arange(first, first + batch_size)
        z_NZ = torch.from_numpy(standard_normal(seed, index.tolist(), generator.z_dim))
        x_N3HW = picture(Codes("w+", generator.map(z_NZ, psi)))
        source, copies = seen(x_N3HW), seen(picture(Codes("w+", encoder.encode(x_N3HW))))
        for which, other in ((ENCODED, copies), (MEAN_FACE, mean_face)):
            here = slice(0, min(batch_size, faces - first))
            found[which]["perceptual"] += distance.between(source[0], other[0])[here].tolist()
            found[which]["identity"] += (source[1] * other[1]).sum(1)[here].tolist()
    return {which: {name: statistics.fmean(values) for name, values in its.items()} for which, its in found.items()}


def seconds_of_a_photo(encoder: Encoder | PspEncoder) -> float:
    """The median time to encode one, after a first one."""
    x_13HW = torch.rand(1, 3, PHOTO, PHOTO, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return _median_seconds(lambda: encoder.encode(x_13HW))


def _median_seconds(work: Callable[[], object]) -> float:
    work()
    found = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
