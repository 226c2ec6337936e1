"""Encoders as artifacts: of `stylemill train encoder`, kept in the repository, or of others' files."""

import torch

from pipeline.errors import ModelFileError
from pipeline.models.generators import Generator
from pipeline.photos.encoder import Encoder
from pipeline.photos.psp import TYPES, PspEncoder, PublicEncoder
from pipeline.stages import kept_artifacts
from pipeline.stages.kept_artifacts import ENCODER
from pipeline.stages.models import read_artifact


def find_encoder(generator: Generator) -> str | None:
    """The URL of the kept encoder of a generator; None where there is none. Raises as `kept_artifacts.find`."""
    return kept_artifacts.find(ENCODER, generator)


def read_encoder(url: str, generator: Generator, device: str | torch.device = "cpu") -> Encoder | PspEncoder:
    """The encoder at `url`, or the kept one of that name; nothing in it is executed.

    Raises:
        ModelFileError: it is none, is damaged, is of another generator, or reads features of other networks than those
            that are here.
        StoreError: it cannot be read.
    """
    trained = read_artifact(url, ENCODER)
    card = trained.card
    if card.generator_fingerprint != generator.fingerprint:
        raise ModelFileError(
            f"{url} was trained on pictures of {card.generator} ({(card.generator_fingerprint or '')[:12]}), not of "
            f"{generator.name} ({generator.fingerprint[:12]}): stylemill train encoder --generator {generator.name} "
            "trains one"
        )
    if card.settings.get("type") in TYPES:
        return PspEncoder(PublicEncoder(trained.tensors, str(card.settings["type"])), device)
    names = card.settings.get("features")
    if not isinstance(names, list):
        raise ModelFileError(f"the card of {url} does not say which features it reads: train it again")
    encoder = Encoder([str(name) for name in names], trained.tensors, generator.num_ws, device)
    if others := [name for name, digest in encoder.digests.items() if card.inputs.get(name) != digest]:
        raise ModelFileError(
            f"{url} reads features of another {others[0]} than the one that is here: stylemill models pull {others[0]}"
        )
    return encoder
