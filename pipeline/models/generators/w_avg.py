"""Measure a generator's mean w: `python -m pipeline.models.generators.w_avg --generator mobilestylegan-ffhq`.

The result lies beside this file, in the repository, and is part of the generator's fingerprint: it must not depend on
the machine that it was measured on, so it is measured once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from pipeline.models import backend, zoo
from pipeline.models.generators.mapping import mean_w
from pipeline.models.generators.mobilestylegan import W_DIM, MobileStyleGAN

ROWS = 200_000


def path(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.w_avg.npy")


def load(name: str) -> torch.Tensor:
    """(W,) the committed mean w of a generator."""
    return torch.from_numpy(np.load(path(name), allow_pickle=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="mobilestylegan-ffhq")
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    tensors = zoo.load(arguments.generator).tensors
    generator = MobileStyleGAN(arguments.generator, tensors, torch.zeros(W_DIM), backend.choose("eager"))
    w_avg = mean_w(generator.mapping, generator.z_dim, arguments.rows)
    np.save(path(arguments.generator), w_avg.numpy())
    print(f"{path(arguments.generator).name}: mean of {arguments.rows} w, norm {w_avg.norm():.3f}")


if __name__ == "__main__":
    main()
