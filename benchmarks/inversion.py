"""Inversion beside the plain way, in one run: 160 steps of Adam in w+ from the mean face.

The plain way follows the same perceptual distance, pixels, prior and spread with the same weights, without identity,
without weights of places and in the coordinates of w+ themselves. Faces are the generator's own, of rows that nothing
was trained on, rounded to 8 bits; with --photos also those that `stylemill photos align` kept in a directory.

How many times as fast: of each face the seconds that the plain way took in all, over those until ours first came to the
plain way's last distance. Seconds of steps alone on both sides, and of all that comes before the first step on ours.
"""

import argparse
import io
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from benchmarks.machine import header
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal
from pipeline.photos import inversion_losses as losses
from pipeline.photos import likeness
from pipeline.photos.inversion import Inverter, Settings, resized
from pipeline.photos.inversion_quality import compare
from pipeline.photos.likeness import Likeness
from pipeline.photos.prior import Prior, prior_of
from pipeline.stages.encoders import find_encoder, read_encoder
from pipeline.tables import Table, store

SIZE = 512
COLUMNS = ("lpips", "lpips_other", "identity", "identity_dlib", "psnr", "ssim", "agreement")
GOAL_LPIPS, GOAL_SECONDS, GOAL_TIMES = 0.05, 45.0, 2.5
Curve = list[tuple[float, float]]
"""Seconds since the start, and the perceptual distance then, of each step."""


@dataclass(frozen=True, eq=False)
class Found:
    """ws (1, L, W), the seconds that it took, and how the distance fell."""

    ws: Tensor
    seconds: float
    curve: Curve


Way = Callable[[Tensor], Found]
"""From a picture (1, 3, H, W) in [-1, 1]."""


def plain(
    generator: Generator, prior: Prior, seen: Likeness, settings: Settings, steps: int, step_size: float, size: int
) -> Way:
    """Adam in w+ from the mean face."""

    def find(x_13HW: Tensor) -> Found:
        begun, curve = time.perf_counter(), Curve()
        target_13hw = resized(x_13HW, size)
        with torch.no_grad():
            features = seen.distance(target_13hw)
        ws_1LW = generator.w_avg.expand(1, generator.num_ws, -1).clone().requires_grad_()
        adam = torch.optim.Adam([ws_1LW], lr=step_size)
        for _ in range(steps):
            made_13hw = generator.synthesize(Codes("w+", ws_1LW), size)
            distance_1 = seen.distance.between(seen.distance(made_13hw), features)
            v_1LW = prior.whitened(ws_1LW)
            loss_1 = (
                distance_1
                + settings.lambda_pixel * losses.pixel_loss(made_13hw, target_13hw, torch.ones(1, 1, 1, 1))
                + settings.lambda_prior * losses.prior_loss(v_1LW)
                + settings.lambda_spread * losses.spread_loss(v_1LW)
            )
            curve.append((time.perf_counter() - begun, distance_1.item()))
            (ws_1LW.grad,) = torch.autograd.grad(loss_1.sum(), ws_1LW)
            adam.step()
        return Found(ws_1LW.detach(), time.perf_counter() - begun, curve)

    return find


class Timed(Inverter):
    """Notes when each step has which distance."""

    def losses(self, v_NLW, target, with_identity):  # type: ignore[no-untyped-def]
        found = super().losses(v_NLW, target, with_identity)
        self.curve.append((time.perf_counter() - self.begun, float(found[1])))
        return found

    def find(self, start: Callable[[Tensor], Tensor], x_13HW: Tensor) -> Found:
        """From the picture alone: the encoder's time counts."""
        self.begun, self.curve = time.perf_counter(), Curve()
        found = self(x_13HW, start(x_13HW))
        return Found(found.ws, time.perf_counter() - self.begun, self.curve)


def generated(generator: Generator, faces: int, seed: int, psi: float) -> Iterator[tuple[str, Tensor]]:
    """Pictures of rows of a seed, rounded to 8 bits."""
    for row in range(faces):
        with torch.no_grad():
            z_1Z = torch.from_numpy(standard_normal(seed, [row], generator.z_dim))
            x_13HW = generator.synthesize(generator.truncated(z_1Z, psi), min(SIZE, generator.resolution))
        yield f"generated {row}", ((x_13HW.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def of_photos(aligned: str, size: int) -> Iterator[tuple[str, Tensor]]:
    """The pictures that photos align kept."""
    for row in Table.open(store.join(aligned, "images")).read().to_pylist():
        pixels = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB"), dtype=np.float32)
        x_13HW = torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
        yield f"photo {row['index']}, face {row['face_number']}", resized(x_13HW, size)


def seconds_until(curve: Curve, distance: float) -> float:
    """When it first came to that distance; infinity where it never did."""
    return next((seconds for seconds, there in curve if there <= distance), float("inf"))


def mean_face(generator: Generator, x_N3HW: Tensor) -> Tensor:
    """(N, L, W), whatever the pictures."""
    return generator.w_avg.expand(len(x_N3HW), generator.num_ws, -1)


def ways_of(
    given: argparse.Namespace, generator: Generator, prior: Prior, seen: Likeness
) -> tuple[dict[str, Way], str]:
    """Each way by its name, the plain one first; and where ours starts."""
    settings, ways = Settings(), dict[str, Way]()
    url = None if given.start == "mean" else given.encoder or find_encoder(generator)
    start = partial(mean_face, generator) if url is None else read_encoder(url, generator).encode
    for step_size, step_size_w, in_w, steps in itertools.product(
        given.step_size, given.step_size_w, given.in_w, given.steps
    ):
        own = replace(settings, step_size=step_size, step_size_w=step_size_w, in_w=in_w, steps=steps)
        name = f"{steps} steps of {step_size:g}, {in_w:.0%} in w of {step_size_w:g}"
        ways[name] = partial(Timed(generator, prior, seen, own).find, start)
    if given.plain_steps:
        size = Inverter(generator, prior, seen, settings).size
        plains = {
            f"plain, {given.plain_steps} steps of {step_size:g}": plain(
                generator, prior, seen, settings, given.plain_steps, step_size, size
            )
            for step_size in given.plain_step_size
        }
        ways = plains | ways
    return ways, "the mean face" if url is None else f"the encoder {url}"


def measured(given: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, dict[str, Curve]], str]:
    """A row for each face and way; the curves by face and way; where ours starts."""
    generator = generators.load(given.generator, backend="eager", threads=given.threads)
    prior, seen = prior_of(generator), likeness.load(given.networks)
    family = classifiers.load(given.classifiers, DEFAULT_ATTRIBUTES)
    ways, start = ways_of(given, generator, prior, seen)
    faces = [*generated(generator, given.faces, given.seed, given.psi)]
    if given.photos:
        faces += of_photos(given.photos, min(SIZE, generator.resolution))
    size = Inverter(generator, prior, seen, Settings()).size
    rows, curves = [], dict[str, dict[str, Curve]]()
    for face, x_13HW in faces:
        its = curves[face] = dict[str, Curve]()
        for name, way in ways.items():
            found = way(x_13HW)
            with torch.no_grad():
                made_13HW = generator.synthesize(Codes("w+", found.ws), x_13HW.shape[-1])
                last, target = (seen.distance(resized(each, size)) for each in (made_13HW, x_13HW))
                its[name] = [*found.curve, (found.seconds, float(seen.distance.between(last, target)))]
            columns = compare(x_13HW, made_13HW, np.ones(1, dtype=bool), seen, family)
            numbers = {one: np.nan if columns[one][0] is None else float(columns[one][0]) for one in COLUMNS}
            plain_end = next(iter(its.values()))[-1][1]
            reached = seconds_until(its[name], plain_end)
            rows.append({"face": face, "way": name, "seconds": found.seconds, "reached": reached, **numbers})
            said = ", ".join(f"{column} {number:.3f}" for column, number in numbers.items())
            print(f"{face}: {name}: {found.seconds:.1f} s, {said}", flush=True)
    return pd.DataFrame(rows), curves, start


def report(frame: pd.DataFrame, start: str, plain_steps: int) -> str:
    """The tables, in Markdown."""
    lines = [f"Ours starts from {start}.", ""]
    for kind, of_kind in frame.groupby(frame["face"].str.split().str[0], sort=False):
        names = list(dict.fromkeys(of_kind["way"]))
        lines += [f"## {kind.capitalize()}: {of_kind['face'].nunique()} faces, medians", ""]
        lines += [f"| way | seconds | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * (len(COLUMNS) + 1)]
        for name in names:
            its = of_kind[of_kind["way"] == name]
            cells = [f"{its['seconds'].median():.1f}", *(f"{its[column].median():.3f}" for column in COLUMNS)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
        for name in names:
            its = of_kind[of_kind["way"] == name].set_index("face")
            met = (its["lpips"] <= GOAL_LPIPS) & (its["seconds"] <= GOAL_SECONDS)
            lines.append(f"- {name}: {met.sum()} of {len(its)} at {GOAL_LPIPS} or less within {GOAL_SECONDS:g} s.")
            if plain_steps and name != names[0]:
                beside = of_kind[of_kind["way"] == names[0]].set_index("face")
                times = (beside["seconds"] / its["reached"]).astype(float)
                worse = {
                    "the other trunk": (its["lpips_other"] > beside["lpips_other"]).sum(),
                    "dlib": (its["identity_dlib"] > beside["identity_dlib"]).sum(),
                }
                lines.append(
                    f"  The distance of {names[0]} is reached in {(times > 0).sum()} of {len(its)}, "
                    f"{times.median():.2f} times as fast in the median (goal: {GOAL_TIMES}); worse than it by "
                    + ", ".join(f"{what} in {count}" for what, count in worse.items())
                    + "."
                )
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def numbers(text: str) -> list[float]:
        return [float(word) for word in text.split(",")]

    parser.add_argument("--generator", default="mobilestylegan-ffhq")
    parser.add_argument("--networks", default="fr", choices=("fr", "tiny"))
    parser.add_argument("--classifiers", default="faces")
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--seed", type=int, default=4242)
    parser.add_argument("--psi", type=float, default=0.7)
    parser.add_argument("--photos", help="DIR of stylemill photos align, whose faces are inverted too")
    parser.add_argument("--start", choices=("encoder", "mean"), default="encoder")
    parser.add_argument("--encoder", help="DIR/artifact of stylemill train encoder")
    parser.add_argument("--steps", type=lambda text: [int(word) for word in text.split(",")], default=[Settings.steps])
    parser.add_argument("--step-size", type=numbers, default=[Settings.step_size], help="several: each is measured")
    parser.add_argument("--step-size-w", type=numbers, default=[Settings.step_size_w])
    parser.add_argument("--in-w", type=numbers, default=[Settings.in_w])
    parser.add_argument("--plain-steps", type=int, default=160, help="0 to leave the plain way out")
    parser.add_argument("--plain-step-size", type=numbers, default=[0.05])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--curves", help="file for the distance of each step, JSON")
    parser.add_argument("--out", help="file for the tables, Markdown")
    given = parser.parse_args()
    frame, curves, start = measured(given)
    text = report(frame, start, given.plain_steps)
    print(text)
    if given.curves:
        Path(given.curves).write_text(json.dumps(curves))
    if given.out:
        flags = f"--faces {given.faces} --seed {given.seed}" + (f" --photos {given.photos}" if given.photos else "")
        Path(given.out).write_text("# Inversion\n\n" + header("python -m benchmarks.inversion", flags) + text)


if __name__ == "__main__":
    main()
