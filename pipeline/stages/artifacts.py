"""Artifacts as those who use them want them: the card, and the tensors by name."""

from dataclasses import dataclass

from torch import Tensor

from pipeline.card import Card
from pipeline.errors import ModelFileError
from pipeline.models.zoo.formats import safetensors
from pipeline.tables import Artifact, store

MODEL = "model.safetensors"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained thing: `digest` stands for all of it."""

    card: Card
    tensors: dict[str, Tensor]
    digest: str


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact of the method `what`, and the digest that it had when the job was first started."""

    url: str
    what: str
    digest: str

    def open(self) -> dict[str, Tensor]:
        """Its tensors. Raises as `read_artifact`, and ModelFileError where it is another one now."""
        trained = read_artifact(self.url, self.what)
        if trained.digest != self.digest:
            raise ModelFileError(f"{self.url} is another artifact than the job was started with: put the old one back")
        return trained.tensors


def read_artifact(url: str, what: str) -> Trained:
    """The artifact at `url`, made by the method `what`; nothing in it is executed.

    Raises:
        ModelFileError: it is none, is damaged, or is another method's.
        StoreError: it cannot be read.
    """
    artifact = Artifact(url)
    card = artifact.card()
    if card.what != what:
        raise ModelFileError(f"{url} is an artifact of {card.what}, not of {what}: choose another")
    return Trained(card, safetensors.read(artifact.read(MODEL), store.join(url, MODEL)), artifact.digest)
