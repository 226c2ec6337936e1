"""ResNets from a state dict of torchvision's names, against plain layers of torch.nn; what does not fit is one line."""

import pytest
import torch

from pipeline.errors import ModelFileError
from pipeline.models.classifiers.resnet import ResNet
from tests.pipeline.models.classifiers.plain_resnet import resnet18, resnet50


@pytest.mark.parametrize(("build", "logits"), [(resnet18, 2), (resnet50, 5)])
def test_logits_and_gradients_are_those_of_plain_layers(build, logits):
    theirs, x = build(logits), torch.randn(2, 3, 64, 48)
    ours, found = ResNet(theirs.state_dict()), []
    for network in (theirs, ours):
        picture = x.clone().requires_grad_()
        y = network(picture)
        (gradient,) = torch.autograd.grad(y[:, -1].sum(), picture)
        found.append((y.detach(), gradient))
    assert ours.logits == logits
    for expected, own in zip(*found, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.fixture(scope="module")
def state():
    return dict(resnet18().state_dict())


def test_a_network_under_a_prefix_and_a_head_after_a_dropout(state):
    moved = {f"state_dict.module.{key.replace('fc.', 'fc.1.')}": value for key, value in state.items()}
    x = torch.randn(1, 3, 32, 32)
    assert torch.equal(ResNet({**moved, "epoch": torch.tensor(3)})(x), ResNet(state)(x))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"layer1.0.conv1.weight": None}, "no ResNet of torchvision"),
        ({"layer2.1.bn2.bias": None}, "has no layer2.1.bn2.bias"),
        ({"fc.weight": torch.zeros(2, 50)}, r"fc.weight is 2 x 50, and \? x 64 is what fits"),
        ({"fc.bias": torch.zeros(3)}, "fc.bias is 3, and 2 is what fits"),
        ({"layer1.0.conv1.weight": torch.zeros(8, 2, 3, 3)}, "layer1.0.conv1.weight is 8 x 2 x 3 x 3"),
        ({"conv1.weight": torch.zeros(8, 1, 7, 7)}, "conv1.weight is 8 x 1 x 7 x 7"),
        ({"fc.weight": None, "fc.bias": None}, "has no layer fc"),
        ({"fc.4.weight": torch.zeros(2, 64)}, "has the layers fc, fc.4"),
        ({"layer3.0.se.weight": torch.zeros(3)}, "has layer3.0.se.weight, which"),
        ({"ema.conv1.weight": torch.zeros(1), "ema.layer1.0.conv1.weight": torch.zeros(1)}, "several ResNets"),
        ({"layer3.9.conv1.weight": torch.zeros(1)}, "layer3 of the ResNet lacks a block"),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_the_tensor(state, tensors, message):
    changed = {key: value for key, value in {**state, **tensors}.items() if value is not None}
    with pytest.raises(ModelFileError, match=message) as raised:
        ResNet(changed, "mine.pth")
    assert str(raised.value).startswith("mine.pth: ")
    assert "\n" not in str(raised.value)
