"""`stylemill reproduce latent-transformer`: whether a trained, non-linear move of latents keeps more of a face."""

from collections.abc import Mapping, Sequence

from pydantic import Field, field_validator, model_validator

from jobs.flags import Names, say
from jobs.measure import MeasureSpec
from jobs.reproduce import latent_classifier, sequences
from jobs.reproduce.cost import Passes, say_ahead, say_time_left
from jobs.reproduce.different_faces import thresholds
from jobs.reproduce.faces import FacesFlags, LabelledFaces, judge_others, label_faces, labelling_cost
from jobs.reproduce.learned_from import latents_of
from jobs.reproduce.learned_from import said as learned_from
from jobs.reproduce.study import run_study, step
from jobs.reproduce.toggled_edits import PICTURE, ToggledFaces, measure_spec, measured, read_toggles
from jobs.train.spec import SPECS as TRAININGS
from jobs.train.spec import TrainSpec
from pipeline.card import Card
from pipeline.errors import SpecError
from pipeline.metrics.false_acceptance import ALIKE, RATE, Threshold, enough
from pipeline.metrics.of_faces import BY_NAME, NUMBERS
from pipeline.models import generators
from pipeline.models.classifiers import attributes_of
from pipeline.report import sequences as in_sequence
from pipeline.report.claims import Page
from pipeline.report.latent_transformer import classifier, in_turn, over_strengths, paper, strips, toggled
from pipeline.report.latent_transformer.paper import ALPHA, DISTANCE, NAMES, OURS, THEIRS
from pipeline.report.sequences import Kept, Sequences
from pipeline.report.toggles import Toggles
from pipeline.stages.models import Trained, read_artifact
from pipeline.tables import Table

WHAT = "latent-transformer"
ALPHAS = (0.5, 1.0, ALPHA, 1.75, 2.25, 3.0)
DISTANCES = (1.0, 1.5, 2.0, 2.5, DISTANCE, 4.0)
"""Strengths of single edits, the paper's among them."""
ALPHAS_IN_TURN, DISTANCES_IN_TURN = (ALPHA, 2.25), (1.5, DISTANCE)
"""Of the edits of a sequence."""
FOLDERS = {THEIRS: "interfacegan", OURS: "transformed"}
CASE = "eyeglasses"
"""The attribute of the scaling strips, as in the paper, where it is edited."""
STRIPS = 3


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
        """Raises SpecError where it was not trained for these edits, or on the faces that are edited."""
        if lacking := [name for name in self.changed if card.attributes and name not in card.attributes]:
            raise SpecError(f"{url} was not trained for {lacking[0]}: leave it out of --attributes and --sequence, or "
                            "leave out --artifact")  # fmt: skip
        if card.codes is not None and card.codes.space != "w":
            raise SpecError(f"{url} edits {card.codes.space}, and this study edits w: leave out --artifact, or train "
                            "one with --space w")  # fmt: skip
        whose = generators.load(self.generator, backend="eager").fingerprint
        if card.generator_fingerprint not in (None, whose):
            raise SpecError(f"{url} was trained on latents of another generator, {card.generator}, than the "
                            f"{self.generator} here: pass the --generator that it was trained for")  # fmt: skip
        if (latents := latents_of(url, card)) is not None:
            self.check_edited_are_others(latents, "--artifact")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(LatentTransformerSpec, argv, make, cost)


def cost(spec: LatentTransformerSpec) -> Passes:
    """All of it; flags and networks are looked at first."""
    spec.check()
    labelled = labelling_cost(spec, spec.labelled, spec.labels) if spec.from_ is None else Passes()
    return labelled + Passes(spec.there) + ahead(spec)


def ahead(spec: LatentTransformerSpec) -> Passes:
    """Once faces are labelled: the other faces' embeddings; single edits and sequences, made again to measure them."""
    single = len(spec.attributes) * (2 + len(ALPHAS) + len(DISTANCES))
    edits = len(spec.stages)
    in_turn = len(ALPHAS_IN_TURN) * (1 + edits) + edits * (1 + len(DISTANCES_IN_TURN))
    made = spec.each * single + spec.few * in_turn
    return Passes(2 * made + spec.there, unscored=made + spec.there)


def make(spec: LatentTransformerSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    say_ahead(cost(spec))
    faces = spec.labelled_faces
    if spec.from_ is None:
        label_faces(spec, spec.labelled, ("w",), spec.changed, spec.labels)
    artifact = train(spec, faces)
    judge_others(spec, "others", spec.there, spec.seed + 1, spec.attributes, [spec.classifiers], spec.labels)
    others, judged = spec.url("others", "latents"), spec.url("others-judged", "labels")
    say_time_left(ahead(spec), spec.url("others-judged"))
    same = thresholds(spec, others, judged, spec.metrics, RATE)
    edited = ToggledFaces(spec, others, judged, spec.each, min(PICTURE, faces.generator.resolution))
    single = {attribute: edit(spec, edited, faces, artifact, attribute) for attribute in spec.attributes}
    in_turn = edit_in_turn(spec, edited, faces, artifact)
    measure = measure_all(spec, single, in_turn)
    step(measure, "--judge, --metrics or the flags of the run")
    values = measured(measure)
    toggles = {
        attribute: {method: read_toggles(attribute, its, values) for method, its in by_method.items()}
        for attribute, by_method in single.items()
    }
    return page(spec, faces, artifact, same, single, toggles, in_turn,
                in_sequence.read(spec.stages, in_turn, values, NUMBERS))  # fmt: skip


def train(spec: LatentTransformerSpec, faces: LabelledFaces) -> str:
    """The artifact: that of --artifact, or one that is trained on the labelled faces."""
    if spec.artifact is not None:
        return spec.artifact
    step(spec.training(faces), "--labelled, --epochs or --sequence")
    return spec.url("trained", "artifact")


Folders = Mapping[str, Sequence[tuple[str, bool]]]
"""Of the edits of one attribute, by method, each with whether its faces are to have the attribute."""


def edit(
    spec: LatentTransformerSpec, edited: ToggledFaces, faces: LabelledFaces, artifact: str, attribute: str
) -> Folders:
    """Edit faces by both methods to the side where the judge does not see them."""
    out = {method: spec.url(f"{attribute}-{folder}") for method, folder in FOLDERS.items()}
    distances = {to: {"strengths": tuple(way * d for d in DISTANCES)} for to, way in ((True, 1), (False, -1))}
    alphas = {to: {"alphas": tuple(way * alpha for alpha in ALPHAS)} for to, way in ((True, 1), (False, -1))}
    return {
        THEIRS: edited.edit("interfacegan", attribute, out[THEIRS], distances, directions=(faces.fitted("w"),)),
        OURS: edited.edit("latent-transformer", attribute, out[OURS], alphas, artifact=artifact),
    }


def edit_in_turn(spec: LatentTransformerSpec, edited: ToggledFaces, faces: LabelledFaces, artifact: str) -> list[Kept]:
    """Edit fewer faces several times by both methods."""
    few = ToggledFaces(spec, edited.latents, edited.labels, spec.few, edited.size)
    directions = faces.directions("w", [attribute for attribute, _ in spec.stages])
    return [
        *sequences.move(few, directions, spec.stages, DISTANCES_IN_TURN, spec.url(f"sequence-{FOLDERS[THEIRS]}")),
        *sequences.transform(few, artifact, spec.stages, ALPHAS_IN_TURN, spec.url(f"sequence-{FOLDERS[OURS]}")),
    ]


def measure_all(spec: LatentTransformerSpec, single: Mapping[str, Folders], in_turn: Sequence[Kept]) -> MeasureSpec:
    """What measures every table of edits."""
    folders = [folder for by_method in single.values() for its in by_method.values() for folder, _ in its]
    return measure_spec(spec, [*folders, *in_sequence.folders(in_turn)], spec.metrics)


# -- the page ---------------------------------------------------------------------------------------------------------


def page(
    spec: LatentTransformerSpec, faces: LabelledFaces, artifact: str, same: Mapping[str, Threshold],
    single: Mapping[str, Folders], toggles: Mapping[str, Mapping[str, Toggles]], made: Sequence[Kept],
    found: Mapping[str, Sequences],
) -> Page:  # fmt: skip
    """Strips, claims, the latent classifier, Table 1, the same at equal accuracy, and sequences."""
    compared = [toggled.Compared.of(its[THEIRS], its[OURS], same) for its in toggles.values()]
    case = CASE if CASE in single else next(iter(single))
    trained = read_artifact(artifact, WHAT)
    told, learned = tell(spec, faces, trained)
    return Page(
        title="Latent Transformer",
        lead=paper.LEAD,
        strips=[
            strips.scaling(case, single[case], toggles[case], STRIPS),
            strips.in_turn(made, spec.stages, found[OURS].faces[:STRIPS].tolist()),
        ],
        claims=[
            *classifier.claims({name: told[name] for name in spec.attributes if name in told}, NAMES),
            *toggled.claims(compared),
            *in_turn.claims(found, same),
        ],
        sections=[
            classifier.section(told, trained.card.metrics, learned),
            toggled.table_1(compared),
            over_strengths.equal_accuracy(compared),
            in_turn.section(found, same),
            over_strengths.strengths(compared),
        ],
        facts={
            "Faces": f"{faces.said}; of {spec.there:,} others the first {spec.each:,} edited, {spec.few:,} of them in "
            "sequences",
            "Artifact": f"{trained.digest}, of `{trained.card.command}`{learned_from(artifact, trained.card)}",
            "Directions": Table.open(faces.fitted("w")).digest,
        },
    )


def tell(
    spec: LatentTransformerSpec, faces: LabelledFaces, trained: Trained
) -> tuple[Mapping[str, classifier.Told], str]:
    """What C and a linear classifier say of the other faces, by attribute, and on what the linear one learned; of C
    alone, nothing, where it was trained on other faces than these.
    """
    inputs, tables = trained.card.inputs, {"latents": faces.latents, "labels": faces.labels}
    if any(inputs.get(name) != Table.open(url).digest for name, url in tables.items()):
        say(
            "Note  the artifact was trained on other faces than those here: C and a linear one are compared by its card"
        )
        return {}, "on the rows of its training"
    own = spec.training(faces).config if spec.artifact is None else None
    held_out = getattr(own, "held_out", None)
    told = latent_classifier.told(
        trained, faces, [name for name in spec.labels if name in classifier.asked(trained.card.metrics)],
        spec.url("others", "latents"), spec.url("others-judged", f"labels_{spec.classifiers}"), held_out,
        own.seed if own else 0,
    )  # fmt: skip
    return told, "on the same labelled faces" if held_out else f"on all {faces.asked('rows'):,} labelled faces"
