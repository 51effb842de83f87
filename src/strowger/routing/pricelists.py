"""Where prices come from: the user's own list, one that was fetched on the user's word, and the one in the package.

Reads files, and never the network. What a price means is `routing/prices`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strowger.config.paths import config_dir, state_dir
from strowger.errors import ConfigError
from strowger.routing.prices import Price, Prices, check, read_list

OWN = "prices.toml"
FETCHED = "prices.json"


class Vendor(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The prices of a vendor, and the page that they are from. `at`: where they hold, if not everywhere."""

    vendor: str
    source: str = ""
    at: tuple[str, ...] = ()
    note: str = ""
    prices: tuple[Price, ...] = ()


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole price list: what it is, and the day on which it was read. `note`: how."""

    about: str = ""
    read: str = ""
    note: str = ""
    vendors: tuple[Vendor, ...] = ()

    def prices(self) -> list[Price]:
        """Its prices, each with its place and its source."""
        return [
            replace(price, at=price.at or vendor.at, source=price.source or vendor.source)
            for vendor in self.vendors
            for price in vendor.prices
        ]


class Lists(Struct, frozen=True):
    """The three lists, the one that is asked first at the front; `own` and `fetched` are empty where there is none."""

    own: tuple[Price, ...]
    fetched: Table
    packaged: Table

    def prices(self) -> Prices:
        """All of them, for looking up."""
        return Prices((self.own, self.fetched.prices(), self.packaged.prices()))


_TABLE = msgspec.json.Decoder(Table)


@lru_cache(maxsize=1)
def packaged() -> Table:
    """The list that came with this version."""
    return _TABLE.decode((resources.files("strowger.routing") / "prices.json").read_bytes())


def own_file(named: str | None, env: Mapping[str, str]) -> Path:
    """Where the user's own list is, or would be."""
    return Path(named).expanduser() if named else config_dir(env) / OWN


def fetched_file(env: Mapping[str, str]) -> Path:
    """Where a list that was fetched is kept."""
    return state_dir(env) / FETCHED


def load(named: str | None, env: Mapping[str, str]) -> Lists:
    """The lists as they are now. `named` is the file of the configuration. Raises ConfigError."""
    return Lists(_own(own_file(named, env), required=named is not None), fetched(env), packaged())


def fetched(env: Mapping[str, str]) -> Table:
    """The list that was fetched, an empty one where none was. Raises ConfigError."""
    path = fetched_file(env)
    try:
        table = _TABLE.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Table()
    except OSError as error:
        raise ConfigError(f"the fetched price list cannot be read: {error.strerror}", where=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the fetched price list cannot be used: {error}",
            where=str(path),
            hint="`strowger prices update` writes it anew; without the file, the packaged prices hold",
        ) from None
    for price in table.prices():
        check(price, str(path))
    return table


def _own(path: Path, *, required: bool) -> tuple[Price, ...]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if required:
            hint = "`[prices] file` names it; without that, the packaged list holds"
            raise ConfigError("there is no price list at this place", where=str(path), hint=hint) from None
        return ()
    except OSError as error:
        raise ConfigError(f"the price list cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError:
        raise ConfigError("the price list is not UTF-8", where=str(path)) from None
    return read_list(text, str(path))
