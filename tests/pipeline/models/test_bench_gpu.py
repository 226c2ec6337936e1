"""The benchmark of GPUs runs where there is none, with what a bare machine has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import gpu

ROOT = Path(__file__).parents[3]
BARE = """
import torch._dynamo  # it looks for pandas by itself
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pydantic", "tyro", "ray", "pandas", "sklearn", "scipy", "rich", "fsspec", "yaml",
                                  "platformdirs", "PIL", "tenacity", "threadpoolctl"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Nothing())
sys.argv[1:] = WORDS
from benchmarks.gpu import main
raise SystemExit(main())
"""


@pytest.mark.slow
def test_it_prints_its_tables_with_torch_numpy_and_safetensors_alone(tmp_path):
    words = ["--device", "cpu", "--generator", "stylegan2-tiny", "--classifiers", "tiny", "--most", "4"]
    words += ["--product", "64", "--seconds", "0.1", "--stylegan2", "8", "--out", str(tmp_path / "gpu.md")]
    command = [sys.executable, "-c", BARE.replace("WORDS", repr(words))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "gpu.md").read_text() == ended.stdout
    same, other = re.findall(r"^\| (?:fp32|bf16) \| (\d\.\d.*) \|$", ended.stdout, re.MULTILINE)
    assert [float(cell) for cell in same.split(" | ")] == pytest.approx([0.0] * 5, abs=1e-6)
    assert all(0 <= float(cell) < 0.5 for cell in other.split(" | "))
    rows = re.findall(r"^\| (\w+) \| (images|rows labelled|IALS steps) \| ([\d,.]+) \|", ended.stdout, re.MULTILINE)
    assert len(rows) == 6
    assert all(float(rate.replace(",", "")) > 0 for _, _, rate in rows)
    found = r"^\| (\w+) \| 8 \| (forward.*?) \| ([\d,.]+) \| .* \| (\S+) \|$"
    stylegan2 = re.findall(found, ended.stdout, re.MULTILINE)
    assert [(precision, what) for precision, what, *_ in stylegan2] == [
        (precision, what) for precision in ("fp32", "bf16") for what in ("forward", "forward and gradient")
    ]
    assert [float(error) < 1e-6 for *_, error in stylegan2] == [True, True, False, False]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", "cuda"])
    assert gpu.main() == 2
    assert "sees no GPU" in capsys.readouterr().out
