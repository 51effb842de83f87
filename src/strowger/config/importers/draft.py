"""What an importer works on: our configuration as it grows, and a line for all that was taken or left.

The readers of values here take whatever a foreign file may hold and answer None for what is of another kind, so that an
importer is a list of facts about a format, without a check at each step. Must not know any foreign format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from strowger.config.importers.hosts import Address, named_like, preset_of
from strowger.config.references import BadReference, looks_sensitive, parse_reference
from strowger.config.schema import Presets

Table = dict[str, object]

_VARIABLE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_OS_ENVIRON = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_OF_A_PORT = 65535
_SUBSCRIPTION = "sk-ant-oat"


class Note(msgspec.Struct, frozen=True):
    """One thing of the foreign file, by its key there, and what became of it or why nothing did."""

    what: str
    text: str


class Imported(msgspec.Struct, frozen=True):
    """The outcome: a configuration as a table, what it was made of, what was left, and what deserves a word."""

    system: str
    table: Mapping[str, object]
    taken: tuple[Note, ...]
    left: tuple[Note, ...]
    warnings: tuple[str, ...] = ()


class Draft:
    """A configuration in the making. `env` fills in variables that stand where we can keep no reference."""

    def __init__(self, system: str, presets: Presets, env: Mapping[str, str]) -> None:
        self.system = system
        self.presets = presets
        self.env = env
        self.table: Table = {}
        self.taken: list[Note] = []
        self.left: list[Note] = []

    def done(self) -> Imported:
        """What has come together."""
        return Imported(self.system, self.table, tuple(self.taken), tuple(self.left))

    def took(self, what: str, became: str) -> None:
        """Say that something was taken over, and what it is now."""
        self.taken.append(Note(what, became))

    def leave(self, what: str, why: str) -> None:
        """Say that something was left, and why."""
        self.left.append(Note(what, why))

    def leave_rest(self, prefix: str, table: Mapping[str, object], known: set[str], why: str) -> None:
        """Say that every other key of a table was left."""
        for key in table:
            if key not in known:
                self.leave(f"{prefix}{key}", why)

    def section(self, *path: str) -> Table:
        """The table at a key path, made if it is not there yet."""
        table = self.table
        for key in path:
            below = table.setdefault(key, {})
            if not isinstance(below, dict):  # a value of ours has this name: what an importer does not do
                below = table[key] = {}
            table = below
        return table

    def put(self, what: str, value: object, *path: str) -> None:
        """Take a value over to a key path of ours."""
        self.section(*path[:-1])[path[-1]] = value
        self.took(what, ".".join(path))

    def provider(self, what: str, name: str, address: Address | None, own: Table) -> str | None:
        """Add a provider and return its name, or None, with a note, if there is no way to say where it is.

        A host that a preset knows becomes that preset; `own` is everything besides the address.
        """
        if address is None:
            self.leave(what, "there is no address in it that could be read")
            return None
        preset = preset_of(address, name, self.presets)
        name = free_name(name)
        key = text(own.get("auth"))
        if preset and key and not self.presets[preset].key_env and not variable_of(key):
            self.leave(f"{what}, its key", "a server of that kind wants none")
            own = {name: value for name, value in own.items() if name != "auth"}
        table: Table
        if preset is None:
            # The name of a preset would bring along what that says about another host.
            name = f"custom-{name}" if name in self.presets else name
            table = {"dialect": address.dialect, "base_url": address.base_url, **own}
        elif name in self.presets:
            name, table = preset, {**own}
        else:
            table = {"preset": preset, **own}
        return self.add(what, name, table)

    def add(self, what: str, name: str, table: Table) -> str:
        """Add a provider's table under the name, or the next free one, or find the very same one. Returns its name."""
        providers = self.section("providers")
        base, number = name, 1
        while name in providers and providers[name] != table:
            number += 1
            name = f"{base}-{number}"
            if number == 2 and base in self.presets and "base_url" not in table:
                table = {"preset": base, **table}
        if name not in providers:
            providers[name] = table
            self.took(what, f"providers.{name}")
        return name

    def models_of(self, name: str, models: list[str]) -> None:
        """Have a provider serve these models, where its preset does not know them by their names."""
        table = self.section("providers", name)
        known = self.presets.get(str(table.get("preset", name)))
        globs = known.models if known else ()
        fresh = [escaped(model) for model in models if not any(named_like(model, glob) for glob in globs)]
        if fresh:
            table["models"] = [*globs, *dict.fromkeys(fresh)]

    def route(
        self, model: str | list[str], targets: list[str], name: str | None = None, conditions: Table | None = None
    ) -> None:
        """Add a route from names of models, under `conditions`, to the first target, the others to fall back on."""
        routes = self.table.setdefault("routes", [])
        route: Table = {"match": {"model": model, **(conditions or {})}, "to": targets[0]}
        if len(targets) > 1:
            route["fallback"] = targets[1:]
        if name:
            route["name"] = name
        if isinstance(routes, list):
            routes.append(route)

    def secret(self, what: str, value: object) -> str | None:
        """A reference for a secret: a variable if the file names one, else the literal. None, with a note, if neither.

        A literal whose text means something else in our file is left, as it could not be told apart.
        """
        if (written := text(value)) is None:
            return None
        if variable := variable_in(written):
            return f"env:{variable}"
        if _SUBSCRIPTION in written:
            self.leave(
                what, "it is the token of a Claude subscription, which is for Anthropic's own programs: take a key"
            )
            return None
        try:
            kind = parse_reference(written).kind
        except BadReference:
            kind = "client"
        if kind != "literal" or "$" in written or _OS_ENVIRON.search(written):
            self.leave(what, 'it cannot stand in our file as it is: put it into a file, and say auth = "file:PATH"')
            return None
        return written

    def header(self, what: str, name: str, value: object) -> str | None:
        """The value of a header: a secret where its name says so, else a text."""
        written = text(value)
        if written is None or variable_in(written) or looks_sensitive(name):
            return self.secret(what, written)
        try:
            is_text = parse_reference(written, lenient=True).kind == "literal"
        except BadReference:
            is_text = False
        if not is_text:
            self.leave(what, "its text means something else in our file")
        return written if is_text else None

    def plain(self, what: str, value: object) -> str | None:
        """A text with its variables filled in from the environment; None, with a note, if one of them is not set."""
        if (written := text(value)) is None:
            return None
        missing: list[str] = []

        def fill(found: re.Match[str]) -> str:
            variable = found.group(1) or (found.group(2) if found.lastindex == 2 else "") or ""
            if not self.env.get(variable):
                missing.append(variable)
            return self.env.get(variable, "")

        filled = _OS_ENVIRON.sub(fill, _VARIABLE.sub(fill, written))
        if missing:
            self.leave(what, f"it holds the variable {missing[0]}, which is not set here")
            return None
        return filled


def variable_in(written: str) -> str | None:
    """The variable that a value stands for as a whole, in any of the spellings `$X`, `${X}`, `os.environ/X`."""
    if found := _OS_ENVIRON.fullmatch(written):
        return found.group(1)
    found = _VARIABLE.fullmatch(written)
    return (found.group(1) or found.group(2)) if found else None


def variable_of(reference: str) -> str | None:
    """The variable that a reference of ours names."""
    return reference.removeprefix("env:") if reference.startswith("env:") else None


def text(value: object) -> str | None:
    """A string that is not blank; a number is one, too, as formats without quotes make them."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def flag(value: object) -> bool:
    """Whether a switch is on, written as a truth value or as a word."""
    return value is True or (isinstance(value, str) and value.strip().lower() in {"true", "yes", "on", "1"})


def number(value: object) -> int | None:
    """A whole number that is not negative, also in quotes."""
    written = text(value)
    return int(written) if written and written.isascii() and written.isdigit() and len(written) < 10 else None


def port(value: object) -> int | None:
    """A port."""
    found = number(value)
    return found if found is not None and found <= _MOST_OF_A_PORT else None


def table_of(value: object) -> Table:
    """A table with keys that are strings; of anything else, an empty one."""
    return {key: item for key, item in value.items() if isinstance(key, str)} if isinstance(value, Mapping) else {}


def tables_in(value: object) -> Iterator[tuple[int, Table]]:
    """The tables in a list, with their places."""
    for place, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield place, table_of(item)


def texts_in(value: object) -> list[str]:
    """The strings in a list; a single one is a list of one."""
    if single := text(value):
        return [single]
    found = [text(item) for item in value] if isinstance(value, list) else []
    return [item for item in found if item is not None]


def free_name(name: str) -> str:
    """The name as one that a provider may have."""
    cleaned = _NOT_IN_A_NAME.sub("-", name).strip("-._")
    return cleaned or "imported"


def escaped(model: str) -> str:
    """A name of a model as a glob that fits it and nothing else."""
    return re.sub(r"([*?\[])", r"[\1]", model)
