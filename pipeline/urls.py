"""Paths and URLs that cannot mean what they say: an unset variable, a slash too few, a slash too many."""

import re

ON_THIS_MACHINE = {"file", "local"}
OTHER_RULES = ON_THIS_MACHINE | {"http", "https"}
WITH_A_BUCKET = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci"}


def mistake(url: str) -> str | None:
    """What is wrong with a path or URL as it was given, and what to write; None where nothing is."""
    if not url.strip():
        return "an empty path (was a variable unset?): name a directory, a file or a URL"
    if "\0" in url:
        return "a path with a NUL character, which no file can have: leave it out"
    return _mistaken_url(url) if "://" in url else _mistaken_path(url)


def _mistaken_path(path: str) -> str | None:
    found = re.match(r"([a-z][a-z0-9+]*):", path)
    if found is None or found[1] in ON_THIS_MACHINE:
        return None
    from fsspec import available_protocols  # the networks are read without it

    if found[1] not in available_protocols():
        return None
    rest = path[found.end() :].lstrip("/")
    return f"a URL has two slashes: write {found[0]}//{rest} (or ./{path} for a directory of that name here)"


def _mistaken_url(url: str) -> str | None:
    chain, _, path = url.rpartition("://")
    scheme = chain.rpartition("::")[2]
    name = path.strip("/")
    if scheme in WITH_A_BUCKET and (not name or path.startswith("/")):
        return f"names no bucket: write {scheme}://BUCKET/{name or 'NAME'}"
    if scheme not in OTHER_RULES and "//" in path.lstrip("/"):
        root = path[: len(path) - len(path.lstrip("/"))]
        one = root + re.sub("/+", "/", name)
        return f"an empty name between two slashes, which is a place of its own: write {scheme}://{one}"
    return None
