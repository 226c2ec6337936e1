"""How well a classifier of one's own, trained on some hundred labels, agrees with who gave them, on other faces.

    python -m benchmarks.own_classifier

The labels are those that the repository keeps (jobs/reproduce/mobilestylegan-ffhq.labels.parquet): they stand in for a
person's. Their networks share none with the features from which the classifier is trained, but for `judge_eyeglasses`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tyro
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, roc_auc_score

from benchmarks.machine import header
from jobs.__main__ import main as stylemill
from jobs.reproduce.kept_labels import FOLDER, SUFFIX
from pipeline.tables import Table

GENERATOR = "mobilestylegan-ffhq"
RESULTS = Path(__file__).parent / "results" / "own-classifier.md"


@dataclass
class Benchmark:
    """What to measure. columns: of the kept labels; judge_ are those of the judge, others of `faces`."""

    columns: tuple[str, ...] = ("judge_smile", "bangs")
    labelled: int = 300
    held_out: int = 300
    work: Path = Path("out/own-classifier")
    out: Path = RESULTS


def run(*words: object) -> None:
    """A verb. Raises SystemExit where it fails; what is there already is not made again."""
    if code := stylemill([str(word) for word in words]):
        raise SystemExit(code)


def measured(options: Benchmark, column: str, has: np.ndarray) -> str:
    """A row of the table: the classifier is trained on the first faces, and scores the next ones.

    has: (rows,) whether each face has the attribute, by the kept labels.
    """
    attribute, folder = f"own_{column}", options.work / column
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{row},{int(has[row])}" for row in range(options.labelled)]
    (folder / "labels.csv").write_text("\n".join(["index,label", *lines]) + "\n")
    run(
        "train", "classifier", "--image-table", options.work / "labelled" / "images", "--labels", folder / "labels.csv",
        "--attribute", attribute, "--joins", "none", "--local", "--out", folder / "trained",
    )  # fmt: skip
    yaml = folder / "trained" / "artifact" / f"{attribute}.yaml"
    run(
        "label", "--latents", options.work / "others" / "latents", "--classifiers", yaml, "--local",
        "--out", folder / "scored",
    )  # fmt: skip
    rows = Table.open(str(folder / "scored" / "labels")).read()
    score, truth = rows[attribute].to_numpy(), has[rows["index"].to_numpy()]
    card = json.loads((folder / "trained" / "artifact" / "card.json").read_text())
    validated = card["metrics"][f"classifier.{attribute}.accuracy"]
    figures = [
        f"{has[: options.labelled].mean():.0%}", f"{validated:.3f}", f"{((score > 0) == truth).mean():.3f}",
        f"{balanced_accuracy_score(truth, score > 0):.3f}", f"{cohen_kappa_score(truth, score > 0):.2f}",
        f"{roc_auc_score(truth, score):.3f}",
    ]  # fmt: skip
    return f"| `{column}` | {' | '.join(figures)} |\n"


def main(options: Benchmark) -> None:
    kept = pq.read_table(FOLDER / f"{GENERATOR}{SUFFIX}")
    faces = ("--generator", GENERATOR, "--seed", 1, "--psi", 0.7, "--local")
    run(
        "dataset", *faces, "--rows", options.labelled, "--attributes", "smile", "--images", "jpeg", "--size", 512,
        "--out", options.work / "labelled",
    )  # fmt: skip
    span = f"{options.labelled}:{options.labelled + options.held_out}"
    run("sample", *faces, "--range", span, "--out", options.work / "others")
    text = "# A classifier of one's own\n\n"
    text += header(
        "python -m benchmarks.own_classifier", f"--labelled {options.labelled} --held-out {options.held_out}"
    )
    text += (
        f"Trained on {options.labelled} faces of {GENERATOR} (seed 1, psi 0.7), and compared with the kept labels of "
        f"the next {options.held_out}.\n\n"
        "| labels | have it | accuracy by cross-validation | accuracy on other faces | balanced | kappa | AUC |\n"
        f"|---|{'---:|' * 6}\n"
    )
    text += "".join(measured(options, column, kept[column].to_numpy() > 0) for column in options.columns)
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main(tyro.cli(Benchmark))
