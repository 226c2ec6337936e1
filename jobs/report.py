"""`stylemill report DIR`: pages of pictures and figures, one file each, that open without a network."""

from collections.abc import Sequence

import tyro
from pydantic import Field

from jobs.choice import LabelledChoice, choose_of
from jobs.flags import parse
from pipeline import report
from pipeline.errors import SpecError
from pipeline.tables import Table, store

TABLES = ("latents", "labels", "edits")
"""Whose rows a page is about, where they are there."""


class ReportSpec(LabelledChoice):
    """Write DIR/report.html. It shows faces, with histograms and correlations of their labels; edits, with scores;
    directions, with the accuracies of their fits; the card and curves of an artifact; what measured edits changed; or
    the faces of photos, and of the codes that were found for them.

    Example: stylemill report out/faces
    """

    VERB = "report"

    out: tyro.conf.Positional[str] = Field(description="The directory with the tables, or an artifact.")
    title: str = Field("", description="Heading of the page.")
    seed: int = Field(0, ge=0, description="Random seed of the random faces.")
    faces: int | None = Field(
        None, gt=0, description="How many faces to show: random ones (default 24), edited ones (default 8)."
    )


def main(argv: Sequence[str]) -> int:
    """Write the pages and print where they are."""
    spec = parse(ReportSpec, argv)
    tables = [Table(store.join(spec.out, name)) for name in TABLES] if spec.chooses else []
    chosen = next((choose_of(spec, table) for table in tables if table.parts()), None)
    if spec.chooses and chosen is None:
        raise SpecError(f"{spec.out} has no latents, labels or edits of which rows could be chosen")
    rows = None if chosen is None else frozenset(chosen.tolist())
    pages = report.write_all(spec.out, title=spec.title or None, seed=spec.seed, shown=spec.faces, chosen=rows)
    print(*pages, sep="\n")
    return 0
