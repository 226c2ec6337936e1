"""The examples of docs/editors.md run as they stand, on the real networks and on small ones in place of them."""

import re
from pathlib import Path

import pytest
import torch

TEXT = (Path(__file__).parents[3] / "docs" / "editors.md").read_text()
SMALL = {'"mobilestylegan-ffhq"': '"stylegan2-tiny"', '"faces"': '"tiny"', "size=256": "size=32"}


def blocks() -> dict[str, str]:
    """The Python of each section."""
    sections = re.split(r"^#+ ", TEXT, flags=re.MULTILINE)
    return {part.split("\n", 1)[0]: "".join(re.findall(r"```python\n(.*?)```", part, re.DOTALL)) for part in sections}


@pytest.mark.parametrize("small", [True, pytest.param(False, marks=[pytest.mark.weights, pytest.mark.slow])])
@pytest.mark.parametrize("editor", ["interfacegan", "ials"])
def test_an_example_runs(editor, small):
    start, own = blocks()["In Python"], blocks()[editor]
    assert len([line for line in own.splitlines() if line and not line.startswith("from")]) <= 10
    code = start + own
    for real, tiny in SMALL.items() if small else ():
        assert real in start + "".join(blocks().values())
        code = code.replace(real, tiny)
    torch.manual_seed(1)
    there: dict = {}
    exec(compile(code, f"docs/editors.md, {editor}", "exec"), there)
    trace, codes = there["trace"], there["codes"]
    assert torch.equal(trace.at(0).values, codes.values)
    assert not torch.equal(trace.values[:, -1], codes.values)
    if editor == "interfacegan":
        assert there["pictures"].shape[0] == 8
        moved = there["direction"].distance(trace.at(2)) - there["direction"].distance(codes)
        torch.testing.assert_close(moved, torch.full((8,), 3.0, dtype=torch.float64), rtol=0, atol=1e-4)
    else:
        first, last = trace.scores["smile"][:, 0], trace.scores["smile"].nan_to_num(-9e9).max(dim=1).values
        assert (last >= first).all()
