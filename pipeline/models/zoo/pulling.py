"""Fetch, verify, convert once, store: how a network of the catalogue gets into the cache."""

import tempfile
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from pipeline.models.zoo import cache, catalogue, formats, registries, shared
from pipeline.models.zoo.entry import Entry

# Called as progress(entry, step) before each step, and with "ready" after the last.
Progress = Callable[[Entry, str], None]


def pull(names: Iterable[str] = (), progress: Progress | None = None) -> None:
    """Bring networks into the cache, and into the shared zoo where `STYLEMILL_ZOO` names one.

    What is there and whole is left alone; what is damaged is fetched again. One archive serves all its entries, and two
    processes that pull at once do the work once.

    Args:
        names: entries or groups of the catalogue; none is the group `default`.
        progress: told of each step.

    Raises:
        ModelFileError: a name is unknown, a package cannot be fetched, or its bytes are not those of the catalogue.
    """
    report = progress or (lambda entry, step: None)
    entries = sorted(catalogue.expand(names), key=lambda entry: str(entry.source))
    for source, group in groupby(entries, key=lambda entry: entry.source):
        wanted = list(group)
        if shared.url() is None and not any(map(cache.problem, wanted)):
            for entry in wanted:
                report(entry, "ready")
            continue
        with cache.lock(source):
            _pull_from_one_package(wanted, report)


def _pull_from_one_package(entries: list[Entry], report: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="stylemill-") as temporary:
        archive: Path | None = None
        for entry in entries:
            cache.sweep(entry)
            if cache.problem(entry) and not _from_shared(entry, report):
                if archive is None:
                    report(entry, "fetch")
                    archive = registries.fetch(entry.source, Path(temporary))
                report(entry, "verify")
                members = registries.read_members(archive, entry)
                report(entry, "convert")
                cache.store(entry, formats.convert(entry.format, members, entry.options, entry.name))
            if shared.url():
                report(entry, "share")
                shared.upload(entry)
            report(entry, "ready")


def _from_shared(entry: Entry, report: Progress) -> bool:
    if shared.url() is None:
        return False
    report(entry, "copy")
    return shared.download(entry)
