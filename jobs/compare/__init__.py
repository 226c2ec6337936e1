"""`stylemill compare`: editors side by side, on the same faces, by networks that none of them optimised."""

from collections.abc import Sequence

from jobs.compare.cost import cost
from jobs.compare.plan import make
from jobs.compare.spec import CompareSpec
from jobs.reproduce.study import run_study


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(CompareSpec, argv, make, cost)
