"""Inversion on the real networks: some steps bring a face of the generator nearer, by those who followed and by those
who did not."""

import io

import pytest
import torch
from PIL import Image

import schemas
from jobs.__main__ import main
from pipeline.models import generators
from pipeline.models.classifiers.perceptual import load_distance
from pipeline.models.codes import Codes
from pipeline.models.randomness import standard_normal
from pipeline.tables import Table

pytestmark = [pytest.mark.weights, pytest.mark.slow]


@torch.no_grad()
def test_twelve_steps_bring_a_face_nearer(tmp_path):
    generator = generators.load("mobilestylegan-ffhq", backend="eager")
    codes = generator.truncated(torch.from_numpy(standard_normal(4242, [0], generator.z_dim)), 0.7)
    x_13HW = generator.synthesize(codes, 512).clamp(-1, 1)
    file = io.BytesIO()
    pixels = ((x_13HW[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "PNG")
    table = Table.create(str(tmp_path / "in" / "images"), schemas.face_images(), rows=1, rows_per_shard=1)
    picture = [{"bytes": file.getvalue(), "path": "0.png"}]
    row = schemas.face_images().rows({"index": [0], "face_number": [0], "image": picture})
    table.seal([table.publish(0, row)], {})
    words = ["--steps", "12", "--start", "mean", "--max-lpips", "9", "--max-identity-dlib", "9", "--local"]
    with torch.enable_grad():
        assert main(["photos", "invert", str(tmp_path / "in"), *words, "--out", str(tmp_path / "out")]) == 0
    [found] = Table.open(f"{tmp_path}/out/inversions").read().to_pylist()
    mean_13HW = generator.synthesize(Codes("w", generator.w_avg[None]), 512)
    for trunk in ("alex", "vgg"):
        distance = load_distance(trunk=trunk)
        before = float(distance.between(distance(mean_13HW), distance(x_13HW)))
        assert found[f"lpips_{trunk}"] < 0.7 * before
    assert found["identity_dlib"] is not None
    [made] = Table.open(f"{tmp_path}/out/latents").read().to_pylist()
    assert torch.tensor(made["ws"]).shape == (23, 512)
