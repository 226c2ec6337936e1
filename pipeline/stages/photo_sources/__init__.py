"""Where photos come from, and the list of the kinds of sources: a further kind is one file and one line here."""

from collections import Counter

from pipeline.errors import SpecError
from pipeline.stages.photo_sources.folder import Folder
from pipeline.stages.photo_sources.listed import Listed
from pipeline.stages.photo_sources.parquet import Parquet
from pipeline.stages.photo_sources.source import File, Listing, Source, files_at
from pipeline.stages.photo_sources.tar import Tar

__all__ = ["SOURCES", "Listing", "Source", "list_photos"]

SOURCES: dict[str, Source] = {source.name: source for source in (Folder(), Tar(), Parquet(), Listed())}


def list_photos(url: str, column: str | None = None) -> Listing:
    """The photos of a directory or file, of the kind that most of its files end as.

    Raises:
        SpecError: there are none, or its files cannot be read as what they end as.
        StoreError: the store fails.
    """
    root, files = files_at(url)
    kinds = Counter(kind for file in files if (kind := _kind(file)) is not None)
    if len(files) > 1:
        del kinds[Listed.name]  # texts beside pictures describe them; a list is named itself
    if not kinds:
        wanted = "; ".join(f"{source.about}, {', '.join(source.endings[:4])}" for source in SOURCES.values())
        raise SpecError(f"{url}: no photo among its {len(files):,} files. Photos are: {wanted}")
    source = SOURCES[kinds.most_common(1)[0][0]]
    found = source.list(root, [file for file in files if _kind(file) == source.name], column)
    if not len(found):
        raise SpecError(f"{url}: {source.about} without a photo in it")
    return found


def _kind(file: File) -> str | None:
    name = file.name.decode(errors="replace").lower()
    return next((source.name for source in SOURCES.values() if name.endswith(source.endings)), None)
