"""Generator files as the projects write them, made without their code: names and objects in place, small tensors."""

import argparse
import io
import pickle
import sys
import types
from contextlib import contextmanager

import numpy as np
import torch

W, CHANNELS, LAYERS, SIZE = 16, 8, 2, 16
BLOCKS = [4, 8, 16]
SIZES = {"z_dim": W, "c_dim": 0, "w_dim": W, "img_resolution": SIZE, "img_channels": 3}
SYNTHESIS = {"channel_base": SIZE * CHANNELS, "channel_max": CHANNELS}


def stylegan2(width=W, channels=CHANNELS, blocks=BLOCKS) -> dict[str, torch.Tensor]:
    """A StyleGAN2's tensors by NVIDIA's names, without the filters."""
    random = np.random.Generator(np.random.Philox(5))

    def normal(*shape):
        return torch.from_numpy(random.standard_normal(shape, dtype=np.float32))

    tensors = {"mapping.w_avg": normal(width), "synthesis.b4.const": normal(channels, 4, 4)}
    for layer in range(LAYERS):
        tensors |= {f"mapping.fc{layer}.weight": normal(width, width) * 100, f"mapping.fc{layer}.bias": normal(width)}
    for size in blocks:
        for conv in ("conv1",) if size == 4 else ("conv0", "conv1"):
            tensors |= {
                f"synthesis.b{size}.{conv}.weight": normal(channels, channels, 3, 3),
                f"synthesis.b{size}.{conv}.bias": normal(channels),
                f"synthesis.b{size}.{conv}.noise_strength": normal(),
                f"synthesis.b{size}.{conv}.noise_const": normal(size, size),
                f"synthesis.b{size}.{conv}.affine.weight": normal(channels, width),
                f"synthesis.b{size}.{conv}.affine.bias": normal(channels) + 1,
            }
        tensors |= {
            f"synthesis.b{size}.torgb.weight": normal(3, channels, 1, 1),
            f"synthesis.b{size}.torgb.bias": normal(3),
            f"synthesis.b{size}.torgb.affine.weight": normal(channels, width),
            f"synthesis.b{size}.torgb.affine.bias": normal(channels) + 1,
        }
    return tensors


@contextmanager
def importable(**functions):
    """Names that a pickle may refer to while it is written: `importable(**{"a.b:c": c})` makes a.b.c one."""
    before = {}
    for name, function in functions.items():
        module, _, attribute = name.partition(":")
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            before.setdefault(path, sys.modules.get(path))
            if sys.modules.get(path) is None:
                sys.modules[path] = types.ModuleType(path)
        function.__module__, function.__qualname__, function.__name__ = module, attribute, attribute
        setattr(sys.modules[module], attribute, function)
    try:
        yield
    finally:
        for path, module in before.items():
            if module is None:
                sys.modules.pop(path, None)


def rebuild(meta):
    """Stands for NVIDIA's, which would run `module_src`."""
    raise AssertionError("nothing calls it")


class Persistent:
    """A module of NVIDIA's: its state, pickled as `torch_utils.persistence` does."""

    def __init__(self, name, state, source="raise SystemExit('this source ran')"):
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": name, "state": state}

    def __reduce__(self):
        return rebuild, (self.meta,)


class EasyDict(dict):
    """Stands for `dnnlib.util.EasyDict`."""


NAMES = {"torch_utils.persistence:_reconstruct_persistent_obj": rebuild, "dnnlib.util:EasyDict": EasyDict}


def nvidia_module(tensors, options=None, *, sizes=None, clamp=256.0, source="raise SystemExit('this source ran')"):
    """G_ema with its parts, from tensors by their names."""
    given, sizes = SYNTHESIS if options is None else options, SIZES if sizes is None else sizes
    kwargs = {
        "mapping": {"num_ws": 6, "num_layers": LAYERS, **sizes},
        "synthesis": {**{name: value for name, value in sizes.items() if name not in ("z_dim", "c_dim")}, **given},
    }

    def module(path):
        own = {name[len(path) :]: value for name, value in tensors.items() if name.startswith(path)}
        children = sorted({name.partition(".")[0] for name in own if "." in name})
        buffers = {"w_avg", "noise_const", "resample_filter"}
        state = {
            "training": False,
            "_parameters": {n: torch.nn.Parameter(v) for n, v in own.items() if "." not in n and n not in buffers},
            "_buffers": {n: v for n, v in own.items() if n in buffers},
            "_modules": {name: module(f"{path}{name}.") for name in children},
            "_non_persistent_buffers_set": set(),
            "_init_args": (),
            "_init_kwargs": EasyDict(kwargs.get(path[:-1], {})),
        }
        if path.endswith(".conv1."):
            state |= {"conv_clamp": clamp and np.float64(clamp), "D": None}
        return Persistent(path or "Generator", state | (sizes if not path else {}), source)

    return module("")


def nvidia(protocol=4, tensors=None, **options):
    """A `.pkl` of stylegan2-ada-pytorch."""
    module = nvidia_module(tensors or stylegan2(), **options)
    content = {"G": None, "D": None, "G_ema": module, "training_set": EasyDict(a=1)}
    with importable(**NAMES):
        return pickle.dumps(content, protocol)


def saved(content, zipped=True):
    """What torch.save writes."""
    stream = io.BytesIO()
    with importable(**NAMES):
        torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def rosinality_state(tensors):
    """By rosinality's names."""
    state = {"input.input": tensors["synthesis.b4.const"][None]}
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25])
    for layer in range(LAYERS):
        for kind in ("weight", "bias"):
            state[f"style.{layer + 1}.{kind}"] = tensors[f"mapping.fc{layer}.{kind}"]
    for block, size in enumerate(BLOCKS):
        convs = {"conv1": "conv1" if block == 0 else f"convs.{2 * block - 1}", "conv0": f"convs.{2 * block - 2}"}
        for conv, target in convs.items():
            source = f"synthesis.b{size}.{conv}"
            if f"{source}.weight" not in tensors:
                continue
            state |= {
                f"{target}.conv.weight": tensors[f"{source}.weight"][None],
                f"{target}.conv.modulation.weight": tensors[f"{source}.affine.weight"],
                f"{target}.conv.modulation.bias": tensors[f"{source}.affine.bias"],
                f"{target}.noise.weight": tensors[f"{source}.noise_strength"][None],
                f"{target}.activate.bias": tensors[f"{source}.bias"],
                f"noises.noise_{2 * block - (conv == 'conv0')}": tensors[f"{source}.noise_const"][None, None],
            }
            if conv == "conv0":
                state[f"{target}.conv.blur.kernel"] = torch.outer(taps, taps)
        source, target = f"synthesis.b{size}.torgb", "to_rgb1" if block == 0 else f"to_rgbs.{block - 1}"
        state |= {
            f"{target}.conv.weight": tensors[f"{source}.weight"][None],
            f"{target}.conv.modulation.weight": tensors[f"{source}.affine.weight"],
            f"{target}.conv.modulation.bias": tensors[f"{source}.affine.bias"],
            f"{target}.bias": tensors[f"{source}.bias"].reshape(1, 3, 1, 1),
        }
    return state


def rosinality(zipped=True, trained=False):
    """A `.pt` of rosinality's: converted, or trained, which has the arguments and no mean of w."""
    tensors = stylegan2()
    state = rosinality_state(tensors)
    if trained:
        return saved({"g": state, "g_ema": state, "args": argparse.Namespace(size=SIZE, path="data")}, zipped)
    return saved({"g_ema": state, "latent_avg": tensors["mapping.w_avg"]}, zipped)


def encoder(part="encoder"):
    """A `.pt` of e4e's, pSp's or ReStyle's; with the part `hypernet` one of HyperStyle's."""
    tensors = stylegan2()
    decoder = {f"decoder.{name}": value for name, value in rosinality_state(tensors).items()}
    state = {f"{part}.input_layer.0.weight": torch.zeros(2, 3), **decoder}
    mean = tensors["mapping.w_avg"].repeat(6, 1)
    return saved({"state_dict": state, "latent_avg": mean, "opts": {"device": "cuda:0"}})


def genforce_state(tensors, hammer=False):
    """By genforce's names and conventions, or Hammer's."""
    plus, mean = (0, "w_avg") if hammer else (1, "truncation.w_avg")
    state = {mean: tensors["mapping.w_avg"], "synthesis.early_layer.const": tensors["synthesis.b4.const"][None]}
    for layer in range(LAYERS):
        for kind in ("weight", "bias"):
            state[f"mapping.dense{layer}.{kind}"] = tensors[f"mapping.fc{layer}.{kind}"]
    for block, size in enumerate(BLOCKS):
        for conv in ("conv0", "conv1"):
            source, target = f"synthesis.b{size}.{conv}", f"synthesis.layer{2 * block - (conv == 'conv0')}"
            if f"{source}.weight" in tensors:
                weight = tensors[f"{source}.weight"]
                state |= {
                    f"{target}.weight": weight.flip(2, 3) if conv == "conv0" and not hammer else weight,
                    f"{target}.bias": tensors[f"{source}.bias"],
                    f"{target}.noise_strength": tensors[f"{source}.noise_strength"],
                    f"{target}.noise": tensors[f"{source}.noise_const"][None, None],
                    f"{target}.style.weight": tensors[f"{source}.affine.weight"],
                    f"{target}.style.bias": tensors[f"{source}.affine.bias"] - plus,
                }
        source, target = f"synthesis.b{size}.torgb", f"synthesis.output{block}"
        state |= {
            f"{target}.weight": tensors[f"{source}.weight"],
            f"{target}.bias": tensors[f"{source}.bias"],
            f"{target}.style.weight": tensors[f"{source}.affine.weight"],
            f"{target}.style.bias": tensors[f"{source}.affine.bias"] - plus,
        }
    return state


def genforce():
    state = genforce_state(stylegan2())
    return saved({"generator": state, "generator_smooth": state, "discriminator": {}})


def hammer():
    models = {"generator_smooth": genforce_state(stylegan2(), hammer=True)}
    return saved({"models": models, "model_kwargs_init": {"generator_smooth": {"resolution": SIZE}}})


class Network:
    """A network of the TensorFlow era: its state alone."""

    def __init__(self, **state):
        self.__dict__.update(state)


def tensorflow_state(tensors):
    """Variables of the mapping and of the synthesis network, by TensorFlow's names and conventions."""
    mapping, synthesis = [], [("4x4/Const/const", tensors["synthesis.b4.const"][None])]
    for layer in range(LAYERS):
        mapping += [
            (f"Dense{layer}/weight", tensors[f"mapping.fc{layer}.weight"].T),
            (f"Dense{layer}/bias", tensors[f"mapping.fc{layer}.bias"]),
        ]
    names = {(4, "conv1"): "Conv", "conv0": "Conv0_up", "conv1": "Conv1", "torgb": "ToRGB"}
    for block, size in enumerate(BLOCKS):
        for part in ("conv0", "conv1", "torgb"):
            source = f"synthesis.b{size}.{part}"
            if f"{source}.weight" not in tensors:
                continue
            target = f"{size}x{size}/{names.get((size, part), names[part])}"
            weight = tensors[f"{source}.weight"]
            weight = weight.flip(2, 3) if part == "conv0" else weight
            synthesis += [
                (f"{target}/weight", weight.permute(2, 3, 1, 0)),
                (f"{target}/bias", tensors[f"{source}.bias"]),
                (f"{target}/mod_weight", tensors[f"{source}.affine.weight"].T),
                (f"{target}/mod_bias", tensors[f"{source}.affine.bias"] - 1),
            ]
            if part != "torgb":
                number = 2 * block - (part == "conv0")
                synthesis += [
                    (f"{target}/noise_strength", tensors[f"{source}.noise_strength"]),
                    (f"noise{number}", tensors[f"{source}.noise_const"][None, None]),
                ]
    return mapping, synthesis


def tensorflow(protocol=4):
    """A `.pkl` of the TensorFlow era: G, D and Gs."""
    tensors = stylegan2()
    return networks(*tensorflow_state(tensors), [("dlatent_avg", tensors["mapping.w_avg"])], protocol=protocol)


def networks(mapping, synthesis, own, protocol=4, **kwargs):
    """Three networks of the TensorFlow era, of which the last has parts, or variables alone where those are None."""

    def network(name, variables, parts):
        # NumPy's scalars for what has no shape, as TensorFlow gives them
        arrays = [(n, v.numpy().copy() if v.dim() else np.float32(v.item())) for n, v in variables]
        return Network(
            version=4, name=name, static_kwargs=EasyDict(kwargs), components=EasyDict(parts),
            build_module_src="raise SystemExit('this source ran')", build_func_name=name, variables=arrays,
        )  # fmt: skip

    with importable(**{"dnnlib.tflib.network:Network": Network, "dnnlib.util:EasyDict": EasyDict}):
        parts = {} if mapping is None else {
            "mapping": network("G_mapping", mapping, {}), "synthesis": network("G_synthesis", synthesis, {})
        }  # fmt: skip
        return pickle.dumps((None, None, network("Gs", own, parts)), protocol)


def tuned():
    """What PTI saves: a module of NVIDIA's by torch.save."""
    return saved(nvidia_module(stylegan2()))
