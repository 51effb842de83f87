"""Taking out of an imported configuration what our own checks would refuse, each with the reason they give.

A foreign file may say what cannot be kept: a key of one vendor for the host of another, an address that lacks its
region. What is left after this can be used. Must not know any foreign format.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from strowger.config.importers.draft import Imported, Note, Table, table_of
from strowger.config.layers import InvalidConfig, load
from strowger.config.lines import Path
from strowger.config.schema import Presets


def fitted(found: Imported, presets: Presets, env: Mapping[str, str]) -> Imported:
    """The same without what is refused; `env` is that of the user, for what presets read from it."""
    table = {key: _copied(value) for key, value in found.table.items()}
    left = list(found.left)
    env = {name: value for name, value in env.items() if not name.startswith("STROWGER_")}
    while isinstance(seen := _looked_at(table, presets, env), _Refused):
        gone = _taken_out(table, ("profiles", seen.profile) if seen.profile else seen.path)
        left.append(Note(".".join(map(str, gone)), f"it would be refused: {seen.message}"))
    return msgspec.structs.replace(found, table=table, left=tuple(left), warnings=seen)


class _Refused(msgspec.Struct, frozen=True):
    """The first thing that a check refuses, and the profile with which it does; empty for none."""

    profile: str
    path: Path
    message: str


def _looked_at(table: Table, presets: Presets, env: Mapping[str, str]) -> _Refused | tuple[str, ...]:
    """What is refused, else what is warned of."""
    warnings: list[str] = []
    for profile in ("", *table_of(table.get("profiles"))):
        try:
            loaded = load(env=env, presets=presets, profile=profile or None, table=table)
        except InvalidConfig as error:
            return _Refused(profile, error.problems[0].path, error.problems[0].message)
        warnings += [problem.message + (f": {problem.hint}" if problem.hint else "") for problem in loaded.warnings]
    return tuple(dict.fromkeys(warnings))


def _taken_out(table: Table, path: Path) -> Path:
    """Remove the smallest thing around a path that can be missed, and what leads to it. Returns where it was."""
    section = str(path[0]) if path else next(iter(table))
    below = table.get(section)
    if len(path) < 2 or section in {"network", "log", "limits", "retries"}:
        table.pop(section, None)
        return (section,)
    if isinstance(below, list) and isinstance(path[1], int) and path[1] < len(below):
        del below[path[1]]
        if not below:
            del table[section]
        return path[:2]
    if isinstance(below, dict) and path[1] in below:
        del below[str(path[1])]
        if section == "server":
            below.pop("bind", None)  # whatever is missing now, other machines are not let in
            below.pop("allow_external_bind", None)
        if not below:
            del table[section]
        return path[:2]
    table.pop(section, None)
    return (section,)


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value
