"""Compiled code: the same bytes from one worker and from two, on a resume, with a filled and with an emptied cache."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.models import backend

pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.weights,
    pytest.mark.skipif(bool(backend.cannot_compile()), reason="needs a C++ compiler"),
]

WORDS = ["--rows", "4", "--rows-per-shard", "2", "--batch-size", "2", "--threads", "1", "--backend", "compiled"]
WORDS += ["--attributes", "smile", "--images", "png", "--size", "256"]


def run(out: Path, *more: str) -> dict[str, bytes]:
    """The parts of all tables, by name."""
    command = [sys.executable, "-m", "jobs", "dataset", *WORDS, *more, "--out", str(out)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1500)
    assert ended.returncode == 0, ended.stderr
    parts = [path for path in out.rglob("*.parquet") if ".stylemill" not in path.parts]
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(parts)}


@pytest.mark.timeout(3600)
def test_bytes_depend_on_no_worker_resume_or_cache(tmp_path, monkeypatch):
    code = tmp_path / "code"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(code))
    by_two = run(tmp_path / "two", "--workers", "2")  # both find an empty cache
    assert len(by_two) >= 3 * 2
    assert list(code.rglob("*.so"))
    first = run(tmp_path / "resumed", "--workers", "1", "--limit", "1")  # a filled one
    assert first.items() < by_two.items()
    shutil.rmtree(code)
    assert run(tmp_path / "resumed", "--local") == by_two  # an emptied one, in another kind of process
    assert list(code.rglob("*.so"))
