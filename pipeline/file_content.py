"""Recognise a file that is not the model or array that its name suggests, from its first bytes.

Downloads often leave a web page or a Git-LFS pointer under the right name, and a reader's own message ("pickled data",
"invalid header") does not say so.
"""

from pipeline.errors import ModelFileError

HEAD_BYTES = 512
"""How many bytes are checked."""

LFS = b"version https://git-lfs"
PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")
ANSWERS = (b"<?xml", b"<error")


def check_content(head: bytes, name: str) -> None:
    """Raise ModelFileError where a file is empty, a web page, a Git-LFS pointer, a server's answer, or compressed.

    Args:
        head: the first HEAD_BYTES of the file, or all of it.
        name: what the message calls the file.
    """
    what = _what(head[:HEAD_BYTES])
    if what is not None:
        raise ModelFileError(f"{name}: {what}")


def _what(head: bytes) -> str | None:
    if not head:
        return "the file is empty: download it again"
    if head.startswith(LFS):
        return "this is a Git-LFS pointer, not the file that it stands for: fetch that with `git lfs pull`"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(PAGES):
        return "this is a web page (HTML), not the file: download the file itself, not the page about it"
    if text.startswith(ANSWERS):
        return "this is XML, as servers answer with, not the file: download it again"
    if head.startswith(b"\x1f\x8b"):
        return "this is compressed by gzip: unpack it first"
    return None
