"""Driver and workers run one code, whatever lies in the directory where the command is given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_jobs import tables

from jobs.__main__ import main
from tests.waiting import LONG

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WORDS = ["sample", "--generator", "stylegan2-tiny", "--rows", "64", "--batch-size", "8", "--rows-per-shard", "32"]
WORDS += ["--threads", "1", "--device", "cpu"]
CODES_MINUS_ONE = (
    "\n\n_true_normal = standard_normal\n\n\ndef standard_normal(*given):\n    return _true_normal(*given) - 1\n"
)
DRIVER_OF_ONE_CHECKOUT_AND_WORKERS_OF_ANOTHER = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
os.environ["PYTHONPATH"] = sys.argv.pop(1)
from jobs.__main__ import script
script()
"""


def other_checkout(place: Path) -> Path:
    """One whose latents are others."""
    for package in ("schemas", "pipeline", "jobs"):
        shutil.copytree(ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (place / "pipeline" / "models" / "randomness.py").open("a") as file:
        file.write(CODES_MINUS_ONE)
    return place


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RAY_ADDRESS": "local"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=LONG, check=False)


def test_another_checkout_in_the_current_directory_changes_no_row(tmp_path):
    here = other_checkout(tmp_path / "here")
    for name in ("schemas", "jobs", "ray", "torch"):
        if (here / name).exists():
            shutil.rmtree(here / name)
        (here / f"{name}.py").write_text("raise ImportError('what lies here is a user\\'s own')\n")
    assert main([*WORDS, "--local", "--out", str(tmp_path / "alone")]) == 0
    driver = run([sys.executable, "-P", "-m", "jobs", *WORDS, "--out", str(tmp_path / "ray")], here)
    assert driver.returncode == 0, driver.stderr
    assert tables(tmp_path / "ray") == tables(tmp_path / "alone")


def test_workers_with_other_code_are_refused_with_both_places(tmp_path):
    installed = tmp_path / "site-packages"
    for package in ("schemas", "pipeline", "jobs"):
        shutil.copytree(ROOT / package, installed / package, ignore=shutil.ignore_patterns("__pycache__"))
    other = other_checkout(tmp_path / "other")
    program = [sys.executable, "-c", DRIVER_OF_ONE_CHECKOUT_AND_WORKERS_OF_ANOTHER, str(installed), str(other)]
    driver = run([*program, *WORDS, "--out", str(tmp_path / "ray")], tmp_path)
    assert driver.returncode == 2, driver.stderr
    said = next(line for line in driver.stderr.splitlines() if "runs other code than this driver" in line)
    assert f": {other} (sha256 " in said
    assert f"there, {installed} (sha256 " in said
    assert "Traceback" not in driver.stderr
    assert tables(tmp_path / "ray") == {}
