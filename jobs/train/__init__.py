"""`stylemill train`: train an editor on labelled latents, a classifier on labelled pictures or an encoder on a
generator's pictures, or import an editor that others trained; write DIR/artifact."""

from collections.abc import Callable, Mapping, Sequence

from jobs import subverbs
from jobs.flags import Spec, parse, say
from jobs.launch import launch
from jobs.train import classifier, encoder, importing
from jobs.train.classifier import TrainClassifierSpec
from jobs.train.encoder import TrainEncoderSpec
from jobs.train.figures import figures
from jobs.train.plan import plan_train
from jobs.train.spec import SPECS as TRAINED
from jobs.train.spec import TrainSpec
from pipeline.editors.training import TRAININGS
from pipeline.errors import SpecError
from pipeline.tables import Artifact, store

__all__ = ["SPECS", "TrainSpec", "figures", "main", "plan_train"]

IMPORT = "import"
SPECS: Mapping[str, type[Spec]] = {
    **TRAINED,
    classifier.NAME: TrainClassifierSpec,
    encoder.ENCODER: TrainEncoderSpec,
    IMPORT: importing.ImportSpec,
}
"""The spec class of each word behind `train`."""
OTHERS: Mapping[str, tuple[Callable[[Sequence[str]], int], str]] = {
    classifier.NAME: (classifier.main, "a classifier of an attribute of your own, from labels given by hand"),
    encoder.ENCODER: (encoder.main, "an encoder: from an aligned picture to its latent, in one look"),
    IMPORT: (importing.main, "read what others trained, from their public files"),
}
"""Words behind `train` that are no training of an editor: what runs them, and what they do."""


def main(argv: Sequence[str]) -> int:
    """Run the verb with one of the trainings; returns the exit code."""
    if not argv or argv[0] in subverbs.HELP:
        lines = {name: what for name, (_, what) in (*TRAININGS.items(), *OTHERS.items())}
        print(subverbs.usage("train", "NAME", lines))
        return 0 if argv else 2
    name, *flags = argv
    if name in OTHERS:
        return OTHERS[name][0](flags)
    if name not in TRAININGS:
        raise SpecError(f"there is no training {name!r}; the trainings are {', '.join((*TRAININGS, *OTHERS))}")
    spec = parse(TRAINED[name], flags)
    job, workers = plan_train(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run and not code:
        for line in figures(Artifact(store.join(spec.out, "artifact")).card().metrics, spec.config.TOLD):
            say(f"      {line}")
    return code
