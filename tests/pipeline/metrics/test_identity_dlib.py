"""Identity by dlib: distances, the share beyond the bound, and faces that its detector does not find."""

import sys

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from pipeline.errors import SpecError
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.identity_dlib import Embedded, IdentityDlib
from pipeline.metrics.means import Values
from pipeline.models import generators
from pipeline.models.classifiers.dlib_identity import WIDTH, DlibIdentity
from pipeline.models.codes import Codes

METRIC = IdentityDlib()


class Mean:
    """In place of dlib: the embedding is the mean of the picture; none of a black one."""

    fingerprint = "mean"

    def __call__(self, x_N3HW):
        means = x_N3HW.mean(dim=(1, 2, 3)).double().numpy()
        return np.where(means > -1, means, np.nan)[:, None] * np.ones(WIDTH) / WIDTH**0.5


def test_distances_and_the_share_beyond_the_bound():
    network = Embedded(Mean())
    levels = (torch.tensor([0.0, 0.0, 0.0, 0.0, -1.0]), torch.tensor([0.0, 0.2, 0.7, -1.0, 0.0]))
    source, edited = (network.see(Faces({}, one[:, None, None, None].expand(5, 3, 4, 4))) for one in levels)
    found = network.compare(source, edited, ["old"])
    np.testing.assert_allclose(found[""].value, [0, 0.2, 0.7, np.nan, np.nan], atol=1e-7)
    distance, no_face = (METRIC.finish(METRIC.measure(values)) for values in found.values())
    assert distance["count"] == 3
    assert distance["mean"] == pytest.approx(0.3)
    assert distance["flip_rate"] == pytest.approx(1 / 3)
    wilson = binomtest(1, 3).proportion_ci(0.95, method="wilson")
    assert (distance["flip_rate_low"], distance["flip_rate_high"]) == pytest.approx((wilson.low, wilson.high))
    assert distance["median"] == pytest.approx(0.2, abs=0.005)
    assert list(found) == ["", "identity_dlib_no_face"]
    assert no_face["count"] == 5
    assert no_face["mean"] == no_face["flip_rate"] == 2 / 5


def test_padding_is_passed_over():
    taken = []

    class Counted(Mean):
        def __call__(self, x_N3HW):
            taken.append(len(x_N3HW))
            return super().__call__(x_N3HW)

    there = np.array([False, True, True])
    seen = Embedded(Counted()).see(Faces({}, torch.zeros(3, 3, 4, 4), there))
    assert taken == [2]
    assert (~np.isnan(seen).any(axis=1)).tolist() == there.tolist()


def test_the_bound_itself_is_beyond():
    assert METRIC.measure(Values(np.array([0.6, 0.5999])))["beyond"] == 1


def test_without_dlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(
        SpecError, match=r"needs dlib, which is not installed: run `pip install 'stylemill\[identity\]'`"
    ):
        METRIC.open("cpu", "judge")


@pytest.mark.weights
@torch.no_grad()
def test_real_faces_are_found_and_told_apart_and_noise_has_no_face():
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    z_NZ = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(5))
    faces = generator.synthesize(Codes("w+", generator.map(z_NZ, 0.7)), 512)
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6)) * 2 - 1
    network = DlibIdentity()
    one, other = network(faces)
    assert np.linalg.norm(one - other) > 0.6
    assert np.linalg.norm(one - network(faces.flip(3))[0]) < 0.4
    assert np.isnan(network(noise)).all()
