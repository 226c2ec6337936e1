"""Codes and scores from `.npy` files; nothing in a file is ever executed."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelFileError
from pipeline.file_content import HEAD_BYTES, check_content
from pipeline.tables import Table, store
from pipeline.tables.label_files import SUFFIXES, WHAT


def read_npy(url: str) -> tuple[NDArray, str]:
    """The array of a `.npy` file and the sha256 of its bytes; large ones are read page by page as they are used.

    Raises:
        ModelFileError: there is no such file, or it is no array of numbers, or of yes and no.
        StoreError: it cannot be read.
    """
    if not store.exists(url):
        raise ModelFileError(f"{url}: there is no such file")
    path = store.local_path(url)
    if (path.is_dir() if path else not url.endswith(".npy")) and Table(url).manifest() is not None:
        raise ModelFileError(f"{url} is a table: pass latents as --latents, and labels as --labels")
    if url.lower().endswith(SUFFIXES):
        raise ModelFileError(f"{url} is not a .npy file: {WHAT}, for --latents and --labels")
    with store.local_copy(url) as path:
        array = _open(path, url, kept=store.local_path(url) is not None)
        with path.open("rb") as file:
            return array, hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: Path, url: str, kept: bool) -> NDArray:
    with path.open("rb") as file:
        check_content(file.read(HEAD_BYTES), url)
    try:
        array = np.load(path, mmap_mode="r" if kept else None, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        what = (
            "it holds pickled objects, which reading would run"
            if "bject" in str(error) or "pickle" in str(error)
            else str(error)
        )
        raise ModelFileError(
            f"{url} is not a .npy of numbers ({what}): save the array alone with numpy.save"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ModelFileError(f"{url} is an archive of several arrays: save the one wanted with numpy.save")
    if array.dtype == np.bool_:
        return array
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        raise ModelFileError(f"{url} holds {array.dtype}, not real numbers")
    return array
