"""`stylemill reproduce`: a paper's tables on the generator at hand, beside the paper's numbers, on a page."""

from collections.abc import Sequence

from jobs import subverbs
from jobs.flags import say
from pipeline.engine.signals import late_signals
from pipeline.errors import SpecError

INTERRUPTED = 130
ADVICE = {4: "choose another --out", 5: "run the same study again when the other driver has ended"}
"""By exit code, where no flag of the study helps."""

VERBS = {
    "interfacegan": ("interfacegan", "InterFaceGAN (Shen et al., CVPR 2020): Tables 1 to 3, Sec. 3.3 and 3.4"),
    "ials": ("ials", "IALS (Han et al., IJCAI 2021): Table 1, Fig. 3, 4, 11 and 12"),
}


def main(argv: Sequence[str]) -> int:
    """Run one paper's study; errors as `subverbs.run`."""
    return subverbs.run("reproduce", VERBS, argv)


def step(*words: str, change: str = "--flags") -> None:
    """Run a verb as from the command line, and say so: each step of a study can be pasted and is resumed by itself.

    change: flags of the study that decide this step, to be named where it fails.

    Raises:
        KeyboardInterrupt: it was interrupted, or a signal came too late for that.
        SpecError: it did not end well.
    """
    from jobs.__main__ import main as stylemill

    say(f"Step  stylemill {' '.join(words)}")
    before = late_signals()
    code = stylemill(words)
    if code == INTERRUPTED or late_signals() > before:
        raise KeyboardInterrupt
    if code:
        advice = ADVICE.get(code, f"change {change}, or run the same study again, which goes on from there")
        raise SpecError(f"the step `stylemill {words[0]}` ended with exit code {code}, for the reason above: {advice}")


def local(flags: Sequence[str]) -> tuple[str, ...]:
    """Of the words that are added to jobs that make pictures, those for every step."""
    return ("--local",) if "--local" in flags else ()
