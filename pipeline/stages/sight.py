"""Faces made from codes and scored, such that gradients of the scores reach the codes.

Shapes: N rows, S style channels, 3HW pixels.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.stages.looking import Panel, open_family, room_for
from pipeline.stages.models import JUDGED_SIZE, Runtime

SEGMENT = 3
"""Layers that are computed again at once where memory is spared: a block of the synthesis network."""


class Sight:
    """codes of N rows -> score (N,) by column of each panel: what an editor by gradients looks with.

    One forward pass serves all. The first panel is of classifiers whose gradients are followed; those after it judge
    the same faces and are never differentiated. `recompute`: features are not kept for the backward pass but computed
    again, a segment of layers at a time: less memory, more time, the same bits.

    at_once: rows that are best looked at together, None for all of a micro-batch. On a CPU it is one: company gains a
    row little there. The bits of a picture depend on how many are made at once, and a difference in the last bits grows
    from step to step along the gradients, until the ways part. A face made alone is the same in any batch, rows that
    have ended cost nothing, and memory is that of one face.
    """

    def __init__(
        self, generator: Generator, runtime: Runtime, panels: Sequence[Panel], recompute: bool = False
    ) -> None:
        self.generator, self.recompute = generator, recompute
        self.at_once = 1 if torch.device(runtime.device).type == "cpu" else None
        self.device = torch.device(runtime.device)
        self.panels = tuple(panels)
        self.seconds: dict[str, float] = {}
        self._judged = min(JUDGED_SIZE, generator.resolution)
        self._families = [open_family(panel, runtime) for panel in panels]
        if not getattr(self._families[0], "differentiable", True):
            raise SpecError(f"{panels[0].family.name} judges and gives no gradient: choose a family to edit with")
        with room_for(runtime.batch_size):
            self._warm(self.at_once or runtime.batch_size)

    def __call__(self, codes: Codes, attributes: Sequence[str] | None = None) -> Mapping[str, Tensor]:
        """Scores on the models' device, in the order of the panels' columns; of some attributes, or all."""
        begun = time.perf_counter()
        x_N3HW = self.faces(codes)
        self._count("search_synth_seconds", begun)
        begun = time.perf_counter()
        scores: dict[str, Tensor] = {}
        for place, (panel, family) in enumerate(zip(self.panels, self._families, strict=True)):
            names = tuple(name for name in panel.attributes if attributes is None or name in attributes)
            with torch.set_grad_enabled(torch.is_grad_enabled() and place == 0):
                raw = family.raw(x_N3HW if place == 0 else x_N3HW.detach(), names)
                # never in one tensor: the gradient of one column would run back through every column's network
                scores.update({panel.prefix + name: family.scales[name].score(raw[name]) for name in names})
        self._count("search_score_seconds", begun)
        return scores

    def faces(self, codes: Codes) -> Tensor:
        """x (N, 3, size, size), of the size that classifiers look at."""
        generator = self.generator
        s_NS = generator.styles_of(codes.to(self.device))
        layers = len(generator.style_layers)
        state = generator.start(len(codes))
        if not (self.recompute and torch.is_grad_enabled()):
            return generator.image(generator.run(s_NS, state, 0, layers), self._judged)
        for first in range(0, layers, SEGMENT):
            run = _segment(generator, type(state), first, min(first + SEGMENT, layers))
            state = type(state)(*checkpoint(run, s_NS, *state, use_reentrant=False, preserve_rng_state=False))
        return generator.image(state, self._judged)

    def take_seconds(self) -> dict[str, float]:
        """Seconds of forward passes since last asked; on a GPU the most memory used so far besides, in bytes."""
        seconds, self.seconds = self.seconds, {}
        if self.device.type == "cuda":
            seconds["peak_device_bytes"] = float(torch.cuda.max_memory_allocated(self.device))
        return seconds

    def _count(self, what: str, begun: float) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds[what] = self.seconds.get(what, 0.0) + time.perf_counter() - begun

    def _warm(self, batch_size: int) -> None:
        values = torch.zeros(batch_size, self.generator.w_dim, device=self.device, requires_grad=True)
        scores = self(Codes("w", values))
        torch.autograd.grad(
            sum((score.sum() for score in scores.values() if score.requires_grad), torch.zeros(())), values
        )
        self.take_seconds()


def _segment(generator: Generator, state: type[tuple[Tensor, ...]], first: int, last: int) -> Any:
    def run(s_NS: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        return cast(tuple[Tensor, ...], tuple(generator.run(s_NS, state(*tensors), first, last)))

    return run
