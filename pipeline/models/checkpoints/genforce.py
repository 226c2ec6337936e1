"""genforce's and Hammer's `.pth`: StyleGAN2, StyleGAN and PGGAN by names of their own.

genforce keeps TensorFlow's values: convolutions that up-sample lie the other way round than NVIDIA's of PyTorch, and
the biases of styles are less by 1. Hammer keeps NVIDIA's, and names some tensors otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.held import Held, channel_options, numbered, shape, sizes, stylegan2_options, tensor
from pipeline.models.pickles import is_tensor, tensor_of

KINDS = ("generator_smooth", "generator")


def read(content: Any) -> Held | None:
    """The averaged generator, `generator_smooth`, or `generator`, or what is a state dict itself."""
    if type(content) is not dict:
        return None
    models = content["models"] if type(content.get("models")) is dict else content
    places = [(models.get(kind), f", {kind}") for kind in KINDS] + [(content, ", a state dict")]
    for state, where in places:
        if type(state) is not dict:
            continue
        held = {name: tensor_of(value) for name, value in state.items() if type(name) is str and is_tensor(value)}
        if "synthesis.early_layer.const" in held:
            return _stylegan2(held, where)
        if "synthesis.layer0.const" in held:
            return _stylegan(held, where)
        if "layer0.weight" in held and "output0.weight" in held and held["layer0.weight"].dim() == 4:
            return Held("pggan", pggan_options(held), _without_lod(held), f"genforce's checkpoint of PGGAN{where}")
    return None


def _stylegan2(held: Mapping[str, Tensor], where: str) -> Held:
    hammer = "w_avg" in held
    if any("label" in name or "embedding" in name for name in held):
        raise ModelFileError("a conditional StyleGAN2 of genforce's: convert it from NVIDIA's file instead")
    tensors: dict[str, Tensor] = {}
    for number in numbered(held, r"mapping\.dense(\d+)\.weight"):
        for kind, dimensions in (("weight", 2), ("bias", 1)):
            tensors[f"mapping.fc{number}.{kind}"] = tensor(held, f"mapping.dense{number}.{kind}", dimensions)
    mean = "w_avg" if hammer else "truncation.w_avg"
    tensors["mapping.w_avg"] = tensor(held, mean, 1)
    tensors["synthesis.b4.const"] = tensor(held, "synthesis.early_layer.const", 4)[0]
    plus = 0 if hammer else 1
    for block, size in enumerate(sizes(4 * 2 ** max(numbered(held, r"synthesis\.output(\d+)\.weight"), default=0))):
        target = f"synthesis.b{size}"
        tensors |= _conv(held, f"synthesis.layer{2 * block}", f"{target}.conv1", plus, flip=False)
        if block:
            up = f"synthesis.layer{2 * block - 1}"
            tensors |= _conv(held, up, f"{target}.conv0", plus, flip=not hammer)
        output = f"synthesis.output{block}"
        tensors |= {
            f"{target}.torgb.weight": tensor(held, f"{output}.weight", 4),
            f"{target}.torgb.bias": tensor(held, f"{output}.bias", 1),
            f"{target}.torgb.affine.weight": tensor(held, f"{output}.style.weight", 2),
            f"{target}.torgb.affine.bias": tensor(held, f"{output}.style.bias", 1) + plus,
        }
    whose = "Hammer" if hammer else "genforce"
    return Held("stylegan2", stylegan2_options(tensors), tensors, f"{whose}'s checkpoint of StyleGAN2{where}")


def _conv(held: Mapping[str, Tensor], source: str, target: str, plus: int, flip: bool) -> dict[str, Tensor]:
    weight = tensor(held, f"{source}.weight", 4)
    return {
        f"{target}.weight": weight.flip(2, 3) if flip else weight,
        f"{target}.affine.weight": tensor(held, f"{source}.style.weight", 2),
        f"{target}.affine.bias": tensor(held, f"{source}.style.bias", 1) + plus,
        f"{target}.noise_strength": tensor(held, f"{source}.noise_strength", 0),
        f"{target}.noise_const": tensor(held, f"{source}.noise", 4)[0, 0],
        f"{target}.bias": tensor(held, f"{source}.bias", 1),
    }


def _stylegan(held: Mapping[str, Tensor], where: str) -> Held:
    hammer = "w_avg" in held
    if hammer:
        renamed = {"noise_strength": "apply_noise.weight", "noise": "apply_noise.noise"}
        held = {
            re.sub(r"\.(noise_strength|noise)$", lambda match: f".{renamed[match[1]]}", name): value
            for name, value in held.items()
        }
        held["truncation.w_avg"] = held.pop("w_avg")
    whose = "Hammer" if hammer else "genforce"
    form = f"{whose}'s checkpoint of StyleGAN{where}"
    return Held("stylegan", stylegan_options(held), _without_lod(held), form)


def _without_lod(held: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the level of detail of a training, and without the kernels that every such network has."""
    return {name: value for name, value in held.items() if not re.fullmatch(r"(.*\.)?(lod|kernel)", name)}


def stylegan_options(held: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of a StyleGAN (1) from its tensors, by genforce's names. Raises ModelFileError."""
    layers = numbered(held, r"mapping\.dense(\d+)\.weight")
    blocks = numbered(held, r"synthesis\.output(\d+)\.weight")
    if not layers or not blocks:
        raise ModelFileError("a StyleGAN without its mapping network or its outputs")
    if any("label" in name or "embedding" in name for name in held):
        raise ModelFileError("a conditional StyleGAN, which is not supported")
    return {
        "z_dim": shape(held, "mapping.dense0.weight", 2)[1],
        "c_dim": 0,
        "w_dim": shape(held, f"mapping.dense{max(layers)}.weight", 2)[0],
        "img_resolution": 4 * 2 ** max(blocks),
        "img_channels": shape(held, "synthesis.output0.weight", 4)[0],
        "mapping.num_layers": len(layers),
        "mapping.layer_features": shape(held, "mapping.dense0.weight", 2)[0],
        "mapping.activation": "lrelu",
        "mapping.lr_multiplier": 0.01,
        "synthesis.fused_scale": "auto",
        "synthesis.use_noise": True,
        "synthesis.activation": "lrelu",
        "synthesis.resample_filter": [1, 2, 1],
    } | channel_options({4 * 2**block: shape(held, f"synthesis.output{block}.weight", 4)[1] for block in blocks})


def pggan_options(held: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of a PGGAN from its tensors, by genforce's names. Raises ModelFileError."""
    blocks = numbered(held, r"output(\d+)\.weight")
    return {
        "z_dim": shape(held, "layer0.weight", 4)[1],
        "c_dim": 0,
        "img_resolution": 4 * 2 ** max(blocks),
        "img_channels": shape(held, "output0.weight", 4)[0],
        "synthesis.fused_scale": False,
        "synthesis.activation": "lrelu",
    } | channel_options({4 * 2**block: shape(held, f"output{block}.weight", 4)[1] for block in blocks})
