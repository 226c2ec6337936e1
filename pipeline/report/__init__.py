"""Pages that a person looks at."""

from pipeline.report import edits, gather, page, pictures
from pipeline.report.contact_sheet import contact_sheet
from pipeline.tables import Table, store

__all__ = ["contact_sheet", "write", "write_all"]


def write_all(directory_url: str, *, title: str | None = None, seed: int = 0) -> list[str]:
    """Write the pages of a folder and return their URLs: of its faces, as `write`, and of its edits.

    The first is DIR/report.html; where there are faces, that of edits is DIR/edits.html.

    Raises:
        StoreError: there is no table of labels, latents or edits, or a file cannot be read or written.
    """
    edited = bool(Table(store.join(directory_url, "edits")).parts())
    faces = any(Table(store.join(directory_url, name)).parts() for name in ("labels", "latents"))
    pages = [] if edited and not faces else [write(directory_url, title=title, seed=seed)]
    if edited:
        url = store.join(directory_url, "edits.html" if faces else "report.html")
        pages.append(edits.write(directory_url, url, title))
    return pages


def write(directory_url: str, *, title: str | None = None, seed: int = 0) -> str:
    """Write DIR/report.html about the tables of DIR and return its URL. Equal tables give an equal page.

    Args:
        directory_url: a folder that a job wrote to, finished or not; any fsspec URL.
        title: heading; the folder's name by default.
        seed: of the random contact sheet.

    Raises:
        StoreError: there is neither a table of labels nor one of latents, or a file cannot be read or written.
    """
    gathered = gather.gather(directory_url)
    choice = page.choose(gathered, seed)
    uses = choice.uses()
    images = gathered.tables.get("images")
    thumbnails = pictures.thumbnails(pictures.read(images, uses) if images else (), uses)
    url = store.join(directory_url, "report.html")
    store.write_atomic(url, page.render(gathered, choice, thumbnails, title).encode())
    return url
