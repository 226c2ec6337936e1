"""The flags of `stylemill directions fit`, and which of them go together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, create_model, field_validator, model_validator

from jobs.choice import CHOICE, RowChoice
from jobs.constants import CalibrationFlag
from jobs.flags import Names, Spec, flag_of
from jobs.options import GENERATOR, LATENTS, RunFlags
from pipeline.directions.method import FitConfig
from pipeline.directions.methods import METHODS, config_of
from pipeline.models.layers import spans
from pipeline.models.randomness import MAX_SEED
from pipeline.tables.label_files import is_label_file

VERB = "directions"
"""The verb under which the job's records are kept."""
UNSUPERVISED = {"ganspace": "principal components of w", "sefa": "eigenvectors of the style affines"}
ALL_METHODS = {**METHODS, "mean-gradient": "the mean of the gradients of scores", **UNSUPERVISED}
OF_LABELS = ("labels", "codes", "scores", "attribute", "per_layer")
NAMING = ("components", "measure_rows", "strength", "layers")
OF_COMPONENTS = (*NAMING, "classifiers", "calibration", "batch_size")
OF_MEAN_GRADIENT = ("opposite", "rows")
OF_METHODS = tuple(dict.fromkeys(flag for method in METHODS for flag in config_of(method).model_fields))
"""Flags of the methods that are fitted on labels."""

if TYPE_CHECKING:
    Method = str

    class MethodFlags(Spec):
        """The flags of OF_METHODS."""
else:
    Method = Literal[tuple(ALL_METHODS)]
    MethodFlags = create_model("MethodFlags", __base__=tuple(map(config_of, METHODS)))


class FitSpec(RowChoice, CalibrationFlag, MethodFlags, RunFlags):
    """Fit directions on labelled latents, average gradients of scores (mean-gradient), or find directions without
    labels (ganspace, sefa) and name them by the attributes that they change; write DIR/directions.

    Example: stylemill directions fit --latents out/faces/latents --labels out/faces/labels --out out/fit
    """

    VERB = "directions fit"

    latents: Names = Field((), description=LATENTS)
    labels: Names = Field(
        (),
        description="Labels tables of these latents, joined on index; or a .csv, .tsv or .parquet file of your own "
        "with the column index (row number) and one for each attribute, with numbers or yes and no.",
    )
    attributes: Names = Field((), description="Columns of the labels to fit on. Default: all scores.")
    codes: str | None = Field(None, description="In place of tables: a .npy of codes (rows, width).")
    scores: str | None = Field(None, description="A .npy of one score for each row of --codes.")
    attribute: str | None = Field(None, min_length=1, description="Name of the attribute that --scores measure.")
    method: Method = Field("svm", description="; ".join(f"{name}: {what}" for name, what in ALL_METHODS.items()) + ".")
    space: Literal["z", "w", "w+", "s"] = Field("w", description="Latent space of the directions.")
    per_layer: bool = Field(False, description="In w+: one vector for each layer, not one shared by all.")
    as_released: bool = Field(
        False,
        description="Follow the public code: C 1, fraction 0.02, no intercept; for sefa, each row of the style weights "
        "has norm 1.",
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Random seed of the split into training and validation rows.")
    generator: str | None = Field(None, description=f"{GENERATOR} Default: the one in the latents table.")
    components: int | None = Field(None, gt=0, description="Number of components of ganspace or sefa. Default: 10.")
    layers: str | None = Field(None, description="Style layers that sefa uses, as in 0-7 or 0,2-4. Default: all.")
    measure_rows: int | None = Field(None, gt=0, description="Faces to move along each component. Default: 8.")
    strength: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="How far to move these faces, in standard deviations. Default: 2."
    )
    classifiers: str | None = Field(
        None, description="Family that scores the moved faces, or whose gradients are averaged. Default: faces."
    )
    opposite: bool = Field(
        False, exclude=True, description="mean-gradient: average over faces without the attribute only (score below 0)."
    )
    rows: int | None = Field(None, gt=0, description="mean-gradient: average over the first N latents. Default: all.")

    @field_validator("layers")
    @classmethod
    def _numbers(cls, text: str | None) -> str | None:
        if text is not None:
            layer_numbers(text)
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> "FitSpec":
        if (not self.latents) == (self.codes is None):
            raise ValueError("give --latents and --labels, or --codes, --scores and --attribute")
        if self.rows_per_shard is not None:
            what = "a part of the latents" if self.method == "mean-gradient" else "one direction"
            raise ValueError(f"a shard is {what}: leave out --rows-per-shard")
        if self.method == "mean-gradient":
            self._fits_mean_gradient()
            return self
        self._refuse(OF_MEAN_GRADIENT, f"--method {self.method} takes no")
        if self.method in UNSUPERVISED:
            self._fits_components()
        else:
            self._fits_labels()
        return self

    @property
    def config(self) -> FitConfig:
        """The flags of a method that is fitted on labels. Raises SpecError where the method is another."""
        config = config_of(self.method)
        return config.model_validate({name: getattr(self, name) for name in config.model_fields}).variant

    def _fits_mean_gradient(self) -> None:
        if self.as_released:
            raise ValueError("--as-released: the public code's is --opposite, of latents sampled with --psi 0.5")
        not_its = [name for name in (*OF_LABELS, *OF_METHODS) if name not in ("labels", "per_layer")]
        self._refuse((*not_its, *NAMING), "--method mean-gradient takes no")
        if own := [url for url in self.labels if is_label_file(url)]:
            raise ValueError(f"--method mean-gradient takes labels of classifiers, a table, not {own[0]}")
        if self.space == "z":
            raise ValueError("--method mean-gradient finds directions of w, w+ and s: no gradient is taken in z")
        self._check_layers()

    def _fits_components(self) -> None:
        not_its = [name for name in (*OF_LABELS, *OF_METHODS) if name != "as_released"]
        self._refuse(not_its, f"--method {self.method} takes no")
        if not self.latents or self.space != "w":
            raise ValueError(f"--method {self.method} finds directions of w: give --latents, and no other --space")
        if self.method != "sefa":
            self._refuse(("layers", "as_released"), "--method ganspace takes no")

    def _fits_labels(self) -> None:
        own = config_of(self.method).model_fields
        not_its = [name for name in OF_METHODS if name not in own]
        self._refuse((*OF_COMPONENTS, *not_its), f"--method {self.method} takes no")
        if self.device == "cuda" or self.gpus_per_worker:
            raise ValueError(
                f"--method {self.method} is fitted on the CPU: leave out --device cuda and --gpus-per-worker"
            )
        if self.as_released:
            self._refuse(("per_layer",), "--as-released decides it: leave out")
        self._check_layers()
        if self.codes is not None:
            self._refuse(("labels", "attributes", *CHOICE), "--codes go with --scores and --attribute, not with")
            if self.scores is None or self.attribute is None:
                raise ValueError("--codes need --scores and --attribute")
            return
        self._refuse(
            ("scores", "attribute"),
            "--latents go with --labels (tables, or a .csv of index and a column for each attribute) and --attributes, "
            "not with",
        )
        if not self.labels:
            raise ValueError("--latents need --labels: a table, or a .csv of index and a column for each attribute")

    def _check_layers(self) -> None:
        if self.per_layer and self.space != "w+":
            raise ValueError(f"--per-layer goes with --space w+, not with {self.space}")

    def _refuse(self, names: Sequence[str], why: str) -> None:
        fields = type(self).model_fields
        given = [name for name in names if getattr(self, name) != fields[name].default]
        if given:
            raise ValueError(f"{why} {flag_of(given[0])}")


def layer_numbers(text: str) -> tuple[int, ...]:
    """`0-2,5` is (0, 1, 2, 5). Raises ValueError."""
    return spans(text, "style layers")
