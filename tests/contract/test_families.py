"""What every family of classifiers promises: finite scores that are a row's own whatever stands beside it or is asked
besides; gradients where it is said to have some, and nowhere else; an unknown attribute is one line."""

import pytest
import torch

from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import DIFFERENTIABLE, FAMILIES
from pipeline.models.classifiers.tiny import STANDS_IN
from pipeline.models.randomness import standard_normal

REAL = [pytest.mark.weights, pytest.mark.slow]
each = pytest.mark.parametrize(
    "family",
    [name if name in STANDS_IN else pytest.param(name, marks=REAL) for name in FAMILIES],
    scope="module",
    indirect=True,
)


@pytest.fixture(scope="module")
def family(request):
    return classifiers.load(request.param)


@pytest.fixture(scope="module")
def faces(family):
    """Three pictures: noise for those that know no face, and faces for the others."""
    if family.name in STANDS_IN:
        return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    ws_NLW = generator.map(torch.from_numpy(standard_normal(1, range(3), generator.z_dim)), 0.7)
    with torch.no_grad():
        return generator.synthesize(generators.Codes("w+", ws_NLW), size=512)


@each
def test_scores_are_finite_and_differ_from_face_to_face(family, faces):
    with torch.no_grad():
        y_NA = family.scores(faces)
    assert y_NA.shape == (3, len(family.attributes))
    assert y_NA.isfinite().all()
    assert (y_NA.std(dim=0) > 1e-4).all()


@each
def test_a_row_does_not_depend_on_its_neighbours(family, faces):
    with torch.no_grad():
        found, others, alone = (family.scores(x) for x in (faces, faces[[1, 1, 2]], faces[2:]))
    assert torch.equal(found[2], others[2])
    torch.testing.assert_close(found[2:], alone, rtol=0, atol=1e-3)


@each
def test_columns_that_are_asked_for_alone_are_the_same(family, faces):
    asked = family.attributes[::-2]
    with torch.no_grad():
        whole, labels, some = family.scores(faces), family.labels(faces), family.scores(faces, asked)
        alone = classifiers.load(family.name, asked, measures=()).scores(faces)
    places = [family.attributes.index(name) for name in asked]
    for found in (some, alone, torch.stack([labels[name] for name in asked], dim=1)):
        torch.testing.assert_close(found, whole[:, places], rtol=0, atol=1e-5)


@each
def test_gradients_are_where_they_are_promised_and_of_the_row_alone(family, faces):
    x = faces[:2].clone().requires_grad_()
    scores = family.scores(x)
    assert family.differentiable == scores.requires_grad == (family.name in DIFFERENTIABLE)
    if family.differentiable:
        (gradient,) = torch.autograd.grad(scores[0].sum(), x)
        assert gradient[0].abs().max() > 0
        assert not gradient[1].any()


@each
def test_an_unknown_attribute_is_one_line(family):
    for names, message in ((("smile", "beards"), "unknown attribute 'beards'"), (("smile", "smile"), "is named twice")):
        with pytest.raises(SpecError, match=message) as raised:
            classifiers.load(family.name, names)
        assert "\n" not in str(raised.value)
