"""Artifacts that the repository keeps: what an editor that is trained uses on their generator if no other is given.

Each is a folder `pipeline/editors/trained/METHOD.GENERATOR` with `card.json` and tensors in float16, written by
`python -m benchmarks.keep_artifact`. Its URL is `kept:METHOD.GENERATOR`, the same on every machine of a cluster,
wherever stylemill is installed there.
"""

from pathlib import Path

from pipeline.models.generators import Generator
from pipeline.tables.artifact import CARD, Artifact

FOLDER = Path(__file__).parents[1] / "editors" / "trained"
SCHEME = "kept:"


def names(what: str) -> list[str]:
    """Of the artifacts of a method: METHOD.GENERATOR each."""
    return sorted(card.parent.name for card in FOLDER.glob(f"{what}.*/{CARD}"))


def find(what: str, generator: Generator) -> str | None:
    """The URL of the one that a method has for this generator; None where there is none. Raises ModelFileError where it
    is damaged.
    """
    for name in names(what):
        if Artifact(str(FOLDER / name)).card().generator_fingerprint == generator.fingerprint:
            return SCHEME + name
    return None


def place(url: str) -> str:
    """Where an artifact lies on this machine: a kept one in the folder of stylemill, another where its URL says."""
    return str(FOLDER / url.removeprefix(SCHEME)) if url.startswith(SCHEME) else url
