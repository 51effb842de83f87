"""Where files of ours live: XDG directories, %APPDATA% on Windows. Computes paths; creates and reads nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

APP = "strowger"


def config_file(env: Mapping[str, str]) -> Path:
    """The configuration file: $STROWGER_CONFIG, else `strowger/config.toml` in the configuration directory."""
    if named := env.get("STROWGER_CONFIG"):
        return Path(named).expanduser()
    return config_dir(env) / "config.toml"


def config_dir(env: Mapping[str, str]) -> Path:
    """What the user writes."""
    return _base(env, "XDG_CONFIG_HOME", ".config") / APP


def state_dir(env: Mapping[str, str]) -> Path:
    """What we write and would like to find again: logs."""
    return _base(env, "XDG_STATE_HOME", ".local/state") / APP


def programs_dir(env: Mapping[str, str]) -> Path:
    """Programs that we put there for the user: `strowger toggle`'s."""
    return _base(env, "XDG_DATA_HOME", ".local/share") / APP / "bin"


def log_file(env: Mapping[str, str]) -> Path:
    """Where gateways log, unless the configuration names another file; older ones have a number behind the name."""
    return state_dir(env) / "gateway.log"


def flows_file(env: Mapping[str, str], named: str | None) -> Path:
    """The store of flows: as `[flows] file` names it, else in the state directory."""
    return Path(named).expanduser() if named else state_dir(env) / "flows.db"


def logins_dir(env: Mapping[str, str]) -> Path:
    """What `strowger login` leaves: one file for each login, `<issuer>.json` or `<issuer>.<name>.json`."""
    return state_dir(env) / "logins"


def runtime_dir(env: Mapping[str, str]) -> Path:
    """What lives as long as a process: pid files. Falls back to the state directory, which survives a reboot."""
    base = env.get("XDG_RUNTIME_DIR", "")
    return Path(base) / APP if Path(base).is_absolute() else state_dir(env) / "run"


def _base(env: Mapping[str, str], variable: str, below_home: str) -> Path:
    if sys.platform == "win32" and (roaming := env.get("APPDATA")):
        return Path(roaming)
    # The XDG specification: a relative path in one of its variables is invalid and ignored.
    value = env.get(variable, "")
    return Path(value) if Path(value).is_absolute() else home_dir(env) / below_home


def home_dir(env: Mapping[str, str]) -> Path:
    """The user's home."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
