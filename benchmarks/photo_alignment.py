"""Faces found in synthetic photos whose truth is known.

Generated faces (`stylemill dataset --rows 8 --seed 7 --images png --size 1024 --out DIR`) are turned and pasted into
pictures of noise. The truth is what the finder makes of the unmoved face, the picture of it alone, carried through the
same transform. The pasted picture's side is 8 to 60 % of the photo's longer side; the face in it is about 57 % as wide.
"""

import argparse
import io
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import header
from pipeline.photos import ffhq
from pipeline.photos.faces import Face, FaceFinder, load
from pipeline.tables import Table, store

SMALLEST, LARGEST, DEGREES = 0.08, 0.6, 30.0
MEGAPIXELS = (0.5, 12.0)
MOST_FACES = 6
FACE_WIDTH = 0.57
"""Of the aligned square: the detector's median box over generated faces."""
INSIDE = 0.5
"""Of the square's side around its centre lies within the picture: the face, and not all that is around it."""
OURS_SQUARE = 0.25
"""A face is found where a square's centre is nearer to its own than so much of its side."""


Faces = list[NDArray[np.uint8]]


def faces_of(url: str) -> Faces:
    """The pictures of a data set."""
    pictures = Table.open(store.join(url, "images")).read()["image"].to_pylist()
    return [np.asarray(Image.open(io.BytesIO(one["bytes"])).convert("RGB")) for one in pictures]


@dataclass(frozen=True, eq=False)
class Pasted:
    """A face in a picture: which, its share of the long side, and (2, 3) from its pixels to the picture's."""

    face: int
    share: float
    degrees: float
    to_picture: NDArray[np.float64]

    def carried(self, points_N2: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the unmoved face, in the picture; pixels count from their centres."""
        return (points_N2 + 0.5) @ self.to_picture[:, :2].T + self.to_picture[:, 2] - 0.5

    def holds(self, point_2: NDArray[np.float64], pixels: int) -> bool:
        """Whether a point of the picture lies on this face's picture of so many pixels a side."""
        its = np.linalg.solve(self.to_picture[:, :2], point_2 - self.to_picture[:, 2])
        return bool(((its >= 0) & (its <= pixels)).all())


def pictures(faces: Faces, wanted: int, seed: int) -> Iterator[tuple[Image.Image, list[Pasted]]]:
    """Pictures with faces in them, until so many faces are pasted."""
    random, pasted = np.random.default_rng(seed), 0
    while pasted < wanted:
        area = np.exp(random.uniform(*np.log(MEGAPIXELS))) * 1e6
        longer, shorter = np.sqrt(area * 4 / 3), np.sqrt(area * 3 / 4)
        size = (round(longer), round(shorter)) if random.random() < 0.5 else (round(shorter), round(longer))
        picture, truth = noise(random, size), list[Pasted]()
        for _ in range(random.integers(1, MOST_FACES + 1)):
            one = placed(random, size, truth, (pasted + len(truth)) % len(faces), faces[0].shape[0])
            if one is not None:
                paste(picture, faces[one.face], one)
                truth.append(one)
        pasted += len(truth)
        yield picture, truth


def noise(random: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Coloured noise, smooth and fine."""
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    fine = random.integers(-20, 21, (size[1] // 4 + 1, size[0] // 4 + 1), dtype=np.int16).repeat(4, 0).repeat(4, 1)
    pixels = smooth * 0.7 + 40 + fine[: size[1], : size[0], None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def placed(
    random: np.random.Generator, size: tuple[int, int], others: list[Pasted], face: int, pixels: int
) -> Pasted | None:
    """Where a face goes, clear of the others; None where it has no room."""
    share, degrees = float(np.exp(random.uniform(np.log(SMALLEST), np.log(LARGEST)))), random.uniform(-DEGREES, DEGREES)
    side, turn = share * max(size), np.radians(degrees)
    room = np.array(size) - 2 * INSIDE * side
    if (room <= 0).any():
        return None
    centre = INSIDE * side + random.random(2) * room
    middle = np.full(2, pixels / 2)
    for other in others:
        other_side = other.share * max(size)
        its = other.to_picture[:, :2] @ middle + other.to_picture[:, 2]
        if np.hypot(*(its - centre)) < (side + other_side) * np.sqrt(0.5):
            return None
    linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * side / pixels
    return Pasted(face, share, degrees, np.column_stack([linear, centre - linear @ middle]))


def paste(picture: Image.Image, pixels_HW3: NDArray[np.uint8], one: Pasted) -> None:
    """Put the face into the picture, reduced with antialiasing first where it becomes smaller."""
    linear, shift = one.to_picture[:, :2], one.to_picture[:, 2]
    length = pixels_HW3.shape[0]
    scale = float(np.hypot(*linear[:, 0]))
    face = Image.fromarray(pixels_HW3)
    if scale < 1:
        face = face.resize((round(length * scale),) * 2, Image.Resampling.LANCZOS)
        linear = linear * length / face.width
    corners = np.array([(0, 0), (0, 1), (1, 0), (1, 1)]) * face.width @ linear.T + shift
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    back = np.linalg.inv(linear)
    inverse = np.column_stack([back, back @ (low - shift)]).ravel().tolist()
    size = tuple((high - low).tolist())
    turned = face.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    mask = Image.new("L", face.size, 255).transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    picture.paste(turned, tuple(low.tolist()), mask)


@dataclass(frozen=True)
class Result:
    """Of one pasted face. times: how many faces were found where it is. error: of the corners, in face widths."""

    share: float
    degrees: float
    times: int
    error: float


def looked_at(finder: FaceFinder, faces: Faces, wanted: int, seed: int) -> tuple[list[Result], int, list[float]]:
    """The results, how many faces were found beside all pasted pictures, and the seconds of each picture. (On a pasted
    picture there may be a second person, cut by its border.)"""
    unmoved: dict[int, Face | None] = {}
    results, false, seconds = list[Result](), 0, list[float]()
    for picture, truth in pictures(faces, wanted, seed):
        begun = time.perf_counter()
        found = finder(np.asarray(picture))
        seconds.append(time.perf_counter() - begun)
        centres = np.array([face.quad_42.mean(0) for face in found]).reshape(-1, 2)
        taken = np.zeros(len(found), dtype=bool)
        for one in truth:
            if one.face not in unmoved:
                unmoved[one.face] = next(iter(finder(faces[one.face])), None)
            its = unmoved[one.face]
            if its is None:
                continue
            quad = one.carried(its.quad_42)
            near = np.hypot(*(centres - quad.mean(0)).T) < OURS_SQUARE * ffhq.side_of(quad)
            taken |= near
            width = FACE_WIDTH * one.share * max(picture.size)
            errors = [np.hypot(*(found[place].quad_42 - quad).T).mean() / width for place in np.flatnonzero(near)]
            results.append(Result(one.share, one.degrees, int(near.sum()), float(min(errors, default=np.nan))))
        elsewhere = [not any(one.holds(centre, len(faces[0])) for one in truth) for centre in centres]
        false += int((~taken & np.array(elsewhere, dtype=bool)).sum())
    return results, false, seconds


def table(results: list[Result]) -> str:
    """Markdown: by size, and all."""
    lines = ["| side of the square | faces | found | twice | error of the corners, median | 90 % |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    edges = [SMALLEST, 0.12, 0.2, 0.35, LARGEST]
    groups = [(f"{a:.0%} to {b:.0%}", [r for r in results if a <= r.share < b]) for a, b in pairwise(edges)]
    for name, group in [*groups, ("all", results)]:
        if group:
            errors = np.array([r.error for r in group if r.times])
            found, twice = sum(r.times > 0 for r in group), sum(r.times > 1 for r in group)
            lines.append(
                f"| {name} | {len(group)} | {found / len(group):.1%} | {twice} | {np.median(errors):.2%} | "
                f"{np.quantile(errors, 0.9):.2%} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=200, help="faces to paste, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", required=True, help="DIR of the generated faces")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    faces, finder = faces_of(asked.pictures), load()
    results, false, seconds = looked_at(finder, faces, asked.faces, asked.seed)
    flags = f"--pictures DIR --faces {asked.faces} --seed {asked.seed}"
    text = "# Faces found in photos\n\n" + header("python -m benchmarks.photo_alignment", flags)
    text += table(results)
    text += (
        f"\n{false} faces were found beside the pasted pictures, in {len(seconds)} pictures of {MEGAPIXELS[0]:g} to "
    )
    text += f"{MEGAPIXELS[1]:g} megapixels.\n"
    print(text)
    print(json.dumps({"seconds a picture": float(np.median(seconds))}))
    if asked.out:
        asked.out.write_text(text)


if __name__ == "__main__":
    main()
