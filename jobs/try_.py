"""`stylemill try`: from nothing to changed faces: fetch the networks, sample, edit with what is kept, write a page.

It runs in this process, without Ray, whose start would take longer than the work on a few faces.
"""

import os
import shlex
import sys
import webbrowser
from collections.abc import Sequence

import tyro
from pydantic import Field, field_validator

from jobs import models
from jobs.constants import CalibrationFlag
from jobs.edit import spec as edit
from jobs.edit.artifact import check_trained_for
from jobs.flags import command_of, one_line, parse
from jobs.launch import run_step
from jobs.options import MachineFlags, RunFlags
from jobs.sample import SampleSpec
from pipeline.errors import SpecError
from pipeline.models import generators, zoo
from pipeline.models.classifiers import tiny
from pipeline.models.randomness import MAX_SEED
from pipeline.models.zoo import cache
from pipeline.report import edits, study
from pipeline.stages import kept_artifacts
from pipeline.stages.models import read_artifact
from pipeline.tables import store

EDITOR = "latent-transformer"
"""Takes several attributes, each with a target of its own, in one edit; and has an artifact that is kept."""
LARGEST = 256
"""Pixels of the pictures; a smaller generator's are as large as it makes them."""
MOST_SHOWN = 64
TARGETS = {"1": "present", "0": "absent"}
"""In the words of `edit latent-transformer --sequence`, which leaves a face as it is where nothing needs to change."""


class TrySpec(CalibrationFlag, MachineFlags):
    """Sample faces, change what the words say, and write a page of each face before and after. smile=1 is for a smile,
    smile=0 for none; several words are edits one after the other. A face that is already so is not edited.

    Example: stylemill try smile=1 old=1 eyeglasses=0 --rows 8
    """

    VERB = "try"

    wanted: tyro.conf.Positional[tuple[str, ...]] = Field(
        min_length=1,
        description="Attributes, each with 1 (to be there) or 0 (not), in the order of the edits.",
        json_schema_extra={"metavar": "ATTRIBUTE=1|0..."},
    )
    rows: int = Field(8, gt=0, description="Faces to make.")
    seed: int = Field(1, ge=0, le=MAX_SEED, description="Random seed of the faces.")
    generator: str = Field("mobilestylegan-ffhq", description="A generator by name.")
    artifact: str | None = Field(
        None,
        description=f"What was trained for the edit: DIR/artifact of stylemill train {EDITOR}. Default: the one that "
        "stylemill keeps for the generator.",
    )
    alpha: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="How far to move. At 1.25, as in the paper, more edits succeed, and some faces fall apart.",
    )
    judge: str = Field("judge", description="Family of classifiers whose scores the page shows.")
    out: str | None = Field(
        None,
        description="Directory for the tables and the page. Default: out/try/ and the words, as in "
        "out/try/smile-1_old-1.",
    )
    no_browser: bool = Field(False, description="Only print where the page is, also where there is a display.")

    @field_validator("wanted")
    @classmethod
    def _attributes_with_targets(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        names = []
        for word in words:
            name, _, target = word.partition("=")
            if not name or target not in TARGETS:
                raise ValueError(f"{word!r} is not ATTRIBUTE=1 or ATTRIBUTE=0, as in smile=1")
            names.append(name)
        if twice := [name for place, name in enumerate(names) if name in names[:place]]:
            raise ValueError(f"{twice[0]} is named twice")
        return words

    @property
    def split(self) -> list[tuple[str, str, str]]:
        """Of each word the attribute, = and the target."""
        return [word.partition("=") for word in self.wanted]

    @property
    def url(self) -> str:
        """The directory. Other words and other numbers have one of their own by default."""
        own = [word.replace("=", "-") for word in self.wanted]
        for name in ("rows", "seed", "alpha"):
            if (value := getattr(self, name)) != type(self).model_fields[name].default:
                own.append(f"{name}-{value}")
        return self.out or store.join("out/try", "_".join(own))

    def sampled(self) -> SampleSpec:
        """The command that samples the faces."""
        own = self.model_dump(include={*MachineFlags.model_fields, "rows", "seed", "generator"})
        return SampleSpec(**own, out=store.join(self.url, "faces"), local=True)

    def edited(self, size: int) -> edit.EditSpec:
        """The command that edits them."""
        own = self.model_dump(include={*MachineFlags.model_fields, "calibration", "judge"})
        flags = {
            "latents": (store.join(self.sampled().out, "latents"),),
            "sequence": ",".join(f"{name}:{TARGETS[target]}" for name, _, target in self.split),
            "alpha": self.alpha,
            "scores": "judge",
            "images": "webp",
            "size": size,
            "out": store.join(self.url, "edited"),
            "local": True,
            "artifact": self.artifact,
        }
        return edit.SPECS[EDITOR].model_validate({**own, **flags})


def main(argv: Sequence[str]) -> int:
    """Run the verb; running it again continues where it stopped."""
    spec = parse(TrySpec, argv)
    if _lacks_networks(spec) and (code := models.main(["pull"])):
        return code
    generator = generators.load(spec.generator, backend="eager")
    if (url := spec.artifact or kept_artifacts.find(EDITOR, generator)) is None:
        raise SpecError(edit.how_to_train(EDITOR, EDITOR, generator.name))
    check_trained_for(url, read_artifact(url, EDITOR).card, [name for name, _, _ in spec.split])
    with one_line():
        steps: list[RunFlags] = [spec.sampled(), spec.edited(min(LARGEST, generator.resolution))]
    for step in steps:
        if code := run_step(step):
            return code
    page = store.join(spec.url, "report.html")
    edits.write(steps[-1].out, page, " ".join(spec.wanted), min(spec.rows, MOST_SHOWN), also=[_in_steps(steps)])
    print(page)
    if not spec.no_browser:
        open_page(page)
    return 0


def _in_steps(steps: Sequence[RunFlags]) -> study.Section:
    sentences = (
        "These commands make the same faces, one after the other; the help of each shows what else it can do.",
        "A face that the editor's latent classifier already sees as asked for is left as it is. It looks at latents "
        "alone, and may be wrong; the judge, whose scores are shown, looks at pictures.",
    )
    commands = [shlex.join(["stylemill", *command_of(step)]) for step in steps]
    return study.Section("The same in steps", sentences, commands=commands)


def _lacks_networks(spec: TrySpec) -> bool:
    """Whether the cache is not yet as `stylemill models pull` leaves it; the networks of tests are not of the cache."""
    return spec.judge not in tiny.STANDS_IN and any(cache.read_card(entry) is None for entry in zoo.expand(()))


def open_page(page: str) -> None:
    """Open the page in a browser, if someone at this machine asked for it."""
    path = store.local_path(page)
    shown = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if path is not None and shown and sys.stdout.isatty():
        webbrowser.open(path.absolute().as_uri())
