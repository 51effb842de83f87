"""Pid files: which gateways of this user are running, where, and with which admin token.

One file `<pid>.json` per process, readable by its owner only, in a directory that nobody else may enter: the admin
token in it is what lets `strowger status` and `strowger run` in. Whoever lists the files sweeps those of dead
processes; files of others, and files that cannot be read as ours, are left alone. Knows nothing of how a gateway is
built.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from strowger.config.paths import runtime_dir
from strowger.config.private import replace_file
from strowger.config.processes import is_the_same
from strowger.errors import ConfigError

Kind = Literal["serve", "run", "demo", "proxy"]

OWN = "STROWGER_SESSION"
"""Names the launch of the client that a process was started by: of several, that one is meant from there."""


class Session(Struct, frozen=True, kw_only=True):
    """A running gateway. `serve` sessions may be joined; those of `run` and `demo` end with the program they are for,
    those of `proxy` are for whom they were started.

    `started` is Unix time. `process_start` is the system's mark of when the process began, where it has one: a dead
    process' number is given out again, the mark is not. `config` is the file it was started with, if there is one,
    `log` the one that it logs to.
    `demo`: it serves the demo model and nothing else.
    """

    pid: int
    url: str
    admin_token: str
    started: float
    kind: Kind = "serve"
    command: str = ""
    config: str | None = None
    log: str | None = None
    profile: str | None = None
    demo: bool = False
    process_start: str | None = None

    def __repr__(self) -> str:
        return f"Session({self.pid}, {self.url})"


def directory(env: Mapping[str, str]) -> Path:
    """Where the files are: the runtime directory, which is emptied at a reboot, else the state directory."""
    return runtime_dir(env) / "sessions"


def write(session: Session, folder: Path) -> Path:
    """Write a session's file, all at once. Raises ConfigError when the directory cannot be trusted."""
    _prepare(folder)
    path = folder / f"{session.pid}.json"
    replace_file(path, msgspec.json.encode(session), durable=False)
    return path


def remove(path: Path) -> None:
    """Take a session's file away; it may be gone already."""
    path.unlink(missing_ok=True)


def running(folder: Path) -> list[Session]:
    """The sessions whose process is alive, the newest first. Files of the dead are swept."""
    sweep(folder)
    found = [session for path in _files(folder) if (session := _read(path)) is not None and is_alive(session)]
    return sorted(found, key=lambda session: session.started, reverse=True)


def joinable(
    folder: Path, *, config: Path | None = None, profile: str | None = None, demo: bool | None = None
) -> list[Session]:
    """The gateways that others may use, the newest first: those of `serve`; with the configuration named, if any is.

    `demo` asks for those that serve the demo, or for the others; None for both.
    """
    found = [session for session in running(folder) if session.kind == "serve"]
    if config is not None:
        found = [session for session in found if session.config == str(config.resolve())]
    if profile is not None:
        found = [session for session in found if session.profile == profile]
    if demo is not None:
        found = [session for session in found if session.demo is demo]
    return found


def is_outdated(session: Session) -> bool:
    """Whether its configuration file was changed after the gateway had read it."""
    try:
        return session.config is not None and Path(session.config).stat().st_mtime > session.started
    except OSError:
        return False


def sweep(folder: Path) -> list[Path]:
    """Remove the files of dead processes: only our own, only those that we can read. Returns what was removed."""
    removed = []
    for path in _files(folder):
        session = _read(path)
        if session is not None and not is_alive(session):
            remove(path)
            removed.append(path)
    return removed


def is_alive(session: Session) -> bool:
    """Whether the session's process is there, and is the one that wrote the file."""
    return is_the_same(session.pid, session.process_start)


def _prepare(folder: Path) -> None:
    """Make the directory, ours alone. Raises ConfigError when somebody else's is in its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}", hint=_HINT) from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
        raise ConfigError(f"{folder} is not a directory of yours", hint=_HINT)
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


_HINT = "set XDG_RUNTIME_DIR to a directory that only you can enter"


def _files(folder: Path) -> list[Path]:
    try:
        if not _is_ours(folder.lstat()):
            return []
        return sorted(path for path in folder.iterdir() if path.suffix == ".json" and path.stem.isdigit())
    except OSError:
        return []


def _read(path: Path) -> Session | None:
    """The session in a file, or None when it is not ours, not a session, or not of the process it is named for."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
            return None
        session = msgspec.json.decode(path.read_bytes(), type=Session)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return session if path.stem == str(session.pid) else None


def _is_ours(found: os.stat_result) -> bool:
    return sys.platform == "win32" or found.st_uid == os.geteuid()
