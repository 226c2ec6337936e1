"""The flags of IALS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pipeline.directions.aliases import plain
from pipeline.editors.compared import Compared
from pipeline.editors.editor import Artifact, EditorConfig, Faces, Needed, Scores, Traits
from pipeline.editors.gradients import Loss
from pipeline.editors.ials.ials import IALS, LAMBDAS
from pipeline.editors.request import EditRequest, Target
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

PAPER_LAMBDAS = (0.75, 0.0)
RELEASED_LAMBDAS = (0.0, 0.75)
"""Those of the public code."""
RELEASED_PSI = 0.5
"""Truncation of the latents that the public code edits."""


class Steps(BaseModel):
    """The length, number and kind of the steps, for any request."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    GROUP: ClassVar[str | None] = "ials"

    step_size: float = Field(0.1, gt=0, allow_inf_nan=False, description="Length of a step.")
    steps: int = Field(20, ge=1, le=10_000, description="Number of steps.")
    loss: Loss = Field("score", description="Follow the gradient of the score, or of the loss of Eq. 3.")
    no_incremental: bool = Field(False, description="Keep the direction found at the source for all steps.")
    per_layer: bool = Field(False, description="In w+: one direction for each layer, not one for all.")
    as_released: bool = Field(
        False,
        description="Follow the public code: the attribute-level direction of each preserved attribute is projected "
        "out too, and the lambdas are 0 and 0.75 by default.",
    )
    recompute: bool = Field(
        False,
        description="Compute features twice: less memory, more time.",
        json_schema_extra={"aliases": ["--checkpoint"]},
    )

    @property
    def psi(self) -> float | None:
        """Truncation of the latents that the public code edits, with --as-released; else None."""
        return RELEASED_PSI if self.as_released else None

    def strengths(self, target: Target) -> tuple[float, ...]:
        """The strength after each step, negative where the target is 0."""
        sign = -1 if target == "0" else 1
        return tuple(sign * self.step_size * step for step in range(1, self.steps + 1))

    def check_space(self, space: Space) -> None:
        """Raise SpecError where --per-layer does not go with this space."""
        if self.per_layer and space != "w+":
            raise SpecError(f"--per-layer: these edits are in {space}, pass --space w+")

    def editor(
        self, directions: Sequence[Direction], scores: Scores | None, at_once: int | None = None, look: bool = False
    ) -> IALS:
        """IALS with these flags; the arguments are its own. scores may be None where no lambda is below 1."""
        return IALS(
            directions,
            scores or _no_scores,
            step_size=self.step_size,
            steps=self.steps,
            loss=self.loss,
            incremental=not self.no_incremental,
            per_layer=self.per_layer,
            as_released=self.as_released,
            at_once=at_once,
            look=look,
        )


class Config(Steps, EditorConfig):
    """Move latents in steps along score gradients; write DIR/edits and DIR/requests, and DIR/edit_images if pictures
    are asked for.

    Example: stylemill edit ials --latents out/faces/latents --directions out/fit/directions --attribute male --preserve smile --out out/male
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "ials"
    SPACES: ClassVar[tuple[Space, ...]] = ("w", "w+", "s")
    COMPARED: ClassVar[Compared | None] = Compared(
        flag="steps",
        strengths=(2, 4, 6, 8, 10),
        usual=10,
        signed=False,
        steps=True,
        length="step_size",
        conditions=True,
        rows=32,
        networks="gradients of the editing family's scores",
        claims={"kept": "each face's own gradients keep the other attributes better"},
    )

    lambda1: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the attribute-level direction in the direction of the attribute; the rest is the face's "
        "own gradient. Default: 0.75.",
    )
    lambda2: float | None = Field(
        None, ge=0, le=1, description="The same share for each preserved attribute. Default: 0."
    )
    target: Target = Field(
        "1", description="1 towards the attribute, 0 away from it, flip to the other side of the boundary."
    )
    until: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Stop a face when its score is this far beyond the boundary."
    )

    @property
    def lambdas(self) -> tuple[float, float]:
        """lambda1 and lambda2: as given, else those of the paper, or of the public code with --as-released."""
        first, second = RELEASED_LAMBDAS if self.as_released else PAPER_LAMBDAS
        return first if self.lambda1 is None else self.lambda1, second if self.lambda2 is None else self.lambda2

    @property
    def resolved(self) -> Mapping[str, Any]:
        return dict(zip(LAMBDAS, self.lambdas, strict=True))

    def needed(self, attributes: Sequence[str], preserve: Sequence[str]) -> Needed:
        first, second = self.lambdas
        names = (*(attributes if first else ()), *(preserve if second or self.as_released else ()))
        if first or (second and preserve):
            return Needed(names, why="a lambda above 0 is the share of a direction of that table")
        return Needed(names, why="--as-released projects out the conditions' directions of that table")

    def check(self, space: Space, generator: Generator) -> None:
        self.check_space(space)

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        for name in preserve:
            if plain(name) == plain(attribute):
                raise SpecError(
                    f"{attribute} and {name} are one attribute, which cannot both change and stay: take it out "
                    "of --preserve"
                )
        strengths, options = self.strengths(self.target), dict(zip(LAMBDAS, self.lambdas, strict=True))
        return EditRequest(attribute, tuple(preserve), self.target, strengths, self.until, options)

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        followed, looked_at = list[str](), list[str]()
        for request in requests:
            first, second = (request.options[name] for name in LAMBDAS)
            followed += [*((request.attribute,) if first < 1 else ()), *(request.preserve if second < 1 else ())]
            looked_at += [request.attribute] if request.until is not None or request.target == "flip" else []
        return Traits(
            steps=self.steps,
            looks_at=tuple(dict.fromkeys([*followed, *looked_at])),
            gradients=bool(followed),
            rows_may_stop=True,
            recompute=self.recompute,
            psi=self.psi,
        )

    def passes(self, requests: Sequence[EditRequest], generator: Generator) -> tuple[int, int]:
        first, second = self.lambdas
        followed = sum((first < 1) + (second < 1) * len(request.preserve) for request in requests)
        return (self.steps * len(requests) if followed else 0), self.steps * followed

    def open(self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None) -> IALS:
        return self.editor(directions, faces, faces.at_once if faces else None)


def _no_scores(codes: Codes) -> Mapping[str, Any]:
    raise SpecError("a score is needed and no classifier was opened")
