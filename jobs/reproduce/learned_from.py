"""The faces that a trained artifact has learned from, where they can still be looked at."""

import shlex
from contextlib import suppress

from jobs.locations import absolute
from pipeline.card import Card
from pipeline.errors import StoreError
from pipeline.tables import Table, store


def latents_of(artifact: str, card: Card) -> str | None:
    """The latents table that the artifact at this url was trained on; None where it is not found, or is another now.

    Looked for where the command of the card has it, and in the folder of a study: faces/latents of trained/artifact.
    """
    return _found(artifact, card, "latents")


def labels_of(artifact: str, card: Card) -> str | None:
    """The table of its labels, in the same way."""
    return _found(artifact, card, "labels")


def said(artifact: str, card: Card) -> str:
    """For a page, where it is not known whether these are among the faces that are edited."""
    if latents_of(artifact, card) is not None:
        return ""
    return "; the faces that it has learned from are not here, and may be among those edited"


def _found(artifact: str, card: Card, kind: str) -> str | None:
    study = absolute(artifact).rstrip("/").rsplit("/", 2)[0]
    for url in (*_named(card.command, f"--{kind}"), store.join(study, "faces", kind)):
        with suppress(StoreError):
            if Table.open(absolute(url)).digest == card.inputs.get(kind):
                return absolute(url)
    return None


def _named(command: str, flag: str) -> list[str]:
    """Tables that a command names by this flag."""
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    spread = [part for word in words for part in (word.split("=", 1) if word.startswith(f"{flag}=") else [word])]
    found: list[str] = []
    for place, word in enumerate(spread[:-1]):
        if word == flag:
            found += spread[place + 1].split(",")
    return found
