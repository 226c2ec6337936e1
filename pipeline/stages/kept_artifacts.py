"""Artifacts that the repository keeps: what an editor that is trained, or the inversion of photos, uses on their
generator if no other is given.

Each is a folder `pipeline/editors/trained/METHOD.GENERATOR`, or `pipeline/photos/trained/encoder.GENERATOR`, with
`card.json` and tensors in float16, written by `python -m benchmarks.keep_artifact` or `python -m benchmarks.encoder`.
Its URL is `kept:METHOD.GENERATOR`, the same on every machine of a cluster, wherever stylemill is installed there.
"""

from pathlib import Path

from pipeline.models.generators import Generator
from pipeline.tables.artifact import CARD, Artifact

FOLDER = Path(__file__).parents[1] / "editors" / "trained"
ENCODER = "encoder"
"""The method of encoders, as cards call it."""
ENCODERS = Path(__file__).parents[1] / "photos" / "trained"
SCHEME = "kept:"


def names(what: str) -> list[str]:
    """Of the artifacts of a method: METHOD.GENERATOR each."""
    return sorted(card.parent.name for card in _folder(what).glob(f"{what}.*/{CARD}"))


def find(what: str, generator: Generator) -> str | None:
    """The URL of the one that a method has for this generator; None where there is none. Raises ModelFileError where it
    is damaged.
    """
    for name in names(what):
        if Artifact(str(_folder(name) / name)).card().generator_fingerprint == generator.fingerprint:
            return SCHEME + name
    return None


def place(url: str) -> str:
    """Where an artifact lies on this machine: a kept one in the folder of stylemill, another where its URL says."""
    name = url.removeprefix(SCHEME)
    return str(_folder(name) / name) if url.startswith(SCHEME) else url


def _folder(name: str) -> Path:
    """Where the artifacts of a method lie, or one of a name."""
    return ENCODERS if name.partition(".")[0] == ENCODER else FOLDER
