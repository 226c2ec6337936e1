"""Steps of an edit that are not finite are left out and counted, of rows that are in the table."""

import numpy as np
import pytest

from pipeline.editors.trace import DONE, NO_STEP, NOT_FINITE
from pipeline.stages.edit import drop_steps

ROWS = 3


def columns(latent, steps, stop) -> dict:
    """Of one request, from (B, K)."""
    latent_BK = np.array(latent, dtype=np.float32)
    return {
        "latent": latent_BK[:, None, :, None],
        "steps": np.array(steps)[:, None],
        "stop": np.array(stop, dtype=object)[:, None],
    }


@pytest.mark.parametrize("in_trace", [True, False])
def test_rejected_rows_have_no_steps_to_count(in_trace):
    """The middle row is not finite at all: it is rejected. The last one lacks a step, which the editor left out or did
    not."""
    lacking = [0, 1, NO_STEP] if in_trace else [0, 1, 2]
    made = columns(
        [[1, 2, 3], [np.nan] * 3, [1, 2, 0 if in_trace else np.inf]],
        [[0, 1, 2], [NO_STEP] * 3, lacking],
        [DONE, NOT_FINITE, NOT_FINITE if in_trace else DONE],
    )
    assert drop_steps(made, np.ones(ROWS, dtype=bool)) == 1
    assert made["steps"][2, 0].tolist() == [0, 1, NO_STEP]
    assert np.isnan(made["latent"][1]).all()
