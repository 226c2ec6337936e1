"""The metrics of a card in lines."""

from collections.abc import Collection, Iterator, Mapping

from pipeline.card import parts_of_metric


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
