"""`strowger config import`: the configuration of another program as ours. Prints, and writes the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strowger.cli.render import plain

if TYPE_CHECKING:
    from strowger.config.importers import Imported

FILE = click.Path(dir_okay=False, path_type=Path)
SYSTEMS = ("ccode", "claude-code-router", "claude-code-proxy", "ccproxy-api", "ccproxy", "litellm")


@click.command("import")
@click.argument("file", type=FILE, required=False)
@click.option("--from", "system", type=click.Choice(SYSTEMS), help="Whose file it is, instead of finding out.")
@click.option("--to", "target", type=FILE, help="Where to write ours, instead of the usual place.")
@click.option("--print", "printed", is_flag=True, help="Print ours, with secrets masked, and write nothing.")
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept beside, as `.bak`.")
def importing(file: Path | None, system: str | None, target: Path | None, printed: bool, force: bool) -> None:
    """Take over the configuration of ccode, claude-code-router, claude-code-proxy, ccproxy-api, ccproxy or LiteLLM.

    Without FILE the usual places of all of them are looked at. What was taken and what was left, and why, is said line
    by line. Nothing of the other program's is changed.
    """
    from strowger.config.importers import import_file
    from strowger.config.importers.writing import as_toml
    from strowger.config.paths import config_file
    from strowger.config.starter import write_new
    from strowger.providers.presets import PRESETS

    file = file or _found(system)
    target = target or config_file(os.environ)
    if not printed and not force:
        _refuse_to_replace(target)
    found = import_file(file, PRESETS, os.environ, system)
    _tell(found, file, to_stderr=printed)
    if printed:
        click.echo(as_toml(found, masked=True), nl=False)
        return
    kept = _keep(target) if force else None
    write_new(target, as_toml(found), force=force)
    if kept is not None:
        click.echo(f"kept what was there as {kept}")
    click.echo(f"wrote {target}")
    click.echo(f"next: `strowger config check --config {target}`", err=True)


def _found(system: str | None) -> Path:
    """The one file there is in the usual places. Raises ConfigError when there is none, or more than one."""
    from strowger.config.importers.places import usual_places
    from strowger.errors import ConfigError

    places = [(name, path) for name, path in usual_places(os.environ, Path.cwd()) if system in {None, name}]
    there = [(name, path) for name, path in places if path.is_file()]
    for name, path in there:
        click.echo(f"found {path} ({name})", err=True)
    if len(there) == 1:
        return there[0][1]
    if there:
        raise ConfigError("there are several configurations", hint="name the one: `strowger config import FILE`")
    looked = ", ".join(str(path) for _, path in places)
    raise ConfigError(
        f"there is nothing to import in the usual places: {looked}", hint="name the file: `strowger config import FILE`"
    )


def _refuse_to_replace(target: Path) -> None:
    from strowger.errors import ConfigError

    if target.exists():
        raise ConfigError(
            f"{target} is there already",
            hint="`--print` only shows what would be written; `--force` replaces it and keeps a copy",
        )


def _keep(target: Path) -> Path | None:
    """Copy what is there to a `.bak` beside it that only its owner can read."""
    from strowger.config.starter import write_new
    from strowger.errors import ConfigError

    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.bak")
    try:
        written = target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{target} cannot be kept: {error}") from None
    write_new(kept, written, force=True)
    return kept


def _tell(found: Imported, file: Path, *, to_stderr: bool) -> None:
    """What became of everything. On standard error where the file itself is printed."""
    click.echo(f"{file}: {found.system}", err=to_stderr)
    for note in found.taken:
        click.echo(plain(f"  took  {note.what} → {note.text}"), err=to_stderr)
    for note in found.left:
        click.echo(plain(f"  left  {note.what}: {note.text}"), err=to_stderr)
    for warning in found.warnings:
        click.echo(f"{click.style('warning:', fg='yellow')} {plain(warning)}", err=True)
