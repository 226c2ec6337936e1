"""`.pkl` of the TensorFlow era: three networks (G, D and the averaged Gs) with their variables as NumPy arrays.

StyleGAN2 goes to NVIDIA's names of PyTorch, StyleGAN and PGGAN to genforce's. TensorFlow keeps convolutions as (height,
width, in, out), and those that up-sample in StyleGAN2 the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.genforce import pggan_options, stylegan_options
from pipeline.models.checkpoints.held import Held, stylegan2_options
from pipeline.models.checkpoints.nvidia import plain
from pipeline.models.pickles import Record, array_of

DEEPEST, MOST_VARIABLES = 4, 5_000
Change = Callable[[Tensor], Tensor]
Rules = list[tuple[str, str, Change]]


def _same(x: Tensor) -> Tensor:
    return x


def _turned(x: Tensor) -> Tensor:
    return x.permute(1, 0)


def _convolution(x: Tensor) -> Tensor:
    return x.permute(3, 2, 0, 1)


def _flipped(x: Tensor) -> Tensor:
    return x.permute(3, 2, 0, 1).flip(2, 3)


def _first_dense(x: Tensor) -> Tensor:
    """A linear layer to 4x4 as a convolution of one pixel, padded."""
    return x.reshape(x.shape[0], -1, 4, 4).permute(1, 0, 2, 3).flip(2, 3)


CONV2 = r"synthesis/(\d+)x\1/"
STYLEGAN2: Rules = [
    (r"dlatent_avg", r"mapping.w_avg", _same),
    (r"mapping/LabelEmbed/weight", r"mapping.embed.weight", _turned),
    (r"mapping/LabelEmbed/bias", r"mapping.embed.bias", _same),
    (r"mapping/Dense(\d+)/weight", r"mapping.fc\1.weight", _turned),
    (r"mapping/Dense(\d+)/bias", r"mapping.fc\1.bias", _same),
    (r"synthesis/4x4/Const/const", r"synthesis.b4.const", lambda x: x[0]),
    (rf"{CONV2}Conv0_up/weight", r"synthesis.b\1.conv0.weight", _flipped),
    (rf"{CONV2}Skip/weight", r"synthesis.b\1.skip.weight", _flipped),
    (rf"{CONV2}ToRGB/weight", r"synthesis.b\1.torgb.weight", _convolution),
    (rf"{CONV2}ToRGB/bias", r"synthesis.b\1.torgb.bias", _same),
    (rf"{CONV2}ToRGB/mod_weight", r"synthesis.b\1.torgb.affine.weight", _turned),
    (rf"{CONV2}ToRGB/mod_bias", r"synthesis.b\1.torgb.affine.bias", lambda x: x + 1),
    (rf"{CONV2}Conv1?/weight", r"synthesis.b\1.conv1.weight", _convolution),
    *(
        rule
        for layer, target in (("Conv0_up", "conv0"), ("Conv1?", "conv1"))
        for rule in (
            (rf"{CONV2}{layer}/bias", rf"synthesis.b\1.{target}.bias", _same),
            (rf"{CONV2}{layer}/noise_strength", rf"synthesis.b\1.{target}.noise_strength", _same),
            (rf"{CONV2}{layer}/mod_weight", rf"synthesis.b\1.{target}.affine.weight", _turned),
            (rf"{CONV2}{layer}/mod_bias", rf"synthesis.b\1.{target}.affine.bias", lambda x: x + 1),
        )
    ),
]
OPTIONS = {
    "label_size": "c_dim", "mapping_nonlinearity": "mapping.activation", "mapping_lrmul": "mapping.lr_multiplier",
    "num_fp16_res": "synthesis.num_fp16_res", "conv_clamp": "synthesis.conv_clamp",
    "architecture": "synthesis.architecture", "resample_kernel": "synthesis.resample_filter",
    "use_noise": "synthesis.use_noise", "nonlinearity": "synthesis.activation",
}  # fmt: skip
"""Arguments of TensorFlow's StyleGAN2, and the options that they are."""


def read(content: Any) -> Held | None:
    """The averaged generator Gs, the last of the three; or a network that was pickled alone."""
    if type(content) in (tuple, list) and len(content) == 3:
        network, which = content[2], "Gs"
    else:
        network, which = content, "a network"
    if not isinstance(network, Record) or network.kind != "network":
        return None
    variables: dict[str, Tensor] = {}
    _collect(network, "", variables, 0)
    given = network.state.get("static_kwargs", {})
    if type(given) is not dict:
        raise ModelFileError("a network whose arguments are no dictionary")
    form = f"TensorFlow's pickle, {which}"
    if any(name.endswith("/StyleMod/weight") for name in variables):
        tensors = _stylegan(variables)
        return Held("stylegan", stylegan_options(tensors), tensors, form)
    if any(name.endswith("/mod_weight") for name in variables):
        return _stylegan2(variables, given, form)
    if any(name.startswith("ToRGB_lod") for name in variables):
        tensors = _pggan(variables)
        return Held("pggan", pggan_options(tensors), tensors, form)
    raise ModelFileError("a network of TensorFlow's that is no generator of StyleGAN2, StyleGAN or PGGAN")


def _collect(network: Record, prefix: str, variables: dict[str, Tensor], depth: int) -> None:
    listed, parts = network.state.get("variables", []), network.state.get("components", {})
    if type(listed) not in (list, tuple) or type(parts) is not dict or depth > DEEPEST:
        raise ModelFileError("a network without a list of variables and a dictionary of parts")
    for pair in listed:
        if type(pair) is not tuple or len(pair) != 2 or type(pair[0]) is not str or len(variables) > MOST_VARIABLES:
            raise ModelFileError("a network with a variable that has no name or value")
        variables[prefix + pair[0]] = torch.from_numpy(array_of(pair[1]))
    for name, part in parts.items():
        if isinstance(part, Record) and part.kind == "network":
            _collect(part, f"{prefix}{name}/", variables, depth + 1)


def _stylegan2(variables: Mapping[str, Tensor], given: Mapping[Any, Any], form: str) -> Held:
    if "mapping/LabelConcat/weight" in variables:
        raise ModelFileError("a conditional StyleGAN2 of TensorFlow's, whose label is no part of NVIDIA's of PyTorch")
    tensors: dict[str, Tensor] = {}
    lods = [name for name in variables if re.fullmatch(r"synthesis/ToRGB_lod0/.*", name)]
    largest = max((int(match[1]) for name in variables if (match := re.match(CONV2, name))), default=4)
    for name, value in variables.items():
        renamed = name.replace("ToRGB_lod0", f"{largest}x{largest}/ToRGB") if name in lods else name
        if noise := re.fullmatch(r"synthesis/noise(\d{1,2})", name):
            number = int(noise[1])
            conv = "conv1" if number % 2 == 0 else "conv0"
            tensors[f"synthesis.b{4 * 2 ** ((number + 1) // 2)}.{conv}.noise_const"] = value.reshape(value.shape[-2:])
        else:
            tensors |= _applied(STYLEGAN2, renamed, value)
    known = {option: plain(given[name], name) for name, option in OPTIONS.items() if name in given}
    if lods:
        known["synthesis.architecture"] = "orig"
    options = stylegan2_options(tensors, **known)
    if "mapping.embed.weight" in tensors:
        latent = plain(given.get("latent_size", 512), "latent_size")
        options |= {"z_dim": latent, "mapping.embed_features": options["z_dim"] - latent}
    return Held("stylegan2", options, tensors, form)


def _stylegan(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    largest = _largest(variables, r"synthesis/(\d+)x\1/.*")
    rules: Rules = [
        (r"dlatent_avg", r"truncation.w_avg", _same),
        (r"mapping/Dense(\d+)/weight", r"mapping.dense\1.weight", _turned),
        (r"mapping/Dense(\d+)/bias", r"mapping.dense\1.bias", _same),
        (r"synthesis/noise(\d+)", r"synthesis.layer\1.apply_noise.noise", _same),
    ]
    for block in range(_blocks(largest)):
        size, first, second = 4 * 2**block, f"synthesis.layer{2 * block}", f"synthesis.layer{2 * block + 1}"
        names = [("Const" if block == 0 else "Conv0_up", first), ("Conv" if block == 0 else "Conv1", second)]
        for name, target in names:
            source = f"synthesis/{size}x{size}/{name}"
            rules += [
                (f"{source}/const", f"{target}.const", _same),
                (f"{source}/weight", f"{target}.weight", _convolution),
                (f"{source}/bias", f"{target}.bias", _same),
                (f"{source}/Noise/weight", f"{target}.apply_noise.weight", _same),
                (f"{source}/StyleMod/weight", f"{target}.style.weight", _turned),
                (f"{source}/StyleMod/bias", f"{target}.style.bias", _same),
            ]
        rules += _to_rgb("synthesis/", "synthesis.", block, largest)
    return _all(rules, variables)


def _pggan(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if any(name.endswith("/Conv0_up/weight") for name in variables):
        raise ModelFileError("a PGGAN with fused up-sampling and convolution, which is not supported")
    largest = _largest(variables, r"(\d+)x\1/.*")
    rules: Rules = [(r"4x4/Dense/weight", r"layer0.weight", _first_dense)]
    for block in range(_blocks(largest)):
        size = 4 * 2**block
        names = ("Dense", "Conv") if block == 0 else ("Conv0", "Conv1")
        for name, target in zip(names, (f"layer{2 * block}", f"layer{2 * block + 1}"), strict=True):
            rules += [
                (f"{size}x{size}/{name}/weight", f"{target}.weight", _convolution),
                (f"{size}x{size}/{name}/bias", f"{target}.bias", _same),
            ]
        rules += _to_rgb("", "", block, largest)
    return _all(rules, variables)


def _to_rgb(source: str, target: str, block: int, largest: int) -> Rules:
    lod = _blocks(largest) - 1 - block
    return [
        (f"{source}ToRGB_lod{lod}/weight", f"{target}output{block}.weight", _convolution),
        (f"{source}ToRGB_lod{lod}/bias", f"{target}output{block}.bias", _same),
    ]


def _largest(variables: Mapping[str, Tensor], pattern: str) -> int:
    found = [int(match[1]) for name in variables if (match := re.fullmatch(pattern, name)) and len(match[1]) <= 4]
    if not found or max(found) & (max(found) - 1) or max(found) < 8:
        raise ModelFileError("a network without layers from 4x4 on")
    return max(found)


def _blocks(largest: int) -> int:
    return largest.bit_length() - 2


def _all(rules: Rules, variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, value in variables.items():
        tensors |= _applied(rules, name, value)
    return tensors


def _applied(rules: Rules, name: str, value: Tensor) -> dict[str, Tensor]:
    """The tensor by its new name, as the first rule says; nothing where no rule knows the variable."""
    for pattern, target, change in rules:
        if match := re.fullmatch(pattern, name):
            return {match.expand(target): change(value).contiguous()}
    return {}
