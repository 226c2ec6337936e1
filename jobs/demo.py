"""`stylemill demo`: the main job from nothing. Fetch the networks, make labelled faces, write their page."""

from collections.abc import Sequence

from pydantic import Field

from jobs import models
from jobs.dataset import DatasetSpec, run_dataset
from jobs.flags import Spec, parse
from pipeline import report


class DemoSpec(Spec):
    """Fetch the networks, make labelled faces with Ray, and write their page.

    Example: stylemill demo --rows 512 --out out/demo
    """

    VERB = "demo"

    rows: int = Field(512, gt=0, description="Faces to make.")
    out: str = Field("out/demo", description="Directory for the tables and the page.")
    workers: int | None = Field(
        None, gt=0, description="Worker processes. Default: one for each GPU, else for each core."
    )


def main(argv: Sequence[str]) -> int:
    """Run the verb; running it again continues where it stopped."""
    spec = parse(DemoSpec, argv)
    if code := models.main(["pull"]):
        return code
    code = run_dataset(DatasetSpec(out=spec.out, rows=spec.rows, workers=spec.workers, images="jpeg", size=512))
    if code == 0:
        print(report.write(spec.out))
    return code
