"""Where tables and files lie, as a person types it: a path, or any fsspec URL."""

from pipeline.tables import store


def absolute(url: str) -> str:
    """A local path from the root, since workers have working directories of their own; other URLs as they are."""
    path = store.local_path(url)
    return url if path is None else str(path.absolute())
