"""Make faces from codes and score them: scores with gradients, measures and pictures.

Shapes: N rows, S style channels, 3HW pixels.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pipeline.errors import SpecError
from pipeline.models.backend import device_failed
from pipeline.models.classifiers import Family
from pipeline.models.classifiers.parsing import FaceParser
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator

SCORED_SIZE = 512
"""Classifiers look at the generator's 512 px picture, or at its largest if that is smaller."""
SEGMENT = 3
"""Layers that are recomputed together to save memory: a block of the synthesis network."""
PIXELS, PICTURE = "pixels", "picture"


class FaceScorer:
    """A generator and the networks that look at its faces. One call is one pass of each network that it needs.

        generator = generators.load("mobilestylegan-ffhq")
        faces = FaceScorer(generator, {"": classifiers.load("faces"), "judge_": classifiers.load("judge")})
        scores = faces(Codes("w", w_NW))     # smile, ..., judge_smile, ...: (N,) each; the first carry gradients
        columns = faces.look(Codes("w", w_NW))     # the same and the measures, as NumPy arrays

    The bits of a picture depend on how many are made together, so always call it with batches of one size.

    Args:
        families: classifiers by the prefix of their columns; a column is named prefix + attribute.
        follow: prefixes of the families whose scores carry gradients; by default all that can. The others look at the
            same faces and are never differentiated.
        parser: where the parts of a face are; None where no masks are asked for.
        picture_size: width and height in pixels of the pictures that `look` returns; None for no pictures.
        psi, cutoff: truncation with which codes in z are mapped.
        recompute: recompute features in the backward pass, a segment of layers at a time, instead of keeping them:
            less memory, more time, the same bits.

    Attributes:
        at_once: rows whose gradients are best computed together; None for all rows of a micro-batch. On a CPU it is 1,
            because batches are hardly faster there. A face made alone also has the same bits in any batch (along
            gradients, differences in the last bits grow from step to step), rows that have stopped cost nothing, and
            only one face is held in memory.

    Raises:
        SpecError: a family to follow has no gradient, or the generator does not have this size or cutoff.
    """

    def __init__(
        self,
        generator: Generator,
        families: Mapping[str, Family],
        follow: Collection[str] | None = None,
        parser: FaceParser | None = None,
        picture_size: int | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        recompute: bool = False,
    ) -> None:
        self.generator, self.families = generator, dict(families)
        self.device = generator.backend.device
        self.at_once = 1 if self.device.type == "cpu" else None
        if follow is None:
            follow = [prefix for prefix, family in self.families.items() if family.differentiable]
        for prefix in follow:
            if not self.families[prefix].differentiable:
                name = self.families[prefix].name
                raise SpecError(f"{name} only measures and has no gradients: choose a family that edits")
        self._follow = frozenset(follow)
        self._parser, self._recompute = parser, recompute
        self._picture_size = None if picture_size is None else generator.check_size(picture_size)
        self._psi, self._cutoff = psi, generator.check_cutoff(cutoff)
        self._scored_size = min(SCORED_SIZE, generator.resolution)
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, codes: Codes, attributes: Collection[str] | None = None) -> dict[str, Tensor]:
        """Scores (N,) by column, on the models' device; differentiable in the codes where gradients are enabled.

        attributes: only these, of each family; networks that only other attributes need are not run.

        Raises:
            SpecError: the codes do not fit the generator.
        """
        return self.search(codes, self.families, attributes)[0]

    @torch.no_grad()
    def look(self, codes: Codes, columns: Collection[str] | None = None) -> dict[str, NDArray]:
        """What the networks see in N faces, by column: scores and the families' measures, (N,) float32; with
        `picture_size`, `pixels`, uint8 (N, size, size, 3), and `picture` (N,), the mean of each picture, which is not
        finite where the picture is not. Errors as in a call.

        columns: only these; networks that only other columns need are not run.
        """
        return self._see(codes, (), None, self.columns if columns is None else columns, "")[1]

    @torch.no_grad()
    def look_with_pictures(
        self, codes: Codes, columns: Collection[str] | None = None
    ) -> tuple[dict[str, NDArray], Tensor]:
        """`look`, and the pictures that the networks looked at: (N, 3, H, W) in [-1, 1], on the models' device."""
        return self._see(codes, (), None, self.columns if columns is None else columns, "")[1:]

    def search(
        self,
        codes: Codes,
        prefixes: Collection[str] = ("",),
        attributes: Collection[str] | None = None,
        columns: Collection[str] = (),
    ) -> tuple[dict[str, Tensor], dict[str, NDArray]]:
        """From one pass: scores of the families with these prefixes, as in a call, and these columns, as in `look`."""
        return self._see(codes, prefixes, attributes, columns, "search_")[:2]

    def search_with_pictures(
        self, codes: Codes, attributes: Collection[str] | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Scores of the family without prefix, as in a call, and the pictures (N, 3, H, W) in [-1, 1] that it looked
        at, both differentiable."""
        scores, _, x_N3HW = self._see(codes, ("",), attributes, (), "search_")
        return scores, x_N3HW

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that `look` returns."""
        labels = [prefix + name for prefix, family in self.families.items() for name in _labels(family)]
        return (*labels, *(() if self._picture_size is None else (PIXELS, PICTURE)))

    def _see(
        self,
        codes: Codes,
        prefixes: Collection[str],
        attributes: Collection[str] | None,
        columns: Collection[str],
        counted: str,
    ) -> tuple[dict[str, Tensor], dict[str, NDArray], Tensor]:
        with self._counted(f"{counted}synth_seconds"):
            state, x_N3HW = self._faces(codes)
            pictures = self._pictures(state, x_N3HW) if PIXELS in columns else {}
        scores: dict[str, Tensor] = {}
        seen: dict[str, NDArray] = {}
        with self._counted(f"{counted}score_seconds"):
            for prefix, family in self.families.items():
                names = [name for name in family.attributes if attributes is None or name in attributes]
                names = names if prefix in prefixes else []
                kept = [name for name in _labels(family) if prefix + name in columns]
                if not names and not kept:
                    continue
                followed = prefix in self._follow
                with torch.set_grad_enabled(torch.is_grad_enabled() and followed):
                    # separate tensors: else the gradient of one column would run back through every column's network
                    x_N3HW_here = x_N3HW if followed else x_N3HW.detach()
                    found = family.columns(x_N3HW_here, names, [name for name in kept if name not in names])
                scores.update({prefix + name: found[name] for name in names})
                seen.update({prefix + name: _numpy(found[name]) for name in kept})
        return scores, seen | pictures, x_N3HW

    def styles(self, codes: Codes) -> Tensor:
        """s (N, S) of codes in any space; z is truncated as for faces. Raises SpecError as a call."""
        codes = codes.to(self.device)
        if codes.space == "z":
            codes = self.generator.truncated(codes.values, self._psi, self._cutoff)
        return self.generator.styles_of(codes)

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities of the face parser's classes. Raises SpecError."""
        if self._parser is None:
            raise SpecError("masks are asked for, and no face parser is open: give the scorer one")
        return self._parser.masks(x_N3HW)

    @torch.no_grad()
    def _pictures(self, state: tuple[Tensor, ...], x_N3HW: Tensor) -> dict[str, NDArray]:
        kept = x_N3HW if self._picture_size == self._scored_size else self.generator.image(state, self._picture_size)
        # uint8 cannot show values that are not finite, so the mean of the picture is kept too
        return {PIXELS: to_pixels(kept), PICTURE: _numpy(x_N3HW.mean(dim=(1, 2, 3)))}

    def look_at_all(self, codes: Codes, batch_size: int) -> dict[str, NDArray]:
        """`look` for one row or more, in batches of one size."""
        found = []
        for first in range(0, len(codes), batch_size):
            some = codes.select(slice(first, first + batch_size))
            columns = self.look(some.in_slots(range(len(some)), batch_size))
            found.append({name: column[: len(some)] for name, column in columns.items()})
        return {name: np.concatenate([columns[name] for columns in found]) for name in found[0]}

    def warm_up(self, batch_size: int, gradients: bool = False) -> None:
        """Make faces from padding, so that compilation, tuning and allocation at first use do not fall on any row.

        gradients: also compute gradients of the followed scores, for `at_once` rows if that is a number.

        Raises:
            SpecError: there is not enough memory for so many rows.
        """
        rows = self.at_once or batch_size if gradients else batch_size
        codes = self._padding(rows)
        values = codes.values.requires_grad_(gradients)
        with _room_for(batch_size):
            if gradients:
                followed = [score for score in self(codes).values() if score.requires_grad]
                torch.autograd.grad(torch.stack([score.sum() for score in followed]).sum(), values)
            else:
                self.look(codes)
        self.take_seconds()

    def warm_up_masks(self, batch_size: int) -> None:
        """The same for masks, and for gradients of pixels in the styles: for `at_once` rows if that is a number.

        Raises:
            SpecError: there is not enough memory for so many rows, or no face parser is open.
        """
        codes = self._padding(self.at_once or batch_size)
        with _room_for(batch_size):
            with torch.no_grad():
                s_NS = self.styles(codes)
                self.masks(self._faces(Codes("s", s_NS))[1])
            s_NS.requires_grad_()
            torch.autograd.grad(self._faces(Codes("s", s_NS))[1].sum(), s_NS)
        self.take_seconds()

    def _padding(self, rows: int) -> Codes:
        """Codes of zeros, in w where there is one."""
        space: Space = "w" if "w" in self.generator.spaces else "z"
        return Codes(space, torch.zeros(rows, *self.generator.shape_of(space), device=self.device))

    def take_seconds(self) -> dict[str, float]:
        """Seconds since the last call: `synth_seconds` and `score_seconds` of `look`, `search_synth_seconds` and
        `search_score_seconds` of scoring, both without backward passes; on a GPU also the peak memory so far, in bytes.
        """
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        if self.device.type == "cuda":
            seconds["peak_device_bytes"] = float(torch.cuda.max_memory_allocated(self.device))
        return seconds

    def _faces(self, codes: Codes) -> tuple[tuple[Tensor, ...], Tensor]:
        """The generator's state after the last layer, and the pictures that classifiers look at."""
        generator, s_NS = self.generator, self.styles(codes)
        state, layers = generator.start(len(codes)), len(generator.style_layers)
        if self._recompute and torch.is_grad_enabled():
            for first in range(0, layers, SEGMENT):
                run = _segment(generator, type(state), first, min(first + SEGMENT, layers))
                state = type(state)(*checkpoint(run, s_NS, *state, use_reentrant=False, preserve_rng_state=False))
        else:
            state = generator.run(s_NS, state, 0, layers)
        return state, generator.image(state, self._scored_size)

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self._seconds[what] += time.perf_counter() - begun


@contextmanager
def _room_for(batch_size: int) -> Iterator[None]:
    """Report a lack of memory as a SpecError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not device_failed(error):
            raise
        what = str(error).splitlines()[0]
        raise SpecError(f"no room for micro-batches of {batch_size}: pass a smaller --batch-size ({what})") from error


def _labels(family: Family) -> tuple[str, ...]:
    return (*family.attributes, *family.measures)


def to_pixels(x_N3HW: Tensor) -> NDArray[np.uint8]:
    """Pictures in [-1, 1] as files hold them, (N, H, W, 3)."""
    return (x_N3HW.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu().numpy()


def _numpy(column: Tensor) -> NDArray:
    return column.detach().float().cpu().numpy()


def _segment(generator: Generator, state: type[tuple[Tensor, ...]], first: int, last: int) -> Any:
    def run(s_NS: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        return cast(tuple[Tensor, ...], tuple(generator.run(s_NS, state(*tensors), first, last)))

    return run
