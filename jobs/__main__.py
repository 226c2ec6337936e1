"""The command line: one verb per job, each a module with `main(argv) -> exit code`, imported when it is called; or a
package of further verbs, listed in its VERBS. Flags are tyro's. Its subcommands are not used: they would import every
verb, and with them torch and Ray, for any help text.
"""

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from jobs import streams, subverbs
from jobs.flags import say
from pipeline.engine.versions import version
from pipeline.errors import SpecError, StylemillError
from schemas import SchemaError

VERBS = {
    "models": "list, pull, verify and show the networks",
    "dataset": "sample faces, label them, keep latents, labels and pictures",
    "sample": "sample latents only",
    "latents": "import your own latents as a table",
    "label": "score the faces of a latents table",
    "photos": "edit the faces of your photos: align them, find their codes, edit these, paste them back",
    "directions": "fit directions on labels, or find, project, compare, import and export them",
    "train": "train an editor on labelled latents",
    "edit": "move latents with one of the editors",
    "calibrate": "measure the boundary and unit of each score on faces of a generator",
    "measure": "measure what edits changed, with classifiers that did not guide them",
    "compare": "compare editors on the same faces, by networks that none of them optimised",
    "dt": "compute Disentanglement-Transformation curves: how well an attribute changes alone",
    "reproduce": "repeat the experiments of a paper",
    "export": "write pictures as files, with their labels, for other programs",
    "submit": "run one of these commands on a Ray cluster, through its job server",
    "status": "show what is done, running, failed and rejected in a directory",
    "verify": "check the tables of a directory against their digests",
    "report": "write an HTML page about a directory: pictures, scores, provenance",
    "demo": "make and label 512 faces, and write a page about them",
    "try": "change attributes of a few faces, and write a page of them before and after",
}
ANSWERS = (["models"], ["status"], ["directions", "list"], ["help"], ["directions", "help"], ["--version"])
"""These fail if their standard output cannot be written; other verbs, which write tables, do not."""
HELP = {"-h", "--help"}
TRACEBACK = "STYLEMILL_TRACEBACK"
WAIT = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Threads of one operation wait for each other asleep. Spinning, the default, takes the core away from the thread
that is waited for when other work runs on the machine. The OpenMP runtime reads it when torch is loaded, so it is set
before any verb is imported; workers of a Ray cluster that this process starts inherit it.
"""
USAGE = """usage: stylemill VERB [FLAGS]   (stylemill VERB --help shows the flags and an example)
       stylemill --version

{verbs}

exit codes: 0 complete, 1 tasks failed, 2 bad usage or spec, 3 more rejects than --max-rejects (or all),
            4 the existing output differs, 5 another driver is running, 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; an error for the user is one line, any other is a bug and keeps its traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    usage = USAGE.format(verbs="\n".join(f"  {verb:12}{what}" for verb, what in VERBS.items()))
    if not words or words[0] in (*HELP, "help"):
        print(usage)
        return 0 if words else 2
    verb, *rest = words
    if verb == "--version":
        print(f"stylemill {version('stylemill')}")
        return 0
    if verb not in VERBS:
        say(f"stylemill: no verb {verb!r}; the verbs are {', '.join(VERBS)}")
        return 2
    for name, value in WAIT.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(format="Note  %(message)s", level=logging.WARNING)
    return _run(verb, rest)


def _run(verb: str, argv: Sequence[str]) -> int:
    try:
        _check_directory()
        module = subverbs.module_of(verb)
        code: int = module.main(argv) if hasattr(module, "main") else subverbs.run(verb, module.VERBS, argv)
    except StylemillError as error:
        say(f"stylemill {verb}: {error}")
        return error.exit_code
    except SchemaError as error:
        say(f"stylemill {verb}: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"stylemill {verb}: interrupted; the same command continues")
        return 130
    except (OSError, UnicodeError, MemoryError) as error:
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        say(f"stylemill {verb}: {_reason(error)} ({TRACEBACK}=1 shows where)")
        return 1
    return code


def _check_directory() -> None:
    """Raise SpecError in a directory that was deleted: a library that cannot find out where it is ends the process."""
    try:
        Path.cwd()
    except OSError as error:
        raise SpecError("the current directory was deleted: go to another one and run the command again") from error


def _reason(error: OSError | UnicodeError | MemoryError) -> str:
    """The operating system's error, with the file where it is known."""
    if isinstance(error, MemoryError):
        more = f": {error}" if str(error) else ""
        return f"out of memory{more}; a smaller --batch-size or --rows-per-shard needs less"
    if isinstance(error, UnicodeError):
        return f"{error}; text is read and written as UTF-8 where LC_ALL=C.UTF-8"
    reason = error.strerror or str(error) or type(error).__name__
    named = isinstance(error.filename, str | bytes)
    return f"{os.fsdecode(error.filename)}: {reason}" if named else reason


def end(code: int) -> NoReturn:
    """Leave with this exit code. What was done has been said: a signal in the interpreter's last moments, which Ray
    makes long, changes it no more.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _answers(words: Sequence[str]) -> bool:
    """Whether the result of these words goes to standard output, as the job's name of `submit --no-wait`."""
    if not words or HELP & {*words} or any(list(words[: len(answer)]) == answer for answer in ANSWERS):
        return True
    return words[0] == "submit" and bool({"--no-wait", "--no_wait"} & {*takewhile(lambda word: word != "--", words)})


def script() -> NoReturn:
    """The command `stylemill`."""
    streams.install()
    try:
        code = main()
    except SystemExit as left:  # tyro has shown a help, or what is wrong with the flags
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    why = streams.lost(sys.stdout)
    if code == 0 and _answers(sys.argv[1:]) and why is not None and why.errno != errno.EPIPE:
        say(f"stylemill: standard output: {why.strerror or why}: the output is lost")
        code = 1
    end(code)


if __name__ == "__main__":
    script()
