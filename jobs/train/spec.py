"""The spec of `stylemill train NAME`: the flags that all trainings share, and those of one."""

from typing import ClassVar, Literal, cast

from pydantic import Field, create_model, model_validator

from jobs.choice import RowChoice
from jobs.flags import Names
from jobs.options import LatentsFlags, RunFlags
from pipeline.editors.training import TRAININGS, TrainConfig, config_of

ONE_TASK = {
    "rows_per_shard": "a training is one task: leave out --rows-per-shard",
    "estimate": "--estimate runs one task, and a training has no other: --dry-run shows its steps",
}
NO_FACE = dict.fromkeys(
    ("backend", "precision"),
    "--backend and --precision are of a generator, and no face is made here: leave them out",
)
"""What a training does not take, and why; one that makes no face takes less."""


class TrainSpec(RowChoice, LatentsFlags, RunFlags):
    """The flags of every training; the spec of one adds its own."""

    TRAINING: ClassVar[tuple[str, type[TrainConfig]]]

    labels: Names = Field(
        min_length=1,
        description="Labels tables of these latents, joined on index; or a .csv, .tsv or .parquet file of your own "
        "with the column index (row number) and one for each attribute.",
    )
    attributes: Names = Field(
        (), description="Attributes that the editor is to change: columns of the labels. Default: all scores."
    )
    space: Literal["w", "w+"] = Field("w", description="Latent space of the codes to learn from.")

    @model_validator(mode="after")
    def _of_this_training(self) -> "TrainSpec":
        name, config = self.TRAINING
        if self.space not in config.SPACES:
            raise ValueError(f"--space {self.space}: {name} is trained in {', '.join(config.SPACES)}")
        return self

    @property
    def config(self) -> TrainConfig:
        """The flags of the training alone, without those that all share."""
        config = self.TRAINING[1]
        return config.model_validate({name: getattr(self, name) for name in config.model_fields})


def spec_of(name: str) -> type[TrainSpec]:
    """The flags of `stylemill train NAME`. Raises SpecError where there is no such training."""
    config = config_of(name)
    made = create_model(
        f"Train{name.title()}Spec", __base__=(config, TrainSpec), __doc__=config.__doc__, __module__=__name__
    )
    spec = cast(type[TrainSpec], made)
    spec.TRAINING, spec.VERB = (name, config), f"train {name}"
    makes_faces = config.family is not TrainConfig.family  # it says by which classifiers
    spec.NOT_TAKEN = ONE_TASK if makes_faces else {**ONE_TASK, **NO_FACE}
    return spec


SPECS = {name: spec_of(name) for name in TRAININGS}
"""The spec class of each training, by its name."""
