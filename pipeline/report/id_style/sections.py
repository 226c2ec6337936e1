"""Sections of the study's page, and its claims: Tables 1 to 3, and edits at equal accuracy.

Shapes: N faces, M attributes.
"""

from collections.abc import Mapping

import pandas as pd

from pipeline.metrics import mean_difference
from pipeline.metrics.number import Number
from pipeline.report import study, wording
from pipeline.report.claims import Claim, of_difference
from pipeline.report.id_style import paper
from pipeline.report.id_style.paper import LINEAR, NAMES, NOTHING, OURS, TABLE_1, TABLE_2, TABLE_3, WHOLE
from pipeline.report.id_style.result import by_face, said, said_rate, together, without_number

PICTURES = {
    "ssim": "SSIM ↑",
    "identity": "FRS ↑",
    "identity_dlib": "distance by dlib ↓",
    "perceptual": "LPIPS ↓",
}
"""Headings of numbers of a picture beside its source, those that may have been measured."""
WHAT = {"identity": "FRS", "identity_dlib": "distance by dlib"}
"""What says whose face it is: the cosine by the network of the training's loss, and one that nothing optimises."""
PLUS_MINUS = (
    "Behind ± is half of the interval of 95 % over the faces, each with the mean of its edits; in brackets that "
    "interval of a share, Wilson's where each face has a yes or a no."
)
ONE_TRAINING = "one training, not decided"
"""The verdict where the interval of a difference lacks how much two trainings differ."""
NO_FACE = "no face by dlib"
"""A heading: edits of which there is no distance, since its detector finds no face in one of the two pictures."""


# -- Table 1 ----------------------------------------------------------------------------------------------------------


def table_1(frame: pd.DataFrame, settings: Mapping[str, str], numbers: Mapping[str, Number]) -> study.Section:
    """All edits of each method at the paper's settings, and of these the toggles alone.

    frame: as `result.read` has it; nothing done among the methods. settings: by method, how it is set. numbers:
    those that were measured of pictures, and what they are.
    """
    toggles = frame[frame["toggle"]]
    parts = [
        *_methods("All edits, each face to both sides of each attribute", frame, settings, numbers, with_paper=True),
        *_methods("Toggles alone, each face to the side where it is not", toggles, settings, numbers),
    ]
    faces = frame["face"].nunique()
    sentences = [
        f"Each of {faces:,} faces is moved towards each attribute and away from it, {2 * len(NAMES)} pictures a face: "
        "half of these edits ask for what is there already, so that whoever does nothing has an accuracy of 50 % "
        "and an FRS of 1. The last two tables are of the other half. Accuracy is the share of pictures that the judge "
        "sees on the side that was asked for; kept, the share of the three other attributes that stay on their side. "
        f"{PLUS_MINUS}",
        "FRS is the cosine by the network whose cosine the training maximised; dlib's network has had no part in it. "
        "The paper's numbers are of another generator, other networks and a test set of 1,000 faces: the order of the "
        f"methods can be compared, not the digits. InterFaceGAN has no value in W+ there. {paper.NO_FID}",
        *([f"{NO_FACE}: edits that have no distance, since its detector finds no face in one of the two pictures; the "
           "mean is of the others."] if "identity_dlib" in numbers else []),
    ]  # fmt: skip
    return study.Section("Identity, content and accuracy (Table 1)", sentences, parts)


def _methods(
    caption: str,
    frame: pd.DataFrame,
    settings: Mapping[str, str],
    numbers: Mapping[str, Number],
    with_paper: bool = False,
) -> list[study.Grid]:
    """A row for each method: of the pictures beside their sources, and how many edits succeed."""
    pictures: dict[str, dict[str, str]] = {}
    accuracies: dict[str, dict[str, str]] = {}
    for method, how in settings.items():
        its = frame[frame["what"] == method]
        pictures[f"{method}{how}"] = {PICTURES[name]: said(by_face(its, name)) for name in PICTURES if name in numbers}
        if "identity_dlib" in numbers and method != NOTHING:
            pictures[f"{method}{how}"][NO_FACE] = without_number(its, "identity_dlib")
        told = _known if method == NOTHING else said_rate
        of_attributes = {
            heading: told(by_face(its[its["attribute"] == attribute], "there")) for attribute, heading in NAMES.items()
        }
        mean, kept = (told(by_face(its, name)) for name in ("there", "kept"))
        accuracies[f"{method}{how}"] = {"mACC": mean, **of_attributes, "kept": kept}
    for printed, theirs in TABLE_1.iterrows() if with_paper else ():
        pictures[f"{printed}, paper"] = {
            PICTURES[name]: f"{theirs[name]:.3f}" for name in PICTURES if name in theirs and name in numbers
        }
        of_attributes = {heading: f"{theirs[attribute]:.1f}" for attribute, heading in NAMES.items()}
        accuracies[f"{printed}, paper"] = {"mACC": f"{theirs['mACC']:.2f}", **of_attributes}
    both = {"the pictures beside their sources": pictures, "accuracy in per cent": accuracies}
    return [
        study.Grid(f"{caption}: {what}", pd.DataFrame.from_dict(rows, orient="index").fillna(study.cell(None)))
        for what, rows in both.items()
    ]


def _known(shares_N: "pd.Series[float]") -> str:
    """In per cent, of what is so by definition."""
    return f"{100 * shares_N.mean():.1f}"


def better_than_linear(frame: pd.DataFrame, numbers: Mapping[str, Number]) -> list[Claim]:
    """Identity and accuracy of all edits at the paper's settings, beside InterFaceGAN."""
    ours, linear = (frame[frame["what"] == method] for method in (OURS, LINEAR))
    theirs = TABLE_1.loc[["ID-Style in W", "InterFaceGAN in W"]]
    claims = []
    for name in (one for one in WHAT if one in numbers):
        more, faces = mean_difference(*together(ours, linear, name))
        told = f"{WHAT[name]}: {OURS} less {LINEAR}, as the paper sets both ({faces} faces)"
        said_there = wording.score(theirs["identity"].diff().iloc[-1] * -1, 3) if name == "identity" else "closer"
        about = "Identity is kept better than by InterFaceGAN, whatever succeeds"
        claims.append(of_difference(about, told, said_there, more, numbers[name].better == "larger"))
    more, faces = mean_difference(*together(ours, linear, "there"))
    told = f"mACC as a share: {OURS} less {LINEAR}, as the paper sets both ({faces} faces)"
    by = (theirs["mACC"].iloc[0] - theirs["mACC"].iloc[1]) / 100
    claims.append(of_difference("More edits succeed than by InterFaceGAN", told, wording.score(by, 3), more, True))
    return claims


# -- Table 2 ----------------------------------------------------------------------------------------------------------


def table_2(parameters: Mapping[str, int], milliseconds: Mapping[str, float], machine: str) -> study.Section:
    """How large the methods are, and how long they take to move one code, by method."""
    rows = {
        method: {"parameters": f"{count:,}", "milliseconds": f"{milliseconds[method]:.2g}"}
        for method, count in parameters.items()
    }
    rows |= {
        f"{method}, paper": {"parameters": f"{int(theirs['parameters']):,}",
                             "milliseconds": f"{theirs['milliseconds']:g}"}
        for method, theirs in TABLE_2.iterrows()
    }  # fmt: skip
    sentence = (
        "Numbers that are learned for all attributes together, and the time to move one code in one attribute with a "
        f"batch of one, the median of several, without making the face ({machine}). By the paper's equations ID-Style "
        "has 789,918 parameters for 18 layers and four attributes; the number that it prints has 4,028 more."
    )
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return study.Section("Size and time (Table 2)", [sentence], [study.Grid("Parameters, milliseconds a code", frame)])


# -- Table 3 ----------------------------------------------------------------------------------------------------------


def table_3(frame: pd.DataFrame, face_edits: int, numbers: Mapping[str, Number]) -> tuple[study.Section, list[Claim]]:
    """Trainings from which a part was left out, and by how much each part helps: of one training each, not decided.

    frame: edits of all faces by each variant, named as in the paper's table. face_edits: of each training.
    """
    shown = [name for name in ("identity", "identity_dlib", "perceptual") if name in numbers]
    rows, claims = {}, []
    whole = frame[frame["what"] == WHOLE]
    for variant, theirs in TABLE_3.iterrows():
        its = frame[frame["what"] == variant]
        rows[str(variant)] = {
            **{PICTURES[name]: said(by_face(its, name)) for name in shown},
            "mACC %": said_rate(by_face(its, "there")),
            **{f"{PICTURES[name]}, paper": f"{theirs[name]:.3f}" for name in shown if name in theirs},
            "mACC %, paper": f"{theirs['mACC']:.2f}",
        }
        if variant != WHOLE:
            more, faces = mean_difference(*together(its, whole, "there"))
            told = f"{variant}: mACC as a share, less that of the whole ({faces} faces)"
            by = wording.score((theirs["mACC"] - TABLE_3["mACC"][WHOLE]) / 100, 4)
            about = "Fewer edits succeed where a part is left out"
            claims.append(Claim(about, told, by, more.observed, more.low, more.high, ONE_TRAINING))
    sentence = (
        f"Each variant was trained once, from the same start, with {face_edits:,} edited faces, and edits the same "
        "faces to both sides as in Table 1. The intervals are over the faces; how much two trainings of one variant "
        f"differ is not in them, so that no difference is called decided. {PLUS_MINUS}"
    )
    grid = study.Grid("What is left out", pd.DataFrame.from_dict(rows, orient="index"))
    return study.Section("Ablation (Table 3)", [sentence], [grid]), claims


def no_table_3(command: str, trainings: int, duration: str) -> study.Section:
    """What would make Table 3, where nobody has."""
    sentence = (
        "The parts were not left out one by one, so that nothing is said of them. This does it beside what is here, by "
        f"{trainings} trainings that take about {duration} on this machine in one process: {command}"
    )
    theirs = {name: TABLE_3[name].map("{:.3f}".format) for name in ("identity", "perceptual")}
    frame = pd.DataFrame({**theirs, "mACC": TABLE_3["mACC"].map("{:.2f}".format)})
    grid = study.Grid("The paper's table", frame.rename(columns={**PICTURES, "mACC": "mACC %"}))
    return study.Section("Ablation (Table 3)", [sentence], [grid])
