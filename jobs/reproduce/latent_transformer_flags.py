"""The flags of `stylemill reproduce latent-transformer`, and what is looked at before hours of computing."""

from pydantic import Field, field_validator, model_validator

from jobs.flags import Names
from jobs.reproduce import learned_from
from jobs.reproduce.faces import FacesFlags, LabelledFaces
from jobs.train.spec import SPECS as TRAININGS
from jobs.train.spec import TrainSpec
from pipeline.card import Card
from pipeline.errors import SpecError
from pipeline.metrics.false_acceptance import ALIKE, RATE, enough
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models.classifiers import attributes_of
from pipeline.report.latent_transformer.paper import NAMES
from pipeline.stages.models import read_artifact

WHAT = "latent-transformer"


class LatentTransformerSpec(FacesFlags):
    """Train a Latent Transformer, edit faces by it and by InterFaceGAN, and compare what they keep: at the paper's
    settings, where both succeed as often, and in sequences of edits.

    Example: stylemill reproduce latent-transformer --rows 60 --out out/latent-transformer
    """

    VERB = "reproduce latent-transformer"

    labelled: int = Field(10000, ge=400, description="Without --from: faces to train and to fit directions on.")
    rows: int | None = Field(None, ge=4, description="Faces edited. Default: 60; on a GPU 1,000.")
    others: int | None = Field(
        None,
        gt=0,
        description="Faces from which those are taken; pairs of them set the threshold of identity, and the latent "
        "classifier is tested on them. Default: 400, or --rows if these are more.",
    )
    attributes: Names = Field(tuple(NAMES), min_length=1, description="Attributes to edit, some of the paper's four.")
    sequence: str = Field(
        "smile:1,bangs:1,eyeglasses:1,old:1", description="Edits one after the other, as in smile:1,old:0.",
        json_schema_extra={"metavar": "A:1,B:0,..."},
    )  # fmt: skip
    in_sequence: int | None = Field(None, ge=1, description="Faces edited in sequences. Default: a third of --rows.")
    artifact: str | None = Field(
        None, description="DIR/artifact of stylemill train latent-transformer. Default: one is trained."
    )
    epochs: int | None = Field(None, gt=0, description="Of the training, as of stylemill train latent-transformer.")
    metrics: Names = Field(
        ("identity_dlib", "identity"),
        min_length=1,
        description="Of identity; claims are told by the first. identity_dlib needs the extra identity.",
    )

    @field_validator("sequence")
    @classmethod
    def _are_edits(cls, text: str) -> str:
        for word in text.split(","):
            attribute, _, target = word.rpartition(":")
            if not attribute or target not in ("0", "1"):
                raise ValueError(f"{word.strip()!r}: write ATTRIBUTE:1 or ATTRIBUTE:0")
        return text

    @model_validator(mode="after")
    def _known(self) -> "LatentTransformerSpec":
        """Before hours, not after."""
        if odd := [name for name in self.attributes if name not in NAMES]:
            raise ValueError(f"--attributes {odd[0]}: the paper's table is of {', '.join(NAMES)}")
        seen = attributes_of(self.classifiers)
        if unknown := [name for name in self.changed if name not in seen]:
            raise ValueError(f"--sequence {unknown[0]}: {self.classifiers} sees {', '.join(seen)}")
        if len({name for name, _ in self.stages}) < len(self.stages):
            raise ValueError(f"--sequence {self.sequence} names one attribute twice")
        if odd := [name for name in self.metrics if name not in ALIKE]:
            raise ValueError(f"--metrics {odd[0]}: identity is told by {', '.join(ALIKE)}")
        if twice := [one for one in (self.attributes, self.metrics) if len(set(one)) < len(one)]:
            raise ValueError(f"{', '.join(twice[0])} names one twice")
        if not {name for name, _ in self.stages} & set(judged := attributes_of(self.judge)):
            raise ValueError(f"--sequence {self.sequence}: {self.judge} sees none of it: ask for one of "
                             f"{', '.join(judged)}")  # fmt: skip
        if self.there < self.each:
            raise ValueError(f"--others {self.there} are fewer than --rows {self.each}")
        if self.there < (least := enough(RATE)):
            raise ValueError(f"--others {self.there}: the threshold of identity needs {least} faces or more")
        if self.artifact and self.epochs:
            raise ValueError("--epochs is of a training, and --artifact is trained already: leave one out")
        return self

    @property
    def each(self) -> int:
        """Faces edited."""
        return self.rows or (1000 if self.on_gpu else 60)

    @property
    def there(self) -> int:
        """Faces from which those are taken."""
        return self.others or max(400, self.each)

    @property
    def few(self) -> int:
        """Faces edited in sequences."""
        return min(self.in_sequence or max(1, self.each // 3), self.each)

    @property
    def stages(self) -> tuple[tuple[str, bool], ...]:
        """Each edit of a sequence: the attribute, and whether faces are to have it."""
        parts = (word.strip().rpartition(":") for word in self.sequence.split(","))
        return tuple((attribute, target == "1") for attribute, _, target in parts)

    @property
    def changed(self) -> tuple[str, ...]:
        """All attributes that are edited."""
        return tuple(dict.fromkeys([*self.attributes, *(name for name, _ in self.stages)]))

    @property
    def labels(self) -> tuple[str, ...]:
        """What faces are labelled by: all that the family sees, since what is not to change is learned too (Eq. 3)."""
        return attributes_of(self.classifiers)

    def training(self, faces: LabelledFaces) -> TrainSpec:
        """Of the artifact, on the labelled faces."""
        flags = {} if self.epochs is None else {"epochs": self.epochs}
        return TRAININGS[WHAT].model_validate(
            {"latents": (faces.latents,), "labels": (faces.labels,), "attributes": self.changed,
             "out": self.url("trained"), "local": self.local, "device": self.device, "threads": self.threads, **flags}
        )  # fmt: skip

    def check(self) -> None:
        """Look before hours of computing. Raises SpecError, ModelFileError and StoreError."""
        for name in self.metrics:
            BY_NAME[name].open("cpu", self.judge)
        self.check_from(self.changed, flags="--attributes and --sequence")
        if self.artifact is not None:
            self.check_artifact(self.artifact, read_artifact(self.artifact, WHAT).card)

    def check_artifact(self, url: str, card: Card) -> None:
        """Raises SpecError where it was not trained for these edits, or learned from the faces edited or the judge."""
        if lacking := [name for name in self.changed if card.attributes and name not in card.attributes]:
            raise SpecError(f"{url} was not trained for {lacking[0]}: leave it out of --attributes and --sequence, or "
                            "leave out --artifact")  # fmt: skip
        if card.codes is not None and card.codes.space != "w":
            raise SpecError(f"{url} edits {card.codes.space}, and this study edits w: leave out --artifact, or train "
                            "one with --space w")  # fmt: skip
        learned_from.check(self, url, card, "--artifact")
