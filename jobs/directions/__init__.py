"""`stylemill directions`: fit, condition, compare, import and export directions in latent space."""

import importlib
from collections.abc import Sequence

from pipeline.errors import SpecError

VERBS = {
    "fit": ("fitting", "fit directions on labelled latents, or find them without labels"),
    "condition": ("condition", "take other directions out of one"),
    "compare": ("compare", "cosines of directions, correlations of labels, and a picture of both"),
    "import": ("importing", "directions from other projects' files"),
    "export": ("exporting", "directions as other projects' files"),
}
USAGE = """usage: stylemill directions VERB [FLAGS]   (stylemill directions VERB --help shows the flags and an example)

{verbs}"""


def main(argv: Sequence[str]) -> int:
    """Run one of fit, condition, compare, import, export.

    Raises:
        SpecError: there is no such verb.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE.format(verbs="\n".join(f"  {verb:11}{what}" for verb, (_, what) in VERBS.items())))
        return 0 if argv else 2
    verb, *rest = argv
    if verb not in VERBS:
        raise SpecError(f"no verb {verb!r}; the verbs are {', '.join(VERBS)}")
    code: int = importlib.import_module(f"jobs.directions.{VERBS[verb][0]}").main(rest)
    return code
