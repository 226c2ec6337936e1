"""Run the public implementations on the weights of original_cases.py and keep some of their outputs.

    python -m tests.pipeline.models.generators.make_originals --ada DIR --stylegan3 DIR --genforce DIR

DIR are checkouts of NVlabs/stylegan2-ada-pytorch, NVlabs/stylegan3 and genforce/genforce: their code is run as it is,
on the CPU with its reference operators, and not copied here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import torch
from packaging.version import parse
from torch import Tensor, nn

from tests.pipeline.models.generators import original_cases as cases

CONSTANTS = ("resample_filter", "up_filter", "down_filter", "blur.kernel", "lod")
"""Buffers that options fix: the implementation's own are used."""


def nested(options: dict[str, Any], part: str) -> dict[str, Any]:
    return {name.partition(".")[2]: value for name, value in options.items() if name.startswith(f"{part}.")}


def with_weights(network: nn.Module) -> dict[str, list[int]]:
    """Puts the weights into a network; returns the shapes of those that are not constants."""
    shapes = {name: list(t.shape) for name, t in network.state_dict().items() if not name.endswith(CONSTANTS)}
    drawn = {name: cases.weight(name, tuple(shape)) for name, shape in shapes.items()}
    assert not network.load_state_dict(drawn, strict=False).unexpected_keys
    network.eval().requires_grad_(False)
    return shapes


def nvidia(generator: type[nn.Module], options: dict[str, Any], flat: bool) -> dict[str, Any]:
    """flat: whether the options of the synthesis network are among the generator's, as in stylegan3."""
    top = {name: value for name, value in options.items() if "." not in name}
    synthesis = nested(options, "synthesis")
    parts = synthesis if flat else {"synthesis_kwargs": synthesis}
    network = generator(**top, mapping_kwargs=nested(options, "mapping"), **parts)
    shapes = with_weights(network)
    z = cases.latents(options["z_dim"])
    c = nn.functional.one_hot(torch.full((len(z),), cases.CLASS), options["c_dim"]) if options["c_dim"] else None
    ws = network.mapping(z, c)
    truncated = network.mapping(z, c, truncation_psi=cases.PSI, truncation_cutoff=cases.CUTOFF)
    images = {f"image {mode}": network.synthesis(ws, noise_mode=mode) for mode in ("const", "none")}
    images["image of w+"] = network.synthesis(cases.varied(ws), noise_mode="const")
    return outputs(shapes, ws[:, 0], truncated, images)


def stylegan(generator: type[nn.Module], options: dict[str, Any]) -> dict[str, Any]:
    """genforce's port."""
    network = generator(
        options["img_resolution"],
        z_space_dim=options["z_dim"],
        w_space_dim=options["w_dim"],
        mapping_layers=options["mapping.num_layers"],
        mapping_fmaps=options["mapping.layer_features"],
        mapping_lr_mul=options["mapping.lr_multiplier"],
        fused_scale=options["synthesis.fused_scale"],
        fmaps_base=options["synthesis.channel_base"],
        fmaps_max=options["synthesis.channel_max"],
    )
    shapes = with_weights(network)
    w = network.mapping(cases.latents(options["z_dim"]))["w"]
    ws = network.truncation(w)
    images = {
        "image const": network.synthesis(ws)["image"],
        "image of w+": network.synthesis(cases.varied(ws))["image"],
    }
    for name, tensor in network.state_dict().items():
        if name.endswith("apply_noise.weight"):
            tensor.zero_()
    images["image none"] = network.synthesis(ws)["image"]
    return outputs(shapes, w, network.truncation(w, cases.PSI, cases.CUTOFF), images)


def pggan(generator: type[nn.Module], options: dict[str, Any]) -> dict[str, Any]:
    """genforce's port."""
    network = generator(
        options["img_resolution"],
        z_space_dim=options["z_dim"],
        fused_scale=options["synthesis.fused_scale"],
        fmaps_base=options["synthesis.channel_base"],
        fmaps_max=options["synthesis.channel_max"],
    )
    shapes = with_weights(network)
    return outputs(shapes, None, None, {"image const": network(cases.latents(options["z_dim"]))["image"]})


def outputs(
    shapes: dict[str, list[int]], w_NW: Tensor | None, truncated_NLW: Tensor | None, images: dict[str, Tensor]
) -> dict[str, Any]:
    found: dict[str, Any] = {"shapes": shapes}
    if w_NW is not None and truncated_NLW is not None:
        found |= {"w": w_NW[:, :16], "truncated": truncated_NLW[0, :5, :16]}
    found |= {name: cases.some_pixels(x_N3HW) for name, x_N3HW in images.items()}
    if "image none" in found:
        found["image none"] = found["image none"][:1]
    scale = {name: f"{x.std():.3f}" for name, x in images.items()}
    print(f"{len(shapes)} tensors, standard deviation of {scale}")
    return found


def rounded(value: Any) -> Any:
    """As JSON keeps it: five decimals of each number."""
    if isinstance(value, Tensor):
        return rounded(value.tolist())
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 5) if isinstance(value, float) else value


def imported(folder: str, name: str) -> Any:
    """A module of a checkout; modules of the same name of another checkout are forgotten."""
    for known in [known for known in sys.modules if known.partition(".")[0] in ("training", "torch_utils", "dnnlib")]:
        del sys.modules[known]
    sys.path.insert(0, folder)
    sys.modules.setdefault("pkg_resources", cast(ModuleType, SimpleNamespace(parse_version=parse)))  # of old setuptools
    return importlib.import_module(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ada", "stylegan3", "genforce"):
        parser.add_argument(f"--{name}", required=True)
    arguments = parser.parse_args()

    def third(options: dict[str, Any]) -> dict[str, Any]:
        return nvidia(imported(arguments.stylegan3, "training.networks_stylegan3").Generator, options, flat=True)

    made: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "stylegan2": lambda options: nvidia(
            imported(arguments.ada, "training.networks").Generator, options, flat=False
        ),
        "stylegan3-t": third,
        "stylegan3-r": third,
        "stylegan": lambda options: stylegan(imported(arguments.genforce, "models").StyleGANGenerator, options),
        "pggan": lambda options: pggan(imported(arguments.genforce, "models").PGGANGenerator, options),
    }
    lines = []
    for case, (architecture, options) in cases.CASES.items():
        print(case, end=": ")
        found = {name: rounded(value) for name, value in made[architecture](options).items()}
        lines.append(f"{json.dumps(case)}: {json.dumps(found)}")
    cases.KEPT.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
