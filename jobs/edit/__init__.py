"""`stylemill edit`: latents moved by an editor, with scores and pictures of the results."""

from collections.abc import Sequence

from jobs import subverbs
from jobs.edit.effect import remarks_on
from jobs.edit.plan import plan_edit
from jobs.edit.spec import SPECS, EditSpec
from jobs.flags import parse, say
from jobs.launch import launch
from pipeline.editors import EDITORS
from pipeline.errors import SpecError

__all__ = ["SPECS", "EditSpec", "main", "plan_edit"]


def main(argv: Sequence[str]) -> int:
    """Run the verb with one of the editors; returns the exit code."""
    if not argv or argv[0] in subverbs.HELP:
        print(subverbs.usage("edit", "EDITOR", EDITORS))
        return 0 if argv else 2
    editor, *flags = argv
    if editor not in EDITORS:
        hint = f" (the editor comes first: stylemill edit {next(iter(EDITORS))} ...)" if editor.startswith("-") else ""
        raise SpecError(f"no editor {editor!r}; the editors are {', '.join(EDITORS)}{hint}")
    spec = parse(SPECS[editor], flags)
    job, workers = plan_edit(spec)
    code = launch(job, workers, spec)
    for line in () if spec.dry_run else remarks_on(job):
        say(line)
    return code
