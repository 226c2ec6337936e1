"""StyleGAN (1) and PGGAN: TensorFlow's variables by genforce's names, and genforce's and Hammer's own files."""

import numpy as np
import pytest
import torch

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints import reading
from tests.pipeline.models.checkpoints import made
from tests.pipeline.models.checkpoints.made import CHANNELS as C
from tests.pipeline.models.checkpoints.made import W

RANDOM = np.random.Generator(np.random.Philox(9))
LODS = {4: 2, 8: 1, 16: 0}


def normal(*shape):
    return torch.from_numpy(RANDOM.standard_normal(shape, dtype=np.float32))


def stylegan():
    """Variables of mapping, synthesis and the whole, by TensorFlow's names."""
    mapping = [
        (f"Dense{i}/{kind}", normal(*shape)) for i in (0, 1) for kind, shape in (("weight", (W, W)), ("bias", (W,)))
    ]
    synthesis = [("4x4/Const/const", normal(1, C, 4, 4)), ("lod", torch.tensor(0.0))]
    layers = [(4, "Const"), (4, "Conv"), *((size, f"Conv{i}") for size in (8, 16) for i in ("0_up", "1"))]
    for place, (size, layer) in enumerate(layers):
        source = f"{size}x{size}/{layer}"
        synthesis += [
            (f"noise{place}", normal(1, 1, size, size)),
            (f"{source}/bias", normal(C)),
            (f"{source}/Noise/weight", normal(C)),
            (f"{source}/StyleMod/weight", normal(W, 2 * C)),
            (f"{source}/StyleMod/bias", normal(2 * C)),
        ]
        if layer != "Const":
            synthesis.append((f"{source}/weight", normal(3, 3, C, C)))
    for lod in LODS.values():
        synthesis += [(f"ToRGB_lod{lod}/weight", normal(1, 1, C, 3)), (f"ToRGB_lod{lod}/bias", normal(3))]
    return mapping, synthesis, [("dlatent_avg", normal(W))]


def test_stylegan_by_genforces_names():
    mapping, synthesis, whole = stylegan()
    found = reading.read(made.networks(mapping, synthesis, whole), "karras2019.pkl")
    variables = dict(mapping) | dict(synthesis)
    assert (found.architecture, found.form) == ("stylegan", "TensorFlow's pickle, Gs")
    expected = {
        "truncation.w_avg": whole[0][1],
        "mapping.dense1.weight": variables["Dense1/weight"].T,
        "synthesis.layer0.const": variables["4x4/Const/const"],
        "synthesis.layer0.style.weight": variables["4x4/Const/StyleMod/weight"].T,
        "synthesis.layer1.weight": variables["4x4/Conv/weight"].permute(3, 2, 0, 1),
        "synthesis.layer3.apply_noise.noise": variables["noise3"],
        "synthesis.layer4.apply_noise.weight": variables["16x16/Conv0_up/Noise/weight"],
        "synthesis.layer5.bias": variables["16x16/Conv1/bias"],
        "synthesis.output0.weight": variables["ToRGB_lod2/weight"].permute(3, 2, 0, 1),
        "synthesis.output2.bias": variables["ToRGB_lod0/bias"],
    }
    for name, tensor in expected.items():
        assert torch.equal(found.tensors[name], tensor), name
    assert len(found.tensors) == len(mapping) + len(synthesis)  # with the mean, without the level of detail
    options = made.SIZES | {"mapping.num_layers": 2, "synthesis.channel_base": 128, "synthesis.channel_max": 8}
    assert options.items() <= found.options.items()
    assert found.options["synthesis.fused_scale"] == "auto"


@pytest.mark.parametrize("hammer", [False, True])
def test_stylegan_of_genforce_and_of_hammer(hammer):
    tensors = dict(reading.read(made.networks(*stylegan()), "a.pkl").tensors)
    state = tensors | {"synthesis.lod": torch.tensor(0.0), "synthesis.layer2.blur.kernel": torch.zeros(C, 1, 3, 3)}
    if hammer:
        state = {name.replace("apply_noise.noise", "noise").replace("apply_noise.weight", "noise_strength")
                 .replace("truncation.w_avg", "w_avg"): value for name, value in state.items()}  # fmt: skip
    found = reading.read(made.saved({"generator_smooth": state}), "a.pth")
    whose = "Hammer" if hammer else "genforce"
    assert (found.architecture, found.form) == ("stylegan", f"{whose}'s checkpoint of StyleGAN, generator_smooth")
    assert found.tensors.keys() == tensors.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in tensors.items())


def pggan():
    variables = [("4x4/Dense/weight", normal(W, C * 16)), ("4x4/Dense/bias", normal(C)), ("lod", torch.tensor(0.0))]
    for size, layer in [(4, "Conv"), (8, "Conv0"), (8, "Conv1"), (16, "Conv0"), (16, "Conv1")]:
        variables += [(f"{size}x{size}/{layer}/weight", normal(3, 3, C, C)), (f"{size}x{size}/{layer}/bias", normal(C))]
    for lod in LODS.values():
        variables += [(f"ToRGB_lod{lod}/weight", normal(1, 1, C, 3)), (f"ToRGB_lod{lod}/bias", normal(3))]
    return variables


def test_pggan_by_genforces_names():
    variables = pggan()
    found = reading.read(made.networks(None, None, variables), "karras2018.pkl")
    of = dict(variables)
    assert found.architecture == "pggan"
    z_1Z = normal(1, W)
    dense = (z_1Z @ of["4x4/Dense/weight"]).reshape(1, C, 4, 4)
    padded = torch.nn.functional.conv2d(z_1Z[:, :, None, None], found.tensors["layer0.weight"], padding=3)
    torch.testing.assert_close(padded, dense, rtol=0, atol=1e-5)
    assert torch.equal(found.tensors["layer3.weight"], of["8x8/Conv1/weight"].permute(3, 2, 0, 1))
    assert torch.equal(found.tensors["output2.bias"], of["ToRGB_lod0/bias"])
    assert len(found.tensors) == len(variables) - 1
    again = reading.read(made.saved({"generator": dict(found.tensors)}), "a.pth")
    assert (again.architecture, again.options) == ("pggan", found.options)
    assert again.tensors.keys() == found.tensors.keys()
    assert found.options["img_resolution"] == 16


def test_a_pggan_with_fused_layers_is_refused():
    renamed = [(name.replace("Conv0/", "Conv0_up/"), value) for name, value in pggan()]
    with pytest.raises(ModelFileError, match="fused up-sampling and convolution, which is not supported"):
        reading.read(made.networks(None, None, renamed), "a.pkl")
