"""The two families on real networks and generated faces."""

import pytest
import torch
from torch import Tensor

from pipeline.models import classifiers, generators
from pipeline.models.classifiers import Family
from pipeline.models.classifiers.identity import Identity
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import CLASSES, EYES, SCORED, Parser, at_size, region
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal

pytestmark = pytest.mark.weights

SEED = 7
GLASSES, SMILING_WOMAN, CHILD, SUNGLASSES = 0, 1, 2, 3
ROWS = [12, 7, 78, 41]
"""Of the calibration faces, looked at: a man with eyeglasses, a woman, a small child, sunglasses."""


@pytest.fixture(scope="module")
def faces() -> Tensor:
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    with torch.no_grad():
        z_NZ = torch.from_numpy(standard_normal(SEED, ROWS, generator.z_dim))
        return generator.synthesize(Codes("w+", generator.map(z_NZ, 0.7)), 512)


@pytest.fixture(scope="module")
def families() -> dict[str, Family]:
    return {name: classifiers.load(name) for name in ("faces", "judge")}


@pytest.fixture(scope="module")
def labels(faces: Tensor, families: dict[str, Family]) -> dict[str, dict[str, Tensor]]:
    return {name: family.labels(faces) for name, family in families.items()}


@pytest.mark.parametrize("family", ["faces", "judge"])
def test_faces_get_the_labels_that_a_person_gives(labels: dict[str, dict[str, Tensor]], family: str) -> None:
    found = labels[family]
    assert (found["eyeglasses"] > 0).tolist() == [True, False, False, True]
    assert found["male"][GLASSES] > 0 > found["male"][SMILING_WOMAN]
    assert found["age_years"][CHILD] == found["age_years"].min()
    assert found["age_years"][CHILD] < 20
    assert (found["old"][CHILD] < found["old"][[GLASSES, SUNGLASSES]]).all()


def test_both_families_see_the_head_turn_the_same_way(faces: Tensor, labels: dict[str, dict[str, Tensor]]) -> None:
    for name, found in labels.items():
        family = classifiers.load(name, ("yaw",), measures=())
        mirrored = family.labels(faces.flip(3))["yaw"]
        torch.testing.assert_close(mirrored, -found["yaw"], rtol=0, atol=0.6)
    apart = (labels["faces"]["yaw_degrees"] - labels["judge"]["yaw_degrees"]).abs()
    assert apart.max() < 12


def test_rows_do_not_depend_on_their_neighbours(faces: Tensor, families: dict[str, Family]) -> None:
    for family in families.values():
        alone = faces.roll(1, dims=0)
        alone[[0, 2, 3]] = 0
        assert torch.equal(family.scores(faces.roll(1, dims=0))[1], family.scores(alone)[1])


def test_every_score_has_a_gradient_and_moves_against_it(faces: Tensor, families: dict[str, Family]) -> None:
    family = families["faces"]
    x = faces[:2].clone().requires_grad_()
    scores = family.scores(x)
    for i, attribute in enumerate(family.attributes):
        (gradient,) = torch.autograd.grad(scores[:, i].sum(), x, retain_graph=True)
        assert torch.isfinite(gradient).all()
        length = gradient.square().sum((1, 2, 3), keepdim=True).sqrt()
        with torch.no_grad():
            moved = family.scores(x - 0.3 * gradient / length)[:, i]
        assert (moved < scores[:, i]).all(), attribute


def test_judge_gives_no_gradient(faces: Tensor) -> None:
    assert not classifiers.load("judge", ("male",), measures=()).scores(faces.clone().requires_grad_()).requires_grad


def test_only_the_networks_asked_for_are_loaded() -> None:
    family = classifiers.load("faces", ("smile",), measures=())
    assert family.weights == ("emotion",)
    assert family.fingerprint != classifiers.load("faces", ("male",), measures=()).fingerprint


def test_parser_finds_the_parts_where_they_are(faces: Tensor) -> None:
    parser = Parser(Networks())
    with torch.no_grad():
        masks = parser.masks(faces)
    assert masks.shape == (4, len(CLASSES), 512, 512)
    torch.testing.assert_close(masks.sum(1), torch.ones(4, 512, 512))
    winner = masks.argmax(1)
    part = {name: i for i, name in enumerate(CLASSES)}
    assert (winner[:, 300:320, 250:262].flatten(1).mode(1).values == part["nose"]).all()
    assert winner[CHILD, 200:230, 250:262].flatten().mode().values == part["skin"]
    share = [(winner == part[name]).float().mean((1, 2)) for name in ("eyeglasses", "hair")]
    assert (share[0] > 0.01).tolist() == [True, False, False, True]
    assert (share[1] > 0.01).all()


def test_scores_see_what_masks_see(faces: Tensor) -> None:
    parser = Parser(Networks())
    with torch.no_grad():
        masks, parsed = parser.masks(faces), parser(faces)
    assert parsed.picture.shape == (4, 3, 288, 288)
    assert parsed.logits.shape == (4, len(CLASSES), 36, 36)
    seen = SCORED(masks).argmax(1)[:, 4::8, 4::8]
    assert (parsed.logits.argmax(1) == seen).float().mean() > 0.9
    eyes = region(parsed.logits, EYES).argmax(1) == CLASSES.index("eyeglasses")
    assert (eyes.float().mean((1, 2)) > 0.1).tolist() == [True, False, False, True]


def test_the_parser_at_other_sizes(faces: Tensor) -> None:
    network = Networks().program("bisenet-celebamask", "parsing_logits")
    with torch.no_grad():
        same = at_size(network, 448)(faces[:1, :, :448, :448])["parsing_logits"]
        assert torch.equal(same, network(faces[:1, :, :448, :448])["parsing_logits"])
        assert at_size(network, 320)(faces[:1, :, :320, :320])["parsing_logits"].shape == (1, len(CLASSES), 40, 40)
    with pytest.raises(ValueError, match="a multiple of 32, not 300"):
        at_size(network, 300)


def test_the_judges_age_is_that_of_the_mirror_image(faces: Tensor) -> None:
    judge = classifiers.load("judge", ("old",), measures=("age_years",))
    torch.testing.assert_close(judge.labels(faces)["age_years"], judge.labels(faces.flip(3))["age_years"])


def test_identity_knows_a_face_in_the_mirror(faces: Tensor) -> None:
    identity = Identity(Networks())
    x = faces.clone().requires_grad_()
    same, mirrored = identity(x), identity(faces.flip(3))
    assert same.shape == (4, 512)
    torch.testing.assert_close(same.norm(dim=1), torch.ones(4))
    cosine = same @ mirrored.T
    assert cosine.diagonal().min() > 0.6
    assert (cosine - 2 * torch.eye(4)).max() < cosine.diagonal().min()
    same.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
