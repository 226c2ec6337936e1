"""What was trained for an editor: opened, and checked against the generator, the codes and what is asked of it.

Shapes: N rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from jobs.edit.spec import EditSpec, artifact_of, how_to_train
from jobs.flags import say
from pipeline.card import Card
from pipeline.directions.aliases import resolve as our_attribute
from pipeline.editors import EditRequest
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.stages import kept_artifacts
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.models import ArtifactRef, read_artifact
from pipeline.stages.source import Latents
from pipeline.tables.artifact import CARD

LOOKED_AT = 1024
"""Rows whose norms are compared with those of the training: the first ones."""
OUTSIDE = 0.05
"""Share of them that may lie outside before a warning is printed: some do by chance."""


@dataclass(frozen=True)
class OpenedArtifact:
    """The artifact of an editor, with its card; None of an editor that needs none."""

    ref: ArtifactRef | None = None
    card: Card | None = None
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def space(self) -> Space | None:
        """Of the codes that it was trained on, where that is known."""
        return self.card.codes.space if self.card and self.card.codes else None

    def check(self, requests: Sequence[EditRequest], latents: Latents, space: Space, generator: Generator) -> None:
        """Raise SpecError where it was not trained for one of the attributes; warn where the codes are of other norms
        than it was trained on."""
        if self.ref is None or self.card is None:
            return
        check_trained_for(self.ref.url, self.card, [name for one in requests for name in one.attributes])
        if self.card.codes is None:
            say(f"Note  {self.ref.url} does not say on which latents it was trained: these may be too different")
            return
        codes = codes_of(latents.head(needed_columns(latents.schema, space), LOOKED_AT), space, generator)
        norms_N = torch.linalg.vector_norm(codes.values.flatten(1).double(), dim=1).numpy()
        norms_N = norms_N[np.isfinite(norms_N)]
        low, high = self.card.codes.norm_min, self.card.codes.norm_max
        outside = int(((norms_N < low * (1 - 1e-6)) | (norms_N > high * (1 + 1e-6))).sum())
        if outside > OUTSIDE * len(norms_N):
            say(
                f"Warn  {self.ref.url} was trained on codes with norms of {low:.4g} to {high:.4g}, and {outside:,} of "
                f"the first {len(norms_N):,} here lie outside ({norms_N.min():.4g} to {norms_N.max():.4g}): its edits "
                "may be unreliable (another psi?)"
            )


def open_artifact(spec: EditSpec, generator: Generator) -> OpenedArtifact:
    """The artifact that the flags name, else the one that the repository keeps for this generator.

    Raises:
        ModelFileError: it is damaged, or is another method's.
        SpecError: none is named, and none is kept; or it was made for another generator, or for codes in another space
            than --space.
    """
    editor, what = spec.EDITOR[0], spec.EDITOR[1].ARTIFACT
    if what is None:
        return OpenedArtifact()
    url = artifact_of(spec)
    if url is None:
        if (url := kept_artifacts.find(what, generator)) is None:
            raise SpecError(how_to_train(editor, what, generator.name))
        card = f"{kept_artifacts.place(url)}/{CARD}"
        say(f"Note  no --artifact: that of stylemill is used; {card} says how it was trained and how good it is")
    trained = read_artifact(url, what)
    opened = OpenedArtifact(ArtifactRef(url, what, trained.digest), trained.card, trained.tensors)
    whose = trained.card.generator_fingerprint
    if whose is None:
        say(f"Note  {url} does not say for which generator it was trained: it is used for {generator.name}")
    if whose not in (None, generator.fingerprint) and not spec.force:
        raise SpecError(
            f"{url} was trained for {trained.card.generator or 'a generator'} ({str(whose)[:12]}), and not for this "
            f"{generator.name} ({generator.fingerprint[:12]}): pass --force to use it all the same"
        )
    if opened.space and spec.space not in (None, opened.space):
        raise SpecError(f"{url} was trained on codes in {opened.space}: leave out --space {spec.space}")
    return opened


def check_trained_for(url: str, card: Card, attributes: Sequence[str]) -> None:
    """Raise SpecError where an artifact was not trained for one of these."""
    known = card.attributes
    if unknown := [name for name in attributes if known and name not in known]:
        also = _alias(unknown[0], known)
        raise SpecError(f"{url} was not trained for {unknown[0]}: it was for {', '.join(known)}{also}")


def _alias(asked: str, known: Sequence[str]) -> str:
    """Which of these is another name of what is asked for, or the other side of it."""
    ours = our_attribute(asked)
    for name in known if ours else ():
        if (its := our_attribute(name)) and ours and its[0] == ours[0]:
            return f"; {name} is " + ("the same" if its[1] == ours[1] else "its other side: --target 0 in place of 1")
    return ""
