"""`strowger logs`: what the gateways have told, in words or as they wrote it."""

from __future__ import annotations

import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

import click

from strowger.cli import render
from strowger.config.paths import config_file, log_file
from strowger.launcher import sessions
from strowger.telemetry.lines import told
from strowger.telemetry.logs import AREAS, LEVELS
from strowger.telemetry.reading import Follower, Line, newest_first

NOTHING_THERE = 1
_LOOK_SECONDS = 0.2
_COLOURS = {"warning": "yellow", "error": "red"}

Wanted = Callable[[Line], bool]


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on.")
@click.option("--lines", "-n", type=click.IntRange(0), default=50, show_default=True, help="How many of the last ones.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines of this level and above.")
@click.option("--area", "areas", type=click.Choice(AREAS), multiple=True, help="Only lines of this area; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="The lines as they were written.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Another file than the gateways' own.")
def logs(follow: bool, lines: int, level: str, areas: tuple[str, ...], as_json: bool, file: Path | None) -> int:
    """Show what the gateways have told, the newest lines last.

    What several gateways wrote is put in order, and files that were rotated are read too. What is logged at all is
    said by `log.level` and `log.areas` of the configuration. Exit code 1 when there is no log.
    """
    paths = [file] if file is not None else _paths()
    if not follow and not any(path.exists() for path in paths):
        click.echo("there is no log" if file is None else f"there is no log at {file}", err=True)
        if file is None:
            click.echo(render.hint(f"gateways write {paths[0]}; `strowger serve` starts one"), err=True)
        return NOTHING_THERE
    lowest = LEVELS.index(level)

    def wanted(line: Line) -> bool:
        rank = LEVELS.index(line.level) if line.level in LEVELS else len(LEVELS)
        return rank >= lowest and (not areas or line.area in areas)

    # before the files are read: what is written meanwhile shall be told
    followers = [Follower(path) for path in paths] if follow else []
    last = list(islice(filter(wanted, newest_first(paths)), min(lines, sys.maxsize)))
    _show(reversed(last), as_json)
    if not (last or follow) and lines:
        click.echo("no line of the log is such a one", err=True)
    if follow:
        for new in _new(followers, wanted):
            _show(new, as_json)
    return 0


def _paths() -> list[Path]:
    """The gateways' own log, those that running gateways name, and the one that the configuration names."""
    found = [log_file(os.environ)]
    found += [Path(each.log) for each in sessions.running(sessions.directory(os.environ)) if each.log]
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError):
        named = tomllib.loads(config_file(os.environ).read_text("utf-8")).get("log", {}).get("file")
        if isinstance(named, str):
            found.append(Path(named).expanduser().absolute())
    # the null device and the like cannot be read again
    return [path for path in dict.fromkeys(found) if path.is_file() or not path.exists()]


def _new(followers: list[Follower], wanted: Wanted) -> Iterator[list[Line]]:
    while True:
        came = [line for follower in followers for line in follower.lines() if wanted(line)]
        if came:
            yield sorted(came, key=lambda line: line.time) if len(followers) > 1 else came
        time.sleep(_LOOK_SECONDS)


def _show(lines: Iterable[Line], as_json: bool) -> None:
    for line in lines:
        click.echo(line.raw if as_json else _words(line))
    sys.stdout.flush()


def _words(line: Line) -> str:
    """The line for a reader; colour only repeats what the words say."""
    if not line.event:
        return render.plain(line.raw)
    clock, mark, rest = told(_clock(line.time), line.fields, line.level, line.event).partition("  ")
    colour = _COLOURS.get(line.level)
    return (click.style(clock, fg=colour) if colour else click.style(clock, dim=True)) + mark + rest


def _clock(written: str) -> str:
    """The time of day here, with the day where it is not today."""
    try:
        moment = datetime.fromisoformat(written).astimezone()
    except ValueError:
        return render.plain(written)
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
