"""The command line: one verb a job, each a module with `main(argv) -> exit code`, imported when it is asked for."""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jobs.flags import say
from pipeline.errors import SpecError, StylemillError
from schemas import SchemaError

VERBS = {
    "models": "list, pull, verify and show the networks",
    "dataset": "sample faces, label them, keep latents, labels and pictures",
    "sample": "latents alone",
    "latents": "codes of your own as a latents table",
    "label": "scores of the faces of a latents table",
    "directions": "fit directions on labels, or find, project, compare, import and export them",
    "edit": "move latents along directions",
    "measure": "what edits changed, by the judge",
    "dt": "how well an attribute changes alone: Disentanglement-Transformation curves",
    "reproduce": "a paper's tables on the generator at hand",
    "submit": "run one of these on a cluster, through Ray's job server",
    "status": "what a directory holds: done, running, failed, rejected",
    "verify": "check every byte of the tables of a directory",
    "report": "a page of pictures and figures of a directory",
    "demo": "512 labelled faces and their page, from nothing",
}
USAGE = """usage: stylemill VERB [FLAGS]   (stylemill VERB --help shows the flags and an example)

{verbs}

exit codes: 0 complete, 1 tasks failed, 2 bad usage or spec, 3 more rejects than --max-rejects,
            4 the existing output differs, 5 another driver is at work, 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; an error meant for the person is one line, any other is ours and keeps its traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    usage = USAGE.format(verbs="\n".join(f"  {verb:12}{what}" for verb, what in VERBS.items()))
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage)
        return 0 if words else 2
    verb, *rest = words
    if verb not in VERBS:
        say(f"stylemill: no verb {verb!r}; the verbs are {', '.join(VERBS)}")
        return 2
    logging.basicConfig(format="Note  %(message)s", level=logging.WARNING)
    return _run(verb, rest)


def _run(verb: str, argv: Sequence[str]) -> int:
    try:
        _check_directory()
        code: int = importlib.import_module(f"jobs.{verb}").main(argv)
        sys.stdout.flush()
    except StylemillError as error:
        say(f"stylemill {verb}: {error}")
        return error.exit_code
    except SchemaError as error:
        say(f"stylemill {verb}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"stylemill {verb}: interrupted; the same command continues")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _check_directory() -> None:
    """Raise SpecError in a directory that was deleted: a library that cannot find out where it is ends the process."""
    try:
        Path.cwd()
    except OSError as error:
        raise SpecError("the current directory was deleted: go to another one and run the command again") from error


def end(code: int) -> NoReturn:
    """Leave with this exit code. What was done has been said: a signal in the interpreter's last moments, which Ray
    makes long, changes it no more.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def script() -> NoReturn:
    """The command `stylemill`."""
    end(main())


if __name__ == "__main__":
    script()
