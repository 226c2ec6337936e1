"""FFHQ's alignment by pipeline/photos/ffhq.py beside the script that made the data set, of the same photo and points.

The script, `download_ffhq.py` of https://github.com/NVlabs/ffhq-dataset, is not in this repository: its licence is CC
BY-NC-SA 4.0. The photo is NASA's portrait in scikit-image, at several sizes; the points are about those of a face,
moved and turned.

Shapes: P = 68 points.
"""

import argparse
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from skimage import data

from benchmarks.machine import header
from pipeline.photos import ffhq

EYES, MOUTH = ((181, 101), (245, 101)), ((193, 165), (240, 166))
"""In pixels: not quite those of the portrait, but so that the square lies on its face."""
CASES = (
    ("turned by 25 degrees", 1, 25, 0.6, (0, 40)),
    ("turned, at a corner, beyond the border", 1, -40, 0.8, (-100, -60)),
    ("64 times as many pixels, reduced first", 8, 10, 2.1, (0, 0)),
)
"""What it is, the photo's scale, and how the points are turned, scaled and moved."""


def points(degrees: float, scale: float, moved: tuple[float, float], zoom: int) -> NDArray[np.float64]:
    """(P, 2); those that the alignment does not look at lie in the middle of the face."""
    middle, turn = np.array([213.0, 127.0]), np.radians(degrees)
    places = np.tile(middle, (68, 1))
    places[36:42], places[42:48] = EYES
    places[48], places[54] = MOUTH
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
    return ((places - middle) @ linear.T + middle + moved) * zoom


def opened(script: Path) -> Any:
    """The script as a module, with the names that Pillow has dropped since."""
    spec = importlib.util.spec_from_file_location("download_ffhq", script)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{script} is no Python file")
    module: ModuleType = importlib.util.module_from_spec(spec)
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    spec.loader.exec_module(module)
    ImageFile.LOAD_TRUNCATED_IMAGES = before  # which the script sets for all that read pictures
    names = {"ANTIALIAS": Image.Resampling.LANCZOS, "QUAD": Image.Transform.QUAD, "BILINEAR": Image.Resampling.BILINEAR}
    for name, value in names.items():
        setattr(Image, name, value)
    return module


def by_script(module: Any, picture: Image.Image, points_P2: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The script's picture, 1024 px a side."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # it copies LICENSE.txt from where it is run
        try:
            Path("LICENSE.txt").touch()
            picture.save("photo.png", compress_level=1)
            item = {"in_the_wild": {"face_landmarks": points_P2.tolist(), "file_path": "photo.png"}}
            module.recreate_aligned_images({"0": item}, folder, dst_dir=f"{folder}/out")
            return np.asarray(Image.open("out/00000/00000.png"))
        finally:
            os.chdir(here)


@dataclass(frozen=True)
class Compared:
    """Of one case: the photo's pixels a side, the side of the square, its share in the photo, and how far the pictures
    are apart: in dB, infinite where they are equal, and at most, of 255.
    """

    name: str
    pixels: int
    side: float
    inside: float
    psnr: float
    largest: int


def compared(script: Path) -> Iterator[Compared]:
    """Each of the cases."""
    module = opened(script.absolute())
    for name, zoom, *how in CASES:
        size = (512 * zoom, 512 * zoom)
        picture = Image.fromarray(data.astronaut()).resize(size, Image.Resampling.BICUBIC)
        its = points(*how, zoom)
        quad = ffhq.quad_of(its)
        ours, theirs = ffhq.aligned(np.asarray(picture), quad), by_script(module, picture, its)
        apart = np.abs(ours.astype(int) - theirs)
        psnr = float(10 * np.log10(255**2 / np.square(apart).mean())) if apart.any() else float("inf")
        yield Compared(name, size[0], ffhq.side_of(quad), ffhq.covered(size, quad), psnr, int(apart.max()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("script", type=Path, help="download_ffhq.py")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    text = "# The alignment of FFHQ beside the public script: PSNR of the two pictures\n\n"
    text += header("python -m benchmarks.public_alignment", "download_ffhq.py")
    text += "| photo | pixels | side of the square | in the photo | PSNR, dB | largest difference |\n"
    text += "|---|---:|---:|---:|---:|---:|\n"
    for one in compared(asked.script):
        text += f"| {one.name} | {one.pixels} x {one.pixels} | {one.side:.0f} | {one.inside:.0%} | "
        text += f"{one.psnr:.1f} | {one.largest} |\n"
    print(text)
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
