"""What all requests of a job with IALS have in common."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.directions import Direction
from pipeline.editors import IALS
from pipeline.editors.editor import Scores
from pipeline.editors.gradients import Loss


@dataclass(frozen=True)
class IalsSettings:
    """As in `pipeline.editors.IALS`; recompute: as in `FaceScorer`."""

    step_size: float
    steps: int
    loss: Loss = "score"
    incremental: bool = True
    per_layer: bool = False
    as_released: bool = False
    recompute: bool = False

    def editor(self, directions: Iterable[Direction], scores: Scores, at_once: int | None, look: bool = False) -> IALS:
        """IALS with these. Raises SpecError where the directions do not go together."""
        return IALS(
            directions,
            scores,
            step_size=self.step_size,
            steps=self.steps,
            loss=self.loss,
            incremental=self.incremental,
            per_layer=self.per_layer,
            as_released=self.as_released,
            at_once=at_once,
            look=look,
        )
