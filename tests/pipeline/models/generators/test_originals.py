"""Every architecture against outputs of its public implementation, on equal weights: see make_originals.py."""

from typing import Any

import original_cases as cases
import pytest
import torch

from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.generators.architectures import build
from pipeline.models.generators.generator import Generator
from pipeline.models.generators.noise import Noise

KEPT = cases.kept()


def built(case: str, noise: str = "const") -> Generator:
    chosen = cases.CLASS if cases.CASES[case][1]["c_dim"] else None
    checkpoint = cases.checkpoint(case, KEPT[case]["shapes"])
    return build(checkpoint, case, Backend.eager(), chosen=chosen, noise=Noise.parse(noise))


def near(found: torch.Tensor, kept: Any) -> None:
    torch.testing.assert_close(found, torch.tensor(kept), atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", cases.CASES)
@torch.no_grad()
def test_outputs_are_those_of_the_public_implementation(case: str) -> None:
    generator, kept = built(case), KEPT[case]
    z = cases.latents(generator.z_dim)
    near(cases.some_pixels(generator.synthesize(Codes("z", z))), kept["image const"])
    if "w" not in generator.spaces:
        return
    ws = generator.map(z)
    near(ws[:, 0, :16], kept["w"])
    near(generator.map(z, cases.PSI, cases.CUTOFF)[0, :5, :16], kept["truncated"])
    near(cases.some_pixels(generator.synthesize(Codes("w+", cases.varied(ws)))), kept["image of w+"])
    without = built(case, "none")
    near(cases.some_pixels(without.synthesize(Codes("z", z)))[:1], kept["image none"])


def test_the_kept_cases_are_all() -> None:
    assert list(KEPT) == list(cases.CASES)
