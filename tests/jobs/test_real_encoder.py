"""An encoder on the real networks: what they see of a picture, and the way from training to codes."""

import pytest
import torch

from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.photos.encoder_features import USUAL, PictureFeatures
from pipeline.stages.encoders import read_encoder
from pipeline.tables import Table

pytestmark = [pytest.mark.weights, pytest.mark.slow]
WIDTHS = (1728, 2736, 7168, 1024, 648)


def test_an_encoder_of_ten_pictures_reads_an_eleventh(tmp_path):
    words = ["--rows", "10", "--held-out", "2", "--batch-size", "2", "--backend", "eager", "--local"]
    assert main(["train", "encoder", *words, "--out", str(tmp_path)]) == 0
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    encoder = read_encoder(f"{tmp_path}/artifact", generator)
    rows = Table.open(f"{tmp_path}/features").read().to_pylist()
    w_NW = torch.tensor([row["w"] for row in rows])
    x_N3HW = generator.synthesize(Codes("w", w_NW[:1]), 512).clamp(-1, 1)
    features = PictureFeatures(USUAL)
    assert features.widths == WIDTHS
    seen_NF = features(x_N3HW)
    kept = torch.tensor(rows[0]["features"])
    assert (seen_NF[0] - kept).abs().max() < 1e-2 * kept.abs().max()
    codes_NLW = encoder.encode(x_N3HW)
    assert codes_NLW.shape == (1, 23, 512)
    learned = w_NW[2:].mean(0)
    assert (codes_NLW[0, 0] - learned).norm() < 2 * (w_NW[2:] - learned).norm(dim=1).mean()
