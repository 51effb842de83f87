"""How things look on a terminal: tables, durations, counts. Colour never carries meaning alone. No logic, no I/O."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click


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


def below_home(path: str) -> str:
    """A path as a shell has it: `~` for the user's home."""
    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path == home or path.startswith(f"{home}{os.sep}") else path


def plain(text: str) -> str:
    """A text of somebody else's as a terminal may show it: signs that would steer it are none that are meant."""
    return (
        text
        if text.isprintable()
        else "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    )


def duration(seconds: float) -> str:
    """A time span in its two largest units: `3d 4h`, `12m 5s`, `7s`."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def milliseconds(value: float | None) -> str:
    """Milliseconds with one decimal where that says something."""
    if value is None:
        return "-"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 call`, `2 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
