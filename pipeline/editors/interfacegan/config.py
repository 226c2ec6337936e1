"""The flags of InterFaceGAN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, FiniteFloat, field_validator, model_validator

from pipeline.editors.compared import Compared
from pipeline.editors.editor import Artifact, EditorConfig, Faces, Needed, Traits
from pipeline.editors.interfacegan.linear import InterFaceGAN, Mode
from pipeline.editors.request import EditRequest, Target
from pipeline.editors.search import Search
from pipeline.editors.truncation import Truncation
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.models.layers import spans

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

FIRST = 0.5
"""The first strength that the search for a score tries."""


class Config(EditorConfig):
    """Move latents along directions; write DIR/edits and DIR/requests, and DIR/edit_images if pictures are asked for.

    Example: stylemill edit interfacegan --latents out/faces/latents --directions out/fit/directions --attribute smile --strengths=-3,3 --out out/smiles
    """  # noqa: E501  one line can be pasted

    GROUP: ClassVar[str | None] = "interfacegan"
    COMPARED: ClassVar[Compared | None] = Compared(
        flag="strengths",
        strengths=(0.75, 1.5, 3.0, 4.5, 6.0),
        usual=3.0,
        networks="labels by the editing family",
        claims={"reach": "a direction that all faces share changes the attribute"},
    )

    strengths: tuple[FiniteFloat, ...] = Field(
        (), description="Distances to move, one step for each; a negative one moves away from the attribute."
    )
    until: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Search for the strength at which the score is this far beyond the boundary.",
    )
    target: Target | None = Field(
        None,
        description="With --until: 1 towards the attribute, 0 away from it, flip to the other side of the boundary.",
    )
    bound: float = Field(10.0, gt=0, allow_inf_nan=False, description="With --until: the largest strength tried.")
    tolerance: float = Field(
        0.02, gt=0, allow_inf_nan=False, description="With --until: the largest error of the strength."
    )
    absolute: bool = Field(False, description="Strengths are distances from the boundary, not from the source.")
    as_released: bool = Field(
        False, description="Follow the public code: absolute without the intercept, but in w+ relative to the source."
    )
    layers: str | None = Field(None, description="Rows of w+ (layers) to move, as in 0-7 or 0,2,4-6. Default: all.")
    psi_after: float | None = Field(
        None, allow_inf_nan=False, description="Truncate the edited codes with this psi (in w and w+ only)."
    )

    @field_validator("layers")
    @classmethod
    def _are_layers(cls, text: str | None) -> str | None:
        if text is not None:
            spans(text, "rows of w+")
        return text

    @model_validator(mode="after")
    def _strengths_or_until(self) -> Config:
        if bool(self.strengths) == (self.until is not None):
            raise ValueError("give --strengths, or --until with --target: one of the two")
        if self.until is not None and self.target is None:
            raise ValueError("--until needs --target 1, 0 or flip: on which side of the boundary is the score?")
        if self.until is None and self.target is not None:
            raise ValueError("--target goes with --until; --strengths carry their own sign")
        if self.until is not None and (self.absolute or self.as_released):
            raise ValueError("--until finds its own strength: leave out --absolute and --as-released")
        if self.absolute and self.as_released:
            raise ValueError("--absolute and --as-released exclude each other")
        if self.until is not None and self.tolerance >= self.bound:
            raise ValueError("--tolerance must be below --bound")
        return self

    @property
    def mode(self) -> Mode:
        """What strengths mean."""
        return "absolute" if self.absolute else "as-released" if self.as_released else "relative"

    @property
    def rows_of_w_plus(self) -> tuple[int, ...] | None:
        """The rows of w+ to move; None for all."""
        return None if self.layers is None else spans(self.layers, "rows of w+")

    @property
    def resolved(self) -> Mapping[str, Any]:
        return {"layers": self.rows_of_w_plus}

    def needed(self, attributes: Sequence[str], preserve: Sequence[str]) -> Needed:
        why = "interfacegan moves along the directions of a table"
        space: tuple[Space, str] | None = ("w+", "--layers (rows of w+)") if self.layers else None
        return Needed(tuple(attributes), tuple(preserve), projected=True, why=why, space=space)

    def check(self, space: Space, generator: Generator) -> None:
        layers = self.rows_of_w_plus
        if layers and space != "w+":
            raise SpecError(f"--layers are rows of w+, these edits are in {space}: leave them out, or pass --space w+")
        if layers and max(layers) >= generator.num_ws:
            raise SpecError(f"--layers {self.layers}: {generator.name} has the rows of w+ 0 to {generator.num_ws - 1}")
        if self.psi_after is not None and space not in ("w", "w+"):
            raise SpecError(f"--psi-after truncates in w and w+, these edits are in {space}: leave it out")

    def request(self, attribute: str, preserve: Sequence[str] = ()) -> EditRequest:
        return EditRequest(attribute, tuple(preserve), self.target or "1", self.strengths, self.until)

    def traits(self, requests: Sequence[EditRequest]) -> Traits:
        return Traits(
            steps=max(len(request.strengths) or 1 for request in requests),
            keep="all",
            looks_at=tuple(request.attribute for request in requests if request.until is not None),
            needs_generator=self.psi_after is not None,
            on_device=False,
            independent_steps=True,
        )

    def open(
        self, faces: Faces | None, directions: Sequence[Direction] = (), artifact: Artifact | None = None
    ) -> InterFaceGAN:
        truncation = None
        if self.psi_after is not None:
            if faces is None:
                raise SpecError("psi_after truncates towards the generator's mean w: give the generator")
            truncation = Truncation(faces.generator.w_avg.cpu(), self.psi_after)
        search = Search(self.bound, min(FIRST, self.bound), self.tolerance)
        return InterFaceGAN(directions, self.mode, self.rows_of_w_plus, truncation, faces, search, source=True)
