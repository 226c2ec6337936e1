"""A `.pt` of pSp or e4e with few channels and random weights becomes an encoder that computes as their code does."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from jobs.__main__ import main
from pipeline.models import generators
from pipeline.stages.encoders import read_encoder
from tests.pipeline.models.checkpoints import made

ROWS, WIDTH = 18, 8
CHANNELS = ((4, 4), (4, 4), (4, 8), (8, 8))
UNITS = (3, 4, 14, 3)


class Unit(nn.Module):
    """Of IR-SE50, by the names of the public code."""

    def __init__(self, before, after, stride):
        super().__init__()
        self.stride = stride
        if before != after:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        attention = nn.Module()
        attention.fc1 = nn.Conv2d(after, 2, 1, bias=False)
        attention.fc2 = nn.Conv2d(2, after, 1, bias=False)
        self.res_layer = nn.ModuleList([
            nn.BatchNorm2d(before), nn.Conv2d(before, after, 3, 1, 1, bias=False), nn.PReLU(after),
            nn.Conv2d(after, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), attention,
        ])  # fmt: skip

    def forward(self, x):
        short = self.shortcut_layer(x) if hasattr(self, "shortcut_layer") else nn.MaxPool2d(1, self.stride)(x)
        for layer in self.res_layer[:5]:
            x = layer(x)
        attention = self.res_layer[5]
        return x * torch.sigmoid(attention.fc2(torch.relu(attention.fc1(nn.AdaptiveAvgPool2d(1)(x))))) + short


class Style(nn.Module):
    def __init__(self, halvings):
        super().__init__()
        layers = [layer for _ in range(halvings) for layer in (nn.Conv2d(8, 8, 3, 2, 1), nn.LeakyReLU())]
        self.convs = nn.Sequential(*layers)
        self.linear = nn.Linear(8, WIDTH)

    def forward(self, x):
        x = self.convs(x).view(-1, 8)
        return x @ (self.linear.weight / 8**0.5).T + self.linear.bias


class Public(nn.Module):
    """As the papers and the public code describe both."""

    def __init__(self, differences):
        super().__init__()
        self.differences = differences
        self.input_layer = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4), nn.PReLU(4))
        self.body = nn.Sequential(*(
            Unit(before if first else after, after, 2 if first else 1)
            for (before, after), count in zip(CHANNELS, UNITS, strict=True) for first in (True, *[False] * (count - 1))
        ))  # fmt: skip
        self.styles = nn.ModuleList(Style(4 if row < 3 else 5 if row < 7 else 6) for row in range(ROWS))
        self.latlayer1, self.latlayer2 = nn.Conv2d(8, 8, 1), nn.Conv2d(4, 8, 1)

    def forward(self, x):
        x, seen = self.input_layer(x), []
        for unit in self.body:
            x = unit(x)
            seen.append(x)
        coarse = seen[23]
        middle = interpolate(coarse, (32, 32), mode="bilinear", align_corners=True) + self.latlayer1(seen[20])
        fine = interpolate(middle, (64, 64), mode="bilinear", align_corners=True) + self.latlayer2(seen[6])
        rows = [style(coarse if row < 3 else middle if row < 7 else fine) for row, style in enumerate(self.styles)]
        return torch.stack([rows[0], *(rows[0] + row if self.differences else row for row in rows[1:])], dim=1)


def random_weights(network):
    numbers = torch.Generator().manual_seed(7)
    for value in network.state_dict().values():
        if value.is_floating_point():
            offset = 1.0 if value.dim() == 1 else 0.0  # of scales and variances too, which may not be near 0
            value.copy_(offset + 0.2 * torch.randn(value.shape, generator=numbers).clamp(-3, 3))
    return network.eval()


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A StyleGAN2 of 1024 px with two channels and a w of eight numbers."""
    sizes = {**made.SIZES, "z_dim": WIDTH, "w_dim": WIDTH, "img_resolution": 1024}
    path = tmp_path_factory.mktemp("generator") / "network.pkl"
    tensors = made.stylegan2(WIDTH, 2, [2**power for power in range(2, 11)])
    path.write_bytes(made.nvidia(tensors=tensors, options={"channel_base": 2048, "channel_max": 2}, sizes=sizes))
    return str(path)


def save(folder, network, kind, **changed):
    state = {f"encoder.{name}": value for name, value in network.state_dict().items()}
    options = {"encoder_type": kind, "start_from_latent_avg": True, "learning_rate": 1e-4}
    content = {"state_dict": state, "opts": options, "latent_avg": torch.arange(8.0).repeat(ROWS, 1), **changed}
    torch.save(content, folder / "encoder.pt")
    return str(folder / "encoder.pt")


def run(file, generator, out):
    return main(["train", "import", "--format", "psp", file, "--generator", generator, "--out", str(out)])


@pytest.mark.parametrize(("kind", "differences"), [("GradualStyleEncoder", False), ("Encoder4Editing", True)])
def test_codes_are_those_of_the_public_code(kind, differences, generator, tmp_path, capsys):
    network = random_weights(Public(differences))
    assert run(save(tmp_path, network, kind), generator, tmp_path / "out") == 0
    assert "--encoder" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "out")]) == 0
    opened = generators.load(generators.canonical(generator), backend="eager")
    encoder = read_encoder(f"{tmp_path}/out/artifact", opened)
    x_N3HW = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(3)) * 2 - 1
    with torch.no_grad():
        wanted = network(x_N3HW) + torch.arange(8.0)
    found = encoder.encode(x_N3HW)
    assert found.shape == (2, ROWS, WIDTH)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3 * wanted.std().item())
    assert found[0].std(0).max() > 0


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        (
            "BackboneEncoder",
            {},
            "its encoder is of the type 'BackboneEncoder'; GradualStyleEncoder and Encoder4Editing",
        ),
        ("Encoder4Editing", {"latent_avg": None}, "its codes start from latent_avg, which is not there"),
        ("Encoder4Editing", {"latent_avg": torch.zeros(5, 8)}, "latent_avg has 5 rows, and the encoder 18"),
        ("Encoder4Editing", {"opts": None}, "it has no state_dict and opts"),
        ("Encoder4Editing", {"without": "encoder.latlayer1.weight"}, "latlayer1.weight"),
        ("Encoder4Editing", {"six": True}, "looks at 6 channels, as ReStyle's"),
    ],
)
def test_what_is_no_such_encoder_is_one_line(kind, changed, message, generator, tmp_path, capsys):
    network = Public(True)
    if changed.pop("six", False):
        network.input_layer[0] = nn.Conv2d(6, 4, 3, 1, 1, bias=False)
    state = {f"encoder.{name}": value for name, value in network.state_dict().items()}
    if (name := changed.pop("without", None)) is not None:
        changed["state_dict"] = {key: value for key, value in state.items() if key != name}
    assert run(save(tmp_path, network, kind, **changed), generator, tmp_path / "out") == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Note")]
    assert message in " ".join(said)
    assert len(said) == 1
    assert not (tmp_path / "out").exists()
