"""Errors that a person can act on. The command line shows each in one line and exits with its code.

A message says what happened, which file, shard or row, and what to do next. Anything that is not one of these is a
defect of ours and keeps its traceback.
"""


class StylemillError(Exception):
    """Base of all errors meant for the user."""

    exit_code = 2


class SpecError(StylemillError):
    """What was asked cannot be done as asked: a bad value, an unknown name, fields that exclude each other."""


class ModelFileError(StylemillError):
    """A model file is missing, damaged, or not of the form that its reader knows."""


class StoreError(StylemillError):
    """A table, a part or a bookkeeping file cannot be read or written."""

    exit_code = 1


class Damaged(StoreError):
    """A file was read, and is not what was written; one that cannot be read from here may be whole."""


class NotMade(StylemillError):
    """An output that is made from a job's tables could not be made; the tables are complete."""

    exit_code = 1


class LeaseLost(StylemillError):
    """A worker found that the job is not its driver's any more, or that it does not see the output at all."""

    exit_code = 1


class OutputDiffers(StylemillError):
    """The output exists and was made from another spec."""

    exit_code = 4


class Busy(StylemillError):
    """Another driver is running on the same output."""

    exit_code = 5
