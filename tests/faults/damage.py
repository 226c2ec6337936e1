"""Ways in which a published part goes bad."""

import fsspec


def truncated(url: str) -> None:
    fs, path = fsspec.core.url_to_fs(url)
    fs.pipe_file(path, fs.cat_file(path)[:-40])


def flipped(url: str) -> None:
    fs, path = fsspec.core.url_to_fs(url)
    content = bytearray(fs.cat_file(path))
    content[len(content) // 2] ^= 1
    fs.pipe_file(path, bytes(content))


def deleted(url: str) -> None:
    fs, path = fsspec.core.url_to_fs(url)
    fs.rm_file(path)


WAYS = (truncated, flipped, deleted)
