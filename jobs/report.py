"""`stylemill report DIR`: a page of pictures and figures, one file, that opens without a network."""

from collections.abc import Sequence

import tyro
from pydantic import Field

from jobs.flags import Spec, parse
from pipeline import report


class ReportSpec(Spec):
    """Write DIR/report.html: contact sheets, histograms, correlations, provenance.

    Example: stylemill report out/faces
    """

    out: tyro.conf.Positional[str] = Field(description="The directory with the tables.")
    title: str = Field("", description="Heading of the page.")
    seed: int = Field(0, ge=0, description="Which faces the random sheet shows.")


def main(argv: Sequence[str]) -> int:
    """Write the page and print where it is."""
    spec = parse(ReportSpec, "report", argv)
    print(report.write(spec.out, title=spec.title or None, seed=spec.seed))
    return 0
