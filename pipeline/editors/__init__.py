"""Editors: methods that move latents. Tensors in, tensors out; no table, no job."""

from pipeline.editors.editor import Editor, Scores
from pipeline.editors.ials import IALS
from pipeline.editors.interfacegan import InterFaceGAN
from pipeline.editors.request import Requests
from pipeline.editors.search import Search
from pipeline.editors.trace import DONE, NOT_FINITE, REACHED, Trace
from pipeline.editors.truncation import Truncation

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
