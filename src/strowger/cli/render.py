"""How things look on a terminal: tables, durations, counts. Colour never carries meaning alone. No logic, no I/O."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

import click

from strowger.flows.words import count, duration, milliseconds, plain

__all__ = ["below_home", "count", "duration", "hint", "milliseconds", "plain", "table", "terminal_width"]


def hint(text: str) -> str:
    """What to do next, a line below whatever it is about."""
    return f"\n{click.style('hint:', fg='cyan', bold=True)} {text}"


def table(rows: Sequence[Sequence[str]], *, indent: int = 0, header: Sequence[str] = ()) -> list[str]:
    """Lines with the columns aligned to the left; trailing blanks cut."""
    every = [[plain(cell) for cell in row] for row in ((header, *rows) if header and rows else rows)]
    widths = [max(len(row[column]) for row in every) for column in range(len(every[0]))] if every else []
    lines = [
        " " * indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in every
    ]
    if header and lines:
        lines[0] = click.style(lines[0], dim=True)
    return lines


def terminal_width() -> int | None:
    """Columns of the terminal; None when there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def below_home(path: str) -> str:
    """A path as a shell has it: `~` for the user's home."""
    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path == home or path.startswith(f"{home}{os.sep}") else path
