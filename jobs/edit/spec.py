"""What can be asked of `stylemill edit`."""

from typing import Annotated, Any, Literal

import tyro
from pydantic import Field, FiniteFloat, field_validator, model_validator

from jobs.choice import LabelledChoice
from jobs.flags import Names
from jobs.options import DEFAULT_ATTRIBUTES, LATENTS, RunFlags
from jobs.places import absolute
from jobs.spans import spans
from pipeline.editors.gradients import Loss
from pipeline.editors.ials import RELEASED_LAMBDAS
from pipeline.editors.interfacegan import Mode

Numbers = Annotated[
    tuple[FiniteFloat, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="X,Y,...",
        instance_from_str=lambda words: tuple(words[0].split(",")),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))],
    ),
]
"""Numbers with commas between them; pydantic says which word is none."""

LINEAR_ONLY = ("strengths", "bound", "tolerance", "absolute", "layers", "psi_after")
IALS_ONLY = ("lambda1", "lambda2", "step_size", "steps", "loss", "no_incremental", "per_layer", "recompute")
PAPER_LAMBDAS = (0.75, 0.0)


class EditSpec(LabelledChoice, RunFlags):
    """Move latents along directions; write DIR/edits and DIR/requests, and DIR/edit_images where pictures are asked.

    Example: stylemill edit --latents out/faces/latents --directions out/fit/directions --attribute smile --strengths=-3,3 --out out/smiles
    """  # noqa: E501  one line can be pasted

    latents: Names = Field(min_length=1, description=LATENTS)
    directions: Names = Field(
        (), description="The table of directions, or several with commas between; IALS needs none where lambdas are 0."
    )
    attribute: Names = Field(min_length=1, description="What to change, by name; old#3 is row 3, where two are old.")
    on: Names = Field((), description="What is to stay: these directions are projected out.")
    editor: Literal["interfacegan", "ials"] = Field("interfacegan", description="The method.")
    strengths: Numbers = Field((), description="How far, a step for each; negative ones go against the attribute.")
    until: float | None = Field(None, ge=0, allow_inf_nan=False, description="Go on to this score beyond the boundary.")
    target: Literal["0", "1", "flip"] | None = Field(
        None, description="Away from the attribute, to it, or to the other side. With --until, and of ials; there 1."
    )
    bound: float = Field(10.0, gt=0, allow_inf_nan=False, description="With --until: the largest strength tried.")
    tolerance: float = Field(0.02, gt=0, allow_inf_nan=False, description="With --until: how closely it is found.")
    space: Literal["z", "w", "w+", "s"] | None = Field(None, description="Default: the directions', or w.")
    absolute: bool = Field(False, description="Strengths are distances from the boundary, not steps from the source.")
    as_released: bool = Field(
        False,
        description="As the public code. interfacegan: absolute without intercept, in w+ relative. ials: both parts of "
        "each condition are projected out, and the lambdas are 0 and 0.75 by default.",
    )
    layers: str | None = Field(None, description="Rows of w+ that move, as in 0-7 or 0,2,4-6. Default: all.")
    psi_after: float | None = Field(None, allow_inf_nan=False, description="Truncate what comes out; in w and w+.")
    lambda1: float | None = Field(
        None, ge=0, le=1, description="ials: share of the attribute-level direction in the primal's. Default: 0.75."
    )
    lambda2: float | None = Field(None, ge=0, le=1, description="ials: the same of each condition. Default: 0.")
    step_size: float = Field(0.1, gt=0, allow_inf_nan=False, description="ials: length of a step.")
    steps: int = Field(20, ge=1, le=10_000, description="ials: how many steps.")
    loss: Loss = Field("score", description="ials: whose gradient is followed, the score's or that of Eq. 3.")
    no_incremental: bool = Field(
        False, description="ials: keep the direction of the source, instead of searching anew."
    )
    per_layer: bool = Field(False, description="ials in w+: a direction for each layer, not one for all.")
    recompute: Annotated[bool, tyro.conf.arg(aliases=("--checkpoint",))] = Field(
        False, description="ials: less memory, more time: features are computed twice."
    )
    keep: str | None = Field(
        None, description="Steps to keep: all, last, or a number N: source, each N-th, last. Default: all; ials: last."
    )
    scores: Literal["none", "faces", "judge", "both"] = Field("none", description="Whose scores become columns.")
    scored: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description="Attributes to score.")
    classifiers: str = Field("faces", description="The family that --until, ials and --scores faces go by.")
    judge: str = Field("judge", description="The family that --scores judge goes by.")
    images: Literal["none", "png", "jpeg", "webp"] = Field("none", description="Pictures to keep, one a step.")
    size: int = Field(512, gt=0, description="Pixels of a side of the kept pictures.")
    quality: int = Field(95, ge=1, le=100, description="Of JPEG and WebP.")
    generator: str | None = Field(None, description="Default: the one that the latents table names.")
    force: bool = Field(False, description="Use directions of another generator, and latents too.")

    @field_validator("latents", "directions")
    @classmethod
    def _absolute_tables(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(absolute, urls))

    @field_validator("strengths", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(value.split(","))
        return value if isinstance(value, tuple) else (value,)

    @field_validator("target", "keep", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @field_validator("keep")
    @classmethod
    def _steps(cls, text: str | None) -> str | None:
        if text not in (None, "all", "last") and not (text.isdecimal() and int(text) > 0):
            raise ValueError("give all, last, or a number above 0")
        return text

    @field_validator("layers")
    @classmethod
    def _are_layers(cls, text: str | None) -> str | None:
        if text is not None:
            spans(text, "rows of w+")
        return text

    @field_validator("attribute", "on")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        whole = not any("|" in name for name in names)  # else the table tells which words are one name
        if whole and (twice := [name for place, name in enumerate(names) if name in names[:place]]):
            raise ValueError(f"{twice[0]} is named twice")
        return names

    @model_validator(mode="after")
    def _of_one_editor(self) -> "EditSpec":
        others = IALS_ONLY if self.editor == "interfacegan" else LINEAR_ONLY
        for name in others:
            if getattr(self, name) != type(self).model_fields[name].default:
                owner = "ials" if self.editor == "interfacegan" else "interfacegan"
                raise ValueError(f"--{name.replace('_', '-')} goes with --editor {owner}")
        return self

    @model_validator(mode="after")
    def _linear(self) -> "EditSpec":
        if self.editor != "interfacegan":
            return self
        if not self.directions:
            raise ValueError("--directions: interfacegan moves along the directions of a table")
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
            raise ValueError("--tolerance is to be below --bound")
        return self

    @model_validator(mode="after")
    def _ials(self) -> "EditSpec":
        if self.editor != "ials":
            return self
        if not self.directions and any(self.lambdas[: 2 if self.on else 1]):
            raise ValueError("--directions: a lambda above 0 is the share of a direction of that table")
        if not self.directions and self.as_released and self.on:
            raise ValueError("--directions: --as-released projects out the conditions' directions of that table")
        if self.space == "z":
            raise ValueError("--space z: ials moves codes in w, w+ and s")
        return self

    @property
    def mode(self) -> Mode:
        """What strengths mean."""
        return "absolute" if self.absolute else "as-released" if self.as_released else "relative"

    @property
    def lambdas(self) -> tuple[float, float]:
        """lambda1 and lambda2: as given, else the paper's, or the public code's."""
        first, second = RELEASED_LAMBDAS if self.as_released else PAPER_LAMBDAS
        return first if self.lambda1 is None else self.lambda1, second if self.lambda2 is None else self.lambda2

    @property
    def rows_of_w_plus(self) -> tuple[int, ...] | None:
        """That move."""
        return None if self.layers is None else spans(self.layers, "rows of w+")
