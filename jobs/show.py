"""Tables on standard output."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid

WIDEST = 10_000


def show(grid: Grid) -> None:
    """Print a table whole: where the terminal is narrower, or there is none, its lines are longer; no number is cut."""
    wide = Console(width=WIDEST)
    needed = Measurement.get(wide, wide.options, grid).maximum
    Console(width=max(Console().width, needed)).print(grid, highlight=False)
