"""Pages that a person looks at."""

from collections.abc import Collection

from pipeline.errors import StoreError
from pipeline.report import artifact, directions, edits, gather, inversions, measured_page, page, photos, pictures
from pipeline.tables import Table, store
from pipeline.tables.artifact import is_artifact

__all__ = ["write", "write_all"]


def write_all(
    directory_url: str,
    *,
    title: str | None = None,
    seed: int = 0,
    shown: int | None = None,
    chosen: Collection[int] | None = None,
) -> list[str]:
    """Write the pages of a folder and return their URLs: of its faces, as `write`, of its edits, of its directions, of
    its artifact, of what was measured, of its photos, of inverted faces.

    The first is DIR/report.html; beside it, that of edits is DIR/edits.html, of directions DIR/directions.html, of an
    artifact DIR/artifact.html, of measured edits DIR/measured.html, of photos DIR/photos.html, of inverted faces
    DIR/inversions.html. The page of an artifact itself is a file beside its folder, which holds its files alone.

    Args:
        shown: faces of the random sheet, of the edits, along the directions; by default as many as each has room for.
        chosen: the rows that the pages of faces and edits are about; all by default.

    Raises:
        StoreError: no job has written labels, latents, edits, directions or what was measured, or a file cannot be read
            or written.
    """
    if is_artifact(directory_url):
        return [artifact.write(directory_url, f"{directory_url.rstrip('/')}.html", title)]
    trained = is_artifact(store.join(directory_url, "artifact"))
    edited = _written(directory_url, "edits") or gather.begun(directory_url, "edit")
    failed = gather.begun(directory_url, "directions") and not _written(directory_url, "gradients")
    directed = _written(directory_url, "directions") or failed
    measured = _written(directory_url, "measured") or gather.begun(directory_url, "measure")
    of_photos = _written(directory_url, "photos") or gather.begun(directory_url, photos.VERB)
    inverted = _written(directory_url, "inversions") or gather.begun(directory_url, inversions.VERB)
    pages: list[str] = []
    if gather.begun(directory_url, "train") and not (trained or edited or directed):
        raise StoreError(f"{directory_url}: the artifact is not complete yet: the command that trains it continues")
    if any(_written(directory_url, name) for name in ("labels", "latents")) or not (
        edited or directed or trained or measured or of_photos or inverted
    ):
        pages.append(write(directory_url, title=title, seed=seed, shown=shown, chosen=chosen))
    if edited:
        url = store.join(directory_url, "edits.html" if pages else "report.html")
        pages.append(edits.write(directory_url, url, title, shown, chosen))
    if directed:
        url = store.join(directory_url, "directions.html" if pages else "report.html")
        pages.append(directions.write(directory_url, url, title, shown))
    if trained:
        url = store.join(directory_url, "artifact.html" if pages else "report.html")
        pages.append(artifact.write(store.join(directory_url, "artifact"), url, title))
    if measured:
        url = store.join(directory_url, "measured.html" if pages else "report.html")
        pages.append(measured_page.write(directory_url, url, title))
    if of_photos:
        url = store.join(directory_url, "photos.html" if pages else "report.html")
        pages.append(photos.write(directory_url, url, title, shown, seed))
    if inverted:
        url = store.join(directory_url, "inversions.html" if pages else "report.html")
        pages.append(inversions.write(directory_url, url, title, shown))
    return pages


def write(
    directory_url: str,
    *,
    title: str | None = None,
    seed: int = 0,
    shown: int | None = None,
    chosen: Collection[int] | None = None,
) -> str:
    """Write DIR/report.html about the tables of DIR and return its URL. Equal tables give an equal page.

    Args:
        directory_url: a folder that a job wrote to, finished or not; any fsspec URL.
        title: heading; the folder's name by default.
        seed: of the random contact sheet.
        shown: faces of the random contact sheet.
        chosen: the rows that the page is about; all by default.

    Raises:
        StoreError: no job has written labels or latents, or a file cannot be read or written.
    """
    gathered = gather.gather(directory_url, chosen)
    choice = page.choose(gathered, seed, shown or page.RANDOM_FACES)
    uses = choice.uses()
    images = gathered.tables.get("images")
    thumbnails = pictures.thumbnails(pictures.read(images, uses) if images else (), uses)
    url = store.join(directory_url, "report.html")
    store.write_atomic(url, page.render(gathered, choice, thumbnails, title).encode(errors="backslashreplace"))
    return url


def _written(directory_url: str, name: str) -> bool:
    return bool(Table(store.join(directory_url, name)).parts())
