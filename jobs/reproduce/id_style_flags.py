"""The flags of `stylemill reproduce id-style`, and what is looked at before hours of computing."""

from collections.abc import Sequence

from pydantic import Field, model_validator

from jobs.flags import Names
from jobs.measure import MeasureSpec
from jobs.reproduce import learned_from
from jobs.reproduce.faces import LabelledFlags
from jobs.reproduce.id_style_edits import ATTRIBUTES
from jobs.reproduce.id_style_training import TrainedFlags
from pipeline.errors import SpecError
from pipeline.metrics.of_faces import BY_NAME
from pipeline.stages.models import read_artifact

METRICS = ("pictures", "identity", "identity_dlib", "perceptual")
"""Of `stylemill measure`."""
OF_IDENTITY = ("identity", "identity_dlib")


class IdStyleSpec(TrainedFlags, LabelledFlags):
    """Train ID-Style, or take what was trained; edit and measure beside InterFaceGAN, and compare with the paper.

    Example: stylemill reproduce id-style --rows 24 --out out/id-style
    """

    VERB = "reproduce id-style"

    labelled: int = Field(4000, ge=400, description="Without --from: faces to train on and to fit directions on.")
    metrics: Names = Field(
        METRICS,
        description="Of stylemill measure, identity or identity_dlib among them; identity_dlib needs the extra "
        "identity.",
    )

    @model_validator(mode="after")
    def _known(self) -> "IdStyleSpec":
        """Before hours, not after."""
        if unknown := [name for name in self.metrics if name not in METRICS]:
            raise ValueError(f"--metrics: unknown metric {unknown[0]!r}: choose from {', '.join(METRICS)}")
        if not self.of_identity:
            raise ValueError("--metrics needs identity or identity_dlib: the paper's tables are of them")
        return self

    @property
    def of_identity(self) -> tuple[str, ...]:
        """Metrics that say whose face it is."""
        return tuple(name for name in self.metrics if name in OF_IDENTITY)

    def measure(self, edits: Sequence[str], metrics: Sequence[str], name: str) -> MeasureSpec:
        """Of edits that have a face a part."""
        return MeasureSpec(
            edits=tuple(edits), families=self.judge, measured=ATTRIBUTES, metrics=tuple(metrics), out=self.url(name),
            **{**self.scoring, "batch_size": 1},
        )  # fmt: skip

    def check(self) -> None:
        """Look before hours of computing. Raises SpecError, ModelFileError and StoreError."""
        for name in self.metrics:
            BY_NAME[name].open("cpu", self.judge)
        self.check_from(ATTRIBUTES)
        for url, what, flag in (
            (self.artifact, "id-style", "--artifact"),
            (self.latent_transformer, "latent-transformer", "--latent-transformer"),
        ):
            if url is not None:
                card = read_artifact(url, what).card
                if lacking := [name for name in ATTRIBUTES if name not in card.attributes]:
                    raise SpecError(f"{url} was not trained for {', '.join(lacking)}, which the paper edits")
                learned_from.check(self, url, card, flag)
