"""How an editor is compared with others: what `stylemill compare` asks of its Config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, get_origin

from pydantic import BaseModel

from pipeline.errors import SpecError

ROWS = 64
"""Faces of an attribute that an editor edits on a CPU, unless it takes minutes a face."""


@dataclass(frozen=True)
class Compared:
    """The strengths along which an editor is followed, and what its paper says of it.

    flag: the field that says how far an edit goes: of numbers separated by commas (a step for each), or of one number
        (an edit for each). strengths: its values, rising from small to large. usual: the one of them that the paper
        takes.
    signed: whether a negative value moves away from the attribute; otherwise --target 1 or 0 says which way.
    steps: whether the values are numbers of equal steps of one edit, which is kept at each of them; then they are
        multiples of the first.
    length: the field that is the length of such steps, which is chosen for each attribute; empty where it is not.
    settings: further flags of `stylemill edit`, where those of the comparison are not the defaults.
    conditions: whether the other attributes that are compared are given as --preserve.
    rows: faces of an attribute on a CPU.
    networks: in words, which networks it learned from or optimises, so that they do not measure it without being named.
    claims: what its paper claims, a sentence each, by the number that decides it: reach, kept, identity_dlib, identity,
        perceptual, mse_outside_landmarks or mse_outside.

    Raises:
        SpecError: strengths do not rise, the usual one is not among them, or numbers of steps are not such multiples.
    """

    flag: str
    strengths: tuple[float, ...]
    usual: float
    signed: bool = True
    steps: bool = False
    length: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    conditions: bool = False
    rows: int = ROWS
    networks: str = "none"
    claims: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        said = ", ".join(f"{one:g}" for one in self.strengths)
        if not self.strengths or self.strengths[0] < 0 or any(b <= a for a, b in pairwise(self.strengths)):
            raise SpecError(f"strengths of {self.flag}, {said}: give numbers that rise, none below 0")
        if self.usual not in self.strengths:
            raise SpecError(f"strengths of {self.flag}, {said}: the usual one, {self.usual:g}, is not among them")
        if self.steps and any(one % self.strengths[0] or one < 1 for one in self.strengths):
            raise SpecError(f"{self.flag} {said}: give multiples of the first, since every so many steps are kept")

    def at(self, strengths: Sequence[float]) -> Compared:
        """The same at other strengths; the usual one is then the nearest of them."""
        usual = min(strengths, key=lambda one: abs(one - self.usual), default=self.usual)
        return Compared(**{**vars(self), "strengths": tuple(strengths), "usual": usual})

    def edits(self, config: type[BaseModel], towards: bool) -> list[dict[str, Any]]:
        """The flags of the edits in which a face goes towards the attribute, or away from it, at all strengths. Several
        edits have one strength each, in their order.

        config: whose flags these are. Raises SpecError where it has no such flag.
        """
        if self.flag not in config.model_fields:
            raise SpecError(f"an editor is compared along its flag {self.flag}, which it does not have")
        sign = 1 if towards or not self.signed else -1
        values = [sign * one for one in self.strengths]
        way = {**self.settings} if self.signed else {**self.settings, "target": "1" if towards else "0"}
        if self.steps:
            return [{**way, self.flag: int(values[-1]), "keep": str(int(values[0]))}]
        if get_origin(config.model_fields[self.flag].annotation) is tuple:
            return [{**way, self.flag: tuple(values), "keep": "all"}]
        return [{**way, self.flag: value, "keep": "all"} for value in values]
