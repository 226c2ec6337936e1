"""Editors: methods that move latents. Tensors in, tensors out; no table, no job."""

from pipeline.editing.editor import Editor, Scores
from pipeline.editing.ials import IALS
from pipeline.editing.linear import InterFaceGAN
from pipeline.editing.request import Requests
from pipeline.editing.search import Search
from pipeline.editing.trace import DONE, NOT_FINITE, REACHED, Trace
from pipeline.editing.truncation import Truncation

__all__ = [
    "DONE",
    "IALS",
    "NOT_FINITE",
    "REACHED",
    "Editor",
    "InterFaceGAN",
    "Requests",
    "Scores",
    "Search",
    "Trace",
    "Truncation",
]
