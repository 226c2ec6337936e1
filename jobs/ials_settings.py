"""From flags to the settings of IALS."""

from typing import Protocol

from pipeline.editors.gradients import Loss
from pipeline.stages.ials_settings import IalsSettings


class Flags(Protocol):
    """Those of a spec that say how IALS goes its steps."""

    @property
    def step_size(self) -> float: ...

    @property
    def steps(self) -> int: ...

    @property
    def loss(self) -> Loss: ...

    @property
    def no_incremental(self) -> bool: ...

    @property
    def per_layer(self) -> bool: ...

    @property
    def as_released(self) -> bool: ...

    @property
    def recompute(self) -> bool: ...


def ials_settings(flags: Flags) -> IalsSettings:
    """Of a spec."""
    return IalsSettings(
        step_size=flags.step_size,
        steps=flags.steps,
        loss=flags.loss,
        incremental=not flags.no_incremental,
        per_layer=flags.per_layer,
        as_released=flags.as_released,
        recompute=flags.recompute,
    )
