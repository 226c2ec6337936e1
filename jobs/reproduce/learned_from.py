"""The faces that a trained artifact has learned from, as its card tells them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from jobs.locations import absolute
from jobs.reproduce.faces import LabelledFlags
from jobs.train.made_from import described
from pipeline.card import Card, InputTable
from pipeline.errors import SpecError, StoreError
from pipeline.models import generators
from pipeline.stages.kept_artifacts import place
from pipeline.tables import Artifact, Table, store


def check(spec: LabelledFlags, artifact: str, card: Card, flag: str) -> None:
    """Raises SpecError where an artifact is of another generator, or has learned from the faces that are to be edited
    from the judge's labels or by its scores.

    flag: of the study, that names it.
    """
    whose = generators.load(spec.generator, backend="eager").fingerprint
    if card.generator_fingerprint not in (None, whose):
        raise SpecError(f"{artifact} was trained on latents of another generator, {card.generator}, than the "
                        f"{spec.generator} here: pass the --generator that it was trained for")  # fmt: skip
    if card.generator == spec.generator:
        for table in tables_of(artifact, card, "latents"):
            spec.check_edited_are_others(table.seed, flag)
    if spec.judge in [table.classifiers for table in tables_of(artifact, card, "labels")]:
        raise SpecError(f"{flag}: it has learned from labels of {spec.judge}: pass another --judge to measure it")
    if settings_of(artifact, card).get("classifiers") == spec.judge:
        raise SpecError(f"{flag}: it was trained by the family {spec.judge}: pass another --judge to measure it")


def tables_of(artifact: str, card: Card, kind: str) -> Sequence[InputTable]:
    """Its tables of latents or of labels. Of a card that does not tell them, as before they were kept there, the one of
    the study in whose folder it is (faces/latents of trained/artifact), if that is still the same.
    """
    if card.tables:
        return card.tables.get(kind, ())
    study = absolute(artifact).rstrip("/").rsplit("/", 2)[0]
    with suppress(StoreError):
        found = described(Table.open(store.join(study, "faces", kind)))
        if found.digest == card.inputs.get(kind):
            return (found,)
    return ()


def settings_of(artifact: str, card: Card) -> Mapping[str, Any]:
    """The flags of its training, by its card, or by the manifest where the card is of before they were kept."""
    manifest = None if card.settings else Artifact(place(artifact)).manifest()
    return card.settings or (manifest["facts"].get("spec", {}) if manifest else {})


def said(artifact: str, card: Card) -> str:
    """For a page, where it is not known whether these are among the faces that are edited."""
    if tables_of(artifact, card, "latents"):
        return ""
    return "; its card does not tell which faces it has learned from, which may be among those edited: train it again"
