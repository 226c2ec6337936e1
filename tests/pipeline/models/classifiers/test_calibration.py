"""Constants of scores: by family and generator, as files, and the rules that find boundaries."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import ATTRIBUTES, VERSION, calibration
from pipeline.models.classifiers.boundary import MIRRORED, Fixed, Measured, Mirror, SameShare
from pipeline.models.classifiers.calibration import Calibration, Scale

MADE = Calibration(
    generator="mine",
    generator_digest="a" * 64,
    psi=0.7,
    seed=7,
    rows=3,
    version=VERSION,
    networks={"tiny": {"tiny": "b" * 64}},
    families={"tiny": {"smile": Scale.measured(np.array([1.0, 2.0, 4.0], dtype=np.float32), 0.123456789)}},
)


def test_committed_constants_cover_both_families() -> None:
    found = calibration.default()
    assert (found.generator, found.psi, found.seed, found.rows) == ("mobilestylegan-ffhq", 0.7, 7, 1000)
    for family in ("faces", "judge"):
        assert tuple(found.families[family]) == classifiers.attributes_of(family)
    assert set(ATTRIBUTES) == set(found.families["faces"])
    assert found.families["faces"]["smile"] == Scale(0.0, 5.29995)
    assert found.families["judge"]["old"] == Scale(40.0643, 9.72578)


@pytest.mark.weights
def test_the_committed_constants_are_of_the_generator_and_the_networks_installed() -> None:
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    found = calibration.of_generator(generator.fingerprint)
    assert found.generator_digest == generator.fingerprint
    assert "borrowed" not in found.facts(generator.fingerprint)
    for family, networks in found.networks.items():
        assert classifiers.load(family).statistics.digests == networks


def test_a_generator_without_constants_borrows_and_says_so() -> None:
    other = generators.load("stylegan2-tiny", backend="eager").fingerprint
    found = calibration.of_generator(other)
    assert found is calibration.default()
    facts = found.facts(other)
    assert facts == {"generator": "mobilestylegan-ffhq", "digest": found.digest, "borrowed": True}


def test_constants_are_read_as_they_were_written() -> None:
    found = Calibration.from_json(MADE.to_json(), "made")
    assert found == MADE
    assert found.digest == MADE.digest != replace(MADE, seed=8).digest
    scale = found.families["tiny"]["smile"]
    assert scale == Scale(0.123457, 1.52753)
    torch.testing.assert_close(scale.score(torch.tensor([0.123457])), torch.tensor([0.0]))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"families": {}},
        {"families": {"tiny": {"smile": {"boundary": 0, "unit": 0}}}},
        {"families": {"tiny": {"smile": {"boundary": "x", "unit": 1}}}},
        {"families": {"faces": {"smile": {"boundary": 0, "unit": 1}}}},
        {"more": 1},
    ],
)
def test_what_is_no_calibration_is_refused(change: dict) -> None:
    content = json.dumps({**json.loads(MADE.to_json()), **change}).encode()
    with pytest.raises(SpecError, match=r"here.json is not a calibration of classifiers: give the calibration.json"):
        Calibration.from_json(content, "here.json")
    with pytest.raises(SpecError, match=r"here.json is not a calibration"):
        Calibration.from_json(b"\x00", "here.json")


def test_constants_go_with_their_family_networks_and_statistics() -> None:
    digest = {"tiny": "b" * 64}
    assert MADE.scales("tiny", ("smile",), VERSION, digest) == MADE.families["tiny"]
    with pytest.raises(SpecError, match="the calibration of mine has no constants of judge for smile: measure them"):
        MADE.scales("judge", ("smile",), VERSION, digest)
    with pytest.raises(ModelFileError, match="was measured with another tiny than the one installed here: run"):
        MADE.scales("tiny", ("smile",), VERSION, {"tiny": "c" * 64})
    with pytest.raises(ModelFileError, match="was measured with another version of the statistics: run"):
        MADE.scales("tiny", ("smile",), VERSION + 1, digest)


def test_a_family_scores_by_the_constants_that_it_is_given() -> None:
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    plain = classifiers.load("tiny", ("smile",), measures=())
    mine = replace(MADE, networks={"tiny": plain.statistics.digests})
    family = classifiers.load("tiny", ("smile",), measures=(), calibration=mine)
    assert family.fingerprint != plain.fingerprint
    torch.testing.assert_close(family.scores(x), (plain.scores(x) - 0.123457) / 1.52753)
    with pytest.raises(
        SpecError, match="the calibration of mine has no constants of tiny for old: measure them with stylemill"
    ):
        classifiers.load("tiny", ("smile", "old"), measures=(), calibration=mine)


def test_the_rules_of_boundaries() -> None:
    raw_N = np.arange(10, dtype=np.float32)
    own = Measured(raw_N, -raw_N)
    assert Fixed(0.5, "the middle").find(own, None) == 0.5
    judged = Measured(np.array([1, 1, -1, -1, -1], dtype=np.float32), raw_N)
    boundary = SameShare("faces").find(own, (judged, 0.0))
    assert (raw_N > boundary).mean() == 0.4
    away_N = np.random.default_rng(1).standard_normal(2 * MIRRORED).astype(np.float32)
    mirrored_N = np.where(np.arange(len(away_N)) < MIRRORED, 3 - away_N, 100)  # only the first are looked at
    assert Mirror().find(Measured(away_N, mirrored_N), None) == pytest.approx(1.5)
