"""The alignment beside the script that made FFHQ, where a copy of it is at hand; its licence keeps it out of here.

STYLEMILL_FFHQ_SCRIPT=download_ffhq.py pytest tests/pipeline/photos/test_public_script.py -s
"""

import os
from pathlib import Path

import pytest

from benchmarks.public_alignment import CASES, compared

SCRIPT = os.environ.get("STYLEMILL_FFHQ_SCRIPT", "")


@pytest.mark.skipif(not SCRIPT, reason="STYLEMILL_FFHQ_SCRIPT names no copy of NVlabs/ffhq-dataset's download_ffhq.py")
def test_its_pictures_are_ours():
    found = list(compared(Path(SCRIPT)))
    print(*found, sep="\n")
    assert len(found) == len(CASES)
    assert found[1].inside < 1  # padded
    assert found[2].side > 4 * 1024  # reduced first
    assert all(one.psnr > 40 for one in found)
