"""What the environment says: `STROWGER_SECTION__KEY` settings, and providers whose key variables are set or for which
there is a login.

Must not know about configuration files or flags.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping

from strowger.config.checks import split_url
from strowger.config.paths import logins_dir
from strowger.config.references import SecretRef
from strowger.config.schema import Config, Preset, Presets
from strowger.config.validate import Problem, type_at

PREFIX = "STROWGER_"
_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})


class Setting(typing.NamedTuple):
    """One value at its key path, and the variable it came from."""

    path: tuple[str, ...]
    value: object
    variable: str


def settings(env: Mapping[str, str], names: Iterable[str]) -> Iterator[Setting]:
    """Every `STROWGER_SECTION__KEY`, its text read as the key's type. Text of another type is left for validation.

    `names` are provider and alias names in use: a variable cannot hold their dashes and dots, so they are found by
    their spelling with underscores.
    """
    spelled = {_spelling(name): name for name in names}
    for variable in sorted(env):
        if not variable.startswith(PREFIX) or "__" not in variable.removeprefix(PREFIX):
            continue
        keys = [key.lower() for key in variable.removeprefix(PREFIX).split("__")]
        if len(keys) > 1 and keys[0] in {"providers", "aliases"}:
            keys[1] = spelled.get(_spelling(keys[1]), keys[1])
        path = tuple(keys)
        yield Setting(path, _read(env[variable], type_at(Config, path)), variable)


def inferred(env: Mapping[str, str], presets: Presets) -> tuple[dict[str, str], list[Problem]]:
    """Presets whose key variable is set (preset name → variable), and why others were left out.

    A key that stands next to a `…_BASE_URL` of another host belongs to that host: inside `strowger run` it is our own
    client token. Such keys are not used.
    """
    found: dict[str, str] = {}
    left_out: list[Problem] = []
    for name, preset in presets.items():
        if not preset.infer or (variable := key_variable(preset, env)) is None or not env.get(variable):
            continue
        if companion := _foreign_base_url(variable, preset, env):
            left_out.append(
                Problem(
                    ("providers", name),
                    f"{variable} is not used: {companion} says that it is for another host",
                    None,
                    variable,
                )
            )
            continue
        found[name] = variable
    return found, left_out


def logged_in(env: Mapping[str, str], presets: Presets) -> dict[str, str]:
    """Presets whose login has been made on this machine (preset name → the login), as `strowger login` leaves it."""
    folder = logins_dir(env)
    return {
        name: preset.auth
        for name, preset in presets.items()
        if preset.auth.startswith("login:") and preset.infer and (folder / f"{preset.auth[6:]}.json").is_file()
    }


def key_variable(preset: Preset, env: Mapping[str, str]) -> str | None:
    """The variable that holds the preset's key: the first that is set, else the usual one."""
    return next((name for name in preset.key_env if env.get(name)), preset.key_env[0] if preset.key_env else None)


def same_host(one: str, other: str) -> bool:
    """Whether two URLs lead to the same host over the same scheme; what is no URL leads nowhere."""
    a, b = split_url(one), split_url(other)
    return a is not None and b is not None and (a.scheme, a.netloc.lower()) == (b.scheme, b.netloc.lower())


def _foreign_base_url(variable: str, preset: Preset, env: Mapping[str, str]) -> str | None:
    stem = variable.removesuffix("_API_KEY")
    for companion in (f"{stem}_BASE_URL", f"{stem}_API_BASE"):
        if (url := env.get(companion)) and not same_host(url, preset.base_url):
            return companion
    return None


def _spelling(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _read(text: str, kind: object) -> object:
    if text[:1] in {"[", "{"} and kind is not str:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    if kind is bool:
        return True if text.lower() in _YES else False if text.lower() in _NO else text
    if kind in {int, float}:
        return _number(text)
    if kind is object:
        return _scalar(text)
    is_union = isinstance(kind, types.UnionType) or kind is SecretRef
    if typing.get_origin(kind) is tuple and not is_union:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _number(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _scalar(text: str) -> object:
    """A value of unknown type, as TOML would read it; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
