"""`stylemill reproduce latent-transformer`: whether a trained, non-linear move of latents keeps more of a face."""

from collections.abc import Mapping, Sequence

from jobs.flags import say
from jobs.measure import MeasureSpec
from jobs.reproduce import latent_classifier, sequences
from jobs.reproduce.cost import Passes, say_ahead, say_time_left
from jobs.reproduce.different_faces import embeddings, not_found, thresholds_of
from jobs.reproduce.faces import LabelledFaces, judge_others, label_faces, labelling_cost
from jobs.reproduce.latent_transformer_flags import WHAT, LatentTransformerSpec
from jobs.reproduce.learned_from import said as learned_from
from jobs.reproduce.study import run_study, step
from jobs.reproduce.toggled_edits import PICTURE, ToggledFaces, measure_spec, measured, read_toggles
from pipeline.metrics.false_acceptance import RATE, Threshold
from pipeline.metrics.of_faces import NUMBERS
from pipeline.report import sequences as in_sequence
from pipeline.report.claims import Page
from pipeline.report.latent_transformer import classifier, in_turn, over_strengths, paper, strips, table_1, toggled
from pipeline.report.latent_transformer.paper import ALPHA, DISTANCE, NAMES, OURS, THEIRS
from pipeline.report.sequences import Kept, Sequences
from pipeline.report.toggles import Toggles
from pipeline.stages.models import Trained, read_artifact
from pipeline.tables import Table

ALPHAS = (0.5, 1.0, ALPHA, 1.75, 2.25, 3.0)
DISTANCES = (1.0, 1.5, 2.0, 2.5, DISTANCE, 4.0)
"""Strengths of single edits, the paper's among them."""
ALPHAS_IN_TURN, DISTANCES_IN_TURN = (0.4, 0.8, ALPHA, 1.75, 2.25), (0.75, 1.5, 2.25, DISTANCE)
"""Of the edits of a sequence: below the paper's as well, since what is read off between two is on a straight line."""
FOLDERS = {THEIRS: "interfacegan", OURS: "transformed"}
CASE = "eyeglasses"
"""The attribute of the scaling strips, as in the paper, where it is edited."""
STRIPS = 3


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
    whose = embeddings(spec, others, judged, spec.metrics)
    same, unseen = thresholds_of(whose, others, RATE), not_found(whose)
    edited = ToggledFaces(spec, others, judged, spec.each, min(PICTURE, faces.generator.resolution))
    single = {attribute: edit(spec, edited, faces, artifact, attribute) for attribute in spec.attributes}
    in_turn = edit_in_turn(spec, edited, faces, artifact)
    measure = measure_all(spec, single, in_turn)
    step(measure, "--judge, --metrics or the flags of the run")
    values = measured(measure)
    toggles = {
        attribute: {method: read_toggles(attribute, its, values, unseen) for method, its in by_method.items()}
        for attribute, by_method in single.items()
    }
    return page(spec, faces, artifact, same, single, toggles, in_turn,
                in_sequence.read(spec.stages, in_turn, values, NUMBERS, unseen))  # fmt: skip


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
    """What measures every table of edits; in a folder of these metrics, so that a later run may ask for others."""
    metrics = sorted(spec.metrics)
    folders = [folder for by_method in single.values() for its in by_method.values() for folder, _ in its]
    tables = [*folders, *in_sequence.folders(in_turn)]
    return measure_spec(spec, tables, metrics, "-".join(["measured", *metrics]))


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
            table_1.section(compared),
            over_strengths.equal_accuracy(compared),
            in_turn.section(found, same),
            over_strengths.strengths(compared),
        ],
        facts={
            "Faces": f"{faces.said}; of {spec.there:,} others the first {spec.each:,} edited, {spec.few:,} of them in "
            "sequences",
            "Artifact": f"{trained.digest}, of `{trained.card.command.replace(spec.url(''), '')}`"
            f"{learned_from(artifact, trained.card)}",
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
    every = f"on all {faces.asked('rows'):,} labelled faces; C on those of them that its training did not hold out"
    return told, "on the same labelled faces" if held_out else every
