"""A job, put together from what its verb has decided: one way for all verbs."""

import platform
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from jobs.constants import about
from jobs.launch import command
from jobs.options import RunFlags
from pipeline.engine.job import Job
from pipeline.engine.stage import Stage
from pipeline.engine.versions import version
from pipeline.models import zoo
from pipeline.models.checkpoints.reference import Reference, is_file_name
from pipeline.models.generators import Generator, identity
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.models import ClassifierRef
from pipeline.stages.source import Latents
from pipeline.tables import Layout

PACKAGES = ("stylemill", "torch", "numpy", "pyarrow", "pillow")
"""Whose versions can move bytes."""
OF_A_FILE = {
    "what": "a network from a file of the user's own",
    "licence": "unknown: that of the file's author",
    "citation": "unknown",
    "noncommercial": "",
}
DIGESTED = ("latents", "labels", "directions", "artifact", "force")
"""Fields that name what a job stands on, or allow it: its digest decides the rows, not where it lies."""


def _terms(name: str) -> Mapping[str, str] | None:
    """Where a network comes from and what may be done with it; None of one that is neither pulled nor a file."""
    if name in zoo.CATALOGUE:
        return zoo.CATALOGUE[name].terms
    if not is_file_name(name):
        return None
    file = Reference.parse(name)
    source = f"{file.path}, sha256 {file.sha256 or 'unknown'}"
    return {"name": PurePosixPath(file.path).name, "source": source, **OF_A_FILE}


def plan(
    spec: RunFlags,
    stage: Stage,
    layout: Layout,
    facts: Mapping[str, Any],
    *,
    verb: str | None = None,
    generator: Generator | None = None,
    latents: Latents | None = None,
    directions: DirectionTables | None = None,
    families: Mapping[str, ClassifierRef] | None = None,
    digests: Mapping[str, Any] | None = None,
    networks: Iterable[str] = (),
    versions: Iterable[str] = (),
    digested: Iterable[str] = DIGESTED,
    **more: Any,
) -> Job:
    """The job of a spec.

    Args:
        facts: what goes into the stored spec.
        verb: the name under which its records are stored; by default the spec's.
        generator, latents, directions, families: what it stands on; their digests decide its rows. families: by the
            part that they play, as `classifiers` and `judge`; None of a job that has nothing to do with scores.
        digests: of what it stands on besides. networks: whose weights it uses besides.
        versions: packages that can move its bytes, besides those of every job.
        digested: fields of the spec of which digests tell.
        more: further fields of `Job`.
    """
    refs = dict(families or {})
    file = facts.get("generator")
    used = [generator.name if generator else "", *networks, *(name for ref in refs.values() for name in ref.weights)]
    if generator and families is not None:
        more = {"about": about(generator, *refs.values()), **more}
    return Job(
        verb=verb or spec.VERB,
        out=spec.out,
        stage=stage,
        layout=layout,
        spec={
            **{name: value for name, value in facts.items() if name not in {*digested}},
            **(latents.choice if latents else {}),
        },
        resolved={
            **({"latents_digest": latents.digest} if latents else {}),
            **({"directions_digest": directions.digest} if directions else {}),
            **({"generator_digest": generator.fingerprint} if generator else {}),
            **{f"{part}_digest": ref.family.fingerprint for part, ref in refs.items()},
            **(digests or {}),
        },
        told={"generator": identity(file)} if file and is_file_name(file) else {},
        versions={"python": platform.python_version(), **{name: version(name) for name in (*PACKAGES, *versions)}},
        command=command(),
        weights=[terms for name in dict.fromkeys(used) if (terms := _terms(name))],
        **more,
    )
