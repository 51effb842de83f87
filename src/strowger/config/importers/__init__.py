"""The configuration files of other programs as ours. One module for each program, a function from table to table.

Nothing here reads a secret, connects, or writes. What a foreign file holds is somebody's text: an importer takes what
it knows, says what it leaves, and raises ConfigError at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from strowger.config.importers import ccode, ccproxy, ccproxy_api, claude_code_proxy, claude_code_router, litellm
from strowger.config.importers.draft import Imported, Note
from strowger.config.importers.fitting import fitted
from strowger.config.importers.reading import read_file
from strowger.config.schema import Presets
from strowger.errors import ConfigError

__all__ = ["SYSTEMS", "Imported", "Note", "System", "import_file", "import_table", "recognise"]


class System(msgspec.Struct, frozen=True):
    """A program whose configuration can be imported, and what tells its files from others."""

    recognised: Callable[[Mapping[str, object]], bool]
    imported: Callable[[Mapping[str, object], Presets, Mapping[str, str]], Imported]
    sign: str


SYSTEMS: Mapping[str, System] = {
    "claude-code-router": System(claude_code_router.recognised, claude_code_router.imported, "`Providers` or `Router`"),
    "ccproxy": System(ccproxy.recognised, ccproxy.imported, "`ccproxy`"),
    "ccode": System(ccode.recognised, ccode.imported, "`profiles` with `anthropic_base_url`"),
    "claude-code-proxy": System(claude_code_proxy.recognised, claude_code_proxy.imported, "`codex` or `aliasProvider`"),
    "ccproxy-api": System(ccproxy_api.recognised, ccproxy_api.imported, "`plugins`"),
    "litellm": System(litellm.recognised, litellm.imported, "`model_list`"),
}
"""Every system by its name, in the order in which they are tried."""


def recognise(table: Mapping[str, object]) -> str | None:
    """Whose configuration this is, as far as its keys tell."""
    return next((name for name, system in SYSTEMS.items() if system.recognised(table)), None)


def import_table(
    table: Mapping[str, object], presets: Presets, env: Mapping[str, str], system: str | None = None
) -> Imported:
    """Our configuration for a foreign one, fit for use. Raises ConfigError when there is nothing in it for us."""
    system = system or recognise(table)
    if system is None:
        raise ConfigError("this is the configuration of no program that is known here", hint=_expected())
    found = fitted(SYSTEMS[system].imported(table, presets, env), presets, env)
    if not found.table:
        why = f": {found.left[0].what}: {found.left[0].text}" if found.left else ""
        raise ConfigError(f"there is nothing of {system} in it that could be taken over{why}", hint=_expected())
    return found


def import_file(path: Path, presets: Presets, env: Mapping[str, str], system: str | None = None) -> Imported:
    """The same for a file."""
    try:
        found = import_table(read_file(path), presets, env, system)
    except ConfigError as error:
        where = error.where or str(path)
        raise ConfigError(error.message, where=where, hint=error.hint) from None
    newer = path.with_name("config.sqlite")
    if found.system == "claude-code-router" and newer.is_file():
        stale = (
            f"{newer} is newer: a claude-code-router that has made it reads its settings there, no more in {path.name}"
        )
        return msgspec.structs.replace(found, warnings=(stale, *found.warnings))
    return found


def _expected() -> str:
    return "expected is " + "; ".join(f"{system.sign} ({name})" for name, system in SYSTEMS.items())
