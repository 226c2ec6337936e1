"""`stylemill report DIR`: pages of pictures and figures, one file each, that open without a network."""

from collections.abc import Sequence

import tyro
from pydantic import Field

from jobs.flags import Spec, parse
from pipeline import report


class ReportSpec(Spec):
    """Write DIR/report.html: contact sheets, histograms, correlations; of edits, strips with the scores along them; of
    directions, how well they were fitted and what they do.

    Example: stylemill report out/faces
    """

    out: tyro.conf.Positional[str] = Field(description="The directory with the tables.")
    title: str = Field("", description="Heading of the page.")
    seed: int = Field(0, ge=0, description="Which faces the random sheet shows.")
    faces: int | None = Field(
        None, gt=0, description="How many faces: of the random sheet (default 24), of the edits (default 8)."
    )


def main(argv: Sequence[str]) -> int:
    """Write the pages and print where they are."""
    spec = parse(ReportSpec, "report", argv)
    print(*report.write_all(spec.out, title=spec.title or None, seed=spec.seed, shown=spec.faces), sep="\n")
    return 0
