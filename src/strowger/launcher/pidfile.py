"""The pid file that `[proxy] pid_file` names: where a gateway is, for programs that look for it in a place of theirs.

Its members are those of ccode's pid files, so that what reads these reads this. There is nothing secret in it. A file
that is not of that form, or not ours, is left alone. Must not know what the gateway does.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from strowger.config.private import replace_file
from strowger.config.processes import is_running
from strowger.config.schema import Config
from strowger.errors import ConfigError


class PidFile(Struct, frozen=True, kw_only=True):
    """What stands in the file. `started_at` is in RFC 3339."""

    ccode_pid: int
    port: int
    profile_name: str
    upstream_host: str
    started_at: str


_OTHERS = "end that one first; if it is no gateway, remove the file"


class InUse(ConfigError):
    """The file is that of another process, which is running."""


def upstream(config: Config) -> str | None:
    """The address where calls go unless a route or a model's name says otherwise; None when only routes say."""
    name = (config.launch.models.main or config.launch.via or "").partition(":")[0]
    if not name and len(config.providers) == 1:
        (name,) = config.providers
    provider = config.providers.get(name)
    return provider.base_url if provider else None


@contextmanager
def kept(path: Path, url: str, config: Config, profile: str | None) -> Iterator[None]:
    """The file, for the length of a block. Raises ConfigError; InUse when another process has it."""
    path = path.expanduser()
    _refuse_foreign(path)
    entry = PidFile(
        ccode_pid=os.getpid(),
        port=urlsplit(url).port or 0,
        profile_name=profile or "default",
        upstream_host=urlsplit(upstream(config) or "").hostname or "",
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, msgspec.json.encode(entry), durable=False)
    except OSError as error:
        raise ConfigError(f"the pid file {path} cannot be written: {error.strerror}") from None
    try:
        yield
    finally:
        if _read(path) == entry:  # whatever else is there by now is another's
            path.unlink(missing_ok=True)


def _refuse_foreign(path: Path) -> None:
    if not os.path.lexists(path):
        return
    found = _read(path)
    if found is None:
        raise ConfigError(
            f"{path} is there already, and is no pid file of yours", hint="name another as proxy.pid_file"
        )
    if found.ccode_pid != os.getpid() and is_running(found.ccode_pid):
        raise InUse(f"{path} is the pid file of process {found.ccode_pid}, which is running", hint=_OTHERS)


def _read(path: Path) -> PidFile | None:
    """What stands in a file of ours; None for any other."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not (sys.platform == "win32" or found.st_uid == os.geteuid()):
            return None
        return msgspec.json.decode(path.read_bytes(), type=PidFile)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
