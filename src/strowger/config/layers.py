"""The layers of the configuration, from weak to strong, merged field by field; each value remembers its layer.

    defaults < packaged presets < file < selected profile < STROWGER_SECTION__KEY < flags

Tables merge, everything else is replaced whole. Reads the file and the mappings it is given, nothing else; must not
know which presets exist nor what is built from the result.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from strowger.config import checks, environment
from strowger.config.lines import Path as KeyPath
from strowger.config.lines import line_of, locate, syntax_error
from strowger.config.paths import config_file
from strowger.config.references import SecretRef, looks_sensitive
from strowger.config.schema import Config, Launching, Preset, Presets, ProviderConfig
from strowger.config.validate import Problem, convert, suggest, type_at
from strowger.errors import ConfigError

Table = dict[str, object]


class Origin(msgspec.Struct, frozen=True):
    """Which layer a value came from. `where` is the preset, `file:line`, the variable or the flag."""

    layer: Literal["default", "preset", "file", "profile", "environment", "flag"]
    where: str = ""
    profile: str = ""

    @property
    def text(self) -> str:
        """In one phrase, as `config show --origin` prints it."""
        if self.layer == "profile":
            return f"{self.where} (profile {self.profile})"
        return self.where if self.layer == "file" else f"{self.layer} {self.where}".strip()


Origins = Mapping[KeyPath, Origin]

DEFAULT = Origin("default")


class Loaded(msgspec.Struct, frozen=True):
    """A configuration that can be used. `path` is None when there is no file; `profiles` are the names in it."""

    config: Config
    origins: Origins
    warnings: tuple[Problem, ...] = ()
    path: Path | None = None
    profile: str | None = None
    profiles: tuple[str, ...] = ()

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at a key path came from."""
        return self.origins.get(path, DEFAULT)

    def place(self, path: KeyPath) -> str:
        """Where the value stands, for messages: `file:line`, a variable, a flag; empty when nowhere."""
        return _place(self.origins, path)


class InvalidConfig(ConfigError):
    """The configuration cannot be used; `problems` says all that is wrong, each with its place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first, more = problems[0], len(problems) - 1
        message = first.message + (f" (and {more} more; see `strowger config check`)" if more else "")
        super().__init__(message, where=first.where or None, hint=first.hint)
        self.problems = problems


class Choice(msgspec.Struct, frozen=True):
    """What is chosen for a launch beside the file: a profile, and where its calls go ("provider[:model]")."""

    profile: str | None = None
    via: str | None = None


AS_STARTED = Choice()


def load(
    path: Path | None = None,
    *,
    env: Mapping[str, str],
    presets: Presets,
    flags: Mapping[str, object] = MappingProxyType({}),
    profile: str | None = None,
    via: str | None = None,
    table: Mapping[str, object] | None = None,
) -> Loaded:
    """Read, merge and check. Raises InvalidConfig with every problem.

    `path` is the file of `--config`; without it $STROWGER_CONFIG, else the usual place, where a file may be absent.
    `flags` are values by dotted key (`server.port`); None means that the flag was not given. `profile` is the one of
    `--profile`; without it $STROWGER_PROFILE. When no layer names a provider, the presets whose key variables are set
    are used. `via` is the one of `--via`; a provider in it that is not configured is taken from its preset. `table` is
    what a file would hold, to be looked at before there is one.
    """
    source = _read(path, env) if table is None else _Source(table={key: _copy(value) for key, value in table.items()})
    layers = _Layers()
    profile = profile or env.get("STROWGER_PROFILE") or None
    profiles = source.table.pop("profiles", {})
    layers.put(source.table, lambda key: Origin("file", source.place(key)))
    problems = _profiles(profiles, source, layers, profile)
    for setting in environment.settings(env, [*presets, *_names(layers.table)]):
        layers.put(_nest(setting.path, setting.value), _always(Origin("environment", setting.variable)))
    for dotted, value in flags.items():
        if value is not None:
            layers.put(_nest(tuple(dotted.split(".")), value), _always(Origin("flag", dotted)))
    notes = _infer(layers, env, presets) if not layers.table.get("providers") else []
    if via is not None:
        _go_via(via, layers, presets)
    _underlay(layers, env, presets)

    config, found = convert(Config, layers.table)
    problems += map(_with_section, found)
    if config is not None:
        problems += _meaning(config, layers.table, presets, problems)
    if config is None or problems:
        raise InvalidConfig(tuple(sorted(map(layers.placed, problems), key=_reading_order)))
    notes += checks.warnings(config, presets)
    notes += _literals(config, layers.origins, source)
    return Loaded(
        config=config,
        origins=layers.origins,
        warnings=tuple(layers.placed(note) for note in notes),
        path=source.path,
        profile=profile,
        profiles=tuple(profiles) if isinstance(profiles, dict) else (),
    )


class _Source(msgspec.Struct, frozen=True):
    """A file as read. Without a file, everything is empty."""

    path: Path | None = None
    table: Table = {}
    lines: dict[KeyPath, int] = {}

    def place(self, key: KeyPath) -> str:
        line = line_of(self.lines, key)
        return f"{self.path}:{line}" if line else str(self.path)


class _Layers:
    """The table merged so far, and the origin of each key path in it."""

    def __init__(self) -> None:
        self.table: Table = {}
        self.origins: dict[KeyPath, Origin] = {}

    def put(self, over: Mapping[str, object], origin: Callable[[KeyPath], Origin]) -> None:
        """Merge a stronger layer in."""
        self._merge(self.table, over, (), origin)

    def place(self, path: KeyPath, origin: Origin) -> None:
        """Remember an origin for a path that is not merged."""
        self.origins[path] = origin

    def placed(self, problem: Problem) -> Problem:
        """The problem with the place it stands at."""
        if problem.where:
            return problem
        return msgspec.structs.replace(problem, where=_place(self.origins, problem.path))

    def _merge(self, base: Table, over: Mapping[str, object], at: KeyPath, origin: Callable[[KeyPath], Origin]) -> None:
        for key, value in over.items():
            path = (*at, key)
            below = base.get(key)
            # A secret reference in table form is one value: { env = … } and { file = … } do not mix.
            is_reference = type_at(Config, tuple(map(str, path))) is SecretRef
            if isinstance(below, dict) and isinstance(value, Mapping) and not is_reference:
                self._merge(below, value, path, origin)
                continue
            for old in [known for known in self.origins if known[: len(path)] == path]:
                del self.origins[old]
            base[key] = _copy(value)
            self._mark(value, path, origin)

    def _mark(self, value: object, path: KeyPath, origin: Callable[[KeyPath], Origin]) -> None:
        self.origins[path] = origin(path)
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._mark(item, (*path, key), origin)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                self._mark(item, (*path, number), origin)


def _read(path: Path | None, env: Mapping[str, str]) -> _Source:
    is_named = path is not None or bool(env.get("STROWGER_CONFIG"))
    path = path or config_file(env)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if is_named:
            hint = f"`strowger config init --path {path}` writes one"
            raise InvalidConfig((Problem((), "there is no such configuration file", hint, str(path)),)) from None
        return _Source()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidConfig((Problem((), f"the configuration cannot be read: {reason}", None, str(path)),)) from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = syntax_error(error, text)
        hint = "strings need quotes, and each table and key may stand only once"
        raise InvalidConfig((Problem((), f"not valid TOML: {message}", hint, f"{path}:{line}"),)) from None
    return _Source(path, table, locate(text))


def _profiles(profiles: object, source: _Source, layers: _Layers, selected: str | None) -> list[Problem]:
    """Check every profile and merge the selected one in."""
    if not isinstance(profiles, dict):
        layers.place(("profiles",), Origin("file", source.place(("profiles",))))
        return [Problem(("profiles",), "`profiles` must be a table of tables, each written [profiles.NAME]")]
    problems: list[Problem] = []
    for name, overlay in profiles.items():
        path: KeyPath = ("profiles", name)
        layers.place(path, Origin("file", source.place(path)))
        found = _strange(overlay, path) if isinstance(overlay, dict) else []
        if name != selected:
            found += convert(Config, _unfolded(overlay) if isinstance(overlay, dict) else {}, path)[1]
        if found:
            problems += [msgspec.structs.replace(problem, where=source.place(problem.path)) for problem in found]
        if not isinstance(overlay, dict):
            problems.append(Problem(path, f"profile `{name}` must be a table, written [profiles.{name}]"))
    if selected is None:
        return problems
    overlay = profiles.get(selected)
    if isinstance(overlay, dict):
        is_written_out = "launch" in overlay

        def origin(key: KeyPath) -> Origin:
            at = key if is_written_out or key[0] != "launch" else key[1:]
            return Origin("profile", source.place(("profiles", selected, *at)), selected)

        layers.put(_unfolded(overlay), origin)
    elif overlay is None:
        hint = suggest(selected, profiles, what="there are") or "the configuration has no [profiles.NAME]"
        problems.append(Problem((), f"there is no profile `{selected}`", hint, str(source.path or "")))
    return problems


def _go_via(via: str, layers: _Layers, presets: Presets) -> None:
    """Say where a launch goes, over whatever a profile says: slots are for the provider that the profile chose."""
    name = via.partition(":")[0]
    origin = _always(Origin("flag", "via"))
    configured = layers.table.get("providers")
    if name in presets and not (isinstance(configured, dict) and name in configured):
        layers.put({"providers": {name: {}}}, origin)
    launch = layers.table.get("launch")
    if isinstance(launch, dict):
        launch.pop("models", None)
    layers.put({"launch": {"via": via}}, origin)


def _strange(overlay: Table, path: KeyPath) -> list[Problem]:
    """The keys of a profile that are none, taken out of it: only here is it known what may stand without a heading."""
    known = _keys(Launching) | _keys(Config)
    found = [key for key in overlay if key not in known]
    for key in found:
        del overlay[key]
    where = ".".join(str(part) for part in path)
    return [Problem((*path, key), f"`{key}` is unknown in [{where}]", suggest(key, known)) for key in found]


def _keys(struct: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(struct)}


def _unfolded(overlay: Table) -> Table:
    """A profile as an overlay: what launches are given stands in it without the heading [launch]."""
    keys = _keys(Launching)
    launch = {key: value for key, value in overlay.items() if key in keys}
    if not launch:
        return overlay
    rest = {key: value for key, value in overlay.items() if key not in keys}
    written = rest.get("launch")
    return {**rest, "launch": {**launch, **(written if isinstance(written, dict) else {})}}


def _infer(layers: _Layers, env: Mapping[str, str], presets: Presets) -> list[Problem]:
    found, notes = environment.inferred(env, presets)
    for name, place in {**environment.logged_in(env, presets), **found}.items():
        layers.put({"providers": {name: {}}}, _always(Origin("environment", place)))
    return notes


def _underlay(layers: _Layers, env: Mapping[str, str], presets: Presets) -> None:
    """Fill in what each provider's preset supplies and no stronger layer has said."""
    providers = layers.table.get("providers")
    for name, table in providers.items() if isinstance(providers, dict) else ():
        if not isinstance(table, dict):
            continue
        preset_name = table.setdefault("preset", name) if name in presets else table.get("preset")
        if not isinstance(preset_name, str) or (preset := presets.get(preset_name)) is None:
            continue
        layers.origins.setdefault(("providers", name, "preset"), layers.origins[("providers", name)])
        _fill_gaps(name, table, preset, env, layers)
        supplied = _supplied(preset, env, table)
        for key, value in supplied.items():
            if key not in table:
                table[key] = value
                layers.origins[("providers", name, key)] = Origin("preset", preset_name)


def _supplied(preset: Preset, env: Mapping[str, str], table: Table) -> Table:
    supplied: Table = {"dialect": preset.dialect, "base_url": preset.address(table)}
    if preset.models:
        supplied["models"] = list(preset.models)
    if preset.auth_header is not None:
        supplied["auth_header"] = preset.auth_header
    variable = environment.key_variable(preset, env)
    base_url = table.get("base_url", preset.base_url)
    # A vendor's key goes to the vendor's host: for another host the user must say which key to send.
    own = str(supplied["base_url"])
    is_own_host = isinstance(base_url, str) and (base_url == preset.base_url or environment.same_host(base_url, own))
    if "accounts" in table:
        return supplied
    if variable and (preset.key_required or env.get(variable)) and (is_own_host or not preset.key_required):
        supplied["auth"] = f"env:{variable}"
    if preset.auth and is_own_host and not (variable and env.get(variable)):
        supplied["auth"] = preset.auth
    return supplied


def _fill_gaps(name: str, table: Table, preset: Preset, env: Mapping[str, str], layers: _Layers) -> None:
    """Take what completes an address from the variables that the vendor's own tools read."""
    for gap, variables in preset.variables.items():
        variable = next((known for known in variables if env.get(known)), None)
        if variable is not None and gap not in table:
            table[gap] = env[variable]
            layers.place(("providers", name, gap), Origin("environment", variable))


def _meaning(config: Config, table: Table, presets: Presets, known: list[Problem]) -> list[Problem]:
    """What is wrong although it is well formed. Nothing that may only follow from a problem that is known already.

    `config` is without what could not be read. What is missing there is not missing in the file.
    """
    if any(len(problem.path) < 2 or problem.path[:-1] == ("profiles",) for problem in known):
        return []  # a whole section is missing, called by another name perhaps
    bad = {_whole(problem.path) for problem in known}
    providers, routes = table.get("providers"), table.get("routes")
    named = providers if isinstance(providers, dict) else {}
    config = msgspec.structs.replace(
        config, providers={name: ProviderConfig() for name in named} | {**config.providers}
    )
    if isinstance(routes, list) and len(routes) != len(config.routes):
        bad.add(("routes",))  # the others have lost their places
    found = checks.errors(config, presets)
    return [problem for problem in found if not {problem.path[:1], _whole(problem.path)} & bad]


def _whole(path: KeyPath) -> KeyPath:
    """The smallest table that is right or wrong as a whole: a provider, a route, an alias, any other section."""
    return path[:2] if path[0] in {"providers", "routes", "aliases"} else path[:1]


# What people write who mean that there is none.
_NO_SECRETS = frozenset({"", "none", "no", "null", "false"})


def _literals(config: Config, origins: Origins, source: _Source) -> list[Problem]:
    """Warn about secrets written into the file, and about others who can read it."""
    found: list[Problem] = []
    for path, reference in checks.secrets_in(config):
        origin = _nearest(origins, path)
        is_plain_header = "headers" in path and not looks_sensitive(str(path[-1]))
        if reference.kind == "literal" and not is_plain_header and origin and origin.layer in {"file", "profile"}:
            name = ".".join(str(key) for key in path)
            is_one = reference.literal is None or reference.literal.reveal().lower() not in _NO_SECRETS
            hint = 'keep it elsewhere: "env:NAME" or "file:PATH"' if is_one else "leave it out where none is needed"
            found.append(Problem(path, f"`{name}` is a secret written into the file", hint))
    if found and source.path is not None and source.path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        found.append(
            Problem((), "the file holds secrets and others can read it", f"chmod 600 {source.path}", str(source.path))
        )
    return found


def _with_section(problem: Problem) -> Problem:
    """A key that is unknown in its section but known in another gets a hint that names that one."""
    if len(problem.path) != 2 or " is unknown in " not in problem.message:
        return problem
    key = problem.path[1]
    for section in msgspec.structs.fields(Config):
        known = type_at(Config, (section.encode_name, str(key)))
        if isinstance(section.type, type) and known is not None:
            return msgspec.structs.replace(problem, hint=f"it belongs to [{section.encode_name}]")
    return problem


def _names(table: Table) -> list[str]:
    return [
        name for section in ("providers", "aliases") if isinstance(names := table.get(section), dict) for name in names
    ]


def _place(origins: Origins, path: KeyPath) -> str:
    """Where someone can go and change it: what a preset supplied is changed at the table of its provider."""
    for end in range(len(path), 0, -1):
        origin = origins.get(path[:end])
        if origin is not None and origin.layer != "preset":
            return origin.text if origin.layer == "flag" else origin.where
    return ""


def _reading_order(problem: Problem) -> tuple[str, int]:
    place, _, line = problem.where.rpartition(":")
    return (place, int(line)) if line.isdigit() else (problem.where, 0)


def _always(origin: Origin) -> Callable[[KeyPath], Origin]:
    return lambda _: origin


def _nest(path: tuple[str, ...], value: object) -> Table:
    for key in reversed(path):
        value = {key: value}
    return value if isinstance(value, dict) else {}


def _copy(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _nearest(origins: Origins, path: KeyPath) -> Origin | None:
    for end in range(len(path), 0, -1):
        if (origin := origins.get(path[:end])) is not None:
            return origin
    return None
