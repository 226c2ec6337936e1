"""NVIDIA's `.pkl` of stylegan2-ada-pytorch and stylegan3, and modules of theirs that torch.save wrote (PTI).

The pickle holds modules with all their attributes. What they were made with is in `_init_kwargs` of the mapping and of
the synthesis network; the source of their classes, which NVIDIA's loader runs, is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints.checkpoint import Architecture
from pipeline.models.checkpoints.held import STYLEGAN2, Held
from pipeline.models.pickles import Record, is_tensor, tensor_of

KINDS = ("G_ema", "G")
SIZES = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels")
STYLEGAN2_DEFAULTS: dict[str, Any] = STYLEGAN2 | {
    "mapping.num_layers": 8, "mapping.layer_features": None, "mapping.embed_features": None,
    "synthesis.channel_base": 32768, "synthesis.channel_max": 512,
}  # fmt: skip
STYLEGAN3_DEFAULTS: dict[str, Any] = {
    "mapping.num_layers": 2, "mapping.lr_multiplier": 0.01, "mapping.w_avg_beta": 0.998,
    "synthesis.channel_base": 32768, "synthesis.channel_max": 512, "synthesis.num_layers": 14,
    "synthesis.num_critical": 2, "synthesis.first_cutoff": 2, "synthesis.first_stopband": 2**2.1,
    "synthesis.last_stopband_rel": 2**0.3, "synthesis.margin_size": 10, "synthesis.output_scale": 0.25,
    "synthesis.num_fp16_res": 4, "synthesis.conv_kernel": 3, "synthesis.filter_size": 6,
    "synthesis.lrelu_upsampling": 2, "synthesis.use_radial_filters": False, "synthesis.conv_clamp": 256,
    "synthesis.magnitude_ema_beta": 0.999,
}  # fmt: skip
OF_TRAINING = {"num_ws", "fp16_channels_last", "fused_modconv_default", *SIZES}
"""Arguments of the parts that are known otherwise, or change nothing in single precision."""
DEEPEST, MOST_MODULES = 16, 10_000


def read(content: Any) -> Held | None:
    """The generator of a file: the averaged one, `G_ema`, if it has that."""
    module, form = _generator(content)
    if module is None:
        return None
    parts = _parts(module)
    if not {"mapping", "synthesis"} <= parts.keys():
        raise ModelFileError(f"a {module.kind} without a mapping and a synthesis network, which is no StyleGAN")
    synthesis = _parts(parts["synthesis"])
    architecture: Architecture
    if "b4" in synthesis:
        architecture, options = "stylegan2", _options(module, parts, STYLEGAN2_DEFAULTS)
        options |= _stylegan2(options, _parts(synthesis["b4"]))
    elif "input" in synthesis:
        options = _options(module, parts, STYLEGAN3_DEFAULTS)
        architecture = "stylegan3-r" if options["synthesis.use_radial_filters"] else "stylegan3-t"
    else:
        raise ModelFileError(f"a {module.kind} whose synthesis network is neither StyleGAN2's nor StyleGAN3's")
    tensors: dict[str, Tensor] = {}
    _collect(module, "", tensors, [0])
    return Held(architecture, options, tensors, form)


def _generator(content: Any) -> tuple[Record | None, str]:
    if isinstance(content, Record) and content.kind.startswith("module "):
        return content, "a module of NVIDIA's, as PTI saves it"
    if type(content) is dict:
        for kind in KINDS:
            found = content.get(kind)
            if isinstance(found, Record) and found.kind.startswith("module "):
                return found, f"NVIDIA's pickle of PyTorch, {kind}"
    return None, ""


def _parts(module: Record) -> dict[str, Record]:
    children = module.state.get("_modules", {})
    if type(children) is not dict:
        raise ModelFileError(f"a {module.kind} whose parts are no dictionary")
    return {name: part for name, part in children.items() if type(name) is str and isinstance(part, Record)}


def _options(module: Record, parts: Mapping[str, Record], defaults: dict[str, Any]) -> dict[str, Any]:
    options = {name: plain(module.state.get(name), name) for name in SIZES} | defaults
    for part in ("mapping", "synthesis"):
        given = parts[part].state.get("_init_kwargs", {})
        if type(given) is not dict:
            raise ModelFileError(f"a {part} network whose arguments are no dictionary")
        for name, value in given.items():
            key = f"{part}.{name}"
            if name in OF_TRAINING:
                continue
            if key not in defaults:
                raise ModelFileError(f"a {part} network with the argument {name!r:.40}, which NVIDIA's does not have")
            options[key] = plain(value, key)
    return options


def _stylegan2(options: Mapping[str, Any], first: Mapping[str, Record]) -> dict[str, Any]:
    """What is filled in, and the clamp, whose default differs between the two repositories."""
    conv = first.get("conv1")
    clamp = conv.state.get("conv_clamp") if conv else None
    w_dim = options["w_dim"]
    features, embedded = options["mapping.layer_features"], options["mapping.embed_features"]
    return {
        "synthesis.conv_clamp": plain(clamp, "conv_clamp"),
        "mapping.layer_features": w_dim if features is None else features,
        "mapping.embed_features": embedded if embedded is not None and options["c_dim"] else w_dim,
    }


def plain(value: Any, name: str) -> Any:
    """A value of an option. Raises ModelFileError where it is no number, text or list of numbers."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple) and len(value) <= 64 and all(type(each) in (int, float) for each in value):
        return list(value)
    raise ModelFileError(f"the option {name} is a {type(value).__name__.lower()}, and not a number")


def _collect(module: Record, prefix: str, tensors: dict[str, Tensor], seen: list[int]) -> None:
    """The tensors of a module and its parts, by the names of its state dict."""
    seen[0] += 1
    if seen[0] > MOST_MODULES or prefix.count(".") > DEEPEST:
        raise ModelFileError("modules within modules without end")
    hidden = module.state.get("_non_persistent_buffers_set", ())
    for kind in ("_parameters", "_buffers"):
        held = module.state.get(kind, {})
        if type(held) is not dict:
            raise ModelFileError(f"a {module.kind} whose {kind} are no dictionary")
        for name, value in held.items():
            if is_tensor(value) and name not in hidden:
                tensors[f"{prefix}{name}"] = tensor_of(value)
    for name, part in _parts(module).items():
        _collect(part, f"{prefix}{name}.", tensors, seen)
