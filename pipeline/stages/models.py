"""The models of a job: how a spec names them, and how they are opened, checked, on the machine that runs them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from pipeline.card import Card
from pipeline.errors import ModelFileError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing
from pipeline.models.faces import FaceScorer
from pipeline.models.zoo.formats import safetensors
from pipeline.stages import kept_artifacts
from pipeline.tables import Artifact, store

MODEL = "model.safetensors"


@dataclass(frozen=True)
class Runtime:
    """How networks are run; resolved once, kept in the stored spec, the same on every worker."""

    device: str
    threads: int
    backend: str
    precision: str
    batch_size: int


@dataclass(frozen=True)
class Model:
    """A model by name or path, and the fingerprint that it had when the job was first started."""

    name: str
    fingerprint: str

    @property
    def identity(self) -> str:
        """Of a generator, as rows name it: of a file its digest, not its path, so that the file may be moved."""
        return generators.identity(self.name)

    def check(self, found: str) -> None:
        """Raise ModelFileError where another model answers to this name now."""
        if found != self.fingerprint:
            raise ModelFileError(
                f"{self.name} has the fingerprint {found[:12]} on this machine, the job was started with "
                f"{self.fingerprint[:12]}: the model file or the installed stylemill changed; put the old one back"
            )


@dataclass(frozen=True)
class ClassifierRef:
    """A family of classifiers, the attributes that it scores and the measures that it takes besides; its columns are
    named `prefix` + attribute. weights: names of its networks. calibration: the constants that it scores by, sent along
    so that every worker has the driver's; None where it needs none.
    """

    family: Model
    attributes: tuple[str, ...]
    prefix: str = ""
    measures: tuple[str, ...] = ()
    weights: tuple[str, ...] = field(default=(), compare=False)
    calibration: classifiers.Calibration | None = field(default=None, compare=False)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.prefix + name for name in self.attributes)

    @property
    def labels_table(self) -> str:
        """Name of the table of its labels: `labels` of the family without prefix, `labels_judge` of `judge_`."""
        return f"labels_{self.prefix.removesuffix('_')}" if self.prefix else "labels"

    def open(self, runtime: Runtime) -> classifiers.Family:
        """The classifiers. Raises ModelFileError where they are others than the job was started with."""
        name, device = self.family.name, runtime.device
        family = classifiers.load(
            name, self.attributes, device, runtime.backend, self.measures, calibration=self.calibration
        )
        self.family.check(family.fingerprint)
        return family


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact of the method `what`, and the digest that it had when the job was first started."""

    url: str
    what: str
    digest: str

    def open(self) -> dict[str, Tensor]:
        """Its tensors. Raises as `read_artifact`, and ModelFileError where it is another one now."""
        trained = read_artifact(self.url, self.what)
        if trained.digest != self.digest:
            raise ModelFileError(f"{self.url} is another artifact than the job was started with: put the old one back")
        return trained.tensors


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained thing, of an artifact: its card, and its tensors by name. `digest` stands for all of it."""

    card: Card
    tensors: dict[str, Tensor]
    digest: str


def read_artifact(url: str, what: str) -> Trained:
    """The artifact at `url`, or the kept one of that name, made by the method `what`; nothing in it is executed.

    Raises:
        ModelFileError: it is none, is damaged, or is another method's.
        StoreError: it cannot be read.
    """
    artifact = Artifact(kept_artifacts.place(url))
    card = artifact.card()
    if card.what != what:
        raise ModelFileError(f"{url} is an artifact of {card.what}, not of {what}: choose another")
    return Trained(card, safetensors.read(artifact.read(MODEL), store.join(url, MODEL)), artifact.digest)


@dataclass(frozen=True)
class Truncated:
    """The truncation of the latents table that z came from: z is mapped with it."""

    psi: float = 1.0
    cutoff: int | None = None


def open_generator(model: Model, runtime: Runtime) -> generators.Generator:
    """The generator on the runtime's device, checked against its fingerprint."""
    generator = generators.load(
        model.name,
        device=runtime.device,
        backend=runtime.backend,
        precision=runtime.precision,
        threads=runtime.threads,
    )
    model.check(generator.fingerprint)
    return generator


def open_scorer(
    generator: generators.Generator,
    runtime: Runtime,
    scored_by: Sequence[ClassifierRef],
    *,
    follow: bool = False,
    picture_size: int | None = None,
    truncated: Truncated = Truncated(),
    recompute: bool = False,
    parser: Model | None = None,
) -> FaceScorer:
    """The generator with the networks that score its faces, warmed up.

    follow: whether gradients are computed: of the first family's scores, of no others'.
    parser: the family whose face parser gives masks; then gradients of pixels are computed too. None to do without. The
        rest as in `FaceScorer`.

    Raises:
        ModelFileError: a network is another than the job was started with.
        SpecError: the first family gives no gradient to follow, or there is no memory for a micro-batch.
    """
    masks = None
    if parser is not None:
        masks = parsing.load(parser.name, runtime.device)
        Model(f"the face parser of {parser.name}", parser.fingerprint).check(masks.fingerprint)
    faces = FaceScorer(
        generator,
        {ref.prefix: ref.open(runtime) for ref in scored_by},
        follow=[scored_by[0].prefix] if follow else (),
        parser=masks,
        picture_size=picture_size,
        psi=truncated.psi,
        cutoff=truncated.cutoff,
        recompute=recompute,
    )
    faces.warm_up(runtime.batch_size, gradients=follow)
    if parser is not None:
        faces.warm_up_masks(runtime.batch_size)
    return faces
