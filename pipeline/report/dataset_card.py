"""A dataset card: README.md as Hugging Face reads it. How the data are loaded, what is in them, how they were made, by
which networks, and on which terms these may be used.

https://huggingface.co/docs/hub/datasets-cards: YAML between two lines of dashes, then Markdown.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from pipeline.report import gather, photos, provenance, study_text, wording
from pipeline.report.edits import ON_USING_THEM
from pipeline.report.provenance import Weights
from pipeline.report.study_parts import Grid, Section, Top
from pipeline.tables import store
from schemas.edits import JUDGE

SIZES = (("n<1K", 1e3), ("1K<n<10K", 1e4), ("10K<n<100K", 1e5), ("100K<n<1M", 1e6), ("1M<n<10M", 1e7),
         ("10M<n<100M", 1e8), ("100M<n<1B", 1e9))  # fmt: skip
LARGEST = "n>1B"
TAGS = ("synthetic", "faces", "gan", "stylegan", "stylemill")
NOT_RECORDED = (
    "not-recorded",
    "Which networks made these data is not recorded, so on which terms they may be used is not known",
)
NON_COMMERCIAL = (
    "research-and-education-only",
    "For research and education only, not for commercial use: the terms of networks that made these data say so "
    "(see Networks)",
)
OTHER = ("see-networks", "No network that made these data is known to be restricted to non-commercial use")
"""Names of a licence, and what they mean."""
NOT_PEOPLE = "Every face is made by a generator: none is a photograph of a person"
OF_PHOTOS = "photos-"
"""What the names of jobs on photographs begin with."""
TAGS_OF_PHOTOS = ("faces", "photographs", "stylemill")
PEOPLE = "The faces are of photographs of people: personal data, which only those may share who have a right to"
COLUMNS = {
    "file_name": "file of the picture, below this directory",
    "member": "name of the picture in that file",
    "index": "number of the face, or of what else is in the rows",
    "request": "number of the edit that was asked for",
    "step": "step of the edit; 0 is the source",
    "strength": "how far the edit went, with its sign",
    "stop": "why the edit ended",
    "table": "number of the directory that the edit is of",
    "method": "name of the method that made the edit",
    "attribute": "what the edit was to change",
    "target": "1 towards the attribute, 0 away from it, flip to the other side of where the face was",
    "conditions": "what was to stay",
    "face": "number of the face that was moved",
    "face_number": "number of the face in its photo, the largest first",
    "deviations": "how far, in standard deviations of the latents along the direction",
    "image": "the picture, PNG, JPEG or WebP",
    "w": "latent of the face, after truncation",
    "ws": "latents of the face for each layer, after truncation",
    "z": "the random numbers that the latent was mapped from",
    "latent": "latent of this step",
    "space": "latent space of the step",
    "psi": "truncation",
    "seed": "random seed",
    "generator": "name of the generator; of a file its digest",
    "age_years": "age that the face looks, in years",
    "yaw_degrees": "turn of the head to the right of the picture, in degrees",
}
"""Meanings of columns that are no scores."""
ABOUT_SCORES = (
    "A score is higher the more strongly an attribute is present: 0 is the boundary between no and yes, and the unit "
    "is the standard deviation over the calibration faces. Scores that begin with `judge_` are by classifiers that did "
    "not guide the edit."
)
PREFIXES = {JUDGE: ", by the judge", "source_": ", of the face before it was edited", "": ""}
"""Of columns of scores, and what they say besides."""
SPEC = ("generator", "seed", "psi", "cutoff", "editor", "space", "classifiers", "judge")
"""What is said of a job that made the data, as its records name it."""


@dataclass(frozen=True)
class Config:
    """A subset that Hugging Face's `datasets` loads by name. paths: of its files, below the card; `*` for any.

    rows: how many. columns: their types by name.
    """

    name: str
    paths: Sequence[str]
    rows: int
    columns: Mapping[str, str]


def dataset_card(
    title: str, lead: Sequence[str], configs: Sequence[Config], made_in: Iterable[str], command: str = ""
) -> bytes:
    """The file.

    Args:
        title: heading. lead: sentences on what is here.
        configs: of what is here, the first is the default.
        made_in: directories whose jobs made the data.
        command: the one that wrote the card's files, if any.

    Raises:
        StoreError: records of a job cannot be read.
    """
    notes: list[str] = []
    runs = list(_runs(made_in, notes))
    networks = provenance.weights_of(runs)
    of_photos = any(run.verb.startswith(OF_PHOTOS) for run in runs)
    use = [photos.USE] if of_photos else ON_USING_THEM
    sections = [_contents(configs, runs), _made(runs, command), _networks(networks), Section("Use", use)]
    whose = PEOPLE if of_photos else NOT_PEOPLE
    top = Top(states=[("warning", note) for note in (_terms(networks)[1], whose, *notes)])
    body = study_text.text(title, " ".join(lead), sections, {}, top)
    tags = TAGS_OF_PHOTOS if of_photos else TAGS
    return f"---\n{_front_matter(title, configs, networks, tags)}---\n\n{body}".encode(errors="backslashreplace")


def _front_matter(title: str, configs: Sequence[Config], networks: Sequence[Weights], tags: Sequence[str]) -> str:
    rows = max((config.rows for config in configs), default=0)
    facts: dict[str, Any] = {
        "pretty_name": title,
        "license": "other",
        "license_name": _terms(networks)[0],
        "license_link": "README.md",
        "size_categories": [next((name for name, most in SIZES if rows < most), LARGEST)],
        "tags": list(tags),
        "configs": [
            {
                "config_name": config.name,
                "data_files": [{"split": "train", "path": list(config.paths)}],
                **({"default": True} if config is configs[0] and len(configs) > 1 else {}),
            }
            for config in configs
        ],
    }
    buffer, yaml = io.StringIO(), YAML()
    yaml.default_flow_style, yaml.width = False, 4096
    yaml.dump(facts, buffer)
    return buffer.getvalue()


def _runs(directories: Iterable[str], notes: list[str]) -> Iterator[gather.Run]:
    for url in dict.fromkeys(one.rstrip("/") for one in directories):
        for verb in store.list_directories(store.join(url, gather.BOOKKEEPING)):
            if verb != "export":
                yield gather.read_run(url, verb, notes)


def _terms(networks: Sequence[Weights]) -> tuple[str, str]:
    if not networks:
        return NOT_RECORDED
    return NON_COMMERCIAL if any(one.noncommercial for one in networks) else OTHER


def _contents(configs: Sequence[Config], runs: Sequence[gather.Run]) -> Section:
    meanings = {
        name: str(meaning)
        for run in runs
        if isinstance(said := run.spec.get("meanings"), Mapping)
        for name, meaning in said.items()
    }
    counts = pd.DataFrame({"rows": [one.rows for one in configs], "files": [" ".join(one.paths) for one in configs]})
    counts.index = pd.Index([one.name for one in configs])
    grids = [Grid("Subsets (`load_dataset(DIRECTORY, NAME)`)", counts)]
    for config in configs:
        said = [_meaning(name, meanings) for name in config.columns]
        frame = pd.DataFrame({"type": list(config.columns.values()), "meaning": said}, index=list(config.columns))
        grids.append(Grid(f"Columns of `{config.name}`", frame))
    of_photos = any(run.verb.startswith(OF_PHOTOS) for run in runs)
    return Section("What is in it", [] if of_photos else [ABOUT_SCORES], grids)


def _meaning(name: str, meanings: Mapping[str, str]) -> str:
    if name in COLUMNS:
        return COLUMNS[name]
    for prefix, besides in PREFIXES.items():
        if name.startswith(prefix) and (meaning := meanings.get(name.removeprefix(prefix))) is not None:
            return f"score: {meaning[0].lower()}{meaning[1:].rstrip('.')}{besides}"
    return "–"


def _made(runs: Sequence[gather.Run], command: str) -> Section:
    sentences = [f"Written by `{command}`."] if command else []
    if not runs:
        return Section("How it was made", [*sentences, f"The jobs that made the data are {wording.NOT_RECORDED} here."])
    rows = []
    for run in runs:
        facts = {name: run.asked(name) for name in SPEC if run.asked(name) is not None}
        counts = {name: run.ended(name) for name in provenance.ROWS}
        rows.append(
            {
                "command": f"`{_command(run)}`",
                "settings": ", ".join(f"{name} {wording.anything(value)}" for name, value in facts.items()),
                "rows": ", ".join(f"{wording.count(count)} {name}" for name, count in counts.items()),
                "fingerprint": wording.anything(run.asked("fingerprint"))[:12],
            }
        )
    frame = pd.DataFrame(rows, index=[run.verb for run in runs])
    return Section("How it was made", sentences, [Grid("Jobs", frame)])


def _command(run: gather.Run) -> str:
    command = run.asked("command")
    return " ".join(map(str, command)) if isinstance(command, list) else wording.anything(command)


def _networks(networks: Sequence[Weights]) -> Section:
    if not networks:
        return Section("Networks", [f"Which networks were used is {wording.NOT_RECORDED}."])
    frame = pd.DataFrame(
        {
            "what": [one.what for one in networks],
            "source": [one.source for one in networks],
            "licence": [one.licence for one in networks],
            "citation": [one.citation for one in networks],
            "non-commercial": [one.reason or ("yes" if one.noncommercial else "not stated") for one in networks],
        },
        index=[one.name for one in networks],
    )
    return Section("Networks", ["Whoever uses the data is to keep to the terms of all of them."], [Grid("All", frame)])
