"""Settings files for a client's life: what a client takes from files only is written beside its user's own, which stay
as they are, and is gone when the client is. Must not know which client needs what.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from strowger.config.paths import runtime_dir, state_dir
from strowger.config.private import replace_file


@contextmanager
def written(env: Mapping[str, str], settings: Mapping[str, str], suffix: str = ".json") -> Iterator[dict[str, str]]:
    """Write each text to a file of its own; gives the variables with the files' paths.

    In a directory where nobody else may write, nor in any above it: clients refuse settings that others could have
    planted.
    """
    if not settings:
        yield {}
        return
    base = next((path for path in (runtime_dir(env), state_dir(env)) if _is_sheltered(path)), runtime_dir(env))
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="launch-", dir=base) as folder:
        yield _write(Path(folder), settings, suffix)


def kept(folder: Path, settings: Mapping[str, str], suffix: str = ".json") -> dict[str, str]:
    """The same in a folder of ours that stays, for clients that others start."""
    if settings:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _write(folder, settings, suffix)


def _write(folder: Path, settings: Mapping[str, str], suffix: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for variable, text in settings.items():
        path = folder / f"{variable.lower()}{suffix}"
        replace_file(path, text.encode(), durable=False)
        named[variable] = str(path)
    return named


def _is_sheltered(folder: Path) -> bool:
    """Whether nobody else may write into it or into any folder above, as far as they are there."""
    there = [path for path in (folder, *folder.absolute().parents) if path.exists()]
    return not any(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) for path in there)
