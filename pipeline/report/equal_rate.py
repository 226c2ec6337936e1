"""What sections on methods at equal success have in common."""

import pandas as pd

from pipeline.metrics.swept import Swept

WRONG_BY = "may be wrong by"
"""A heading: of a difference that is read off between strengths."""
ABOUT_IT = (
    "How much that may be wrong: how far the means move where every other strength is left out, of both methods "
    "together. A difference is decided where its whole interval is larger than that."
)
OF_SHARES = "A share of nearly all faces, or of nearly none, can hardly move; of it that says little."


def line(swept: Swept, times: float = 1) -> pd.DataFrame:
    """The mean over the rate, a point a strength; strengths without a mean are left out. times: as 100 for per cent."""
    return pd.DataFrame({"x": times * swept.rates(), "y": times * swept.means()}).dropna()
