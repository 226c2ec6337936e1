"""`stylemill train`: train an editor on labelled latents, or import one that others trained; write DIR/artifact."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from jobs import subverbs
from jobs.flags import parse, say
from jobs.launch import launch
from jobs.train import importing
from jobs.train.plan import plan_train
from jobs.train.spec import SPECS as TRAINED
from jobs.train.spec import TrainSpec
from pipeline.card import parts_of_metric
from pipeline.editors.training import TRAININGS
from pipeline.errors import SpecError
from pipeline.tables import Artifact, store

__all__ = ["SPECS", "TrainSpec", "main", "plan_train"]

IMPORT = "import"
SPECS = {**TRAINED, IMPORT: importing.ImportSpec}
"""The spec class of each word behind `train`."""


def main(argv: Sequence[str]) -> int:
    """Run the verb with one of the trainings; returns the exit code."""
    if not argv or argv[0] in subverbs.HELP:
        lines = {name: what for name, (_, what) in TRAININGS.items()}
        print(subverbs.usage("train", "NAME", {**lines, IMPORT: "read what others trained, from their public files"}))
        return 0 if argv else 2
    name, *flags = argv
    if name == IMPORT:
        return importing.main(flags)
    if name not in TRAININGS:
        raise SpecError(f"there is no training {name!r}; the trainings are {', '.join(TRAININGS)}")
    spec = parse(TRAINED[name], flags)
    job, workers = plan_train(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run and not code:
        for line in figures(Artifact(store.join(spec.out, "artifact")).card().metrics, spec.config.TOLD):
            say(f"      {line}")
    return code


def figures(metrics: Mapping[str, float], told: Collection[str]) -> Iterator[str]:
    """The metrics of a card to print, a line for each attribute: `smile: classifier accuracy 0.97, f1 0.96; ...`."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, number in metrics.items():
        if (parts := parts_of_metric(name)) is None:
            continue
        subject, attribute, what = parts
        if what in told:
            found.setdefault(attribute, {}).setdefault(subject, []).append(f"{what} {number:.3f}")
    for attribute, subjects in found.items():
        yield f"{attribute}: " + "; ".join(f"{subject} {', '.join(its)}" for subject, its in subjects.items())
